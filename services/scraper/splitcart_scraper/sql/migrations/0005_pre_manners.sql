-- How each host wants to be visited: the gap it bears, a time it asked not to be asked, its robots.txt.

ALTER TABLE hosts
    ADD COLUMN gap_seconds  double precision,  -- virtual; follows its latency
    ADD COLUMN closed_until timestamptz;       -- wall; by its Retry-After

CREATE TABLE robots (
    host       text PRIMARY KEY,
    text       text        NOT NULL,           -- empty where it has none
    keep_until timestamptz NOT NULL            -- virtual; then it is read again
);
