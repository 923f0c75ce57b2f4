-- What `splitcart price`, `history` and `count` ask of the views.

-- name: served
SELECT price, source, anchor, seen_store, seen_at, seen_scrape, changed_at, was_price, special
FROM read.prices_as_of($1, $2) WHERE store = $3 AND sku = $4

-- name: history
SELECT since, until, price, source, anchor, first_seen, last_seen, seen_scrape, was_price, special
FROM read.served_history($1, $2, $3, $4, $5) ORDER BY since

-- name: memberships
SELECT since, until, anchor, version, exceptions, up_to_scrape, anchor_scrape FROM read.memberships
WHERE store = $1 AND since <= $3 AND (until IS NULL OR until > $2) ORDER BY version

-- name: own
SELECT since, last_seen, until, price, was_price, special, scrape_id, batch FROM read.own_history
WHERE store = $1 AND sku = $2 AND since <= $4 AND (until IS NULL OR until > $3) ORDER BY since

-- name: companies
SELECT DISTINCT company FROM read.stores

-- name: folded_to
-- No moment from here on is one of the past.
SELECT greatest((SELECT max(started_at) FROM read.part_scrapes), (SELECT max(decided_at) FROM read.part_markers))

-- name: counts
SELECT s.store, s.name, s.company, coalesce(stored.n, 0) AS stored, coalesce(served.n, 0) AS served, served.seen_at
FROM read.stores s
LEFT JOIN (
    SELECT x.store, count(*) AS n FROM read.part_prices p JOIN read.part_stores x USING (store_id)
    WHERE p.price IS NOT NULL GROUP BY x.store
) stored USING (store)
LEFT JOIN (
    SELECT store, count(*) AS n, max(seen_at) AS seen_at FROM read.prices($1, $2) GROUP BY store
) served USING (store)
ORDER BY s.store

-- name: counts_as_of
-- Stored is what the store's own record came to: which rows of it housekeeping had dropped by then, nobody knows.
SELECT s.store, s.name, s.company, coalesce(stored.n, 0) AS stored, coalesce(served.n, 0) AS served, served.seen_at
FROM read.stores s
LEFT JOIN (
    SELECT x.store, count(*) AS n
    FROM (
        SELECT DISTINCT ON (h.store_id, h.listing_id) h.store_id, h.price
        FROM read.part_changes h WHERE h.at <= $1 ORDER BY h.store_id, h.listing_id, h.seq DESC
    ) last JOIN read.part_stores x USING (store_id)
    WHERE last.price IS NOT NULL GROUP BY x.store
) stored USING (store)
LEFT JOIN (
    SELECT store, count(*) AS n, max(seen_at) AS seen_at FROM read.prices_as_of($1, $2) GROUP BY store
) served USING (store)
ORDER BY s.store

-- name: scrapes
-- The latest first; an open one has no outcome and no counts yet.
SELECT store, started_at, settled_at, coalesce(outcome, 'open') AS outcome, listings, created, updated, unchanged,
       withdrawn, scrape_id
FROM read.scrapes
WHERE ($1::text IS NULL OR store = $1) AND ($2::text IS NULL OR company = $2)
  AND ($3::text IS NULL OR coalesce(outcome, 'open') = $3)
ORDER BY started_at DESC, store LIMIT $4
