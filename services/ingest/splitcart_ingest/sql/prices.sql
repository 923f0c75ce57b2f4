-- Served prices: protocol.md, rule 8, as one SELECT. domain/served.py is the reference it is held to.
-- `{schema}` is the generation.

-- The parts it is made of. A function that is inlined runs with the rights of whoever calls it, so it may be made of
-- views alone. They are tables as they are, by number, and for nobody else to read: a swap numbers all anew.
CREATE OR REPLACE VIEW read.part_stores AS SELECT store_id, store, company FROM {schema}.stores;
CREATE OR REPLACE VIEW read.part_heads AS SELECT store_id, full_seq, next_seq FROM {schema}.store_heads;
CREATE OR REPLACE VIEW read.part_floors AS SELECT store_id, version, seq FROM {schema}.floors;
CREATE OR REPLACE VIEW read.part_markers AS
SELECT store_id, version, anchor_id, up_to_scrape, anchor_scrape, decided_at FROM {schema}.group_markers;
CREATE OR REPLACE VIEW read.part_exceptions AS
SELECT store_id, version, numbers, prices, seen_at, absent FROM {schema}.group_exceptions;
CREATE OR REPLACE VIEW read.part_skus AS SELECT number, company, sku FROM {schema}.group_skus;
CREATE OR REPLACE VIEW read.part_listings AS
SELECT l.listing_id, l.company, l.sku, k.product_id
FROM {schema}.listings l LEFT JOIN {schema}.links k ON k.company = l.company AND k.sku = l.sku;
CREATE OR REPLACE VIEW read.part_prices AS
SELECT store_id, listing_id, price, changed_seq FROM {schema}.latest_prices;
CREATE OR REPLACE VIEW read.part_scrapes AS
SELECT store_id, seq, scrape_id, started_at, outcome, seen, settled_at, listings FROM {schema}.scrapes;
CREATE OR REPLACE VIEW read.part_changes AS
SELECT store_id, listing_id, seq, at, price, was_price, special, batch FROM {schema}.price_history;

-- What each store charges at a moment, by all that is folded: `at` is not before that (of an earlier one tells
-- read.prices_as_of). `turned` is the last turn of each company by then: {"aldi": "2026-09-02T00:00:00Z"}; one that is not named has none.
--
-- seen_at is the time of the evidence, seen_store where it was seen and seen_scrape by which scrape (null for an
-- exception: its confirmation does not say). source: own, exception or anchor; anchor is the store's own key where
-- it stands alone.
--
-- Written for the planner. Everything of a store comes first and its listings after; the joins are in the order
-- they are to be made in, as so many are not reordered. OFFSET 0 keeps a choice from being made more than once,
-- and what is asked in front of a look (has the store been scraped since?) spares nearly all of them.
CREATE OR REPLACE FUNCTION read.prices(at timestamptz, turned jsonb)
RETURNS TABLE (store text, company text, sku text, product_id uuid, price int, seen_at timestamptz,
               seen_store text, seen_scrape uuid, changed_at timestamptz, was_price int, special text,
               source text, anchor text)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT s.store, s.company, l.sku, l.product_id, served.price, coalesce(seen.started_at, served.seen_at),
       CASE WHEN served.source = 'anchor' THEN a.store ELSE s.store END, seen.scrape_id, h.at, h.was_price,
       (ARRAY['none', 'special', 'half', 'down', 'new', 'clearance'])[h.special + 1], served.source, a.store
FROM read.part_stores s
-- Its last marker: who stands for it, and with which exceptions.
LEFT JOIN LATERAL (
    SELECT x.version, x.anchor_id, x.anchor_scrape
    FROM read.part_markers x WHERE x.store_id = s.store_id ORDER BY x.version DESC LIMIT 1
) m ON true
JOIN read.part_stores a ON a.store_id = coalesce(m.anchor_id, s.store_id)
LEFT JOIN read.part_exceptions stated
       ON stated.store_id = s.store_id AND stated.version = m.version AND m.anchor_id <> s.store_id
