-- What `splitcart products show` asks of a generation: the search path names it, then `read`.

-- name: of_listing
SELECT product_id FROM links WHERE company = $1 AND sku = $2

-- name: survivor
SELECT survivor FROM read.product_ids WHERE product_id = $1

-- name: product
SELECT product_id, name, brand, brand_id, sizes, listings FROM read.products WHERE product_id = $1

-- name: ids
-- What was merged into it.
SELECT product_id FROM products WHERE merged_into = $1 ORDER BY company, sku

-- name: listings
SELECT k.company, k.sku, l.name, l.brand, l.size, l.barcode, k.rule, k.rule_version, k.evidence
FROM links k LEFT JOIN read.listings l ON l.company = k.company AND l.sku = k.sku
WHERE k.product_id = $1 ORDER BY k.company, k.sku

-- name: keys
SELECT key, company, sku FROM variations WHERE product_id = $1 ORDER BY key

-- name: barred
SELECT company, sku FROM bars WHERE product_id = $1 ORDER BY company, sku
