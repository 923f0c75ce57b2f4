"""Politeness by the host's own book: many workers of many processes, one of them killed, at one simulated shop."""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import httpx
import pytest

from splitcart_common.clock import ScaledClock
from splitcart_common.migrations import migrate
from splitcart_sandbox.database import service_dsn
from tests.support.loopback import without_network
from tests.support.scraper.simulator import simulating

pytestmark = pytest.mark.stack

CLOCK = ScaledClock.real()
GAP, ASKED_GAP = 0.02, 0.04
"""Seconds between two requests: our own least, and what the shop's robots.txt asks for."""
STORES = 12
UNSCRAPED = "SELECT count(*) FROM stores WHERE last_scraped_at IS NULL"
OUTLET = (
    '{"store":"%s","name":"x","address":"","suburb":"","state":"","postcode":"","lat":null,"lon":null,'
    '"sells_online":true,"seen_at":"2026-09-01T00:00:00Z"}'
)


class Shop:
    """The simulated Aldi, what is on its book, and how often it was asked."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def book(self) -> dict[str, Any]:
        """Its counts, each of this one company."""
        counts = (await self.client.get("/truth/requests")).json()
        return {name: found.get("aldi") for name, found in counts.items()}

    async def until(self, requests: int) -> None:
        async with asyncio.timeout(120):
            while ((await self.book())["companies"] or 0) < requests:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.01)


async def started(*words: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, env={**without_network(), **environment},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def on_record(dsn: str, shop: Shop) -> asyncpg.Pool:
    """The stores of the shop on record, as by a discovery that has just been made."""
    await asyncio.to_thread(migrate, dsn, "scraper", ["splitcart_scraper"])
    pool = await asyncpg.create_pool(dsn, server_settings={"search_path": "scraper"}, min_size=1, max_size=1)
    stores = [store["store"] for store in (await shop.client.get("/truth/stores")).json()["stores"]]
    await pool.executemany(
        "INSERT INTO stores (store, company, outlet, seen_at) VALUES ($1, 'aldi', $2, $3)",
        [(store, (OUTLET % store).encode(), CLOCK.now()) for store in stores],
    )
    await pool.execute("INSERT INTO discoveries (company, finished_at) VALUES ('aldi', $1)", CLOCK.now())
    return pool


def environment(dsn: str, address: str, broker: str, prefix: str) -> dict[str, str]:
    return {
        "SPLITCART_POSTGRES_DSN": dsn,
        "SPLITCART_KAFKA_BOOTSTRAP": broker,
        "SPLITCART_TOPIC_PREFIX": prefix,
        "SPLITCART_SCRAPER_COMPANIES": "aldi",
        "SPLITCART_SCRAPER_BASE_URL_ALDI": f"{address}/aldi",
        "SPLITCART_SCRAPER_WORKERS": "4",
        "SPLITCART_SCRAPER_GAP_SECONDS": str(GAP),
        "SPLITCART_SCRAPER_LONGEST_GAP_SECONDS": str(ASKED_GAP),
        "SPLITCART_SCRAPER_LEASE_SECONDS": "6",
        "SPLITCART_SCRAPER_SHARE_SECONDS": "0.2",
    }


async def test_never_two_at_once_gaps_kept_and_asked_to_wait_it_waits(
    database: str, broker: str, topic_prefix: str
) -> None:
    """Two services of four workers each and a command of four share one shop; one service is killed at work."""
    manners = {"crawl_delay_seconds": str(ASKED_GAP), "latency_seconds": "0.01", "retry_after_seconds": "1"}
    async with AsyncExitStack() as stack:
        address = stack.enter_context(simulating("aldi", CLOCK, stores=STORES, listings=90, **manners))
        shop = Shop(await stack.enter_async_context(httpx.AsyncClient(base_url=address, timeout=30)))
        dsn = service_dsn(database, "scraper")
        pool = await stack.enter_async_context(await on_record(dsn, shop))
        for call in ("listing", "categories"):
            order = {"company": "aldi", "kind": "throttled", "count": 2, "call": call}
            assert (await shop.client.post("/faults", json=order)).status_code == 201
        told = environment(dsn, address, broker, topic_prefix)
        first, second, command = (
            await started("splitcart_scraper", **told),
            await started("splitcart_scraper", **told),
            await started("splitcart_cli", "scrape", "aldi", "--workers", "4", **told),
        )
        try:
            await shop.until(20)
            first.send_signal(signal.SIGKILL)
            async with asyncio.timeout(90):
                while await pool.fetchval(UNSCRAPED):  # noqa: ASYNC110 - a table
                    await asyncio.sleep(0.05)
        finally:
            for process in (first, second, command):
                if process.returncode is None:
                    process.kill()
                await process.wait()
        book = await shop.book()
        assert (book["max_in_flight"], book["overlapping"]) == (1, 0), "never two at once"
        assert book["smallest_gap_seconds"] >= ASKED_GAP, (
            "the longer of the two gaps is kept between processes, too"
        )
        assert (book["asked_to_wait"], book["too_soon"]) == (4, 0), "and a Retry-After, by all of them"
        assert book["kinds"]["robots"] == 1, "one process read it for all"
        counted = await pool.fetchval("SELECT sum(requests) FROM requests_made")
        assert 0 <= book["companies"] - counted <= 20, (
            "all is on the day's account but what the killed one had not booked"
        )


async def test_what_its_robots_txt_disallows_is_never_asked_for(
    database: str, broker: str, topic_prefix: str
) -> None:
    """Under the name of a robot that the shop sends away altogether, nothing but its robots.txt is read."""
    async with AsyncExitStack() as stack:
        address = stack.enter_context(simulating("aldi", CLOCK, stores=2, listings=90))
        shop = Shop(await stack.enter_async_context(httpx.AsyncClient(base_url=address, timeout=30)))
        dsn = service_dsn(database, "scraper")
        await stack.enter_async_context(await on_record(dsn, shop))
        told = environment(dsn, address, broker, topic_prefix)
        told["SPLITCART_SCRAPER_USER_AGENT"] = "GPTBot/1.0 (tests; contact: admin@splitcart.example)"
        codes = []
        for words in (("scrape", "aldi"), ("stores", "discover", "aldi"), ("canary", "aldi")):
            process = await started("splitcart_cli", *words, **told)
            codes.append(await process.wait())
        assert codes == [3, 3, 3]
        assert (await shop.book())["kinds"] == {"robots": 1}
