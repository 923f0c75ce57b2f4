"""A generation of the first release, with prices in it, is brought up to date in place."""

import asyncio
from importlib.resources import files

import asyncpg

from splitcart_common.migrations import migrate
from splitcart_ingest.app import prepare
from splitcart_ingest.identity.tables import stored
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import service_dsn
from tests.support.ingest import START

BEFORE = """
SET search_path = ingest_g1, public;
INSERT INTO stores (store, company) VALUES ('aldi:1', 'aldi');
INSERT INTO listings (company, sku, name, category_path, product_id, described_on, content_hash)
VALUES ('aldi', '01', 'Milk', '{}', md5('milk')::uuid, '2026-09-01', 1);
INSERT INTO store_heads VALUES (1, '2026-09-01', 2, 1, 1, '{}');
INSERT INTO scrapes (store_id, seq, scrape_id, scope, started_at, settled_at, outcome)
VALUES (1, 1, md5('scrape')::uuid, 'full', '2026-09-01', '2026-09-01', 'full');
INSERT INTO price_history VALUES (1, 1, 1, 1, '2026-09-01', 319, NULL, 0);
INSERT INTO latest_prices VALUES (1, 1, 319, 1);
CREATE VIEW read.prices AS SELECT store, price FROM latest_prices JOIN stores USING (store_id);
"""


OLD_RELEASE = """
INSERT INTO listings (company, sku, name, category_path, product_id, described_on, content_hash, read_barcode)
VALUES ('aldi', '02', 'Tea', '{}', md5('tea')::uuid, '2026-09-02', 2, NULL)
ON CONFLICT (company, sku) DO UPDATE SET product_id = excluded.product_id
"""


async def test_from_the_first_release(database, tmp_path, monkeypatch):
    dsn = service_dsn(database, "ingest")
    first = tmp_path / "first_release" / "sql" / "migrations"
    first.mkdir(parents=True)
    (tmp_path / "first_release" / "__init__.py").touch()
    text = files("splitcart_ingest").joinpath("sql/migrations/0001_pre_fold.sql").read_text()
    (first / "0001_pre_fold.sql").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert "0001_pre_fold" in await asyncio.to_thread(migrate, dsn, "ingest_g1", ["first_release"])
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "ingest_g1, public"})
    try:
        await connection.execute(BEFORE)
        settings = IngestSettings(postgres_dsn=dsn)
        await prepare(settings)
        assert await connection.fetchval("SELECT collected FROM ingest_g1.store_heads") is False
        rows = await connection.fetch("SELECT store, sku, price, source, anchor FROM read.prices($1, '{}')", START)
        assert list(map(tuple, rows)) == [("aldi:1", "01", 319, "own", "aldi:1")]
        assert await connection.fetchval("SELECT price FROM read.own_prices") == 319
        assert await connection.fetchval("SELECT to_regclass('read.prices')") is None, "a function by now"
        milk = await connection.fetchval("SELECT md5('milk')::uuid")
        rows = await connection.fetch("SELECT company, sku, product_id, rule FROM read.links")
        assert list(map(tuple, rows)) == [("aldi", "01", milk, None)], "its product until it is decided on"
        rows = await connection.fetch("SELECT product_id, name, brand, listings FROM read.products")
        assert list(map(tuple, rows)) == [(milk, "Milk", None, 1)]
        assert (await stored(connection)).links == ()
        # The former release goes on writing for a while.
        await connection.execute(OLD_RELEASE)
        rows = await connection.fetch("SELECT sku, product_id FROM read.listings ORDER BY sku")
        assert list(map(tuple, rows)) == [("01", milk), ("02", None)]
        # And once more: nothing is left to do.
        await prepare(settings)
        assert await asyncio.to_thread(migrate, dsn, "ingest_g1", ["splitcart_ingest"]) == []
    finally:
        await connection.close()
