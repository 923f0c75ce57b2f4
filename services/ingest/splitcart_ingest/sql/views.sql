-- What others may read. Bound to one generation's tables: a swap re-creates them (design.md, promise 3).
-- `{schema}` is the generation.

-- Until there were groups it showed a store's own rows: now that is read.own_prices, and read.prices a function.
DROP VIEW IF EXISTS read.prices;

CREATE OR REPLACE VIEW read.stores AS
SELECT store, company, name, division, address, suburb, state, postcode, lat, lon, sells_online, retailer_ref,
       seen_at, closed_at
FROM {schema}.stores;

-- What a company does not say of its own listing, brand, size, category or picture, is lent by the others that are the
-- same product, by the rule of domain/enrich.py: the value most of them give, then that of the first. It is looked for
-- where there is a gap, and a row is shown. The barcode is the company's own, else the one read on its pages. words and
-- title are what the company says and nobody lent: whoever searches uses them, as the indexes are on these expressions.
CREATE OR REPLACE VIEW read.listings AS
SELECT l.company, l.sku, l.name, coalesce(nullif(l.brand, ''), (
           SELECT s.brand FROM {schema}.links x JOIN {schema}.listings s USING (company, sku)
           WHERE x.product_id = k.product_id AND s.brand <> '' AND NOT s.supplier
           GROUP BY s.brand ORDER BY count(*) DESC, min(company || E'\x01' || sku COLLATE "C") LIMIT 1
       ), l.brand) AS brand, coalesce(nullif(l.size, ''), (
           SELECT s.size FROM {schema}.links x JOIN {schema}.listings s USING (company, sku)
           WHERE x.product_id = k.product_id AND s.size <> ''
           GROUP BY s.size ORDER BY count(*) DESC, min(company || E'\x01' || sku COLLATE "C") LIMIT 1
       ), l.size) AS size,
       coalesce(l.barcode, l.read_barcode) AS barcode,
       CASE WHEN l.category_path <> '{}' THEN l.category_path ELSE coalesce((
           SELECT s.category_path FROM {schema}.links x JOIN {schema}.listings s USING (company, sku)
           WHERE x.product_id = k.product_id AND s.category_path <> '{}'
           GROUP BY s.category_path ORDER BY count(*) DESC, min(company || E'\x01' || sku COLLATE "C") LIMIT 1
       ), '{}') END AS category_path,
       coalesce(nullif(l.image_url, ''), (
           SELECT s.image_url FROM {schema}.links x JOIN {schema}.listings s USING (company, sku)
           WHERE x.product_id = k.product_id AND s.image_url <> ''
           GROUP BY s.image_url ORDER BY count(*) DESC, min(company || E'\x01' || sku COLLATE "C") LIMIT 1
       ), l.image_url) AS image_url, k.product_id,
       l.name || ' ' || coalesce(l.brand, '') || ' ' || coalesce(l.size, '') AS words,
       l.name || ' ' || coalesce(l.brand, '') AS title
FROM {schema}.listings l
LEFT JOIN {schema}.links k ON k.company = l.company AND k.sku = l.sku;

-- Which product each listing is and why; without a rule it is not decided, and stands alone.
CREATE OR REPLACE VIEW read.links AS
SELECT company, sku, product_id, rule, rule_version, evidence FROM {schema}.links;

-- Every id that a product ever had, and whose it is now: of one that was merged, its survivor; of one that no listing
-- is any more, where the listing went that founded it.
CREATE OR REPLACE VIEW read.product_ids AS
SELECT p.product_id, coalesce(
           (SELECT k.product_id FROM {schema}.links k WHERE k.product_id = s.product_id LIMIT 1),
           founder.product_id, s.product_id
       ) AS survivor
FROM {schema}.products p
JOIN {schema}.products s ON s.product_id = coalesce(p.merged_into, p.product_id)
LEFT JOIN {schema}.links founder ON founder.company = s.company AND founder.sku = s.sku;

-- The products there are listings of. brand as a company writes it, brand_id and sizes in their normal forms: of a
-- listing that is not decided yet there are none.
CREATE OR REPLACE VIEW read.products AS
SELECT p.product_id, p.name, (
           SELECT s.brand FROM {schema}.links x JOIN {schema}.listings s USING (company, sku)
           WHERE x.product_id = p.product_id AND s.brand <> '' AND NOT s.supplier
           GROUP BY s.brand ORDER BY count(*) DESC, min(company || E'\x01' || sku COLLATE "C") LIMIT 1
       ) AS brand, coalesce(b.survivor, p.brand_id) AS brand_id, p.sizes,
       (SELECT count(*) FROM {schema}.links k WHERE k.product_id = p.product_id) AS listings
