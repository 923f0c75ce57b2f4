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
-- From one state to another: nobody else has ended it meanwhile.
UPDATE runs SET state = $3, finished_at = $4, detail = $5, tally = $6, ending = $7
WHERE scrape_id = $1 AND state = $2
RETURNING scrape_id

-- name: replace_quarantined
-- A newer scrape of the store has been judged: an older one that still waits is of no use any more.
UPDATE runs SET state = 'replaced' WHERE store = $1 AND state = 'quarantined' AND scrape_id <> $2
RETURNING scrape_id

-- name: lock_store
-- By an operator, whoever has it in hand: rows of one store enter the outbox under this lock, in order.
SELECT store FROM stores WHERE store = $1 FOR UPDATE

-- name: run
SELECT scrape_id, store, state, reason, scope, started_at, parser_version, plan, finished_at, detail, tally, ending,
  settled_at, outcome
FROM runs WHERE scrape_id = $1

-- name: runs
-- Newest first; of one company, of one state, or all.
SELECT scrape_id, runs.store, state, reason, scope, started_at, parser_version, plan, finished_at, detail, tally,
  ending, runs.settled_at, outcome
FROM runs JOIN stores ON stores.store = runs.store
WHERE ($1::text IS NULL OR company = $1) AND ($2::text IS NULL OR state = $2)
ORDER BY started_at DESC, scrape_id DESC LIMIT $3

-- name: known_prices
SELECT started_at, prices FROM known_prices WHERE store = $1

-- name: keep_prices
INSERT INTO known_prices (store, scrape_id, started_at, prices) VALUES ($1, $2, $3, $4)
ON CONFLICT (store) DO UPDATE
SET scrape_id = EXCLUDED.scrape_id, started_at = EXCLUDED.started_at, prices = EXCLUDED.prices

-- name: spend
INSERT INTO requests_made AS made (company, day, requests) VALUES ($1, $2, $3)
ON CONFLICT (company, day) DO UPDATE SET requests = made.requests + EXCLUDED.requests

-- name: spent
SELECT requests FROM requests_made WHERE company = $1 AND day = $2

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
RETURNING last_request_at, gap_seconds, closed_until

-- name: stop_waiting
DELETE FROM host_waiters WHERE host = $1 AND (owner = $2 OR seen_at <= $3)

-- name: renew_host
UPDATE hosts SET lease_until = $4, last_request_at = coalesce($3, last_request_at),
  gap_seconds = coalesce($6, gap_seconds), closed_until = greatest($7, closed_until)
WHERE host = $1 AND owner = $2
RETURNING last_request_at, gap_seconds, closed_until,
  EXISTS (SELECT 1 FROM host_waiters w WHERE w.host = $1 AND w.seen_at > $5) AS waited_for

-- name: give_back_host
UPDATE hosts SET owner = NULL, lease_until = NULL, last_request_at = coalesce($3, last_request_at),
  gap_seconds = coalesce($4, gap_seconds), closed_until = greatest($5, closed_until)
WHERE host = $1 AND owner = $2

-- name: robots_of_host
SELECT text, keep_until FROM robots WHERE host = $1

-- name: keep_robots
INSERT INTO robots (host, text, keep_until) VALUES ($1, $2, $3)
ON CONFLICT (host) DO UPDATE SET text = EXCLUDED.text, keep_until = EXCLUDED.keep_until

-- name: outbox_waits
SELECT EXISTS (SELECT 1 FROM outbox)

-- name: store_to_read
SELECT store FROM stores WHERE company = $1 AND scrapable AND closed_at IS NULL
ORDER BY last_scraped_at DESC NULLS LAST, store LIMIT 1

-- name: lease_barcodes
-- The unfinished pass goes on as it was begun; a finished one makes way for a fresh one.
INSERT INTO barcode_passes AS p (company, pass_id, store, started_at, lease_owner, lease_until)
VALUES ($1, $2, $3, $4, $5, $7)
ON CONFLICT (company) DO UPDATE SET lease_owner = $5, lease_until = $7, finished_at = NULL,
  pass_id = CASE WHEN p.finished_at IS NULL THEN p.pass_id ELSE $2 END,
  store = CASE WHEN p.finished_at IS NULL THEN p.store ELSE $3 END,
  started_at = CASE WHEN p.finished_at IS NULL THEN p.started_at ELSE $4 END,
  batches = CASE WHEN p.finished_at IS NULL THEN p.batches ELSE 0 END
