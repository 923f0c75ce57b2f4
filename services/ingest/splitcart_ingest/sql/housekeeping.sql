-- Housekeeping (protocol.md, rule 10): it reads both folds, and writes neither's record.

-- name: candidates
-- Stores with a confirmation, no open scrape, and something new since they were last looked through.
SELECT head.store_id
FROM store_heads head
CROSS JOIN LATERAL (
    SELECT m.version FROM group_markers m
    WHERE m.store_id = head.store_id AND m.up_to_scrape IS NOT NULL ORDER BY m.version DESC LIMIT 1
) last
LEFT JOIN floors f ON f.store_id = head.store_id
WHERE (f.store_id IS NULL OR f.version < last.version OR f.next_seq < head.next_seq)
  AND NOT EXISTS (SELECT FROM scrapes x WHERE x.store_id = head.store_id AND x.outcome IS NULL)
ORDER BY head.store_id

-- name: lock_head
-- Nothing where its lane has it at the moment: there is a next time.
SELECT next_seq FROM store_heads WHERE store_id = $1 FOR NO KEY UPDATE SKIP LOCKED

-- name: floor
-- Only now that the head is locked: nobody can begin a scrape any more. `waiting`: for a scrape that is not folded yet.
SELECT max(m.version) AS version, max(x.seq) AS seq, bool_or(x.seq IS NULL) AS waiting,
       EXISTS (SELECT FROM scrapes o WHERE o.store_id = $1 AND o.outcome IS NULL) AS open
FROM group_markers m
LEFT JOIN scrapes x ON x.store_id = m.store_id AND x.scrape_id = m.up_to_scrape
WHERE m.store_id = $1 AND m.up_to_scrape IS NOT NULL

-- name: collect
-- The rows whose evidence (rule 5) is not above the floor.
WITH gone AS (
    DELETE FROM latest_prices p
    USING store_heads head
    WHERE p.store_id = $1 AND head.store_id = $1
      AND greatest(p.changed_seq, head.full_seq) <= $2
      AND p.listing_id NOT IN (
          SELECT unnest(x.seen) FROM scrapes x WHERE x.store_id = $1 AND x.seq > $2 AND x.outcome IS NOT NULL
      )
    RETURNING p.listing_id
)
SELECT count(*) FROM gone

-- name: mark_collected
UPDATE store_heads SET collected = true WHERE store_id = $1

-- name: remember
INSERT INTO floors (store_id, version, seq, next_seq) VALUES ($1, $2, $3, $4)
ON CONFLICT (store_id) DO UPDATE SET version = excluded.version, seq = excluded.seq, next_seq = excluded.next_seq
