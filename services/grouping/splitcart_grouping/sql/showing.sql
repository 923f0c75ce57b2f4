-- What `splitcart groups show` asks of the read views: so it runs with any role that may read them.

-- name: companies
SELECT company, count(*) AS groups, sum(members)::int AS stores, max(members)::int AS largest,
       count(*) FILTER (WHERE members = 1) AS alone, count(stale_since) AS stale, max(version) AS version
FROM read.groups GROUP BY company ORDER BY company

-- name: groups
SELECT anchor, members, formed_at, anchor_settled_at, stale_since FROM read.groups
WHERE company = $1 ORDER BY members DESC, anchor

-- name: group
SELECT g.company, g.anchor, g.members, g.formed_at, g.anchor_settled_at, g.stale_since
FROM read.groups g JOIN read.group_members m USING (company, anchor) WHERE m.store = $1

-- name: members
SELECT store, confirmed_at, shared, equal, exceptions, up_to_scrape, anchor_scrape, version, rule_version
FROM read.group_members WHERE company = $1 AND anchor = $2 ORDER BY store <> anchor, store

-- name: company_history
SELECT version, at, kind, store, anchor, other, shared, equal, detail FROM read.group_decisions
WHERE company = $1 ORDER BY version DESC LIMIT $2

-- name: store_history
-- What was decided about the store itself, and about the anchor it has as an anchor.
SELECT version, at, kind, store, anchor, other, shared, equal, detail FROM read.group_decisions
WHERE company = $1 AND (store = $2 OR other = $2 OR (store = $3 AND kind <> 'member-confirmed'))
ORDER BY version DESC LIMIT $4

-- name: statement
SELECT detail FROM read.group_decisions WHERE company = $1 AND version = $2

