-- The membership fold (protocol.md, rules 6 and 7) and housekeeping (rule 10).
-- The membership fold speaks in keys it was told: numbers of stores, ids of scrapes that may never come, and SKUs
-- by numbers of its own, as in a rebuild they may come before their listings. It looks nothing up elsewhere.

-- One row a confirmation or ejection, for ever: served prices as of any day need them.
CREATE TABLE group_markers (
    company       text NOT NULL,
    version       int  NOT NULL,
    store_id      int  NOT NULL REFERENCES stores,
    anchor_id     int  NOT NULL REFERENCES stores,  -- the store itself where it was ejected
    up_to_scrape  uuid,                             -- null: ejected
    anchor_scrape uuid,
    decided_at    timestamptz NOT NULL,             -- clamped: never runs backwards in a company
    PRIMARY KEY (company, version)
);
CREATE UNIQUE INDEX group_markers_by_store ON group_markers (store_id, version);

CREATE TABLE group_skus (
    number  int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company text NOT NULL,
    sku     text NOT NULL,
    UNIQUE (company, sku)
);

-- The exceptions that each marker states, side by side and in the order of their numbers, so that one is found by
-- halving: those of a store's last marker in full, those of an earlier one as what differs from the next
-- (domain/exceptions.py). Kept beside its row, an array is read only where it is needed.
CREATE TABLE group_exceptions (
    store_id int           NOT NULL REFERENCES stores,
    version  int           NOT NULL,
    numbers  int[]         NOT NULL,
    prices   int[]         NOT NULL,                -- null: not sold there
    seen_at  timestamptz[] NOT NULL,
    absent   int[],                                 -- what the next one has and this one had not; null: in full
    PRIMARY KEY (store_id, version)
) WITH (toast_tuple_target = 128);
ALTER TABLE group_exceptions ALTER COLUMN numbers SET STORAGE MAIN;

-- Redundant rows of latest_prices were dropped: they are to be restored before the store's next scrape.
ALTER TABLE store_heads ADD COLUMN collected boolean NOT NULL DEFAULT false;

-- What housekeeping knows of a store: its floor by the markers up to a version, all of whose scrapes are folded (so
-- it stands for good), and the next_seq it was looked through at. A memo: without it everything is as it is.
CREATE TABLE floors (
    store_id int PRIMARY KEY REFERENCES stores,
    version  int NOT NULL,
    seq      int NOT NULL,
    next_seq int NOT NULL
);
