-- Served prices as of any moment: protocol.md, rule 9, which is rule 8 over what bears a time up to it.
-- domain/served.py is the reference it is held to.

-- What each store charged at a moment, by what is on record of the time up to it: what the fold would have served, had
-- it been stopped there. Columns and `turned` are those of read.prices, and from the last moment that is folded on the
-- two say the same. This one asks the history and looks through all markers, as of the past no cache tells: it takes a
-- multiple of the time. Housekeeping does not matter to it, which drops no history.
--
-- Written for the planner like read.prices: a store's things first, looks are LATERAL with OFFSET 0, always by key.
CREATE OR REPLACE FUNCTION read.prices_as_of(at timestamptz, turned jsonb)
RETURNS TABLE (store text, company text, sku text, product_id uuid, price int, seen_at timestamptz,
               seen_store text, seen_scrape uuid, changed_at timestamptz, was_price int, special text,
               source text, anchor text)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT s.store, s.company, l.sku, l.product_id, served.price, coalesce(seen.started_at, served.seen_at),
       CASE WHEN served.source = 'anchor' THEN a.store ELSE s.store END, seen.scrape_id, h.at, h.was_price,
       (ARRAY['none', 'special', 'half', 'down', 'new', 'clearance'])[h.special + 1], served.source, a.store
