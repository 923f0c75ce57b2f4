-- The SQL of ingest. Arrays in, arrays out: a batch is one statement a table, not one a row.

-- name: add_stores
-- Rows for stores that are seen before their description has come.
INSERT INTO stores (store, company)
SELECT store, company FROM unnest($1::text[], $2::text[]) AS new (store, company) ORDER BY store
ON CONFLICT (store) DO NOTHING

-- name: store_ids
SELECT store, store_id FROM stores WHERE store = ANY($1::text[])

-- name: describe_store
INSERT INTO stores AS s (store, company, name, division, address, suburb, state, postcode, lat, lon,
                         sells_online, retailer_ref, seen_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (store) DO UPDATE SET
    name = excluded.name, division = excluded.division, address = excluded.address, suburb = excluded.suburb,
    state = excluded.state, postcode = excluded.postcode, lat = excluded.lat, lon = excluded.lon,
    sells_online = excluded.sells_online, retailer_ref = excluded.retailer_ref, seen_at = excluded.seen_at,
    closed_at = NULL, closed_reason = NULL

-- name: close_store
INSERT INTO stores AS s (store, company, closed_at, closed_reason) VALUES ($1, $2, $3, $4)
ON CONFLICT (store) DO UPDATE SET closed_at = excluded.closed_at, closed_reason = excluded.closed_reason

-- name: heads
SELECT s.store, s.store_id, h.clock, h.next_seq, h.full_seq, h.full_size, h.partial_run
FROM stores s JOIN store_heads h USING (store_id)
WHERE s.store_id = ANY($1::int[])

-- name: open_scrapes
SELECT store_id, seq, scrape_id, scope, started_at FROM scrapes
WHERE store_id = ANY($1::int[]) AND outcome IS NULL

-- name: open_batches
SELECT store_id, batch, seen, created, updated, unchanged FROM open_batches WHERE store_id = ANY($1::int[])

-- name: partial_sets
SELECT store_id, seq, seen FROM scrapes
WHERE (store_id, seq) IN (SELECT * FROM unnest($1::int[], $2::int[]))
ORDER BY store_id, seq

-- name: prices
-- A store's prices as two arrays: a tenth of the time of as many rows. Where housekeeping has dropped some, from the
-- history, which has them all. One statement, so that it cannot collect between the question and the answer.
SELECT store_id, array_agg(listing_id) AS listings, array_agg(price) AS prices
FROM (
    SELECT p.store_id, p.listing_id, p.price
    FROM latest_prices p JOIN store_heads head USING (store_id)
    WHERE p.store_id = ANY($1::int[]) AND NOT head.collected
    UNION ALL
    SELECT head.store_id, last.listing_id, last.price
    FROM store_heads head
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (h.listing_id) h.listing_id, h.price
        FROM price_history h WHERE h.store_id = head.store_id ORDER BY h.listing_id, h.seq DESC
    ) last
    WHERE head.store_id = ANY($1::int[]) AND head.collected
) known
GROUP BY store_id

-- name: lock_heads
-- Those whose next scrape begins: from here on housekeeping finds them locked, and then with an open scrape.
SELECT store_id, collected FROM store_heads WHERE store_id = ANY($1::int[]) ORDER BY store_id FOR NO KEY UPDATE

-- name: restore_latest
-- What housekeeping dropped: the last row of each listing in the history.
INSERT INTO latest_prices (store_id, listing_id, price, changed_seq)
SELECT DISTINCT ON (listing_id) store_id, listing_id, price, seq
FROM price_history WHERE store_id = $1 ORDER BY listing_id, seq DESC
ON CONFLICT (store_id, listing_id) DO NOTHING

-- name: mark_restored
UPDATE store_heads SET collected = false WHERE store_id = $1

-- name: known_scrapes
SELECT s.store, x.scrape_id
FROM unnest($1::text[], $2::uuid[]) AS asked (store, scrape_id)
JOIN stores s USING (store) JOIN scrapes x ON x.store_id = s.store_id AND x.scrape_id = asked.scrape_id

