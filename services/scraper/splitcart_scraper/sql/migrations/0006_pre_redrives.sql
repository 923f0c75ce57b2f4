-- Dead letters that were redriven: each once. A message is named by where it stood.
CREATE TABLE redrives (
    topic      text        NOT NULL,           -- without prefix and version
    partition  int         NOT NULL,
    "offset"   bigint      NOT NULL,
    store      text        NOT NULL,
    of_scrape  uuid,                           -- the scrape it belonged to; null: none
    scrape_id  uuid,                           -- the upsert-only scrape it became; null: it was said again
    at         timestamptz NOT NULL,           -- virtual
    PRIMARY KEY (topic, partition, "offset")
);
CREATE INDEX redrives_by_scrape ON redrives (of_scrape);
