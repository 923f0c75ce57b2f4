-- What a store's last published scrape said, to judge the next one by; one row a store.
CREATE TABLE known_prices (
    store      text PRIMARY KEY REFERENCES stores,
    scrape_id  uuid        NOT NULL,
    started_at timestamptz NOT NULL,           -- of that scrape
    prices     bytea       NOT NULL            -- cents by SKU, MessagePack, zstd
);
ALTER TABLE known_prices ALTER COLUMN prices SET STORAGE EXTERNAL;  -- it is compressed already

-- Requests a company was sent on a day of virtual time (UTC), by all workers.
CREATE TABLE requests_made (
    company  text   NOT NULL,
    day      date   NOT NULL,
    requests bigint NOT NULL,
    PRIMARY KEY (company, day)
);

ALTER TABLE runs
    ADD COLUMN ending bytea,                   -- of a quarantined one: how its walk was abandoned, as JSON; null: it was not
    DROP CONSTRAINT runs_state_check,
    ADD CONSTRAINT runs_state_check
        CHECK (state IN ('open', 'quarantined', 'replaced', 'rejected', 'completed', 'abandoned'));
CREATE INDEX runs_by_start ON runs (started_at);