FROM {schema}.products p
LEFT JOIN {schema}.brands b ON b.brand = p.brand_id
WHERE EXISTS (SELECT FROM {schema}.links k WHERE k.product_id = p.product_id)
UNION ALL
SELECT k.product_id, min(l.name), min(l.brand), NULL, '{}', count(*)
FROM {schema}.links k JOIN {schema}.listings l USING (company, sku)
WHERE NOT EXISTS (SELECT FROM {schema}.products p WHERE p.product_id = k.product_id)
GROUP BY k.product_id;

CREATE OR REPLACE VIEW read.scrapes AS
SELECT s.store, s.company, x.seq, x.scrape_id, x.scope, x.started_at, x.settled_at, x.outcome, x.listings,
       x.created, x.updated, x.unchanged, x.withdrawn
FROM {schema}.scrapes x
JOIN {schema}.stores s USING (store_id);

-- When a store was seen last, and its whole range: read.scrapes holds every scrape ever. range_seen_at: when the
-- range it is served by was, its own or its anchor's, whichever is later. collected: housekeeping has dropped some of
-- its own rows.
CREATE OR REPLACE VIEW read.store_moments AS
SELECT s.store, a.store AS anchor, own.started_at AS last_full_at, last.started_at AS last_settled_at,
       greatest(own.started_at, theirs.started_at) AS range_seen_at, coalesce(head.collected, false) AS collected
FROM {schema}.stores s
LEFT JOIN LATERAL (
    SELECT m.anchor_id FROM {schema}.group_markers m WHERE m.store_id = s.store_id ORDER BY m.version DESC LIMIT 1
) marker ON true
JOIN {schema}.stores a ON a.store_id = coalesce(marker.anchor_id, s.store_id)
LEFT JOIN {schema}.store_heads head ON head.store_id = s.store_id
LEFT JOIN {schema}.scrapes own ON own.store_id = s.store_id AND own.seq = head.full_seq
LEFT JOIN {schema}.store_heads anchor_head ON anchor_head.store_id = a.store_id
LEFT JOIN {schema}.scrapes theirs ON theirs.store_id = a.store_id AND theirs.seq = anchor_head.full_seq
LEFT JOIN LATERAL (
    SELECT x.started_at FROM {schema}.scrapes x
    WHERE x.store_id = s.store_id AND x.outcome IS NOT NULL ORDER BY x.seq DESC LIMIT 1
) last ON true;

CREATE OR REPLACE VIEW read.price_history AS
SELECT s.store, s.company, l.sku, k.product_id, h.seq, h.batch, x.scrape_id, h.at, h.price, h.was_price,
       (ARRAY['none', 'special', 'half', 'down', 'new', 'clearance'])[h.special + 1] AS special
FROM {schema}.price_history h
JOIN {schema}.stores s USING (store_id)
JOIN {schema}.listings l USING (listing_id)
LEFT JOIN {schema}.links k ON k.company = l.company AND k.sku = l.sku
JOIN {schema}.scrapes x ON x.store_id = h.store_id AND x.seq = h.seq;

-- A store's own rows, whoever it is served by: those that housekeeping has not dropped as redundant.
-- seen_at is the time of the evidence: the latest scrape that says this price still holds.
CREATE OR REPLACE VIEW read.own_prices AS
SELECT s.store, s.company, l.sku, k.product_id, p.price,
       seen.started_at AS seen_at, s.store AS seen_store, seen.scrape_id AS seen_scrape,
       changed.started_at AS changed_at, h.was_price,
       (ARRAY['none', 'special', 'half', 'down', 'new', 'clearance'])[h.special + 1] AS special
FROM {schema}.latest_prices p
JOIN {schema}.stores s USING (store_id)
JOIN {schema}.listings l ON l.listing_id = p.listing_id AND l.company = s.company
LEFT JOIN {schema}.links k ON k.company = l.company AND k.sku = l.sku
JOIN {schema}.store_heads head USING (store_id)
JOIN {schema}.price_history h ON h.store_id = p.store_id AND h.listing_id = p.listing_id AND h.seq = p.changed_seq
JOIN {schema}.scrapes changed ON changed.store_id = p.store_id AND changed.seq = p.changed_seq
CROSS JOIN LATERAL (
    SELECT greatest(p.changed_seq, head.full_seq, max(x.seq)) AS seq
    FROM {schema}.scrapes x
    WHERE x.store_id = p.store_id
      AND x.seq > greatest(p.changed_seq, head.full_seq)
      AND x.outcome IS NOT NULL
      AND x.seen @> ARRAY[p.listing_id]
) evidence
JOIN {schema}.scrapes seen ON seen.store_id = p.store_id AND seen.seq = evidence.seq
WHERE p.price IS NOT NULL;
