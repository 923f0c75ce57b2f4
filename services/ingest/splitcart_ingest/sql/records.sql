-- All that is on record of one listing at a store and its anchors: what `splitcart explain price` puts together again.

-- name: store
SELECT store_id, store, company FROM read.part_stores WHERE store = $1

-- name: listing
-- The listing of a SKU ($2), else that of a product ($3): the company's first, if there are several.
SELECT p.listing_id, p.sku, p.product_id, l.name
FROM read.part_listings p JOIN read.listings l ON l.company = p.company AND l.sku = p.sku
WHERE p.company = $1 AND (p.sku = $2 OR p.product_id = (SELECT i.survivor FROM read.product_ids i WHERE i.product_id = $3)
                          OR p.product_id = $3)
ORDER BY p.sku LIMIT 1

-- name: involved
-- The store and all who ever stood for it.
SELECT store_id, store FROM read.part_stores
WHERE store_id = $1 OR store_id IN (SELECT m.anchor_id FROM read.part_markers m WHERE m.store_id = $1)

-- name: changes
SELECT store_id, seq, at, price, was_price, special, batch FROM read.part_changes
WHERE store_id = ANY($1::int[]) AND listing_id = $2 ORDER BY store_id, seq

-- name: scrapes
SELECT store_id, seq, scrape_id, started_at, settled_at, outcome, listings, seen IS NOT NULL AS kept,
       seen @> ARRAY[$2::int] AS lists
FROM read.part_scrapes WHERE store_id = ANY($1::int[]) ORDER BY store_id, seq

-- name: markers
-- The latest first, as what an earlier one states is told from the one after it (domain/exceptions.py).
SELECT m.store_id, m.version, a.store AS anchor, m.up_to_scrape, m.anchor_scrape, m.decided_at,
       e.numbers[near.place] = named.number AS states, e.prices[near.place] AS price, e.seen_at[near.place] AS seen_at,
       e.absent @> ARRAY[named.number] AS absent, e.absent IS NULL AS whole
FROM read.part_markers m
JOIN read.part_stores a ON a.store_id = m.anchor_id
LEFT JOIN read.part_skus named ON named.company = $2 AND named.sku = $3
LEFT JOIN read.part_exceptions e ON e.store_id = m.store_id AND e.version = m.version
CROSS JOIN LATERAL (SELECT width_bucket(named.number, e.numbers) AS place OFFSET 0) near
WHERE m.store_id = ANY($1::int[])
ORDER BY m.store_id, m.version DESC