WHERE p.lease_until IS NULL OR p.lease_until <= $6
RETURNING pass_id, store, started_at

-- name: barcodes_leased_until
SELECT lease_until FROM barcode_passes WHERE company = $1

-- name: renew_barcodes
UPDATE barcode_passes SET lease_until = $3 WHERE company = $1 AND lease_owner = $2 RETURNING company

-- name: leave_barcodes
UPDATE barcode_passes SET finished_at = $3, lease_owner = NULL, lease_until = NULL
WHERE company = $1 AND lease_owner = $2

-- name: repeat_barcodes
-- Found and published by an earlier pass, and still not in the listings: said again by this one.
UPDATE barcodes b SET pass_id = $3, source = 'prefill', batch = NULL, said_at = NULL
FROM read.listings l
WHERE l.company = $1 AND l.barcode IS NULL AND b.company = $1 AND b.sku = l.sku
  AND b.barcode IS NOT NULL AND b.pass_id <> $3 AND b.said_at <= $4
  AND EXISTS (SELECT 1 FROM barcode_passes WHERE company = $1 AND lease_owner = $2)
RETURNING b.sku

-- name: barcodes_missing
-- Listings without a barcode, here as in the listings: due are those never asked for, or that have rested.
SELECT sku, name, brand, size, again, due, NOT due AND NOT of_this_pass AS resting
FROM (
  SELECT l.sku, l.name, l.brand, l.size, b.sku IS NOT NULL AS again,
    coalesce(b.pass_id = $2, false) AS of_this_pass,
    b.sku IS NULL OR (
      b.pass_id <> $2 AND b.seen_at <= CASE b.finding WHEN 'unreadable' THEN $3::timestamptz ELSE $4::timestamptz END
    ) AS due
  FROM read.listings l LEFT JOIN barcodes b ON b.company = $1 AND b.sku = l.sku
  WHERE l.company = $1 AND l.barcode IS NULL AND b.barcode IS NULL
) AS lacking
ORDER BY sku

-- name: barcodes_done
SELECT count(*) FROM barcodes WHERE company = $1 AND pass_id = $2

-- name: record_barcodes
-- By the pass's owner only; a barcode that was found is never replaced.
INSERT INTO barcodes AS b (company, sku, finding, barcode, detail, source, seen_at, pass_id)
SELECT $1, read.sku, read.finding, read.barcode, read.detail, $4, $5, $3
FROM unnest($6::text[], $7::text[], $8::text[], $9::text[]) AS read (sku, finding, barcode, detail)
WHERE EXISTS (SELECT 1 FROM barcode_passes WHERE company = $1 AND lease_owner = $2)
ON CONFLICT (company, sku) DO UPDATE SET finding = EXCLUDED.finding, barcode = EXCLUDED.barcode,
  detail = EXCLUDED.detail, source = EXCLUDED.source, seen_at = EXCLUDED.seen_at, pass_id = EXCLUDED.pass_id,
  batch = NULL, said_at = NULL
WHERE b.barcode IS NULL

-- name: forget_barcodes
DELETE FROM barcodes WHERE company = $1 AND sku = ANY($3) AND barcode IS NULL
  AND EXISTS (SELECT 1 FROM barcode_passes WHERE company = $1 AND lease_owner = $2)

-- name: lock_barcode_pass
-- Its last message's number, if it is still this owner's. The store is locked as by whoever publishes its scrapes:
-- rows of one store enter the outbox in order.
SELECT p.batches FROM barcode_passes p JOIN stores s USING (store)
WHERE p.company = $1 AND p.lease_owner = $2 FOR UPDATE

-- name: unsaid_barcodes
SELECT sku, barcode, seen_at, source FROM barcodes
WHERE company = $1 AND barcode IS NOT NULL AND batch IS NULL ORDER BY seen_at, sku LIMIT $2

-- name: barcodes_said
WITH said AS (UPDATE barcodes SET batch = $3, said_at = $4 WHERE company = $1 AND sku = ANY($2))
UPDATE barcode_passes SET batches = $3 WHERE company = $1
