-- What the schedule knows of groups (the fold of store-groups) and of how scrapes settled.

CREATE TABLE group_versions (
    company text PRIMARY KEY,
    version bigint NOT NULL                    -- the last that was folded: what comes again is ignored
);

-- Members of groups; a store that is not here stands on its own. It may not be discovered here yet.
CREATE TABLE memberships (
    store        text PRIMARY KEY,
    anchor       text        NOT NULL,
    confirmed_at timestamptz NOT NULL,
    version      bigint      NOT NULL
);

ALTER TABLE stores
    ADD COLUMN scrapable       boolean NOT NULL DEFAULT true,  -- false: it shows its prices nowhere
    ADD COLUMN scraped_from    timestamptz,    -- when the scrape of last_scraped_at began
    ADD COLUMN settled_from    timestamptz,    -- when the last settled scrape began,
    ADD COLUMN settled_at      timestamptz,    -- was folded,
    ADD COLUMN settled_outcome text;           -- and what ingest made of it
UPDATE stores SET scraped_from = last_scraped_at;
