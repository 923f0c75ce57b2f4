"""None starves: one company with thousands of stores due beside others with a few, and many claimers of one."""

import asyncio
import json
import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec
import pytest

from splitcart_common.events import StoreDiscovered
from splitcart_common.migrations import migrate
from splitcart_common.postgres import Pool, create_pool
from splitcart_common.telemetry import Health
from splitcart_sandbox.database import service_dsn
from splitcart_scraper import app
from splitcart_scraper.domain.schedule import NothingDue
from splitcart_scraper.retailers import RETAILERS
from splitcart_scraper.store import SCHEMA, claims
from splitcart_scraper.store.claims import Claim
from tests.support.scraper.clocks import TwoHands
from tests.support.scraper.corner import PER_PAGE, Corner
from tests.support.scraper.http import Asked, Reply, serving
from tests.support.scraper.rig import settings_of
from tests.support.scraper.tiny_aldi import TinyAldi

pytestmark = pytest.mark.stack

MANY, FEW, GOODS = 3_000, 4, 90
SMALL = ("corner", "nook", "den")
SOON = datetime(2026, 9, 1, tzinfo=UTC)


class Nook(Corner):
    """Another company of Corner's kind."""

    company = "nook"


class Den(Corner):
    """And another."""

    company = "den"


def shop(asked: Asked) -> Reply:
    """Of every shop of Corner's kind: one aisle of goods."""
    if found := re.fullmatch(r"/\w+/stores/(\d+)/aisles/all", asked.path):
        first = PER_PAGE * (int(asked.query["page"]) - 1)
        goods = [{"ref": f"G-{n}", "title": f"Good {n}", "cents": 100 + n} for n in range(GOODS)]
        return reply({"store": int(found[1]), "count": GOODS, "goods": goods[first : first + PER_PAGE]})
    if asked.path.endswith("/aisles"):
        return reply({"aisles": [{"code": "all", "title": "All", "aisles": []}]})
    return Reply(404)


def reply(value: object) -> Reply:
    return Reply(body=json.dumps(value).encode())


async def on_record(pool: Pool, company: str, stores: int) -> None:
    """So many stores, as if a discovery had just found them."""
    one = StoreDiscovered(
        store=f"{company}:0", name="x", address="", suburb="", state="", postcode="", lat=None, lon=None,
        sells_online=True, seen_at=SOON,
    )  # fmt: skip
    outlets = [msgspec.structs.replace(one, store=f"{company}:{number}") for number in range(1, stores + 1)]
    await pool.execute(
        "INSERT INTO stores (store, company, outlet, seen_at) SELECT s, $1, o, $2"
        " FROM unnest($3::text[], $4::bytea[]) AS u (s, o)",
        company, SOON, [outlet.store for outlet in outlets], [msgspec.json.encode(outlet) for outlet in outlets],
    )  # fmt: skip
    await pool.execute("INSERT INTO discoveries (company, finished_at) VALUES ($1, 'infinity')", company)


async def left(pool: Pool, company: str) -> int:
    found: int = await pool.fetchval(
        "SELECT count(*) FROM stores WHERE company = $1 AND last_scraped_at IS NULL", company
    )
    return found


async def test_thousands_that_are_due_at_one_company_keep_no_other_waiting(
    database: str, broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for retailer in (Corner(), Nook(), Den()):
        monkeypatch.setitem(cast("dict[str, object]", RETAILERS), retailer.company, retailer)
    aldi = TinyAldi()

    def country(asked: Asked) -> Reply:
        return aldi(asked) if asked.path.startswith("/aldi/") else shop(asked)

    companies = ("aldi", *SMALL)
    await asyncio.to_thread(migrate, service_dsn(database, SCHEMA), SCHEMA, ["splitcart_scraper"])
    async with serving(country, delay=0.002) as server, AsyncExitStack() as stack:
        settings = settings_of(
            database,
            server.url,
            kafka_bootstrap=broker,
            topic_prefix=topic_prefix,
            scraper_companies=",".join(companies),
            scraper_base_url={company: f"{server.url}/{company}" for company in companies},
            scraper_workers=4,
        )
        pool = await create_pool(settings.postgres_dsn, schema=SCHEMA, service="tests")
        stack.push_async_callback(pool.close)
        await on_record(pool, "aldi", MANY)
        for company in SMALL:
            await on_record(pool, company, FEW)
        stop = asyncio.Event()
        service = asyncio.create_task(app.run(settings, Health(), stop))
        try:
            async with asyncio.timeout(30):
                while any([await left(pool, company) for company in SMALL]):  # noqa: ASYNC110 - a table
                    await asyncio.sleep(0.02)
            assert await left(pool, "aldi") > MANY - 100, "which is far from done"
        finally:
            stop.set()
            await asyncio.gather(service, return_exceptions=True)
        assert service.exception() is None
    order = [asked.path.split("/")[1] for asked in server.asked]
    for company in SMALL:
        first, last = order.index(company), len(order) - order[::-1].index(company)
        share = order[first:last].count(company) / order[first:last].count("aldi")
        assert share > 0.2, f"{company} had {share:.2f} requests for each one of the company with thousands"


async def test_claimers_on_many_machines_never_get_the_same_store_and_miss_none(database: str) -> None:
    """Four machines with a clock and a pool each, sixteen workers on each: more than are tried at one claim."""
    await asyncio.to_thread(migrate, service_dsn(database, SCHEMA), SCHEMA, ["splitcart_scraper"])
    async with AsyncExitStack() as stack:
        settings = settings_of(database, "http://127.0.0.1:9")
        machines = []
        for number in range(4):
            clock = TwoHands()
            clock.ahead = timedelta(seconds=number)  # their clocks are a few seconds apart
            made = await stack.enter_async_context(app.parts(settings, Health(), clock=clock))
            machines.append((made, app.company_of(made, "aldi")))
        await on_record(machines[0][0].pool, "aldi", 150)

        async def take_all(machine: int, worker: int) -> list[str]:
            made, company = machines[machine]
            taken = []
            while True:
                terms = company.terms_of(worker)
                claim = await claims.claim_next(made.pool, "aldi", terms, made.entropy)
                if isinstance(claim, Claim):
                    assert not claim.resumed
                    taken.append(claim.store)
                elif claim.next_due_at is None or claim.next_due_at > terms.now:
                    return taken

        taken = await asyncio.gather(*(take_all(machine, worker) for machine in range(4) for worker in range(16)))
        stores = [store for each in taken for store in each]
        assert sorted(stores) == sorted(f"aldi:{number}" for number in range(1, 151))
        nothing = await claims.claim_next(
            machines[0][0].pool, "aldi", machines[0][1].terms_of(1), machines[0][0].entropy
        )
        assert isinstance(nothing, NothingDue)
        assert "150 being scraped now" in nothing.why