-- Rule 7: the floors of the two. A scrape that is not folded yet is later than all that is.
LEFT JOIN read.part_heads head ON head.store_id = s.store_id AND m.anchor_id <> s.store_id
LEFT JOIN read.part_floors memo ON memo.store_id = s.store_id
CROSS JOIN LATERAL (
    SELECT greatest(memo.seq, max(coalesce(scrape.seq, 2147483647)), 0) AS seq
    FROM read.part_markers x
    LEFT JOIN read.part_scrapes scrape ON scrape.store_id = x.store_id AND scrape.scrape_id = x.up_to_scrape
    WHERE x.store_id = s.store_id AND x.version > coalesce(memo.version, 0) AND x.up_to_scrape IS NOT NULL
) floor
LEFT JOIN read.part_heads anchor_head ON anchor_head.store_id = a.store_id
LEFT JOIN read.part_floors anchor_memo ON anchor_memo.store_id = a.store_id
CROSS JOIN LATERAL (
    SELECT greatest(anchor_memo.seq, max(coalesce(scrape.seq, 2147483647)), 0) AS seq
    FROM read.part_markers x
    LEFT JOIN read.part_scrapes scrape ON scrape.store_id = x.store_id AND scrape.scrape_id = x.up_to_scrape
    WHERE x.store_id = a.store_id AND x.version > coalesce(anchor_memo.version, 0) AND x.up_to_scrape IS NOT NULL
) anchor_floor
JOIN read.part_listings l ON l.company = s.company
LEFT JOIN read.part_skus named ON named.company = l.company AND named.sku = l.sku
LEFT JOIN LATERAL (
    SELECT x.price, x.changed_seq
    FROM read.part_prices x WHERE x.store_id = a.store_id AND x.listing_id = l.listing_id
    OFFSET 0
) theirs ON true
CROSS JOIN LATERAL (
    SELECT CASE WHEN stated.numbers[near.place] = named.number THEN near.place END AS place
    FROM (SELECT width_bucket(named.number, stated.numbers) AS place OFFSET 0) near
    OFFSET 0
) exception
-- 8a: a member's own row, or its absence, where the evidence is above its floor, fresh, and not before the turn.
LEFT JOIN LATERAL (
    SELECT p.price, p.changed_seq, evidence.seq
    FROM (SELECT) once
    LEFT JOIN read.part_prices p ON p.store_id = s.store_id AND p.listing_id = l.listing_id
    CROSS JOIN LATERAL (
        SELECT greatest(p.changed_seq, head.full_seq, max(x.seq)) AS seq
        FROM read.part_scrapes x
        WHERE x.store_id = s.store_id AND x.seq > greatest(p.changed_seq, head.full_seq, floor.seq)
          AND x.outcome IS NOT NULL AND x.seen @> ARRAY[l.listing_id]
    ) evidence
    JOIN read.part_scrapes x ON x.store_id = s.store_id AND x.seq = evidence.seq
    WHERE head.next_seq - 1 > floor.seq
      AND evidence.seq > floor.seq
      AND x.started_at >= at - CASE WHEN exception.place IS NULL THEN interval '72 hours'
                                    ELSE interval '168 hours' END
      AND x.started_at >= coalesce((turned ->> s.company)::timestamptz, '-infinity')
    OFFSET 0
) own ON true
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN a.store_id = s.store_id OR own.seq IS NOT NULL THEN 'own'
        WHEN exception.place IS NULL THEN 'anchor'
        -- 8c: not sold stands; a price lapses after 7 days, or once the anchor's has changed. Its history says so:
        -- housekeeping may have dropped its row.
        WHEN stated.prices[exception.place] IS NULL THEN 'none'
        WHEN stated.seen_at[exception.place] >= at - interval '168 hours' AND NOT EXISTS (
            SELECT FROM read.part_changes x
            WHERE x.store_id = a.store_id AND x.listing_id = l.listing_id AND x.seq > (
                SELECT y.seq FROM read.part_scrapes y
                WHERE y.store_id = a.store_id AND y.scrape_id = m.anchor_scrape
            )
        ) THEN 'exception'
        ELSE 'anchor'
    END AS source
    OFFSET 0
) choice
-- 8d, and 8b where it is its own anchor: the anchor's row, if its evidence is above the anchor's floor.
CROSS JOIN LATERAL (
    SELECT greatest(theirs.changed_seq, anchor_head.full_seq, max(x.seq)) AS seq
    FROM read.part_scrapes x
    WHERE x.store_id = a.store_id
      AND x.seq > greatest(theirs.changed_seq, anchor_head.full_seq, anchor_floor.seq)
      AND x.outcome IS NOT NULL AND x.seen @> ARRAY[l.listing_id]
      AND anchor_head.next_seq - 1 > greatest(theirs.changed_seq, anchor_head.full_seq, anchor_floor.seq)
      AND theirs.price IS NOT NULL
) evidence
CROSS JOIN LATERAL (
    SELECT choice.source, own.price, s.store_id, own.seq, own.changed_seq, NULL::timestamptz AS seen_at
    WHERE own.seq IS NOT NULL
    UNION ALL
    SELECT choice.source, stated.prices[exception.place], s.store_id, NULL, (
               SELECT max(x.seq) FROM read.part_changes x
               WHERE x.store_id = s.store_id AND x.listing_id = l.listing_id
           ), stated.seen_at[exception.place]
    WHERE choice.source = 'exception'
    UNION ALL
    SELECT choice.source, theirs.price, a.store_id, evidence.seq, theirs.changed_seq, NULL
    WHERE own.seq IS NULL AND choice.source IN ('own', 'anchor') AND evidence.seq > anchor_floor.seq
) served
LEFT JOIN LATERAL (
    SELECT x.started_at, x.scrape_id
    FROM read.part_scrapes x WHERE x.store_id = served.store_id AND x.seq = served.seq
    OFFSET 0
) seen ON true
-- What was said with the price when it changed to it.
LEFT JOIN LATERAL (
    SELECT x.at, x.was_price, x.special
    FROM read.part_changes x
    WHERE x.store_id = served.store_id AND x.listing_id = l.listing_id AND x.seq = served.changed_seq
      AND x.price = served.price
    OFFSET 0
) h ON true
WHERE served.price IS NOT NULL
$$;
