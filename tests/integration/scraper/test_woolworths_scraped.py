"""A whole store of Woolworths, from the simulator, which knows what it charged, to the broker."""

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
    with simulating("woolworths", CLOCK, stores=6, listings=700) as address:
        yield address


@pytest.fixture
async def woolworths(database: str, simulator: str, broker: str, topic_prefix: str) -> AsyncIterator[Visit]:
    async with visiting("woolworths", database, simulator, CLOCK, broker, topic_prefix) as visit:
        yield visit


async def test_a_whole_store_is_on_the_bus_at_its_true_prices(woolworths: Visit) -> None:
    store, other = (await woolworths.stores())[:2]
    finished = await woolworths.scrape(store)
    assert finished.ending == "completed", finished
    events = await woolworths.on_the_bus(store)
    started, completed = events[0], events[-1]
    assert isinstance(started, ScrapeStarted)
    assert isinstance(completed, ScrapeCompleted)
    assert completed.categories_finished == completed.categories_planned > 1
    listings = seen(events)
    assert len(listings) == completed.listings
    priced = {sku: listing.price for sku, listing in listings.items() if listing.price is not None}
    assert priced == await woolworths.truth(store)
    assert len(priced) > 300
    assert sum(listing.barcode is not None for listing in listings.values()) > 0.8 * len(listings)
    assert any(listing.multibuy for listing in listings.values())
    assert all(listing.was_price > listing.price for listing in listings.values() if listing.was_price)  # type: ignore[operator] # a price
    assert await woolworths.truth(other) != priced, "it is this store's list, not the chain's"


async def test_a_guest_is_shown_another_store_and_told_which(woolworths: Visit) -> None:
    """The scrape of any other is given up, and says so; that of the store whose prices are shown is whole."""
    first, *_, last = await woolworths.stores()
    await woolworths.order("store-ignored", call="listing", store=last.partition(":")[2])
    assert (await woolworths.scrape(last)).ending == "abandoned-drift"
    *said, abandoned = await woolworths.on_the_bus(last)
    assert isinstance(abandoned, ScrapeAbandoned)
    assert (abandoned.reason, seen(said)) == ("drift", {})
    assert f"the answer is of store {first.partition(':')[2]}: a guest cannot choose a store" in abandoned.detail
    assert (await woolworths.scrape(first)).ending == "completed"
