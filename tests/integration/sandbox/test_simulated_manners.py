"""A scraper at work on the simulator: it keeps to robots.txt, as the simulator's own record of requests shows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest

from splitcart_common.clock import ScaledClock
from splitcart_common.telemetry import Health
from splitcart_scraper import app
from splitcart_scraper.app import Parts
from splitcart_scraper.handlers.workers import Company
from splitcart_scraper.store import claims
from splitcart_scraper.store.claims import Claim
from tests.support.scraper.rig import settings_of
from tests.support.scraper.simulator import simulating

pytestmark = pytest.mark.stack

SPEED = 7_200.0
CLOCK = ScaledClock(datetime(2026, 9, 3, tzinfo=UTC), datetime.now(UTC), SPEED)
DELAY = 60.0
"""Virtual seconds that robots.txt asks for."""


@asynccontextmanager
async def visiting(database: str, address: str, longest_gap: float) -> AsyncIterator[tuple[Parts, Company]]:
    settings = settings_of(
        database, address, clock=CLOCK, scraper_longest_gap_seconds=longest_gap, scraper_timeout_seconds=10
    )
    async with app.parts(settings, Health(), clock=CLOCK) as made:
        yield made, app.company_of(made, "aldi")


async def told(address: str, path: str) -> Any:
    async with httpx.AsyncClient(base_url=address) as client:
        return (await client.get(f"/truth/{path}")).raise_for_status().json()


async def test_a_crawl_delay_is_kept_between_any_two_requests_of_all_workers(database: str) -> None:
    simulator = simulating("aldi", CLOCK, stores=4, listings=250, crawl_delay_seconds=f"{DELAY:g}")
    with simulator as address:
        async with visiting(database, address, longest_gap=2 * DELAY) as (made, company):
            assert await company.discovery.now() is not None

            async def work(number: int) -> int:
                terms = company.terms_of(number)
                claim = await claims.claim_next(made.pool, "aldi", terms, made.entropy)
                assert isinstance(claim, Claim)
                return (await company.scraper.scrape(claim, terms)).tally.requests

            requests = await asyncio.gather(work(1), work(2))
        counts, log = (
            await told(address, "requests"),
            (await told(address, "requests/log?company=aldi"))["requests"],
        )
    assert counts["kinds"]["aldi"]["robots"] == 1
    assert "other" not in counts["kinds"]["aldi"], "nothing was asked for that is not to be read"
    assert counts["companies"]["aldi"] == len(log) > sum(requests) > 10
    assert (counts["overlapping"]["aldi"], counts["max_in_flight"]["aldi"]) == (0, 1)
    assert counts["smallest_gap_seconds"]["aldi"] * SPEED >= DELAY
    assert all(later["began"] - sooner["ended"] >= DELAY / SPEED for sooner, later in pairwise(log))


async def test_a_delay_that_is_too_long_is_no_invitation(database: str) -> None:
    with simulating("aldi", CLOCK, stores=2, listings=60, crawl_delay_seconds="90") as address:
        async with visiting(database, address, longest_gap=DELAY) as (_, company):
            found = await company.discovery.now()
        counts = await told(address, "requests")
    assert found is not None
    assert "90 s between two requests" in str(found.trouble)
    assert counts["kinds"]["aldi"] == {"robots": 1}
