-- The SQL of the gateway: only views of schema `read`.

-- name: probe
-- Whether the views are there and may be read.
SELECT EXISTS (SELECT FROM read.stores)
   AND EXISTS (SELECT FROM read.listings)
   AND EXISTS (SELECT FROM read.product_ids)
   AND EXISTS (SELECT FROM read.own_prices)
   AND EXISTS (SELECT FROM read.store_moments)
   AND EXISTS (SELECT FROM read.scrapes)

-- name: stores_stamp
-- Differs whenever a store came, was described anew, or closed.
SELECT count(*) AS stores, count(name) AS described, max(seen_at) AS seen_at, count(closed_at) AS closed
FROM read.stores

-- name: stores
SELECT store, company, name, division, address, suburb, state, postcode, lat, lon, sells_online, seen_at, closed_at
FROM read.stores

-- name: last_scrapes
-- The last settled scrape of each of these stores; none for one never scraped.
SELECT w.store, last.started_at, last.outcome, last.listings
FROM unnest($1::text[]) AS w (store)
CROSS JOIN LATERAL (
    SELECT x.started_at, x.outcome, x.listings
    FROM read.scrapes x
    WHERE x.store = w.store AND x.outcome IS NOT NULL
    ORDER BY x.seq DESC
    LIMIT 1
) last

-- name: listings_by_words
-- By what the companies say themselves (words, title): ingest has its indexes on that. Short names first: they are
-- the plain things.
SELECT company, sku, name, brand, size, barcode, category_path, image_url, product_id, 0::real AS likeness
FROM read.listings
WHERE to_tsvector('simple', words) @@ to_tsquery('simple', $1)
  AND ($2::text IS NULL OR company = $2)
ORDER BY length(name), company, sku
LIMIT $3

-- name: listings_by_likeness
-- Misspelt words: trigrams, likest first. What counts as alike at all is a setting of the connection (store.py).
SELECT company, sku, name, brand, size, barcode, category_path, image_url, product_id,
       word_similarity($1, title) AS likeness
FROM read.listings
WHERE $1 <% title
  AND ($2::text IS NULL OR company = $2)
ORDER BY likeness DESC, length(name), company, sku
LIMIT $3

-- name: listings_by_code
SELECT company, sku, name, brand, size, barcode, category_path, image_url, product_id, 1::real AS likeness
FROM read.listings
WHERE (barcode = ANY ($1::text[]) OR sku = $2)
  AND ($3::text IS NULL OR company = $3)
ORDER BY company, sku
LIMIT $4

-- name: listings_of_products
-- By the ids that were asked for: one that was merged, or that no listing is any more, answers as its survivor.
SELECT a.asked, company, sku, name, brand, size, barcode, category_path, image_url, l.product_id, 0::real AS likeness
FROM unnest($1::uuid[]) AS a (asked)
LEFT JOIN read.product_ids AS i ON i.product_id = a.asked
JOIN read.listings AS l ON l.product_id = coalesce(i.survivor, a.asked)

-- name: prices
-- One product at these stores at a moment, and when the whole range of each was last seen, its own or its anchor's:
-- one statement, so one snapshot. A row without a sku is of the second kind. One product at a time: with an array the
-- planner reads whole stores. $4 is each company's last turn before the moment.
SELECT store, sku, price, seen_at, seen_store, changed_at, was_price, special, source, anchor
FROM read.prices($3::timestamptz, $4::jsonb)
WHERE product_id = $1 AND store = ANY ($2::text[])
UNION ALL
SELECT m.store, NULL, NULL, m.range_seen_at, NULL, NULL, NULL, NULL, NULL, NULL
FROM read.store_moments m
WHERE m.store = ANY ($2::text[]) AND m.range_seen_at IS NOT NULL

-- name: groups
-- The largest first.
SELECT company, anchor, formed_at, version, members, anchor_settled_at, stale_since, count(*) OVER () AS total
FROM read.groups
WHERE ($1::text IS NULL OR company = $1) AND members >= $2
ORDER BY members DESC, anchor
LIMIT $3

-- name: group
-- The group that a store belongs to.
SELECT g.company, g.anchor, g.formed_at, g.version, g.members, g.anchor_settled_at, g.stale_since
FROM read.group_members m JOIN read.groups g USING (company, anchor)
WHERE m.store = $1

-- name: group_members
SELECT store, anchor, version, confirmed_at, up_to_scrape, anchor_scrape, shared, equal, exceptions, rule_version
FROM read.group_members
WHERE anchor = $1
ORDER BY store <> anchor, store

-- name: group_decisions
-- What was decided about any of these stores, newest first.
SELECT version, at, kind, store, anchor, other, shared, equal, detail
FROM read.group_decisions
WHERE company = $1 AND (store = ANY ($2::text[]) OR other = ANY ($2::text[]))
ORDER BY version DESC
LIMIT $3

-- name: link
-- Which product a listing is, by which rule (null: not decided yet), and how many listings that product has.
SELECT k.product_id, k.rule, (SELECT count(*) FROM read.links o WHERE o.product_id = k.product_id) AS listings
FROM read.links k
WHERE k.company = $1 AND k.sku = $2

-- name: survivor
SELECT survivor FROM read.product_ids WHERE product_id = $1
