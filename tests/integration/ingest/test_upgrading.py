"""A generation of an earlier release, with prices in it, is brought up to date in place, and folded on."""

import asyncio
import json
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from splitcart_common.codec import decode
from splitcart_common.events import BarcodesObserved
from splitcart_common.ids import company_of
from splitcart_common.migrations import migrate
from splitcart_common.topics import PRODUCT_OBSERVED, STORE_GROUPS
from splitcart_ingest.app import open_pool, prepare
from splitcart_ingest.housekeeping import collect
from splitcart_ingest.identity.tables import stored
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import service_dsn
from tests.support.ingest import START, ByHand, Reference, fold_in, served_in
from tests.support.killing import asked

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


RELEASES = sorted(Path(__file__).parents[2].joinpath("fixtures/ingest").glob("release_*"))
"""What earlier releases have left behind, each with its log (fixtures/ingest/README.md)."""
MIGRATIONS = sorted(Path(str(files("splitcart_ingest"))).joinpath("sql/migrations").glob("*.sql"))
STATEMENT = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def package(folder: Path, name: str, migrations: Iterable[Path]) -> str:
    """A package with some of the migrations, as another release would bring."""
    made = folder / name / "sql" / "migrations"
    made.mkdir(parents=True)
    (folder / name / "__init__.py").touch()
    for path in migrations:
        (made / path.name).write_text(path.read_text())
    return name


async def load(connection: asyncpg.Connection, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Rows as they were, numbers and all."""
    for table, rows in tables.items():
        rows_of = f"SELECT * FROM json_populate_recordset(NULL::{table}, $1)"
        await connection.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE {rows_of}", json.dumps(rows))
    for table, column in (("stores", "store_id"), ("listings", "listing_id"), ("group_skus", "number")):
        await connection.fetchval(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), (SELECT max({column}) FROM {table}))"
        )


def test_the_release_before_this_one_is_there():
    assert RELEASES[-1].name.rpartition("_")[2] < MIGRATIONS[-1].name[:4]


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
async def test_from_an_earlier_release_it_folds_on(database, tmp_path, monkeypatch, release):
    last = release.name.rpartition("_")[2]
    monkeypatch.syspath_prepend(tmp_path)
    of_then = package(tmp_path, "release_then", (path for path in MIGRATIONS if path.name[:4] <= last))
    only_pre = package(tmp_path, "release_pre", (path for path in MIGRATIONS if "_post_" not in path.name))
    dsn = service_dsn(database, "ingest")
    await asyncio.to_thread(migrate, dsn, "ingest_g1", [of_then])
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "ingest_g1, public"})
    settings = IngestSettings(postgres_dsn=dsn)
    try:
        await load(connection, json.loads(release.joinpath("tables.json").read_text()))
        assert await connection.fetchval("SELECT count(*) FROM scrapes WHERE outcome IS NULL"), "one is open"
        assert await connection.fetchval("SELECT count(*) FROM store_heads WHERE collected"), (
            "something is collected"
        )
        assert await asyncio.to_thread(migrate, dsn, "ingest_g1", [only_pre])
        # Whoever runs the former release still can.
        await connection.execute("CREATE TEMP TABLE incoming (listing_id int, price int, changed_seq int)")
        for path in release.glob("*.sql"):
            names = STATEMENT.findall(path.read_text())
            statements = STATEMENT.split(path.read_text())[2::2]
            for name, statement in zip(names, statements, strict=True):
                try:
                    await connection.prepare(statement)
                except asyncpg.PostgresError as error:
                    pytest.fail(f"{path.name}, {name}: {error}")
        await prepare(settings)
    finally:
        await connection.close()
    expected = Reference()
    lines = [json.loads(line) for line in release.joinpath("log.jsonl").read_text().splitlines()]
    folded = [line for line in lines if line["folded"]]
    await _fold(expected, None, folded)
    assert await fold_in(database) == expected.fold()
    pool = await open_pool(settings)
    try:
        hand = ByHand(pool)
        # What is repeated over the change of releases is known.
        await _fold(expected, hand, folded[-10:] + lines[len(folded) :])
        await collect(pool)
    finally:
        await pool.close()
    assert await fold_in(database) == expected.fold()
    for at, turn in asked():
        assert await served_in(database, at, turn) == expected.served(at, turn)


async def _fold(expected: Reference, hand: ByHand | None, lines: Iterable[dict[str, Any]]) -> None:
    """Fold messages by the pure rules and, if there is a hand, by hand."""
    for line in lines:
        topic = next(topic for topic in (PRODUCT_OBSERVED, STORE_GROUPS) if topic.name == line["topic"])
        headers = [(name, value.encode()) for name, value in line["headers"].items()]
        _, event = decode(topic, headers, json.dumps(line["value"]).encode())
        key = line["key"]
        if topic is STORE_GROUPS:
            expected.group(key, event)
            if hand is not None:
                await hand.group((key, event))
            continue
        expected.describe(company_of(key), START, event)
        if not isinstance(event, BarcodesObserved):
            expected.observe(key, event)
        if hand is not None:
            await hand.observe((key, event))
