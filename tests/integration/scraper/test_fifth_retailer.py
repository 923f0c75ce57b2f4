"""A fifth company is one module and one folder of pages: docs/add-a-retailer.md, followed to the end.

The module knows only what the document says; it is scraped by the real workers' parts over real HTTP.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest

from splitcart_common.events import ProductsObserved, ScrapeCompleted
from splitcart_common.postgres import Pool, create_pool
from splitcart_common.telemetry import Health
from splitcart_scraper import app
from splitcart_scraper.retailers import RETAILERS
from splitcart_scraper.store import SCHEMA, claims
from splitcart_scraper.store.claims import Claim
from tests.support.scraper.clocks import TwoHands
from tests.support.scraper.corner import Corner
from tests.support.scraper.http import Asked, Reply, Server, serving
from tests.support.scraper.rig import Rig, counted, settings_of
from tests.support.scraper.tiny_aldi import TinyAldi

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "tests" / "fixtures" / "corner"
PER_PAGE = 20

pytestmark = pytest.mark.stack


def page(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_bytes())


def aisle(size: int) -> list[dict[str, object]]:
    """So many products: the good ones of the fixture page over and over, each with a number and a price."""
    good = page("page")["goods"][:3]
    return [good[n % 3] | {"ref": f"B-{n}", "cents": 100 + n, "cents_before": 150} for n in range(size)]


class Shop:
    """The loopback shop: the fixture's stores and tree, an aisle of 45 products and one of the fixture's page."""

    def __init__(self, drifted: bool = False) -> None:
        self.aisles = {"fruit": aisle(45), "bread": page("page")["goods"]}
        self.drifted = drifted

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/stores":
            return reply(page("stores"))
        if found := re.fullmatch(r"/stores/(\d+)/aisles", asked.path):
            return reply(page("tree"))
        if found := re.fullmatch(r"/stores/(\d+)/aisles/(\w+)", asked.path):
            goods, first = self.aisles[found[2]], PER_PAGE * (int(asked.query["page"]) - 1)
            store = 7 if self.drifted else int(found[1])
            if first and first >= len(goods):
                return Reply(404)
            return reply({"store": store, "count": len(goods), "goods": goods[first : first + PER_PAGE]})
        return Reply(404)


def reply(value: object) -> Reply:
    return Reply(body=json.dumps(value).encode())


@asynccontextmanager
async def opened(database: str, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Rig, Server]]:
    """A rig for Corner, as the composition root puts one together for any company."""
    monkeypatch.setitem(cast("dict[str, object]", RETAILERS), "corner", Corner())
    clock = TwoHands()
    async with serving(shop) as server:
        settings = settings_of(
            database, server.url, scraper_companies="corner", scraper_base_url={"corner": server.url}
        )
        async with app.parts(settings, Health(), clock=clock, entropy=counted()) as made:
            yield Rig(made, app.company_of(made, "corner"), TinyAldi(), server, clock), server


async def scraped(rig: Rig) -> str:
    claim = await claims.claim_next(rig.made.pool, "corner", rig.company.terms_of(1), rig.made.entropy)
    assert isinstance(claim, Claim)
    return (await rig.company.scraper.scrape(claim, rig.company.terms_of(1))).ending


async def test_it_is_discovered_scraped_and_published(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(database, Shop(), monkeypatch) as (rig, server):
        await rig.discover()
        assert await scraped(rig) == "completed"
        said = await rig.said()
        assert {key for key, _, _ in said} == {"corner:1"}
        completed = said[-1][2]
        assert isinstance(completed, ScrapeCompleted)
        assert (completed.categories_finished, completed.categories_planned) == (2, 2)
        assert completed.refused_skus == ("A-103",)
        seen = {
            listing.sku: listing
            for _, _, event in said
            if isinstance(event, ProductsObserved)
            for listing in event.listings
        }
        assert len(seen) == completed.listings == 45 + 3
        plums, lemons, dates = seen["A-100"], seen["A-101"], seen["A-102"]
        assert (plums.name, plums.brand, plums.size, plums.barcode) == ("Plums", "Orchard", "1kg", "9300000000004")
        assert (plums.price, plums.was_price, plums.special) == (399, 499, "special")
        assert plums.category_path == ("Food", "Bread")
        assert (lemons.price, lemons.was_price, lemons.special, lemons.brand) == (80, None, "none", None)
        assert (dates.price, dates.available) == (None, False)
        pages = [a.query["page"] for a in server.asked if a.path.endswith("fruit")]
        assert pages == ["1", "2", "3"]
        assert server.most_in_hand == 1
        rows = await rig.made.pool.fetch("SELECT store FROM stores ORDER BY store")
        assert [row["store"] for row in rows] == ["corner:1", "corner:2"]


async def test_a_page_of_another_store_ends_the_scrape(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(database, Shop(drifted=True), monkeypatch) as (rig, _):
        await rig.discover()
        assert await scraped(rig) == "abandoned-drift"


async def test_a_company_in_trouble_does_not_hold_another_up(
    database: str, broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each company has workers, a host and a budget of its own: fairness between them is that they never meet."""
    monkeypatch.setitem(cast("dict[str, object]", RETAILERS), "corner", Corner())
    sick = TinyAldi(fault=lambda _: Reply(silent=True))
    async with serving(sick) as aldi, serving(Shop()) as corner:
        settings = settings_of(
            database,
            aldi.url,
            kafka_bootstrap=broker,
            topic_prefix=topic_prefix,
            scraper_companies="aldi,corner",
            scraper_base_url={"aldi": f"{aldi.url}/aldi", "corner": corner.url},
            scraper_timeout_seconds=15,
        )
        stop, health = asyncio.Event(), Health()
        service = asyncio.create_task(app.run(settings, health, stop))
        pool = await create_pool(settings.postgres_dsn, schema=SCHEMA, service="tests")
        try:
            async with asyncio.timeout(14):
                while await _scraped_stores(pool) != ["corner:1", "corner:2"]:  # noqa: ASYNC110 - a table
                    await asyncio.sleep(0.05)
            assert aldi.asked, "Aldi was asked, and has not answered yet"
        finally:
            stop.set()
            await asyncio.gather(service, return_exceptions=True)
            await pool.close()
        assert service.exception() is None


async def _scraped_stores(pool: Pool) -> list[str]:
    try:
        rows = await pool.fetch("SELECT store FROM stores WHERE last_scraped_at IS NOT NULL ORDER BY store")
    except asyncpg.UndefinedTableError:
        return []
    return [row["store"] for row in rows]


def test_the_document_shows_the_module_as_it_is() -> None:
    """Each block of Python in the document stands in the module, so that the document cannot fall behind."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/add-a-retailer.md").read_text("utf-8"), re.DOTALL)
    module = (ROOT / "tests/support/scraper/corner.py").read_text("utf-8")
    assert len(blocks) >= 5
    assert [block for block in blocks if block not in module] == []


def test_the_document_names_what_there_is() -> None:
    text = (ROOT / "docs/add-a-retailer.md").read_text("utf-8")
    for path in re.findall(r"`((?:services|tests|docs|libs)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    methods = {name for name in vars(Corner) if not name.startswith("_")}
    assert {name for name in methods if f"`{name}" not in text} == set(), "each part of the protocol is explained"
