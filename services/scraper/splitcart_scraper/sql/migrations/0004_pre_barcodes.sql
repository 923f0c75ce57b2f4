-- The barcode pass: what came of each product that was asked for, and what is said of it already.

-- One a company; the next one takes the row over when it is finished.
CREATE TABLE barcode_passes (
    company     text PRIMARY KEY,
    pass_id     uuid        NOT NULL,          -- ids of its messages are computed from it and their number
    store       text        NOT NULL REFERENCES stores,  -- whose customer reads the pages; the messages' key
    started_at  timestamptz NOT NULL,
    batches     int         NOT NULL DEFAULT 0, -- messages written so far
    finished_at timestamptz,                   -- null: the next run goes on with it
    lease_owner text,
    lease_until timestamptz                    -- wall
);

CREATE TABLE barcodes (
    company text        NOT NULL,
    sku     text        NOT NULL,
    finding text        NOT NULL
        CHECK (finding IN ('found', 'none', 'invalid', 'several', 'gone', 'unreadable')),
    barcode text,
    detail  text,                              -- what was found instead of one
    source  text        NOT NULL CHECK (source IN ('page', 'prefill')),
    seen_at timestamptz NOT NULL,
    pass_id uuid        NOT NULL,              -- the pass that did, or repeated, it
    batch   int,                               -- the message of that pass which says it; null: none yet
    said_at timestamptz,
    PRIMARY KEY (company, sku),
    CHECK ((finding = 'found') = (barcode IS NOT NULL))
);
CREATE INDEX barcodes_unsaid ON barcodes (company, seen_at, sku) WHERE barcode IS NOT NULL AND batch IS NULL;
