"""IGA from discovery to publication, against the simulator, which knows what every store charged."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from splitcart_common.clock import ScaledClock
from splitcart_common.events import ProductsObserved, ScrapeCompleted
from splitcart_common.telemetry import Health
from splitcart_sandbox.retailers.iga import IgaFace
from splitcart_sandbox.retailers.settings import SimulatorSettings
from splitcart_sandbox.retailers.world import World
from splitcart_scraper import app
from splitcart_scraper.app import Parts
from splitcart_scraper.domain.schedule import NothingDue
from splitcart_scraper.domain.scrape import Completed, assemble
from splitcart_scraper.handlers import scrape
from splitcart_scraper.handlers.workers import Company
from splitcart_scraper.store import claims, outlets, runs
from splitcart_scraper.store.claims import Claim
from tests.support.scraper.rig import settings_of
from tests.support.scraper.simulator import simulating

pytestmark = pytest.mark.stack

STORES, LISTINGS = 8, 450
CLOCK = ScaledClock(datetime(2026, 9, 3, tzinfo=UTC), datetime.now(UTC), 1.0)
"""A Thursday at its own speed: no price turns while the test lasts."""
COUNTRY = World(SimulatorSettings(companies=("iga",), stores=STORES, listings=LISTINGS, clock=CLOCK).world())


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    with simulating("iga", CLOCK, stores=STORES, listings=LISTINGS) as address:
        yield address


@asynccontextmanager
async def visiting(database: str, address: str) -> AsyncIterator[tuple[Parts, Company]]:
    settings = settings_of(database, address, scraper_base_url={"iga": f"{address}/iga"}, scraper_companies="iga")
    async with app.parts(settings, Health(), clock=CLOCK) as made:
        yield made, app.company_of(made, "iga")


async def test_iga_from_discovery_to_publication(
    database: str, simulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with visiting(database, simulator) as (made, company):
        found = await company.discovery.now()
        assert found is not None
        assert found.trouble is None
        known = await outlets.known(made.pool, "iga")
        world = COUNTRY.companies["iga"].stores
        online = {key for key, outlet in known.items() if outlet.outlet.sells_online}
        assert online == set(world)
        assert {known[key].outlet.retailer_ref for key in online} == {
            store.outlet.retailer_ref for store in world.values()
        }
        assert len(known) > len(online), "stores without a web shop are on record, too"

        published = {}
        original = runs.publish

        async def kept(pool, claim, run, pages, ending, prefix, **more):  # type: ignore[no-untyped-def] # passes through
            published[claim.store] = (run, pages)
            await original(pool, claim, run, pages, ending, prefix, **more)

        monkeypatch.setattr(runs, "publish", kept)
        while isinstance(
            claim := await claims.claim_next(made.pool, "iga", company.terms_of(1), made.entropy), Claim
        ):
            finished = await company.scraper.scrape(claim, company.terms_of(1))
            assert finished.ending == "completed", finished
            assert finished.tally.categories_finished == finished.tally.categories_planned
        assert isinstance(claim, NothingDue)
        assert f"{len(known) - len(online)} not selling online" in claim.why
        assert set(published) == online

    face = IgaFace(COUNTRY)
    assert {face.repeats(store) for store in world.values()} == {True, False}, "both kinds of last pages were met"
    async with httpx.AsyncClient(base_url=simulator, timeout=30) as client:
        for store, (run, pages) in published.items():
            events = [message.event for message in assemble(run, pages, Completed())]
            assert isinstance(events[-1], ScrapeCompleted)
            seen = {
                listing.sku: listing.price
                for event in events
                if isinstance(event, ProductsObserved)
                for listing in event.listings
            }
            at = {"store": store, "at": CLOCK.now().isoformat()}
            truth = (await client.get("/truth/prices", params=at)).json()["prices"]
            assert seen == truth
            assert len(seen) > LISTINGS / 2


async def test_a_resumed_scrape_asks_as_the_first_did(
    database: str, simulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is stopped in the middle; who goes on sends the same session id, and says it is the same store."""
    monkeypatch.setattr(scrape, "FLUSH_PAGES", 1)  # to be stopped in the middle, not at the end
    async with visiting(database, simulator) as (made, company):
        assert await company.discovery.now() is not None
        claim = await claims.claim_next(made.pool, "iga", company.terms_of(1), made.entropy)
        assert isinstance(claim, Claim)
        scraping = asyncio.create_task(company.scraper.scrape(claim, company.terms_of(1)))
        while not await made.pool.fetchval("SELECT count(*) FROM staged_pages"):  # noqa: ASYNC110 - a table
            await asyncio.sleep(0.01)
        scraping.cancel()
        await asyncio.gather(scraping, return_exceptions=True)
        before = [page.url for page in await runs.staged(made.pool, claim.run.scrape_id)]
        again = await claims.claim_next(made.pool, "iga", company.terms_of(1), made.entropy)
        assert isinstance(again, Claim)
        assert (again.store, again.resumed) == (claim.store, True)
        session, _ = await company.scraper.walker.open(again.run, again.outlet.retailer_ref)
        plan = again.run.plan
        assert plan is not None
        first = company.scraper.walker.retailer.next_page(session, plan.categories[0], [])
        assert company.scraper.walker.fetcher.url(first) == before[0]  # type: ignore[arg-type] # a request
        finished = await company.scraper.scrape(again, company.terms_of(1))
        assert finished.ending == "completed"
