-- Dead letters that were redriven, by name.

-- name: redriven
SELECT topic, partition, "offset", scrape_id, at FROM redrives

-- name: record_redrives
INSERT INTO redrives (topic, partition, "offset", store, of_scrape, scrape_id, at)
SELECT $1, $2, lost, $4, $5, $6, $7 FROM unnest($3::bigint[]) AS lost
ON CONFLICT DO NOTHING RETURNING "offset"

-- name: later_scrape
-- One that is published and later than the scrape that lost something; those that bring back its own are not.
SELECT scrape_id, started_at FROM runs
WHERE store = $1 AND scrape_id <> $2 AND started_at > $3 AND state IN ('completed', 'abandoned', 'rejected')
  AND NOT EXISTS (SELECT 1 FROM redrives d WHERE d.scrape_id = runs.scrape_id AND d.of_scrape = $2)
ORDER BY started_at LIMIT 1

-- name: redrives_of
SELECT DISTINCT scrape_id FROM redrives WHERE of_scrape = $1 AND scrape_id IS NOT NULL

-- name: redrive_run
INSERT INTO runs (scrape_id, store, state, reason, scope, started_at, parser_version, finished_at, tally)
VALUES ($1, $2, 'completed', 'redrive', 'part', $3, $4, $5, $6)

-- name: outlet_now
SELECT outlet, closed_at FROM stores WHERE store = $1 FOR UPDATE
