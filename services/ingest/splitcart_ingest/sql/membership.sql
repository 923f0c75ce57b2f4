-- The membership fold's SQL. It names no table of the store fold (a test holds it to that): stores are numbers here.

-- name: last_versions
SELECT asked.company, last.version, last.decided_at
FROM unnest($1::text[]) AS asked (company)
CROSS JOIN LATERAL (
    SELECT m.version, m.decided_at FROM group_markers m
    WHERE m.company = asked.company ORDER BY m.version DESC LIMIT 1
) last

-- name: sku_numbers
SELECT sku, number FROM group_skus WHERE company = $1 AND sku = ANY($2::text[])

-- name: add_skus
-- One lane at a time folds a company, under the lock of its position.
INSERT INTO group_skus (company, sku)
SELECT $1, sku FROM unnest($2::text[]) AS new (sku) ORDER BY sku
RETURNING sku, number

-- name: standing
-- What the last marker of each of these stores states, in full.
SELECT asked.store_id, last.version, last.numbers, last.prices, last.seen_at
FROM unnest($1::int[]) AS asked (store_id)
CROSS JOIN LATERAL (
    SELECT e.version, e.numbers, e.prices, e.seen_at FROM group_exceptions e
    WHERE e.store_id = asked.store_id ORDER BY e.version DESC LIMIT 1
) last

-- name: add_marker
INSERT INTO group_markers (company, version, store_id, anchor_id, up_to_scrape, anchor_scrape, decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: add_exceptions
INSERT INTO group_exceptions (store_id, version, numbers, prices, seen_at, absent) VALUES ($1, $2, $3, $4, $5, $6)

-- name: supersede
-- It was the last: from now on it is what differs from the next.
UPDATE group_exceptions SET numbers = $3, prices = $4, seen_at = $5, absent = $6 WHERE store_id = $1 AND version = $2