FROM read.part_stores s
-- Its last marker by then.
LEFT JOIN LATERAL (
    SELECT x.version, x.anchor_id, x.anchor_scrape
    FROM read.part_markers x
    WHERE x.store_id = s.store_id AND x.decided_at <= prices_as_of.at ORDER BY x.version DESC LIMIT 1
) m ON true
JOIN read.part_stores a ON a.store_id = coalesce(m.anchor_id, s.store_id)
-- What it stated is what the next ones state, less what they differ by: of nearly all listings the last one tells,
-- which is kept in full. `differing` are those whose differences have to be looked through.
LEFT JOIN LATERAL (
    SELECT last.version, ARRAY(
        SELECT DISTINCT number FROM read.part_exceptions x, unnest(x.numbers || x.absent) AS number
        WHERE x.store_id = s.store_id AND x.version >= m.version AND x.absent IS NOT NULL ORDER BY number
    ) AS differing
    FROM read.part_exceptions last WHERE last.store_id = s.store_id AND last.absent IS NULL
    OFFSET 0
) stated ON m.anchor_id <> s.store_id
-- How far the two were folded, their last full scrapes, and their floors (rule 7).
CROSS JOIN LATERAL (
    SELECT (SELECT max(x.seq) FROM read.part_scrapes x
            WHERE x.store_id = s.store_id AND x.started_at <= prices_as_of.at) AS seq,
           (SELECT max(x.seq) FROM read.part_scrapes x
            WHERE x.store_id = s.store_id AND x.started_at <= prices_as_of.at AND x.outcome = 'full') AS full_seq
    OFFSET 0
) head
CROSS JOIN LATERAL (
    SELECT coalesce(max(coalesce(scrape.seq, 2147483647)), 0) AS seq
    FROM read.part_markers x
    LEFT JOIN read.part_scrapes scrape ON scrape.store_id = x.store_id AND scrape.scrape_id = x.up_to_scrape
                                      AND scrape.started_at <= prices_as_of.at
    WHERE x.store_id = s.store_id AND x.decided_at <= prices_as_of.at AND x.up_to_scrape IS NOT NULL
) floor
CROSS JOIN LATERAL (
    SELECT (SELECT max(x.seq) FROM read.part_scrapes x
            WHERE x.store_id = a.store_id AND x.started_at <= prices_as_of.at) AS seq,
           (SELECT max(x.seq) FROM read.part_scrapes x
            WHERE x.store_id = a.store_id AND x.started_at <= prices_as_of.at AND x.outcome = 'full') AS full_seq,
           -- The scrape it was confirmed against; one that was not folded yet is later than all that was.
           coalesce((SELECT x.seq FROM read.part_scrapes x
                     WHERE x.store_id = a.store_id AND x.scrape_id = m.anchor_scrape
                       AND x.started_at <= prices_as_of.at), 2147483647) AS confirmed_seq
    OFFSET 0
) anchor_head
CROSS JOIN LATERAL (
    SELECT coalesce(max(coalesce(scrape.seq, 2147483647)), 0) AS seq
    FROM read.part_markers x
    LEFT JOIN read.part_scrapes scrape ON scrape.store_id = x.store_id AND scrape.scrape_id = x.up_to_scrape
                                      AND scrape.started_at <= prices_as_of.at
    WHERE x.store_id = a.store_id AND x.decided_at <= prices_as_of.at AND x.up_to_scrape IS NOT NULL
) anchor_floor
JOIN read.part_listings l ON l.company = s.company
LEFT JOIN read.part_skus named ON named.company = l.company AND named.sku = l.sku
LEFT JOIN LATERAL (
    SELECT x.price, x.seq
    FROM read.part_changes x
    WHERE x.store_id = a.store_id AND x.listing_id = l.listing_id AND x.seq <= anchor_head.seq
    ORDER BY x.seq DESC LIMIT 1
) theirs ON true
LEFT JOIN LATERAL (
    SELECT CASE WHEN x.numbers[near.place] = named.number THEN x.prices[near.place] END AS price,
           CASE WHEN x.numbers[near.place] = named.number THEN x.seen_at[near.place] END AS seen_at
    FROM read.part_exceptions x
    CROSS JOIN LATERAL (
        SELECT width_bucket(named.number, x.numbers) AS place, width_bucket(named.number, x.absent) AS gap OFFSET 0
    ) near
    WHERE m.anchor_id <> s.store_id AND named.number IS NOT NULL AND x.store_id = s.store_id
      AND x.version >= CASE WHEN stated.differing[width_bucket(named.number, stated.differing)] = named.number
                            THEN m.version ELSE stated.version END
      AND (x.absent IS NULL OR x.numbers[near.place] = named.number OR x.absent[near.gap] = named.number)
    ORDER BY x.version LIMIT 1
) exception ON true
-- 8a: a member's own row, or its absence, where the evidence is above its floor, fresh, and not before the turn.
LEFT JOIN LATERAL (
    SELECT p.price, p.seq AS changed_seq, evidence.seq
    FROM (SELECT) once
    LEFT JOIN LATERAL (
        SELECT x.price, x.seq
        FROM read.part_changes x
        WHERE x.store_id = s.store_id AND x.listing_id = l.listing_id AND x.seq <= head.seq
        ORDER BY x.seq DESC LIMIT 1
    ) p ON true
    CROSS JOIN LATERAL (
        SELECT greatest(p.seq, head.full_seq, max(x.seq)) AS seq
        FROM read.part_scrapes x
        WHERE x.store_id = s.store_id AND x.seq > greatest(p.seq, head.full_seq, floor.seq) AND x.seq <= head.seq
          AND (x.outcome <> 'superseded' OR x.seq < head.seq) AND x.seen @> ARRAY[l.listing_id]
    ) evidence
    JOIN read.part_scrapes x ON x.store_id = s.store_id AND x.seq = evidence.seq
    WHERE m.anchor_id <> s.store_id AND head.seq > floor.seq
      AND evidence.seq > floor.seq
      AND x.started_at >= prices_as_of.at - CASE WHEN exception.seen_at IS NULL THEN interval '72 hours'
                                                 ELSE interval '168 hours' END
      AND x.started_at >= coalesce((turned ->> s.company)::timestamptz, '-infinity')
    OFFSET 0
) own ON true
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN a.store_id = s.store_id OR own.seq IS NOT NULL THEN 'own'
        WHEN exception.seen_at IS NULL THEN 'anchor'
        WHEN exception.price IS NULL THEN 'none'
        WHEN exception.seen_at >= prices_as_of.at - interval '168 hours'
             AND coalesce(theirs.seq <= anchor_head.confirmed_seq, true) THEN 'exception'
        ELSE 'anchor'
    END AS source
    OFFSET 0
) choice
-- 8d, and 8b where it is its own anchor: the anchor's row, if its evidence is above the anchor's floor.
CROSS JOIN LATERAL (
    SELECT greatest(theirs.seq, anchor_head.full_seq, max(x.seq)) AS seq
    FROM read.part_scrapes x
    WHERE x.store_id = a.store_id
      AND x.seq > greatest(theirs.seq, anchor_head.full_seq, anchor_floor.seq) AND x.seq <= anchor_head.seq
      AND (x.outcome <> 'superseded' OR x.seq < anchor_head.seq) AND x.seen @> ARRAY[l.listing_id]
      AND theirs.price IS NOT NULL
) evidence
CROSS JOIN LATERAL (
    SELECT choice.source, own.price, s.store_id, own.seq, own.changed_seq, NULL::timestamptz AS seen_at
    WHERE own.seq IS NOT NULL
    UNION ALL
    SELECT choice.source, exception.price, s.store_id, NULL, (
               SELECT max(x.seq) FROM read.part_changes x
               WHERE x.store_id = s.store_id AND x.listing_id = l.listing_id AND x.seq <= head.seq
           ), exception.seen_at
    WHERE choice.source = 'exception'
    UNION ALL
    SELECT choice.source, theirs.price, a.store_id, evidence.seq, theirs.seq, NULL
    WHERE own.seq IS NULL AND choice.source IN ('own', 'anchor') AND evidence.seq > anchor_floor.seq
) served
LEFT JOIN LATERAL (
    SELECT x.started_at, x.scrape_id
    FROM read.part_scrapes x WHERE x.store_id = served.store_id AND x.seq = served.seq
    OFFSET 0
) seen ON true
LEFT JOIN LATERAL (
    SELECT x.at, x.was_price, x.special
    FROM read.part_changes x
    WHERE x.store_id = served.store_id AND x.listing_id = l.listing_id AND x.seq = served.changed_seq
      AND x.price = served.price
    OFFSET 0
) h ON true
WHERE served.price IS NOT NULL
$$;
