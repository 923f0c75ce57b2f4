-- The scraper's own tables. Columns ending in _until or named since, seen_at of waiters and leases are wall time;
-- every other moment is virtual. No statement asks the server for the time.

CREATE TABLE stores (
    store           text PRIMARY KEY,          -- <company>:<store_id>
    company         text        NOT NULL,
    outlet          bytea       NOT NULL,      -- the StoreDiscovered last published, as JSON
    seen_at         timestamptz NOT NULL,      -- when a discovery last listed it
    missed          int         NOT NULL DEFAULT 0,
    closed_at       timestamptz,
    flagged_at      timestamptz,               -- needs_rescraping, since when and why
    flagged_why     text,
    last_scraped_at timestamptz,               -- when its last published scrape finished
    last_claimed_at timestamptz,
    lease_owner     text,
    lease_until     timestamptz                -- wall
);
CREATE INDEX stores_of_company ON stores (company, store);

CREATE TABLE runs (
    scrape_id      uuid PRIMARY KEY,
    store          text        NOT NULL REFERENCES stores,
    state          text        NOT NULL
        CHECK (state IN ('open', 'quarantined', 'replaced', 'completed', 'abandoned')),
    reason         text        NOT NULL,
    scope          text        NOT NULL,
    started_at     timestamptz NOT NULL,
    parser_version text        NOT NULL,
    plan           bytea,                      -- the planned categories as JSON, once the tree is read
    finished_at    timestamptz,
    detail         text,                       -- why it was quarantined or abandoned
    tally          bytea,                      -- its counts as JSON, once it has ended
    settled_at     timestamptz,                -- when ingest had folded it
    outcome        text                        -- what ingest made of it
);
CREATE UNIQUE INDEX runs_one_open ON runs (store) WHERE state = 'open';
CREATE INDEX runs_of_store ON runs (store, started_at);

-- The checkpoint of open runs, and what a quarantined one waits to publish.
CREATE TABLE staged_pages (
    scrape_id    uuid        NOT NULL REFERENCES runs ON DELETE CASCADE,
    page         int         NOT NULL,
    category     int         NOT NULL,
    url          text        NOT NULL,
    requests     int         NOT NULL,
    requested_at timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    content      bytea       NOT NULL,
    PRIMARY KEY (scrape_id, page)
);
-- Lives for one scrape: compressing it would cost more than the space.
ALTER TABLE staged_pages ALTER COLUMN content SET STORAGE EXTERNAL;

-- One token a retailer's host: who may talk to it.
CREATE TABLE hosts (
    host            text PRIMARY KEY,
    owner           text,
    lease_until     timestamptz,               -- wall
    last_request_at timestamptz
);
CREATE TABLE host_waiters (
    host    text        NOT NULL,
    owner   text        NOT NULL,
    since   timestamptz NOT NULL,              -- wall
    seen_at timestamptz NOT NULL,              -- wall
    PRIMARY KEY (host, owner)
);

CREATE TABLE discoveries (
    company     text PRIMARY KEY,
    finished_at timestamptz,
    stores      int,
    lease_owner text,
    lease_until timestamptz                    -- wall
);
