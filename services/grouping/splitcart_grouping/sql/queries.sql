-- The SQL of grouping.

-- name: add_companies
INSERT INTO companies (company) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT (company) DO NOTHING

-- name: lock_companies
-- In one order, so that two transactions never wait for each other in a circle.
SELECT company, version, revision, changed_by, history_until, pg_current_xact_id()::text AS me
FROM companies WHERE company = ANY($1::text[]) ORDER BY company FOR UPDATE

-- name: companies
SELECT company FROM companies ORDER BY company

-- name: versions
SELECT company, version FROM companies WHERE company = ANY($1::text[])

-- name: committed
-- Whether a transaction of ours went through; null where that was too long ago to be known.
SELECT pg_xact_status($1::text::xid8) = 'committed'

-- name: listings
SELECT sku FROM listings WHERE company = $1 ORDER BY number

-- name: count_listings
SELECT count(*) FROM listings WHERE company = $1

-- name: stores
SELECT store, record FROM stores WHERE company = $1 AND revision > $2 ORDER BY store

-- name: decisions
SELECT kind, event_version, event FROM decisions WHERE company = $1 AND version > $2 ORDER BY version

-- name: write_company
UPDATE companies SET version = $2, revision = $3, changed_by = $4, history_until = greatest(history_until, $5)
WHERE company = $1

-- name: write_store
INSERT INTO stores (store, company, revision, record, discovered_at, closed_at, seq, scrape_id, outcome, started_at,
                    settled_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (store) DO UPDATE SET
    revision = excluded.revision, record = excluded.record, discovered_at = excluded.discovered_at,
    closed_at = excluded.closed_at, seq = excluded.seq, scrape_id = excluded.scrape_id, outcome = excluded.outcome,
    started_at = excluded.started_at, settled_at = excluded.settled_at

-- name: pending_events
SELECT store, event_id FROM pending WHERE store = ANY($1::text[])

-- name: pending_changes
SELECT changes FROM pending WHERE store = $1 AND scrape_id = $2 ORDER BY "offset"

-- name: drop_pending
-- What has settled, and what was never heard of again.
DELETE FROM pending p USING unnest($1::text[], $2::int[]) AS settled (store, seq)
WHERE p.store = settled.store AND p.seq <= settled.seq

-- name: write_member
INSERT INTO members AS m (store, company, anchor, version, formed_at, confirmed_at, up_to_scrape, anchor_scrape,
                          shared, equal, exceptions, rule_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (store) DO UPDATE SET
    anchor = excluded.anchor, version = excluded.version, formed_at = excluded.formed_at,
    confirmed_at = excluded.confirmed_at, up_to_scrape = excluded.up_to_scrape,
    anchor_scrape = excluded.anchor_scrape, shared = excluded.shared, equal = excluded.equal,
    exceptions = excluded.exceptions, rule_version = excluded.rule_version

-- name: mark_stale
UPDATE members SET stale_since = $2 WHERE store = $1

-- name: lock_position
SELECT epoch, next_offset FROM positions WHERE topic = $1 AND partition = $2 FOR UPDATE

-- name: position
SELECT next_offset FROM positions WHERE topic = $1 AND partition = $2
