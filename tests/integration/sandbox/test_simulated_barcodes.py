"""`splitcart barcodes coles` on the simulator's product pages: what they bear is on the bus, and nothing else."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import httpx
import pytest

from splitcart_common.clock import ScaledClock
from splitcart_common.migrations import migrate
from splitcart_ingest.app import prepare
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import service_dsn
from splitcart_sandbox.retailers.coles import ColesFace
from splitcart_sandbox.retailers.settings import SimulatorSettings
from splitcart_sandbox.retailers.source import Product
from splitcart_sandbox.retailers.world import World, second
from splitcart_scraper.domain.barcodes import checked
from tests.support.scraper.cli import command
from tests.support.scraper.simulator import simulating
from tests.support.scraper.tiny_coles import on_record, published

pytestmark = pytest.mark.stack

CLOCK = ScaledClock(datetime(2026, 9, 3, tzinfo=UTC), datetime.now(UTC), 1.0)
STORES, LISTINGS = 6, 4_000
COUNTRY = World(SimulatorSettings(companies=("coles",), stores=STORES, listings=LISTINGS, clock=CLOCK).world())
UNKNOWN = Product("1", "Nothing Anybody Sells", "Acme", "1kg", (), 100, None, None)
EACH = 10
"""Products of each kind, if there are so many."""


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    with simulating("coles", CLOCK, stores=STORES, listings=LISTINGS) as address:
        yield address


def by_kind() -> dict[str, list[tuple[Product, str | None]]]:
    """Some products of the country with the barcode that is to be found on their page, by what they bear."""
    found: dict[str, list[tuple[Product, str | None]]] = {"gone": [(UNKNOWN, None)]}
    for tile in ColesFace(COUNTRY)._tiles:
        gtin = tile.detail(tile.unpriced(sold=True))["gtin"]
        code = checked(gtin)
        kind = "none" if gtin is None else "invalid" if code is None else "long" if len(gtin) == 14 else "found"
        if len(found.setdefault(kind, [])) < EACH:
            found[kind].append((tile.product, code))
    return found


async def listed(database: str, products: list[Product]) -> None:
    """Have ingest's listings in the database, without barcodes."""
    await prepare(IngestSettings(postgres_dsn=service_dsn(database, "ingest")))
    connection = await asyncpg.connect(database)
    try:
        await connection.executemany(
            "INSERT INTO ingest_g1.listings (company, sku, name, brand, size, category_path, product_id,"
            " described_on, content_hash) VALUES ('coles', $1, $2, $3, $4, '{}', $5, $6, 0)",
            [(p.sku, p.name, p.brand, p.size, uuid4(), CLOCK.now().date()) for p in products],
        )
    finally:
        await connection.close()


async def test_the_barcodes_of_the_simulator_s_product_pages_are_observed(
    database: str, broker: str, topic_prefix: str, simulator: str
) -> None:
    kinds = by_kind()
    store = next(store.key for store in COUNTRY.stores() if store.life.open(second(CLOCK.now())))
    every = [pair for found in kinds.values() for pair in found]
    await listed(database, [product for product, _ in every])
    await asyncio.to_thread(migrate, service_dsn(database, "scraper"), "scraper", ["splitcart_scraper"])
    async with asyncpg.create_pool(
        service_dsn(database, "scraper"), server_settings={"search_path": "scraper"}, min_size=1, max_size=1
    ) as pool:
        await on_record(pool, store)
    environment = {
        "SPLITCART_POSTGRES_DSN": service_dsn(database, "scraper"),
        "SPLITCART_KAFKA_BOOTSTRAP": broker,
        "SPLITCART_TOPIC_PREFIX": topic_prefix,
        "SPLITCART_SCRAPER_GAP_SECONDS": "0",
    }
    code, said = await command("barcodes", "coles", "--base-url", f"{simulator}/coles", **environment)
    assert code == 0, said
    assert said["findings"] == {
        "found": len(kinds["found"]) + len(kinds["long"]), "none": len(kinds["none"]),
        "invalid": len(kinds["invalid"]), "gone": 1, "several": 0, "unreadable": 0,
    }  # fmt: skip
    assert all(kinds.values())
    expected = {product.sku: code for product, code in every if code is not None}
    messages = await asyncio.to_thread(published, broker, topic_prefix)
    assert {key for key, _, _ in messages} == {store}
    assert {item.sku: item.barcode for _, _, event in messages for item in event.items} == expected
    assert {item.source for _, _, event in messages for item in event.items} == {"page"}
    async with httpx.AsyncClient(base_url=simulator) as client:
        counts = (await client.get("/truth/requests")).json()
    assert counts["kinds"]["coles"] == {"robots": 1, "product": len(every)}
    assert counts["stores"] == {store: len(every)}
    assert counts["overlapping"]["coles"] == 0
