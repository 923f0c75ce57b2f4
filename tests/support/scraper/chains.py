"""A chain's store scraped from the simulator to the broker, beside what the simulator knows it charged."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from splitcart_common.clock import ScaledClock
from splitcart_common.events import Event, ObservedListing, ProductsObserved
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRODUCT_OBSERVED
from splitcart_scraper import app
from splitcart_scraper.app import Parts
from splitcart_scraper.commands.shell import publishing
from splitcart_scraper.handlers.observer import Finished
from splitcart_scraper.handlers.workers import Company
from splitcart_scraper.store import claims
from splitcart_scraper.store.claims import Claim
from tests.support.bus import read_events
from tests.support.scraper.rig import settings_of


@dataclass(frozen=True, slots=True)
class Visit:
    """A scraper of one company at the simulator; what it publishes is relayed to the broker when asked for."""

    made: Parts
    company: Company
    simulator: httpx.AsyncClient
    clock: ScaledClock

    async def scrape(self, store: str) -> Finished:
        """Scrape one store, due or not."""
        terms = self.company.terms_of(1)
        claim = await claims.claim_store(self.made.pool, store, terms, self.made.entropy)
        assert isinstance(claim, Claim), claim
        return await self.company.scraper.scrape(claim, terms)

    async def on_the_bus(self, store: str) -> list[Event]:
        """What the broker has of a store, once all that waits is relayed."""
        async with publishing(self.made):
            pass  # it ends when nothing waits any more
        settings = self.made.settings
        found = await asyncio.to_thread(
            read_events, settings.kafka_bootstrap, settings.topic_prefix, PRODUCT_OBSERVED
        )
        return [event for key, _, event in found if key == store]

    async def truth(self, store: str) -> dict[str, int]:
        """What the store charges now, in cents by SKU."""
        at = {"store": store, "at": self.clock.now().isoformat()}
        prices: dict[str, int] = (await self.simulator.get("/truth/prices", params=at)).json()["prices"]
        return prices

    async def stores(self) -> list[str]:
        """The stores that are open."""
        known = (await self.simulator.get("/truth/stores")).json()["stores"]
        return [store["store"] for store in known if store["closed_at"] is None]

    async def order(self, kind: str, **more: Any) -> None:
        """Have trouble happen."""
        order = {"company": self.company.name, "kind": kind, "count": 1, **more}
        assert (await self.simulator.post("/faults", json=order)).status_code == 201


def seen(events: list[Event]) -> dict[str, ObservedListing]:
    """The listings of the batches, by SKU; each is in one of them."""
    listings = [one for event in events if isinstance(event, ProductsObserved) for one in event.listings]
    assert len({listing.sku for listing in listings}) == len(listings)
    return {listing.sku: listing for listing in listings}


@asynccontextmanager
async def visiting(
    company: str, database: str, address: str, clock: ScaledClock, broker: str, prefix: str
) -> AsyncIterator[Visit]:
    """A visit with the company's stores on record."""
    settings = settings_of(
        database,
        address,
        kafka_bootstrap=broker,
        topic_prefix=prefix,
        scraper_base_url={company: f"{address}/{company}"},
        scraper_companies=company,
    )
    async with (
        app.parts(settings, Health(), clock=clock) as made,
        httpx.AsyncClient(base_url=address, timeout=30) as simulator,
    ):
        visit = Visit(made, app.company_of(made, company), simulator, clock)
        found = await visit.company.discovery.now()
        assert found is not None
        assert (found.trouble, found.stores) == (None, len(await visit.stores()))
        yield visit
