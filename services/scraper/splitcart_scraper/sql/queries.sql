-- The scraper's SQL by name. Moments come in as arguments: `now` is virtual, `wall` is the wall clock's.

-- name: candidates
-- Every store of a company as the schedule sees it; or, where one is named, that one.
SELECT store, flagged_why, last_scraped_at, last_claimed_at, lease_until, closed_at IS NOT NULL AS closed,
  scrapable, scraped_from, anchor, confirmed_at,
  coalesce(settled_outcome <> 'full' AND (scraped_from IS NULL OR settled_from >= scraped_from), false)
    AS incomplete
FROM stores LEFT JOIN memberships USING (store)
WHERE company = $1 AND ($2::text IS NULL OR store = $2)

-- name: lock_choice
-- The store chosen, unless another worker has it in hand or has had it since the choice was made.
SELECT store, outlet FROM stores
WHERE store = $1 AND closed_at IS NULL
  AND last_claimed_at IS NOT DISTINCT FROM $2 AND lease_until IS NOT DISTINCT FROM $3
FOR UPDATE SKIP LOCKED

-- name: open_run
SELECT scrape_id, store, reason, scope, started_at, parser_version, plan
FROM runs WHERE store = $1 AND state = 'open'

-- name: new_run
INSERT INTO runs (scrape_id, store, state, reason, scope, started_at, parser_version)
VALUES ($1, $2, 'open', $3, $4, $5, $6)

-- name: lease
UPDATE stores SET last_claimed_at = $2, lease_owner = $3, lease_until = $4 WHERE store = $1

-- name: renew_lease
UPDATE stores SET lease_until = $3 WHERE store = $1 AND lease_owner = $2 RETURNING store

-- name: interrupt
-- A worker that stops early lets its stores go on elsewhere at once; all of the owner's where no store is named.
UPDATE stores SET lease_until = $2 WHERE lease_owner = $1 AND ($3::text IS NULL OR store = $3)

-- name: release
-- An operator gives stores back that are leased: their scrapes go on from the checkpoint. They have no owner any
-- more, so that a worker that was alive after all cannot renew what was taken from it.
UPDATE stores SET lease_until = $2, lease_owner = NULL WHERE company = $1 AND lease_until > $2 AND ($3::text IS NULL OR store = $3)
RETURNING store

-- name: flag
-- The latest wish is the one that is kept: a message may come late.
UPDATE stores SET flagged_why = CASE WHEN flagged_at > $2 THEN flagged_why ELSE $3 END,
  flagged_at = greatest(flagged_at, $2)
WHERE store = $1 AND closed_at IS NULL RETURNING store

-- name: scraped_since
-- Whether grouping has, or will have, a newer full look at a store than it had at a moment.
SELECT scraped_from >= $2 OR (settled_at > $2 AND settled_outcome = 'full') FROM stores WHERE store = $1

-- name: next_version
INSERT INTO group_versions AS known (company, version) VALUES ($1, $2)
ON CONFLICT (company) DO UPDATE SET version = EXCLUDED.version WHERE known.version < EXCLUDED.version
RETURNING version

-- name: confirm
INSERT INTO memberships (store, anchor, confirmed_at, version) VALUES ($1, $2, $3, $4)
ON CONFLICT (store) DO UPDATE
SET anchor = EXCLUDED.anchor, confirmed_at = EXCLUDED.confirmed_at, version = EXCLUDED.version

-- name: stand_alone
DELETE FROM memberships WHERE store = $1

-- name: unflag
UPDATE stores SET flagged_at = NULL, flagged_why = NULL WHERE store = $1 RETURNING store

-- name: plan
UPDATE runs SET plan = $2 WHERE scrape_id = $1 AND state = 'open'
  AND EXISTS (SELECT 1 FROM stores WHERE store = runs.store AND lease_owner = $3)
RETURNING scrape_id

