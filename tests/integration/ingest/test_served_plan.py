"""How `read.prices` is asked for: inlined, by key, with the gateway's rights and settings."""

import json
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from splitcart_common.postgres import Pool
from splitcart_gateway.store import _SESSION
from splitcart_sandbox.database import service_dsn
from tests.support.ingest import START

LARGE = {
    "latest_prices",
    "price_history",
    "scrapes",
    "group_markers",
    "group_exceptions",
    "listings",
    "links",
    "group_skus",
}

# 300 stores in groups of 30, 400 of 800 listings each; whoever is no anchor was confirmed ten times.
FILL = """
INSERT INTO stores (store, company) SELECT 'coles:' || n, 'coles' FROM generate_series(1, 300) n;
INSERT INTO listings (company, sku, name, category_path, described_on, content_hash)
SELECT 'coles', 's' || n, 'Thing ' || n, '{}', '2026-09-01', n FROM generate_series(1, 800) n;
INSERT INTO links (company, sku, product_id)
SELECT 'coles', 's' || n, md5(n::text)::uuid FROM generate_series(1, 800) n;
INSERT INTO store_heads SELECT n, '2026-09-01', 13, 12, 400, '{}' FROM generate_series(1, 300) n;
INSERT INTO scrapes (store_id, seq, scrape_id, scope, started_at, settled_at, outcome)
SELECT n, q, md5(n || '/' || q)::uuid, 'full', '2026-09-01', '2026-09-01', 'full'
FROM generate_series(1, 300) n, generate_series(1, 12) q;
INSERT INTO price_history (store_id, listing_id, seq, batch, at, price, special)
SELECT n, l, 1, 1, '2026-09-01', 100, 0 FROM generate_series(1, 300) n, generate_series(1, 800, 2) l;
INSERT INTO latest_prices SELECT store_id, listing_id, price, seq FROM price_history;
INSERT INTO group_skus (company, sku) SELECT company, sku FROM listings;
INSERT INTO group_markers
SELECT 'coles', 1000 * q + n, n, 1 + (n - 1) / 30 * 30, md5(n || '/' || q + 2)::uuid, md5(n || '/' || q)::uuid,
       '2026-09-01'
FROM generate_series(1, 300) n, generate_series(1, 10) q WHERE n % 30 <> 1;
INSERT INTO group_exceptions
SELECT store_id, version, ARRAY(SELECT generate_series(1, 40)), array_fill(90, ARRAY[40]),
       array_fill('2026-09-01'::timestamptz, ARRAY[40]), CASE WHEN version < 10000 THEN '{}'::int[] END
FROM group_markers;
"""
ONE_PRODUCT = "SELECT * FROM read.prices($1, $2) WHERE product_id = $3 AND store = ANY ($4::text[])"
ONE_STORE = "SELECT store, sku, price FROM read.prices($1, $2) WHERE store = $3"
NEAR = [f"coles:{n}" for n in range(20, 40)]


