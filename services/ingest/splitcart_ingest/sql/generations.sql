-- The registry of generations. It lies outside them, in the service's own schema, as it says which of them is live.

-- name: registry
CREATE TABLE IF NOT EXISTS ingest.generations (
    number        int         PRIMARY KEY,          -- its schema is ingest_g<number>; a number is used once
    state         text        NOT NULL CHECK (state IN ('building', 'built', 'live', 'retired', 'abandoned')),
    company       text,                             -- this and the next two: what of the log it holds; null: all
    from_at       timestamptz,
    to_at         timestamptz,
    made_at       timestamptz NOT NULL,
    later         text[]      NOT NULL DEFAULT '{}',  -- indexes that are made once all is folded
    run_began_at  timestamptz,
    run_began_at_message bigint,
    run_messages  bigint,                           -- what the last run to its end came to
    run_seconds   float8,
    compared_at   timestamptz,
    comparison    jsonb,
    swapped_at    timestamptz,
    shows         text,                             -- what the read views were made of while it is live
    accepted      text                              -- why it went live in spite of differences
);
CREATE UNIQUE INDEX IF NOT EXISTS generations_live ON ingest.generations ((true)) WHERE state = 'live';

-- name: there
SELECT to_regclass('ingest.generations') IS NOT NULL

-- name: live
SELECT * FROM ingest.generations WHERE state = 'live'

-- name: begin
-- The first of a database: the one the setting names.
INSERT INTO ingest.generations (number, state, made_at, swapped_at) VALUES ($1, 'live', $2, $2)

-- name: all
SELECT * FROM ingest.generations ORDER BY number

-- name: next
-- Beyond every number that was ever used, and every schema that is there whoever made it.
SELECT greatest(
    (SELECT max(number) FROM ingest.generations),
    (SELECT max(substr(nspname, 9)::int) FROM pg_namespace WHERE nspname ~ '^ingest_g[0-9]{1,9}$')
) + 1

-- name: add
INSERT INTO ingest.generations (number, state, company, from_at, to_at, made_at)
VALUES ($1, 'building', $2, $3, $4, $5)

-- name: leave_for_later
UPDATE ingest.generations SET later = $2 WHERE number = $1

-- name: made_one
UPDATE ingest.generations SET later = array_remove(later, $2) WHERE number = $1

-- name: built
UPDATE ingest.generations SET state = 'built' WHERE number = $1 AND state IN ('building', 'retired')

-- name: run_begins
UPDATE ingest.generations SET run_began_at = $2, run_began_at_message = $3 WHERE number = $1

-- name: run_ends
UPDATE ingest.generations SET run_began_at = NULL, run_messages = $2, run_seconds = $3 WHERE number = $1

-- name: compared
UPDATE ingest.generations SET compared_at = $2, comparison = $3::jsonb WHERE number = $1

-- name: retire
UPDATE ingest.generations SET state = 'retired' WHERE number = $1

-- name: go_live
UPDATE ingest.generations SET state = 'live', swapped_at = $2, accepted = $3 WHERE number = $1

-- name: abandon
UPDATE ingest.generations SET state = 'abandoned', later = '{}' WHERE number = $1

-- name: share
-- Not while somebody holds it alone, or waits to.
SELECT pg_try_advisory_lock_shared(hashtextextended($1, 0))

-- name: let_go
SELECT pg_advisory_unlock(hashtextextended($1, 0))

-- name: alone
SELECT pg_advisory_lock(hashtextextended($1, 0))

-- name: try_alone
SELECT pg_try_advisory_lock(hashtextextended($1, 0))

-- name: stands
-- Whether generation $1 is live and nobody waits to hold it alone, which is lock $2.
SELECT (SELECT number FROM ingest.generations WHERE state = 'live') = $1 AND NOT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32 | objid::bigint) = hashtextextended($2, 0)
)

-- name: held
-- Whether somebody holds it alone.
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32 | objid::bigint) = hashtextextended($1, 0)
)

-- name: shows
SELECT shows FROM ingest.generations WHERE number = $1

-- name: now_shows
UPDATE ingest.generations SET shows = $2 WHERE number = $1

-- name: views
-- Our own in schema read. Those that are asked by name first: queries name them before what they are made of.
SELECT oid::regclass::text AS name FROM pg_class
WHERE relnamespace = 'read'::regnamespace AND relkind = 'v' AND relowner = current_user::regrole
ORDER BY relname LIKE 'part\_%', relname

-- name: definitions
-- Of our own views and functions in schema read, as they are now.
SELECT coalesce(md5(string_agg(definition, ' ' ORDER BY definition)), 'none') FROM (
    SELECT c.relname || pg_get_viewdef(c.oid) FROM pg_class c
    WHERE c.relnamespace = 'read'::regnamespace AND c.relkind = 'v' AND c.relowner = current_user::regrole
    UNION ALL
    SELECT p.proname || p.prosrc FROM pg_proc p
    WHERE p.pronamespace = 'read'::regnamespace AND p.proowner = current_user::regrole
) AS mine (definition)
