-- Price history (rule 4 of what ingest promises): what was charged when, change by change.

-- A store's own prices, whoever it was served by: a row a change. since: when it was seen first; last_seen: the last
-- scrape that says it still held; until: when another took its place, null for the last. price null: withdrawn.
CREATE OR REPLACE VIEW read.own_history AS
SELECT s.store, s.company, l.sku, k.product_id, h.price, h.at AS since, seen.started_at AS last_seen, next.at AS until,
       h.was_price, (ARRAY['none', 'special', 'half', 'down', 'new', 'clearance'])[h.special + 1] AS special,
       changed.scrape_id, h.batch, seen.scrape_id AS seen_scrape
FROM {schema}.price_history h
JOIN {schema}.stores s USING (store_id)
JOIN {schema}.listings l ON l.listing_id = h.listing_id AND l.company = s.company
LEFT JOIN {schema}.links k ON k.company = l.company AND k.sku = l.sku
JOIN {schema}.scrapes changed ON changed.store_id = h.store_id AND changed.seq = h.seq
LEFT JOIN LATERAL (
    SELECT x.seq, x.at FROM {schema}.price_history x
    WHERE x.store_id = h.store_id AND x.listing_id = h.listing_id AND x.seq > h.seq ORDER BY x.seq LIMIT 1
) next ON true
CROSS JOIN LATERAL (
    SELECT coalesce(max(x.seq), h.seq) AS seq FROM {schema}.scrapes x
    WHERE x.store_id = h.store_id AND x.seq > h.seq AND x.seq < coalesce(next.seq, 2147483647)
      AND (x.outcome = 'full' OR x.seen @> ARRAY[h.listing_id])
) evidence
JOIN {schema}.scrapes seen ON seen.store_id = h.store_id AND seen.seq = evidence.seq;

-- Who stood for whom, from one decision to the next: anchor is the store itself where it was ejected. exceptions: how
-- many listings the last decision of a store states; of an earlier one, by how many it differs from the next.
CREATE OR REPLACE VIEW read.memberships AS
SELECT s.store, s.company, a.store AS anchor, m.version, m.decided_at AS since, next.decided_at AS until,
       m.up_to_scrape, m.anchor_scrape, cardinality(e.numbers) + coalesce(cardinality(e.absent), 0) AS exceptions
FROM {schema}.group_markers m
JOIN {schema}.stores s USING (store_id)
JOIN {schema}.stores a ON a.store_id = m.anchor_id
LEFT JOIN {schema}.group_exceptions e ON e.store_id = m.store_id AND e.version = m.version
LEFT JOIN LATERAL (
    SELECT x.decided_at FROM {schema}.group_markers x
    WHERE x.store_id = m.store_id AND x.version > m.version ORDER BY x.version LIMIT 1
) next ON true;

-- What a shopper was told at a store, from one moment to another: a row for each stretch in which price, source and
-- anchor stayed the same, in order and without gaps; price null: not sold there, or nothing known. A member's goes
-- through its anchors. No row at all: a store nobody has heard of. `turns` are the company's turns of the time, and the
-- last one before it.
--
-- A price changes only where something was scraped or decided, where a sighting or an exception grows too old, or at a
-- turn. So it is looked at as of each such moment, and only then.
CREATE OR REPLACE FUNCTION read.served_history(
    of_store text, of_sku text, from_at timestamptz, to_at timestamptz, turns timestamptz[]
)
RETURNS TABLE (since timestamptz, until timestamptz, price int, source text, anchor text, seen_store text,
               first_seen timestamptz, last_seen timestamptz, seen_scrape uuid, was_price int, special text)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
WITH asked AS (
    SELECT s.store_id, s.company FROM read.part_stores s WHERE s.store = of_store
), involved AS (
    SELECT store_id FROM asked UNION SELECT m.anchor_id FROM read.part_markers m JOIN asked USING (store_id)
), moments AS (
    SELECT from_at AS at
    UNION
    SELECT found.at FROM (
        SELECT x.started_at FROM read.part_scrapes x JOIN involved USING (store_id)
        UNION ALL
        SELECT x.started_at + lasts + interval '1 microsecond'
        FROM read.part_scrapes x JOIN asked USING (store_id),
             unnest(ARRAY[interval '72 hours', interval '168 hours']) AS lasts
        UNION ALL
        SELECT m.decided_at FROM read.part_markers m JOIN involved USING (store_id)
        UNION ALL
        SELECT x.seen_at[near.place] + interval '168 hours 1 microsecond'
        FROM asked
        JOIN read.part_skus named ON named.company = asked.company AND named.sku = of_sku
        JOIN read.part_exceptions x USING (store_id)
        CROSS JOIN LATERAL (SELECT width_bucket(named.number, x.numbers) AS place OFFSET 0) near
        WHERE x.numbers[near.place] = named.number
        UNION ALL
        SELECT unnest(turns)
    ) found (at)
    WHERE found.at > from_at AND found.at <= to_at
), answers AS (
    SELECT moments.at, p.price, p.source, p.anchor, p.seen_store, p.seen_at, p.seen_scrape, p.was_price, p.special,
           (p.price, p.source, p.anchor, p.seen_store) IS DISTINCT FROM
           lag((p.price, p.source, p.anchor, p.seen_store)) OVER (ORDER BY moments.at) AS differs
    FROM moments
    CROSS JOIN asked
    CROSS JOIN LATERAL (SELECT max(turn) AS turn FROM unnest(turns) AS turn WHERE turn <= moments.at OFFSET 0) turned
    LEFT JOIN LATERAL read.prices_as_of(moments.at, jsonb_build_object(asked.company, turned.turn)) p
           ON p.store = of_store AND p.sku = of_sku
), stretches AS (
    SELECT *, count(*) FILTER (WHERE differs) OVER (ORDER BY at) AS number FROM answers
)
SELECT min(at), lead(min(at)) OVER (ORDER BY number), (array_agg(price))[1], (array_agg(source))[1],
       (array_agg(anchor))[1], (array_agg(seen_store))[1], min(seen_at), max(seen_at),
       (array_agg(seen_scrape ORDER BY at DESC))[1], (array_agg(was_price ORDER BY at DESC))[1],
       (array_agg(special ORDER BY at DESC))[1]
FROM stretches GROUP BY number ORDER BY number
$$;
