-- The catalogue's tables: written from its events, read into memory. Arrays in, arrays out.

-- name: left_by
SELECT left_by::text FROM catalogue_head

-- name: leave
UPDATE catalogue_head SET left_by = pg_current_xact_id()

-- name: merged_before
SELECT product_id, merged_into FROM products WHERE product_id = ANY($1::uuid[]) AND merged_into IS NOT NULL

-- name: write_products
INSERT INTO products AS p (product_id, company, sku, name, brand_id, sizes)
SELECT product_id, company, sku, name, brand_id, ARRAY(SELECT jsonb_array_elements_text(sizes))
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
     AS new (product_id, company, sku, name, brand_id, sizes)
ON CONFLICT (product_id) DO UPDATE SET
    company = excluded.company, sku = excluded.sku, name = excluded.name, brand_id = excluded.brand_id,
    sizes = excluded.sizes

-- name: merge_survivors
-- What was merged into these is merged into their survivors.
UPDATE products p SET merged_into = new.survivor
FROM unnest($1::uuid[], $2::uuid[]) AS new (product_id, survivor) WHERE p.merged_into = new.product_id

-- name: merge_products
UPDATE products p SET merged_into = new.survivor
FROM unnest($1::uuid[], $2::uuid[]) AS new (product_id, survivor) WHERE p.product_id = new.product_id

-- name: move_links
UPDATE links l SET product_id = new.survivor
FROM unnest($1::uuid[], $2::uuid[]) AS new (product_id, survivor)
WHERE l.product_id = new.product_id AND l.rule IS NOT NULL

-- name: write_links
-- In the order of their keys, and in one statement: in a replay listings are described at the same time.
INSERT INTO links AS l (company, sku, product_id, rule, rule_version, evidence, name, brand, size, barcode)
SELECT new.company, new.sku, coalesce(p.merged_into, new.product_id), new.rule, new.rule_version, new.evidence,
       new.name, new.brand, new.size, new.barcode
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::jsonb[], $7::text[], $8::text[],
            $9::text[], $10::text[])
     AS new (company, sku, product_id, rule, rule_version, evidence, name, brand, size, barcode)
LEFT JOIN products p ON p.product_id = new.product_id
ORDER BY new.company, new.sku
ON CONFLICT (company, sku) DO UPDATE SET
    product_id = excluded.product_id, rule = excluded.rule, rule_version = excluded.rule_version,
    evidence = excluded.evidence, name = excluded.name, brand = excluded.brand, size = excluded.size,
    barcode = excluded.barcode

-- name: stand_alone
-- New listings have a product of their own until identity has decided, and keep what it has decided already.
INSERT INTO links (company, sku, product_id) SELECT $1, sku, product_id
FROM unnest($2::text[], $3::uuid[]) AS new (sku, product_id) ORDER BY sku
ON CONFLICT (company, sku) DO NOTHING

-- name: unlink
-- Not decided: alone again, as the product it would found.
UPDATE links l SET product_id = new.product_id, rule = NULL, rule_version = NULL, evidence = NULL, name = NULL,
                   brand = NULL, size = NULL, barcode = NULL
FROM unnest($1::text[], $2::text[], $3::uuid[]) AS new (company, sku, product_id)
WHERE (l.company, l.sku) = (new.company, new.sku)

-- name: write_variations
INSERT INTO variations AS v (product_id, key, company, sku)
SELECT DISTINCT ON (1, 2) coalesce(p.merged_into, new.product_id), new.key, new.company, new.sku
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS new (product_id, key, company, sku)
LEFT JOIN products p ON p.product_id = new.product_id
ORDER BY 1, 2, new.company, new.sku
ON CONFLICT (product_id, md5(key)) DO UPDATE SET company = excluded.company, sku = excluded.sku
WHERE (excluded.company, excluded.sku) < (v.company, v.sku)

-- name: take_variations
DELETE FROM variations WHERE product_id = ANY($1::uuid[]) RETURNING product_id, key, company, sku

-- name: write_bars
INSERT INTO bars (company, sku, product_id) SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[])

-- name: drop_bars
DELETE FROM bars USING unnest($1::text[], $2::text[], $3::uuid[]) AS old (company, sku, product_id)
WHERE (bars.company, bars.sku, bars.product_id) = (old.company, old.sku, old.product_id)

-- name: brands_before
SELECT brand, survivor FROM brands WHERE brand = ANY($1::text[])

-- name: merge_brand_survivors
UPDATE brands b SET survivor = new.survivor
FROM unnest($1::text[], $2::text[]) AS new (brand, survivor) WHERE b.survivor = new.brand

-- name: merge_brands
INSERT INTO brands (brand, survivor) SELECT * FROM unnest($1::text[], $2::text[])
ON CONFLICT (brand) DO UPDATE SET survivor = excluded.survivor

-- name: products
SELECT product_id, company, sku, brand_id, sizes, merged_into FROM products

-- name: links
SELECT company, sku, product_id, name, brand, size, barcode FROM links WHERE rule IS NOT NULL

-- name: variations
SELECT product_id, key FROM variations

-- name: bars
SELECT company, sku, product_id FROM bars

-- name: brands
SELECT brand, survivor FROM brands

-- name: unsent
SELECT count(*) FROM outbox WHERE topic = $1

-- name: position
SELECT next_offset FROM positions WHERE topic = $1 AND partition = $2
