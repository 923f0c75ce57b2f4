"""A whole store of Coles, from the simulator, which knows what it charged, to the broker."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from splitcart_common.clock import ScaledClock
from splitcart_common.events import ScrapeAbandoned, ScrapeCompleted, ScrapeStarted
from tests.support.scraper.chains import Visit, seen, visiting
from tests.support.scraper.simulator import simulating

pytestmark = pytest.mark.stack

CLOCK = ScaledClock(datetime(2026, 9, 4, tzinfo=UTC), datetime.now(UTC), 1.0)
"""A Friday at its own speed: no price turns while the test lasts."""


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    with simulating("coles", CLOCK, stores=6, listings=700) as address:
        yield address


@pytest.fixture
async def coles(database: str, simulator: str, broker: str, topic_prefix: str) -> AsyncIterator[Visit]:
    async with visiting("coles", database, simulator, CLOCK, broker, topic_prefix) as visit:
        yield visit


async def test_a_whole_store_is_on_the_bus_at_its_true_prices(coles: Visit) -> None:
    store, other = (await coles.stores())[:2]
    await coles.order("new-build", call="listing")  # a deploy in the middle of the scrape
    finished = await coles.scrape(store)
    assert finished.ending == "completed", finished
    events = await coles.on_the_bus(store)
    started, completed = events[0], events[-1]
    assert isinstance(started, ScrapeStarted)
    assert isinstance(completed, ScrapeCompleted)
    assert completed.categories_finished == completed.categories_planned > 1
    listings = seen(events)
    assert len(listings) == completed.listings
    priced = {sku: listing.price for sku, listing in listings.items() if listing.price is not None}
    assert priced == await coles.truth(store)
    assert len(priced) > 300
    assert {listing.barcode for listing in listings.values()} == {None}, "those are on the product pages"
    assert all(listing.available == (listing.price is not None) for listing in listings.values())
    assert any(listing.multibuy for listing in listings.values())
    assert all(listing.was_price > listing.price for listing in listings.values() if listing.was_price)  # type: ignore[operator] # a price
    assert await coles.truth(other) != priced, "it is this store's list, not the chain's"


async def test_a_store_choice_that_is_ignored_ends_the_scrape(coles: Visit) -> None:
    store = (await coles.stores())[-1]
    await coles.order("store-ignored", call="listing", store=store.partition(":")[2])
    assert (await coles.scrape(store)).ending == "abandoned-drift"
    *said, abandoned = await coles.on_the_bus(store)
    assert isinstance(abandoned, ScrapeAbandoned)
    assert (abandoned.reason, seen(said)) == ("drift", {})
