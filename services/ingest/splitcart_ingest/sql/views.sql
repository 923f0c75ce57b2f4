-- What others may read. Bound to one generation's tables: a swap re-creates them (design.md, promise 3).
-- `{schema}` is the generation.

-- Until there were groups it showed a store's own rows: now that is read.own_prices, and read.prices a function.
DROP VIEW IF EXISTS read.prices;

CREATE OR REPLACE VIEW read.stores AS
SELECT store, company, name, division, address, suburb, state, postcode, lat, lon, sells_online, retailer_ref,
       seen_at, closed_at
FROM {schema}.stores;

-- The barcode is the company's own, else the one read on its pages; the expression is that of the index.
CREATE OR REPLACE VIEW read.listings AS
SELECT company, sku, name, brand, size, coalesce(barcode, read_barcode) AS barcode, category_path, image_url, product_id
FROM {schema}.listings;

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
SELECT s.store, s.company, l.sku, l.product_id, h.seq, h.batch, x.scrape_id, h.at, h.price, h.was_price,
       (ARRAY['none', 'special', 'half', 'down', 'new', 'clearance'])[h.special + 1] AS special
FROM {schema}.price_history h
JOIN {schema}.stores s USING (store_id)
JOIN {schema}.listings l USING (listing_id)
JOIN {schema}.scrapes x ON x.store_id = h.store_id AND x.seq = h.seq;

-- A store's own rows, whoever it is served by: those that housekeeping has not dropped as redundant.
-- seen_at is the time of the evidence: the latest scrape that says this price still holds.
CREATE OR REPLACE VIEW read.own_prices AS
SELECT s.store, s.company, l.sku, l.product_id, p.price,
       seen.started_at AS seen_at, s.store AS seen_store, seen.scrape_id AS seen_scrape,
       changed.started_at AS changed_at, h.was_price,
       (ARRAY['none', 'special', 'half', 'down', 'new', 'clearance'])[h.special + 1] AS special
FROM {schema}.latest_prices p
JOIN {schema}.stores s USING (store_id)
JOIN {schema}.listings l ON l.listing_id = p.listing_id AND l.company = s.company
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
