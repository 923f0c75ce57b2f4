-- What others may read of groups.

CREATE OR REPLACE VIEW read.group_members AS
SELECT company, store, anchor, version, confirmed_at, up_to_scrape, anchor_scrape, shared, equal, exceptions,
       rule_version
FROM {schema}.members;

-- A group is as new as the latest decision about any store of it. An anchor that has settled since it was found
-- stale is not stale any more.
CREATE OR REPLACE VIEW read.groups AS
SELECT a.company, a.anchor, a.formed_at, m.version, m.members, s.settled_at AS anchor_settled_at,
       CASE WHEN s.settled_at IS NULL OR s.settled_at <= a.stale_since THEN a.stale_since END AS stale_since
FROM {schema}.members a
JOIN (
    SELECT company, anchor, count(*) AS members, max(version) AS version FROM {schema}.members GROUP BY company, anchor
) m USING (company, anchor)
LEFT JOIN {schema}.stores s ON s.store = a.anchor
WHERE a.store = a.anchor;

-- `detail` is the event; of many exceptions only the first, and their number.
CREATE OR REPLACE VIEW read.group_decisions AS
SELECT company, version, at, kind, store, anchor, other, shared, equal,
       CASE WHEN event ? 'exceptions'
            THEN event || jsonb_build_object(
                'exceptions', jsonb_path_query_array(event, '$.exceptions[0 to 9]'),
                'exceptions_in_all', jsonb_array_length(event -> 'exceptions'))
            ELSE event END AS detail
FROM {schema}.decisions;