-- name: write_heads
INSERT INTO store_heads (store_id, clock, next_seq, full_seq, full_size, partial_run)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (store_id) DO UPDATE SET
    clock = excluded.clock, next_seq = excluded.next_seq, full_seq = excluded.full_seq,
    full_size = excluded.full_size, partial_run = excluded.partial_run

-- name: open_scrape
INSERT INTO scrapes (store_id, seq, scrape_id, scope, started_at) VALUES ($1, $2, $3, $4, $5)

-- name: settle_scrape
UPDATE scrapes SET settled_at = $3, outcome = $4, listings = $5, created = $6, updated = $7, unchanged = $8,
                   withdrawn = $9, seen = $10
WHERE store_id = $1 AND seq = $2

-- name: add_batch
INSERT INTO open_batches (store_id, batch, seen, created, updated, unchanged)
VALUES ($1, $2, $3::text::int[], $4, $5, $6)

-- name: drop_batches
DELETE FROM open_batches WHERE store_id = ANY($1::int[])

-- name: update_latest
-- Changed prices of one store, which is named: the planner else scans the whole table from some 10,000 rows on. A price
-- of -1 is none.
UPDATE latest_prices p SET price = nullif(n.price, -1), changed_seq = n.changed_seq
FROM unnest($2::text::int[], $3::text::int[], $4::text::int[]) AS n (listing_id, price, changed_seq)
WHERE p.store_id = $1 AND p.listing_id = n.listing_id

-- name: listings
SELECT sku, listing_id, name, brand, size, barcode, category_path, image_url, described_on
FROM listings WHERE company = $1 AND sku = ANY($2::text[])

-- name: listings_by_number
SELECT sku, listing_id, name, brand, size, barcode, category_path, image_url, described_on
FROM listings WHERE listing_id = ANY($1::int[])

-- name: share_barcodes
-- Descriptions are written beside each other, but never beside readings of the company's barcodes: either would miss
-- what the other is about to say, and the listing be left without it. Taken before any row is locked.
SELECT pg_advisory_xact_lock_shared(hashtextextended(current_schema() || ' barcodes of ' || $1::text, 0))

-- name: lock_barcodes
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' barcodes of ' || $1::text, 0))

-- name: read_barcodes
SELECT sku, barcode, seen_at FROM read_barcodes WHERE company = $1 AND sku = ANY($2::text[])

-- name: write_barcodes
-- What stands of the readings: they were joined with the rows that are there, under the lock.
INSERT INTO read_barcodes (company, sku, barcode, seen_at)
SELECT $1, sku, barcode, seen_at
FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS new (sku, barcode, seen_at)
ORDER BY sku
ON CONFLICT (company, sku) DO UPDATE SET barcode = excluded.barcode, seen_at = excluded.seen_at

-- name: put_barcodes
-- The same beside the listings.
UPDATE listings l SET read_barcode = new.barcode
FROM unnest($2::text[], $3::text[]) AS new (sku, barcode)
WHERE l.company = $1 AND l.sku = new.sku

-- name: describe_listings
-- The join of domain/listings.py, on the database's own row: two processes may both come here. In SKU order, so
-- that they never wait for each other in a circle. Old content comes back, to tell news from a later day.
INSERT INTO listings AS l (company, sku, name, brand, size, barcode, category_path, image_url, described_on,
                           content_hash, read_barcode, supplier)
SELECT $1, sku, name, brand, size, barcode, coalesce(string_to_array(nullif(category_path, ''), E'\x1f'), '{}'),
       image_url, described_on, content_hash, read_barcode, supplier
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::date[],
            $10::bigint[], $11::text[], $12::boolean[])
     AS new (sku, name, brand, size, barcode, category_path, image_url, described_on, content_hash, read_barcode,
             supplier)
ORDER BY sku
ON CONFLICT (company, sku) DO UPDATE SET
    name = excluded.name, brand = excluded.brand, size = excluded.size, barcode = excluded.barcode,
    category_path = excluded.category_path, image_url = excluded.image_url, described_on = excluded.described_on,
    content_hash = excluded.content_hash, read_barcode = excluded.read_barcode, supplier = excluded.supplier
WHERE (excluded.described_on, excluded.content_hash) > (l.described_on, l.content_hash)
RETURNING l.sku, l.listing_id, old.content_hash AS old_hash, new.content_hash AS new_hash
