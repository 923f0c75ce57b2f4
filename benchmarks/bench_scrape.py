"""`scrape`: listings a second through fetch, parse and publish, against the simulator with no gap.

Ours: two workers of one company claim stores and scrape them as the service does: token, robots.txt, staged pages,
guards, outbox, relay, up to the last acknowledgement. Baseline: bare httpx and orjson reading the same pages.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import orjson

from benchmarks.measure import Result, report, say
from splitcart_common.clock import ScaledClock
from splitcart_common.service import tune_collector
from splitcart_common.telemetry import Health, configure_logging
from splitcart_sandbox.database import create_database, prepare_database, service_dsn
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.stack import running_stack
from splitcart_scraper import app
from splitcart_scraper.app import Parts
from splitcart_scraper.domain.scrape import Run
from splitcart_scraper.handlers.workers import Company
from splitcart_scraper.settings import ScraperSettings
from splitcart_scraper.store import claims
from splitcart_scraper.store.claims import Claim

COMPANY, STORES, LISTINGS, WORKERS, ROUNDS = "aldi", 6, 2_600, 2, 5
CLOCK = ScaledClock(datetime(2026, 9, 3, tzinfo=UTC), datetime.now(UTC), 1e-6)
"""It all but stands still: no price moves between two rounds."""

FORGET = "UPDATE stores SET last_claimed_at = NULL, last_scraped_at = NULL, scraped_from = NULL"


def simulator() -> subprocess.Popen[bytes]:
    """The simulated retailers, as a process of their own; its first line says where it listens."""
    told = {
        "SPLITCART_CLOCK": str(CLOCK),
        "SPLITCART_SIMULATOR_PORT": "0",
        "SPLITCART_SIMULATOR_COMPANIES": COMPANY,
        "SPLITCART_SIMULATOR_STORES": str(STORES),
        "SPLITCART_SIMULATOR_LISTINGS": str(LISTINGS),
        "SPLITCART_SIMULATOR_LATENCY_SECONDS": "0",
    }
    command = [sys.executable, "-m", "splitcart_sandbox.retailers"]
    return subprocess.Popen(command, env=os.environ | told, stdout=subprocess.PIPE)


async def addresses(made: Parts, company: Company) -> list[str]:
    """Every page that a scrape of all the stores reads, its tree first."""
    walker, found = company.scraper.walker, list[str]()
    for row in await made.pool.fetch("SELECT store FROM stores ORDER BY store"):
        run = Run(uuid4(), row["store"], "manual", "full", made.clock.now(), "bench")
        async with walker.fetcher.pace.visit():
            session, _ = await walker.open(run, None)
            found.append(walker.fetcher.url(walker.retailer.tree(session)))
            plan = await walker.plan(session)
            found += [page.url async for page in walker.pages(session, plan, ())]
    return found


async def ours(made: Parts, company: Company) -> float:
    """Listings a second, to the last acknowledgement."""
    await made.pool.execute(FORGET)
    tiles = 0

    async def work(number: int) -> None:
        nonlocal tiles
        while True:
            terms = company.terms_of(number)
            claim = await claims.claim_next(made.pool, COMPANY, terms, made.entropy)
            if not isinstance(claim, Claim):
                return
            finished = await company.scraper.scrape(claim, terms)
            assert finished.ending == "completed", finished
            tiles += finished.tally.tiles

    began = time.perf_counter()
    await asyncio.gather(*(work(number) for number in range(1, WORKERS + 1)))
    while await made.pool.fetchval("SELECT count(*) FROM outbox"):  # noqa: ASYNC110 - a table has no event
        await asyncio.sleep(0.005)
    return tiles / (time.perf_counter() - began)


async def baseline(pages: list[str]) -> float:
    """Listings a second, read and decoded."""
    tiles, began = 0, time.perf_counter()
    async with httpx.AsyncClient() as client:
        for url in pages:
            response = await client.get(url)
            data = orjson.loads(response.content)["data"]
            tiles += len(data) if "product-search" in url else 0
    return tiles / (time.perf_counter() - began)


async def measure() -> Result:
    """On a broker, a server and a simulator of the benchmark's own."""
    tune_collector()
    configure_logging("scraper", "console", "error")
    rates: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory(prefix="splitcart-bench-") as folder, simulator() as retailers:
        assert retailers.stdout is not None
        address = orjson.loads(retailers.stdout.readline())["listening"]
        try:
            async with running_stack(Folder.create(Path(folder) / "home")) as stack:
                dsn = await create_database(stack.dsn, "bench_scrape")
                await prepare_database(dsn)
                settings = ScraperSettings(
                    postgres_dsn=service_dsn(dsn, "scraper"),
                    kafka_bootstrap=stack.bootstrap,
                    topic_prefix="bench",
                    clock=CLOCK,
                    scraper_base_url={COMPANY: f"{address}/{COMPANY}"},
                    scraper_gap_seconds=0,
                    scraper_longest_gap_seconds=0,
                )
                async with app.parts(settings, Health()) as made, app.relaying(made) as relay, relay.running():
                    company = app.company_of(made, COMPANY)
                    assert await company.discovery.now() is not None
                    pages = await addresses(made, company)
                    for number in range(ROUNDS):
                        rates[0].append(await ours(made, company))
                        rates[1].append(await baseline(pages))
                        say(f"round {number + 1}: {rates[0][-1]:,.0f} of {rates[1][-1]:,.0f} listings/s")
        finally:
            retailers.terminate()
    return Result("scrape", "listings/s", *rates, must_reach=0.4, aim=0.4)


def main() -> dict[str, object]:
    """Measure and print."""
    return report(asyncio.run(measure()))


if __name__ == "__main__":
    main()
