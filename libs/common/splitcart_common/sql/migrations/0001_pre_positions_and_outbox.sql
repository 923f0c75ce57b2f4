-- What every service keeps beside its own tables: how far it has read, and what it still has to say.

CREATE TABLE positions (
    topic       text   NOT NULL,
    partition   int    NOT NULL,
    epoch       bigint NOT NULL,  -- counts the owners: a former one that still writes is fenced by it
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

CREATE TABLE outbox (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic         text    NOT NULL,
    key           bytea,
    value         bytea STORAGE EXTERNAL,  -- zstd where `compressed`: what it could do is done already
    compressed    boolean NOT NULL,
    header_names  bytea[] NOT NULL,      -- bytes, as a dead letter's may be anything
    header_values bytea[] NOT NULL
);