@pytest.fixture(params=["force_generic_plan", "auto"])
async def reader(request, database: str, pool: Pool) -> AsyncIterator[asyncpg.Connection]:
    """The gateway, with its settings, and as any other reader comes."""
    await pool.execute(FILL)
    owner = await asyncpg.connect(database)
    await owner.execute("VACUUM ANALYZE")
    await owner.close()
    settings = {**_SESSION, "plan_cache_mode": request.param}
    connection = await asyncpg.connect(service_dsn(database, "gateway"), server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close()


async def plan(reader, query: str, types: str, values: str) -> list[dict]:
    await reader.execute(f"PREPARE asked ({types}) AS {query}")
    (row,) = await reader.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked ({values})")
    return list(nodes(json.loads(row[0])[0]["Plan"]))


def nodes(node: dict) -> Iterator[dict]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


async def test_one_product_at_twenty_stores_of_many_is_found_by_key(reader):
    stores = "{" + ",".join(NEAR) + "}"
    (product,) = await reader.fetch("SELECT product_id FROM read.listings WHERE sku = 's41'")
    values = f"'{START}', '{{}}', '{product[0]}', '{stores}'"
    found = await plan(reader, ONE_PRODUCT, "timestamptz, jsonb, uuid, text[]", values)
    assert not any(node["Node Type"] == "Function Scan" for node in found), "it is not inlined"
    looks = [node for node in found if node.get("Relation Name") in LARGE]
    assert {node["Relation Name"] for node in looks} >= {"latest_prices", "listings", "group_exceptions"}
    scans = {node["Relation Name"] for node in looks if node["Node Type"] == "Seq Scan"}
    # A few rows a store, once: which way these are read is a matter of taste.
    assert scans <= {"group_exceptions"}
    for node in looks:
        if node["Relation Name"] in {"latest_prices", "price_history"}:
            assert "listing_id =" in node["Index Cond"]
            assert "store_id =" in node["Index Cond"]
            assert node["Actual Rows"] <= 1
            assert node["Actual Loops"] <= len(NEAR)


async def test_of_the_past_only_history_is_asked_and_by_key(reader):
    stores = "{" + ",".join(NEAR) + "}"
    (product,) = await reader.fetch("SELECT product_id FROM read.listings WHERE sku = 's41'")
    values = f"'{START}', '{{}}', '{product[0]}', '{stores}'"
    asked = ONE_PRODUCT.replace("read.prices", "read.prices_as_of")
    found = await plan(reader, asked, "timestamptz, jsonb, uuid, text[]", values)
    called = {node["Function Name"] for node in found if node["Node Type"] == "Function Scan"}
    assert called <= {"unnest"}, "it is not inlined"
    looks = [node for node in found if node.get("Relation Name") in LARGE]
    assert {node["Relation Name"] for node in looks} >= {"price_history", "listings", "group_exceptions"}
    assert "latest_prices" not in {node["Relation Name"] for node in looks}, "housekeeping may have been there"
    assert {node["Relation Name"] for node in looks if node["Node Type"] == "Seq Scan"} <= {"group_exceptions"}
    for node in looks:
        if node["Relation Name"] == "price_history":
            assert "listing_id =" in node["Index Cond"]
            assert "store_id =" in node["Index Cond"]
    now = await reader.fetch(ONE_PRODUCT, START, "{}", product[0], NEAR)
    assert await reader.fetch(asked, START, "{}", product[0], NEAR) == now


async def test_it_says_where_each_price_is_from(reader):
    product = await reader.fetchval("SELECT product_id FROM read.listings WHERE sku = 's41'")
    rows = await reader.fetch(ONE_PRODUCT, START, "{}", product, NEAR)
    assert {row["store"] for row in rows} == set(NEAR)
    assert {(row["source"], row["anchor"]) for row in rows} == {
        ("anchor", "coles:1"), ("own", "coles:31"), ("anchor", "coles:31"),
    }  # fmt: skip
    product = await reader.fetchval("SELECT product_id FROM read.listings WHERE sku = 's39'")
    rows = await reader.fetch(ONE_PRODUCT, START, "{}", product, NEAR)
    assert {row["source"]: (row["price"], row["seen_scrape"] is None) for row in rows} == {
        "own": (100, False), "exception": (90, True),
    }  # fmt: skip


async def test_the_prices_of_one_store_read_no_other_but_its_anchor(reader):
    found = await plan(reader, ONE_STORE, "timestamptz, jsonb, text", f"'{START}', '{{}}', 'coles:33'")
    assert not any(node["Node Type"] == "Function Scan" for node in found)
    for node in found:
        if node.get("Relation Name") in {"latest_prices", "price_history"}:
            assert "listing_id =" in node["Index Cond"]
            assert "store_id =" in node["Index Cond"]
    assert len(await reader.fetch(ONE_STORE, START, "{}", "coles:33")) == 420, "the anchor's and 20 of its own"


@pytest.mark.parametrize("service", ["gateway", "scraper", "grouping", "substitutions"])
async def test_whoever_may_read_the_views_may_ask(database, pool, service):  # noqa: ARG001 - the schema
    connection = await asyncpg.connect(service_dsn(database, service))
    try:
        assert await connection.fetch("SELECT * FROM read.prices($1, '{}')", START) == []
        assert await connection.fetch("SELECT * FROM read.own_prices") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM ingest_g1.group_markers")
    finally:
        await connection.close()


async def test_a_wrong_turn_is_an_error_and_not_another_price(pool):
    await pool.execute(FILL)
    # One member was seen after it was confirmed: whether that was before the turn is asked.
    await pool.execute(
        "INSERT INTO scrapes (store_id, seq, scrape_id, scope, started_at, settled_at, outcome) "
        "VALUES (2, 13, md5('new')::uuid, 'full', '2026-09-01', '2026-09-01', 'full')"
    )
    await pool.execute("UPDATE store_heads SET next_seq = 14, full_seq = 13 WHERE store_id = 2")
    with pytest.raises(asyncpg.DataError):
        await pool.fetch("SELECT count(*) FROM read.prices($1, $2)", START, '{"coles": "wednesday week"}')
