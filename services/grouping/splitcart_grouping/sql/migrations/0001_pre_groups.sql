-- Two folds a company: what its stores were seen to charge, and what was decided about them. The second is that of
-- `decisions`, which is the log of store-groups again, in full; `members` says what it comes to, for the views.

-- Locked by every transaction that decides for the company, or folds what was decided: so the order of the outbox is
-- that of the versions.
CREATE TABLE companies (
    company    text   PRIMARY KEY,
    version    int    NOT NULL DEFAULT 0,  -- of the last decision
    revision   bigint NOT NULL DEFAULT 0,  -- counts the transactions that changed anything of the company
    changed_by text   NOT NULL DEFAULT pg_current_xact_id()::text,  -- the last of them: who finds its own is up to date
    history_until bigint NOT NULL DEFAULT 0  -- an offset in price-changed: what stands before was decided on already, by
                                             -- whoever wrote the decisions that were learnt from the log, and is only folded
);

-- Records of stores speak of listings by these numbers.
CREATE TABLE listings (
    company text NOT NULL,
    number  int  NOT NULL,
    sku     text NOT NULL,
    PRIMARY KEY (company, number)
);

CREATE TABLE stores (
    store         text   PRIMARY KEY,
    company       text   NOT NULL,
    revision      bigint NOT NULL,       -- of the company, when this row was written
    record        bytea  NOT NULL,       -- all that is known of the store (domain/record.py)
    discovered_at timestamptz,           -- this and what follows: parts of the record, for the views
    closed_at     timestamptz,
    seq           int,                   -- of the last scrape that has settled
    scrape_id     uuid,
    outcome       text,
    started_at    timestamptz,
    settled_at    timestamptz
);
CREATE INDEX stores_by_revision ON stores (company, revision);
ALTER TABLE stores ALTER COLUMN record SET STORAGE EXTERNAL;  -- it is compressed already

-- What open scrapes have changed: it counts when they settle.
CREATE TABLE pending (
    store     text   NOT NULL,
    scrape_id uuid   NOT NULL,
    event_id  uuid   NOT NULL,
    seq       int    NOT NULL,
    "offset"  bigint NOT NULL,
    changes   bytea  NOT NULL,           -- [[sku, cents or null], ...] as JSON, zstd
    PRIMARY KEY (store, event_id)
);

CREATE TABLE decisions (
    company       text NOT NULL,
    version       int  NOT NULL,
    at            timestamptz NOT NULL,
    kind          text NOT NULL,
    event_version int  NOT NULL,
    store         text NOT NULL,         -- whom it is about
    anchor        text,                  -- whom it is about as an anchor: the one that stands, or stood
    other         text,                  -- the one that was given up
    shared        int,
    equal         int,
    event         jsonb NOT NULL,        -- as published
    PRIMARY KEY (company, version)
);
CREATE INDEX decisions_by_store ON decisions (company, store, version);
CREATE INDEX decisions_by_anchor ON decisions (company, anchor, version);
CREATE INDEX decisions_by_other ON decisions (company, other, version) WHERE other IS NOT NULL;

-- Where each store of a group stands now, anchors included.
CREATE TABLE members (
    store         text PRIMARY KEY,
    company       text NOT NULL,
    anchor        text NOT NULL,
    version       int  NOT NULL,         -- of the decision that put it there, or confirmed it there
    formed_at     timestamptz,           -- of an anchor: since when its group is
    confirmed_at  timestamptz,           -- this and what follows: the evidence for a member
    up_to_scrape  uuid,
    anchor_scrape uuid,
    shared        int,
    equal         int,
    exceptions    int,
    rule_version  text,
    stale_since   timestamptz            -- of an anchor: when it was last found too old to judge by
);
CREATE INDEX members_by_anchor ON members (company, anchor);
