-- The catalogue: which product each listing is. A fold of its own log (topic catalogue) and of nothing else; whoever
-- decides writes tables and log in one transaction (decision 0022).

CREATE TABLE products (
    product_id  uuid   PRIMARY KEY,
    company     text   NOT NULL,     -- this and the next: the listing that founded it
    sku         text   NOT NULL,
    name        text   NOT NULL,
    brand_id    text,
    sizes       text[] NOT NULL,
    merged_into uuid                 -- the survivor itself, never a step on the way
);
CREATE INDEX products_merged ON products (merged_into) WHERE merged_into IS NOT NULL;

-- Every listing has a row, so that reading is by key. One without a rule is not decided yet: it stands alone, as the
-- product it would found. Such a row comes with the listing, from the fold of descriptions; all else is the catalogue's.
CREATE TABLE links (
    company      text NOT NULL,
    sku          text NOT NULL,
    product_id   uuid NOT NULL,
    rule         text,               -- this and what follows: null where nothing is decided
    rule_version text,
    evidence     jsonb,
    name         text,               -- this and what follows: the description that was judged
    brand        text,
    size         text,
    barcode      text,
    PRIMARY KEY (company, sku)
);
CREATE INDEX links_by_product ON links (product_id);

-- Name keys that matches by barcode have taught, and from which listing: the least of them.
CREATE TABLE variations (
    product_id uuid NOT NULL,
    key        text NOT NULL,
    company    text NOT NULL,
    sku        text NOT NULL
);
CREATE UNIQUE INDEX variations_by_key ON variations (product_id, md5(key));  -- a key may be longer than an index bears

-- Listings that an operator has parted from a product for good.
CREATE TABLE bars (
    company    text NOT NULL,
    sku        text NOT NULL,
    product_id uuid NOT NULL,
    PRIMARY KEY (company, sku, product_id)
);

CREATE TABLE brands (
    brand    text PRIMARY KEY,
    survivor text NOT NULL           -- the survivor itself, never a step on the way
);

-- Which transaction wrote these tables last: what is held in memory is right as long as it is the one that left it.
CREATE TABLE catalogue_head (
    left_by xid8 NOT NULL
);
INSERT INTO catalogue_head VALUES (pg_current_xact_id());

-- The field `brand` names whoever supplies it, or nothing: it says nothing of the other listings of the product.
ALTER TABLE listings ADD COLUMN supplier boolean NOT NULL DEFAULT false;

-- What was a listing's product by its barcode: it stands until the listing is decided on. The release before this one
-- still writes it while it runs; no other reads it, and a post migration of the next may drop it.
INSERT INTO links (company, sku, product_id) SELECT company, sku, product_id FROM listings;
ALTER TABLE listings ALTER COLUMN product_id DROP NOT NULL;
DROP INDEX listings_by_product;