-- name: stage
-- Pages of a scrape, by its owner only. The commit is not waited for: what a crash of the server loses is the
-- end of the checkpoint, which is read again.
WITH quick AS (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO staged_pages (scrape_id, page, category, url, requests, requested_at, received_at, content)
SELECT $1, staged.* FROM quick,
  unnest($4::int[], $5::int[], $6::text[], $7::int[], $8::timestamptz[], $9::timestamptz[], $10::bytea[]) AS staged
WHERE EXISTS (SELECT 1 FROM stores WHERE store = $2 AND lease_owner = $3)

-- name: staged
SELECT page, category, url, requests, requested_at, received_at, content
FROM staged_pages WHERE scrape_id = $1 ORDER BY page

-- name: unstage
DELETE FROM staged_pages WHERE scrape_id = $1

-- name: lock_held
-- The store, if it is still this owner's: rows of one store enter the outbox under this lock, in order.
SELECT store FROM stores WHERE store = $1 AND lease_owner = $2 FOR UPDATE

-- name: end_run
UPDATE runs SET state = $2, finished_at = $3, detail = $4, tally = $5 WHERE scrape_id = $1 AND state = 'open'
RETURNING scrape_id

-- name: replace_quarantined
-- A newer scrape of the store has been judged: an older one that still waits is of no use any more.
UPDATE runs SET state = 'replaced' WHERE store = $1 AND state = 'quarantined' AND scrape_id <> $2
RETURNING scrape_id

-- name: give_up_lease
UPDATE stores SET lease_owner = NULL, lease_until = NULL WHERE store = $1

-- name: mark_scraped
-- A flag set after the scrape began asks for another one.
UPDATE stores SET last_scraped_at = $2, scraped_from = $3,
  flagged_why = CASE WHEN flagged_at > $3 THEN flagged_why END,
  flagged_at = CASE WHEN flagged_at > $3 THEN flagged_at END
WHERE store = $1

-- name: settle
-- On the run, and on its store unless a later scrape of it has settled.
WITH run AS (UPDATE runs SET settled_at = $2, outcome = $3 WHERE scrape_id = $1 RETURNING store, started_at),
  last AS (
    UPDATE stores SET settled_from = run.started_at, settled_at = $2, settled_outcome = $3 FROM run
    WHERE stores.store = run.store AND (settled_from IS NULL OR settled_from <= run.started_at))
SELECT store FROM run

-- name: outlets
SELECT store, outlet, missed, closed_at IS NOT NULL AS closed FROM stores WHERE company = $1

-- name: outlet
SELECT outlet FROM stores WHERE store = $1

-- name: put_outlets
INSERT INTO stores (store, company, outlet, scrapable, seen_at)
SELECT listed.store, $1, listed.outlet, listed.scrapable, $2
FROM unnest($3::text[], $4::bytea[], $5::boolean[]) AS listed (store, outlet, scrapable)
ON CONFLICT (store) DO UPDATE SET outlet = EXCLUDED.outlet, scrapable = EXCLUDED.scrapable,
  seen_at = EXCLUDED.seen_at, missed = 0, closed_at = NULL

-- name: listed
UPDATE stores SET seen_at = $1, missed = 0 WHERE store = ANY($2)

-- name: missed
UPDATE stores SET missed = lacking.times
FROM unnest($1::text[], $2::int[]) AS lacking (store, times) WHERE stores.store = lacking.store

-- name: close
UPDATE stores SET closed_at = $1 WHERE store = ANY($2)

-- name: lease_discovery
INSERT INTO discoveries AS d (company, lease_owner, lease_until) VALUES ($1, $2, $4)
ON CONFLICT (company) DO UPDATE SET lease_owner = $2, lease_until = $4
WHERE (d.lease_until IS NULL OR d.lease_until <= $3) AND (d.finished_at IS NULL OR d.finished_at <= $5)
RETURNING company

-- name: renew_discovery
UPDATE discoveries SET lease_until = $3 WHERE company = $1 AND lease_owner = $2 RETURNING company

-- name: end_discovery
-- A discovery that was not complete leaves no moment: it is due again as soon as its lease is over.
UPDATE discoveries SET finished_at = coalesce($3, finished_at), stores = $4, lease_owner = NULL, lease_until = $5
WHERE company = $1 AND lease_owner = $2

-- name: wait_for_host
INSERT INTO host_waiters (host, owner, since, seen_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (host, owner) DO UPDATE SET since = EXCLUDED.since, seen_at = EXCLUDED.seen_at

-- name: make_host
INSERT INTO hosts (host) VALUES ($1) ON CONFLICT DO NOTHING

-- name: take_host
-- Free, over its lease, or ours already; and nobody who still asks has waited longer.
UPDATE hosts SET owner = $2, lease_until = $5
WHERE host = $1 AND (owner IS NULL OR owner = $2 OR lease_until <= $4)
  AND NOT EXISTS (
    SELECT 1 FROM host_waiters w
    WHERE w.host = $1 AND w.owner <> $2 AND w.seen_at > $6 AND (w.since, w.owner) < ($3, $2))
RETURNING last_request_at

-- name: stop_waiting
DELETE FROM host_waiters WHERE host = $1 AND (owner = $2 OR seen_at <= $3)

-- name: renew_host
UPDATE hosts SET lease_until = $4, last_request_at = coalesce($3, last_request_at)
WHERE host = $1 AND owner = $2
RETURNING last_request_at, EXISTS (SELECT 1 FROM host_waiters w WHERE w.host = $1 AND w.seen_at > $5) AS waited_for

-- name: give_back_host
UPDATE hosts SET owner = NULL, lease_until = NULL, last_request_at = coalesce($3, last_request_at)
WHERE host = $1 AND owner = $2

-- name: outbox_waits
SELECT EXISTS (SELECT 1 FROM outbox)
