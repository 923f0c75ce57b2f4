-- Barcodes read outside scrapes (decision 0016): a register of its own, as the next sighting without one would else
-- erase what was read. A SKU may be in it before its listing.
CREATE TABLE read_barcodes (
    company text        NOT NULL,
    sku     text        NOT NULL,
    barcode text        NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (company, sku)
);

-- The register's barcode of a listing, beside what the company itself said: one index finds it by either.
ALTER TABLE listings ADD COLUMN read_barcode text;
DROP INDEX listings_by_barcode;
CREATE INDEX listings_by_barcode ON listings (coalesce(barcode, read_barcode));
