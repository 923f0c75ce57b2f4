-- What a generation comes to, by natural keys alone: the parts a digest is made of. The search path names it.
--
-- Each begins with company and store (null: of none), then what tells its rows apart, then what they say. Numbers of stores and listings, times of writing, caches (latest_prices) and memos (floors) are in none.

-- name: stores
SELECT company, store, name, division, address, suburb, state, postcode, lat, lon, sells_online, retailer_ref, seen_at,
       closed_at, closed_reason
FROM stores

-- name: heads
SELECT s.company, s.store, h.clock, h.next_seq, h.full_seq, h.full_size, h.partial_run
FROM store_heads h JOIN stores s USING (store_id)

-- name: scrapes
SELECT s.company, s.store, x.seq, x.scrape_id, x.scope, x.started_at, x.settled_at, x.outcome, x.listings, x.created,
       x.updated, x.unchanged, x.withdrawn,
       CASE WHEN x.seen IS NOT NULL THEN ARRAY(
           SELECT l.sku FROM unnest(x.seen) AS n (listing_id) JOIN listings l USING (listing_id) ORDER BY l.sku
       ) END AS seen
FROM scrapes x JOIN stores s USING (store_id)

-- name: open batches
SELECT s.company, s.store, b.batch, b.created, b.updated, b.unchanged, ARRAY(
           SELECT l.sku FROM unnest(b.seen) AS n (listing_id) JOIN listings l USING (listing_id) ORDER BY l.sku
       ) AS seen
FROM open_batches b JOIN stores s USING (store_id)

-- name: history
SELECT s.company, s.store, l.sku, h.seq, h.batch, h.at, h.price, h.was_price, h.special
FROM price_history h JOIN stores s USING (store_id) JOIN listings l USING (listing_id)

-- name: markers
SELECT m.company, s.store, m.version, a.store AS anchor, m.up_to_scrape, m.anchor_scrape, m.decided_at
FROM group_markers m JOIN stores s USING (store_id) JOIN stores a ON a.store_id = m.anchor_id

-- name: exceptions
-- An earlier statement is kept as what differs from the next: the same, however it came.
SELECT s.company, s.store, e.version, ARRAY(
           SELECT ROW(k.sku, stated.price, stated.seen_at)::text
           FROM unnest(e.numbers, e.prices, e.seen_at) AS stated (number, price, seen_at) JOIN group_skus k USING (number)
           ORDER BY k.sku
       ) AS stated, ARRAY(
           SELECT k.sku FROM unnest(e.absent) AS n (number) JOIN group_skus k USING (number) ORDER BY k.sku
       ) AS absent
FROM group_exceptions e JOIN stores s USING (store_id)

-- name: listings
SELECT company, NULL AS store, sku, name, brand, size, barcode, category_path, image_url, described_on, content_hash,
       read_barcode
FROM listings

-- name: read barcodes
SELECT company, NULL AS store, sku, barcode, seen_at FROM read_barcodes

-- name: served alone
-- Rule 8 for a store without a marker, at any moment: its own rows that have a price.
SELECT s.company, s.store, l.sku, p.price
FROM latest_prices p JOIN stores s USING (store_id) JOIN listings l USING (listing_id)
WHERE p.price IS NOT NULL AND NOT EXISTS (SELECT FROM group_markers m WHERE m.store_id = p.store_id)

-- name: products
SELECT company, NULL AS store, product_id, sku, name, brand_id, sizes, merged_into FROM products

-- name: links
SELECT company, NULL AS store, sku, product_id, rule, rule_version, evidence, name, brand, size, barcode FROM links

-- name: variations
SELECT company, NULL AS store, product_id, key, sku FROM variations

-- name: bars
SELECT company, NULL AS store, sku, product_id FROM bars

-- name: brands
SELECT NULL AS company, NULL AS store, brand, survivor FROM brands
