"""A day through all services, as processes of their own, killed on the way: every price is true."""

import asyncio
from datetime import datetime, timedelta

import httpx

from splitcart_sandbox.demo.course import GAP_SECONDS, START, Course
from splitcart_sandbox.demo.figures import mean
from splitcart_sandbox.demo.log import read_log
from splitcart_sandbox.demo.run import drained, questions
from splitcart_sandbox.demo.truth import accuracy, fidelity, full_scrapes
from splitcart_sandbox.services import TURNS
from splitcart_sandbox.up import sandbox

STORES = 16
WIDEST = """
SELECT p.product_id, l.name, count(*) AS stores
FROM read.own_prices p JOIN read.listings l USING (company, sku)
GROUP BY p.product_id, l.name ORDER BY stores DESC, l.name LIMIT 1
"""


async def test_a_day_through_all_services(tmp_path_factory, monkeypatch):
    # A stack of its own: what is killed here would be missed by other tests.
    for name in ("SPLITCART_KAFKA_BOOTSTRAP", "SPLITCART_POSTGRES_DSN", "SPLITCART_TOPIC_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    course = Course(
        home=tmp_path_factory.mktemp("day") / "home",
        seconds=None, speed=7200, companies=("aldi",), stores=STORES, listings=120, seed=11, faults="mild", port=0,
    )  # fmt: skip
    async with sandbox(course.home, speed=course.speed, start=START, extra=course.environment()) as running:
        await running.wait_ready()
        supervisor = running.stack.supervisor
        async with questions(running) as (connection, ends, truth):
            await _until(connection, "SELECT count(DISTINCT store) >= 4 FROM read.scrapes WHERE outcome = 'full'")
            await supervisor.restart("scraper", kill=True)
            await supervisor.restart("ingest", kill=True)
            await _until(
                connection, f"SELECT count(DISTINCT store) = {STORES} FROM read.scrapes WHERE outcome = 'full'"
            )
            await asyncio.sleep(max(0.0, (START + timedelta(days=1) - running.clock.now()).total_seconds() / 7200))
            await _ask_the_gateway(running.gateway_url, await connection.fetchrow(WIDEST), truth)
            await supervisor.remove("scraper")
            at = running.clock.now()
            await drained(connection, ends)
            full = await full_scrapes(connection)
            recorded = await read_log(running.addresses.bootstrap, running.addresses.topic_prefix, full)
            held = await fidelity(connection, recorded, truth)
            verdict = await accuracy(connection, truth, at, TURNS)
            assert held.all > STORES * 100
            assert held.right == held.all
            assert mean(verdict.accuracy) > 0.98
            assert await ends.dead_letters() == 0
            assert (await truth.manners(course.speed, GAP_SECONDS))["aldi"].polite
            counts = await connection.fetchrow(
                "SELECT count(*) AS n, count(DISTINCT scrape_id) AS scrapes "
                "FROM read.scrapes WHERE outcome IS NOT NULL"
            )
            assert counts["n"] == counts["scrapes"] >= STORES


async def _until(connection, question: str, timeout: float = 60) -> None:
    async with asyncio.timeout(timeout):
        while not await connection.fetchval(question):  # noqa: ASYNC110 - another process's tables
            await asyncio.sleep(0.1)


async def _ask_the_gateway(url: str, widest, truth) -> None:
    """The product most stores sell: it is found, and each price is what that store charged when it was seen."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        stores = (await client.get("/api/v1/stores", params={"company": "aldi"})).json()["items"]
        assert len(stores) == STORES
        found = (await client.get("/api/v1/products", params={"q": widest["name"]})).json()["items"]
        assert str(widest["product_id"]) in {product["product_id"] for product in found}
        asked = {"product": str(widest["product_id"]), "store": [store["store"] for store in stores]}
        (answer,) = (await client.get("/api/v1/prices", params=asked)).json()["items"]
        assert len(answer["prices"]) >= STORES / 2
        for price in answer["prices"]:
            seen_at = datetime.fromisoformat(price["seen_at"])
            read = [(price["sku"], seen_at, seen_at + timedelta(hours=6), price["price_cents"])]
            assert await truth.true_reads(price["seen_store"], read) == 1
