-- What a replay asks of one generation: the search path names it.

-- name: begun
SELECT EXISTS (SELECT FROM positions)

-- name: indexes
SELECT i.relname AS name, t.relname AS "table", c.conname AS "constraint",
       coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(i.oid)) AS definition
FROM pg_class i
JOIN pg_index x ON x.indexrelid = i.oid
JOIN pg_class t ON t.oid = x.indrelid
LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.contype IN ('p', 'u')
WHERE i.relnamespace = $1::regnamespace AND i.relname = ANY($2::text[])
ORDER BY i.relname

-- name: memory
SET LOCAL maintenance_work_mem = '512MB'

-- name: tables
SELECT relname AS name FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind = 'r' ORDER BY relname

-- name: size
-- In bytes, indexes included.
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind = 'r'

-- name: positions
SELECT topic, partition, next_offset FROM positions

-- name: unsent
-- Messages of these topics that the relay has not sent yet.
SELECT topic, header_names, header_values FROM outbox WHERE topic = ANY($1::text[]) ORDER BY id

-- name: pass
-- What is between the last message that was folded and here is not there, or not to be folded.
UPDATE positions SET next_offset = $4
WHERE topic = $1 AND partition = $2 AND epoch = $3 AND next_offset <= $4

-- name: moment
-- The latest that anything of it happened at.
SELECT greatest((SELECT max(clock) FROM store_heads), (SELECT max(decided_at) FROM group_markers))

-- name: in_groups
-- Stores that a group decision names, and those that stand for others, within these stores (null: all).
SELECT DISTINCT s.store
FROM group_markers m JOIN stores s USING (store_id)
WHERE $1::text[] IS NULL OR s.store = ANY($1::text[])
ORDER BY s.store

-- name: members_of
-- Stores that one of these has ever stood for.
SELECT DISTINCT s.store
FROM group_markers m JOIN stores s USING (store_id) JOIN stores a ON a.store_id = m.anchor_id
WHERE a.store = ANY($1::text[])

-- name: scrapes
-- Scrapes of a store by their numbers in its stream.
SELECT x.seq, x.scrape_id, x.started_at, x.outcome
FROM scrapes x JOIN stores s USING (store_id)
WHERE s.store = $1 AND x.seq = ANY($2::int[])

-- name: stores
SELECT store FROM stores WHERE $1::text IS NULL OR company = $1 ORDER BY store

-- name: fence
UPDATE positions SET epoch = epoch + 1 RETURNING topic, partition, next_offset

-- name: locked_positions
SELECT topic, partition, next_offset FROM positions FOR UPDATE

-- name: outbox
SELECT count(*) FROM outbox

-- name: outbox_of
SELECT count(*) FROM {schema}.outbox

-- name: carry_positions
-- Of topics that a replay does not fold: what came of them is in those it does.
INSERT INTO {schema}.positions (topic, partition, epoch, next_offset)
SELECT topic, partition, epoch, next_offset FROM positions WHERE NOT topic = ANY($1::text[])
ON CONFLICT (topic, partition) DO UPDATE SET epoch = excluded.epoch, next_offset = excluded.next_offset

-- name: move_outbox
-- What is not sent yet, in its order, behind what {schema} has itself to say.
WITH moved AS (
    DELETE FROM outbox RETURNING id, topic, key, value, compressed, header_names, header_values
)
INSERT INTO {schema}.outbox (topic, key, value, compressed, header_names, header_values)
SELECT topic, key, value, compressed, header_names, header_values FROM moved ORDER BY id

-- name: dependents
-- Views outside a schema that read it.
SELECT DISTINCT v.oid::regclass::text AS name
FROM pg_depend d
JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
JOIN pg_class v ON v.oid = r.ev_class
JOIN pg_class t ON d.refclassid = 'pg_class'::regclass AND t.oid = d.refobjid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = $1 AND v.relnamespace <> t.relnamespace
ORDER BY name

-- name: carry_closed
-- Of an outlet that closed, the compacted log may say nothing more than that: what it was called is carried over.
UPDATE stores s SET
    name = o.name, division = o.division, address = o.address, suburb = o.suburb, state = o.state,
    postcode = o.postcode, lat = o.lat, lon = o.lon, sells_online = o.sells_online, retailer_ref = o.retailer_ref,
    seen_at = o.seen_at
FROM {live}.stores o
WHERE o.store = s.store AND s.name IS NULL AND o.name IS NOT NULL AND s.closed_at = o.closed_at
