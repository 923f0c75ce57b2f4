-- The store fold (protocol.md). One generation of it lives in one schema, ingest_g<N>.
-- Surrogate numbers stay inside the schema: everything outside speaks in natural keys.

CREATE TABLE stores (
    store_id      int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    store         text NOT NULL UNIQUE,
    company       text NOT NULL,
    name          text,  -- null until the store's own description has come: the topics race, and may
    division      text,
    address       text,
    suburb        text,
    state         text,
    postcode      text,
    lat           float8,
    lon           float8,
    sells_online  boolean,
    retailer_ref  text,
    seen_at       timestamptz,
    closed_at     timestamptz,
    closed_reason text
);

CREATE TABLE listings (
    listing_id    int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company       text   NOT NULL,
    sku           text   NOT NULL,
    name          text   NOT NULL,
    brand         text,
    size          text,
    barcode       text,
    category_path text[] NOT NULL,
    image_url     text,
    product_id    uuid   NOT NULL,
    described_on  date   NOT NULL,
    content_hash  bigint NOT NULL,
    UNIQUE (company, sku)
);
CREATE INDEX listings_by_product ON listings (product_id);
CREATE INDEX listings_by_sku ON listings (sku);
CREATE INDEX listings_by_barcode ON listings (barcode);
CREATE INDEX listings_by_words ON listings
    USING gin (to_tsvector('simple', name || ' ' || coalesce(brand, '') || ' ' || coalesce(size, '')));
CREATE INDEX listings_by_likeness ON listings USING gin ((name || ' ' || coalesce(brand, '')) gin_trgm_ops);

CREATE TABLE store_heads (
    store_id    int PRIMARY KEY REFERENCES stores,
    clock       timestamptz NOT NULL,   -- the latest event time folded: times never run backwards
    next_seq    int   NOT NULL,
    full_seq    int   NOT NULL,         -- 0: no full scrape yet
    full_size   int,                    -- kept as a number, not counted from rows
    partial_run int[] NOT NULL          -- seqs of the last partial scrapes in a row, two at most
) WITH (fillfactor = 70);

CREATE TABLE scrapes (
    store_id   int  NOT NULL REFERENCES stores,
    seq        int  NOT NULL,
    scrape_id  uuid NOT NULL,           -- natural within its store's stream: no fold reads another store's
    scope      text NOT NULL,
    started_at timestamptz NOT NULL,    -- the scrape's time, clamped
    settled_at timestamptz,             -- this and what follows: null while the scrape is open
    outcome    text,
    listings   int,
    created    int,
    updated    int,
    unchanged  int,
    withdrawn  int,
    seen       int[],                   -- the listings it saw, sorted; null where it was full
    PRIMARY KEY (store_id, seq),
    UNIQUE (store_id, scrape_id)
);
CREATE UNIQUE INDEX scrapes_open ON scrapes (store_id) WHERE outcome IS NULL;

-- What the open scrape of a store has seen, batch by batch; gone when it settles.
CREATE TABLE open_batches (
    store_id  int   NOT NULL REFERENCES stores,
    batch     int   NOT NULL,
    seen      int[] NOT NULL,
    created   int   NOT NULL,
    updated   int   NOT NULL,
    unchanged int   NOT NULL,
    PRIMARY KEY (store_id, batch)
);

-- The primary record: append-only, one row a change. price null: withdrawn.
CREATE TABLE price_history (
    store_id   int NOT NULL,
    listing_id int NOT NULL,
    seq        int NOT NULL,
    batch      int NOT NULL,            -- 0: by the scrape's end
    at         timestamptz NOT NULL,
    price      int,
    was_price  int,
    special    smallint NOT NULL,       -- place in none, special, half, down, new, clearance
    PRIMARY KEY (store_id, listing_id, seq)
);

-- The last row of each listing in price_history: a cache, and in no digest.
CREATE TABLE latest_prices (
    store_id    int NOT NULL,
    listing_id  int NOT NULL,
    price       int,
    changed_seq int NOT NULL,
    PRIMARY KEY (store_id, listing_id)
) WITH (fillfactor = 80);
