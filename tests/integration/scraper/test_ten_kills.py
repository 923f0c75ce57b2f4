"""A scrape that is killed ten times at random pages says what an undisturbed one says, under the same ids."""

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from splitcart_common.clock import ScaledClock
from splitcart_common.events import ProductsObserved, ScrapeCompleted
from splitcart_common.telemetry import Health
from splitcart_scraper import app
from splitcart_scraper.domain.scrape import Plan, StagedPage
from splitcart_scraper.handlers import scrape
from splitcart_scraper.handlers.observer import Finished, Silent
from splitcart_scraper.store import claims
from splitcart_scraper.store.claims import Claim
from tests.support.scraper.clocks import TwoHands
from tests.support.scraper.rig import Rig, settings_of
from tests.support.scraper.simulator import simulating

pytestmark = pytest.mark.stack

KILLS = 10
SLOW = ScaledClock(datetime(2026, 9, 3, tzinfo=UTC), datetime.now(UTC), 1e-6)
"""The simulator's clock: no price changes while the test lasts."""
ENTROPY = bytes(range(10))


class KilledError(BaseException):
    """What nothing in a scrape catches: it ends where it is, as by kill -9, and its lease stands."""


class Killer(Silent):
    """Kills after so many more pages; `read` counts the pages of all lives."""

    def __init__(self) -> None:
        self.left, self.read, self.kills = -1, 0, 0

    def planned(self, _claim: Claim, _plan: Plan, _staged: int) -> None:
        if self.left == 0:  # before its first page
            raise KilledError

    def page(self, _claim: Claim, _page: StagedPage) -> None:
        self.read += 1
        self.left -= 1
        if self.left == 0:
            raise KilledError


@pytest.fixture(scope="module", params=["aldi", "coles", "woolworths", "iga"])
def simulator(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    with simulating(request.param, SLOW, stores=3, listings=1500) as address:
        yield request.param, address


@asynccontextmanager
async def visiting(database: str, company: str, address: str) -> AsyncIterator[Rig]:
    settings = settings_of(
        database, address, scraper_base_url={company: f"{address}/{company}"}, scraper_companies=company
    )
    clock = TwoHands(SLOW.now())
    async with app.parts(settings, Health(), clock=clock, entropy=lambda _: ENTROPY) as made:
        yield Rig(made, app.company_of(made, company), None, None, clock)  # type: ignore[arg-type] # no toy


async def finished_at_last(
    rig: Rig, company: str, store: str, pages_between: Sequence[int] = ()
) -> tuple[Finished, Killer]:
    """Scrape a store to its end, killed on the way, each time after so many more pages."""
    killer = Killer()
    at_work = app.company_of(rig.made, company, observer=killer)
    for life, pages in enumerate([*pages_between, -1]):
        killer.left = pages
        terms = at_work.terms_of(1)
        claim = await claims.claim_store(rig.made.pool, store, terms, rig.made.entropy)
        assert isinstance(claim, Claim), claim
        assert claim.resumed == (life > 0)
        try:
            return await at_work.scraper.scrape(claim, terms), killer
        except KilledError:
            killer.kills += 1
            rig.clock.ahead += timedelta(minutes=1)  # its lease ends
    raise AssertionError("the last life was not to be killed")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_ten_kills_change_nothing(
    database: str, simulator: tuple[str, str], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrape, "FLUSH_PAGES", 3)
    company, address = simulator
    async with visiting(database, company, address) as rig:
        await rig.discover()
        store = await rig.made.pool.fetchval("SELECT store FROM stores WHERE scrapable ORDER BY store LIMIT 1")
        before = rig.clock.at, rig.clock.ahead
        undisturbed, quiet = await finished_at_last(rig, company, store)
        assert undisturbed.ending == "completed"
        expected = await rig.said()
        await rig.made.pool.execute("TRUNCATE outbox, runs, staged_pages, known_prices, host_waiters")
        await rig.made.pool.execute("UPDATE stores SET last_claimed_at = NULL, last_scraped_at = NULL")
        await rig.made.pool.execute("UPDATE stores SET scraped_from = NULL")
        rig.clock.at, rig.clock.ahead = before
        chance = random.Random(seed)
        kills = [chance.randrange(quiet.read // KILLS) for _ in range(KILLS)]
        disturbed, busy = await finished_at_last(rig, company, store, kills)
        assert disturbed.ending == "completed"
        assert busy.kills == KILLS
        assert busy.read > quiet.read, "what was not staged was read again"
        said = await rig.said()
        assert {envelope.event_id for _, envelope, _ in said} == {envelope.event_id for _, envelope, _ in expected}
        assert said == expected
        events = [event for _, _, event in said]
        assert isinstance(events[-1], ScrapeCompleted)
        assert events[-1].categories_finished == events[-1].categories_planned
        listings = sum(len(event.listings) for event in events if isinstance(event, ProductsObserved))
        assert listings == events[-1].listings > 300
