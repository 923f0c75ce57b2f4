"""What the guards let through and what they stop: real weeks of prices, and the catalogue of another store."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitcart_common.events import ObservedListing
from splitcart_common.turns import Turns
from splitcart_scraper.domain.guards import ENOUGH, Known, moved, objection, prices_of
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.domain.scrape import Category, Plan, Run, StagedPage, tally

TURNS = Turns.parse("tue 14:00,iga=mon 00:00")
MONDAY = datetime(2026, 9, 7, tzinfo=UTC)
TURN = MONDAY + timedelta(days=1, hours=14)
PLAN = Plan((Category("all", ("All",)),))


def run_at(at: datetime, store: str = "coles:364") -> Run:
    return Run(UUID(int=1), store, "scheduled", "full", at, "1", PLAN)


def pages_of(prices: Mapping[str, int], at: datetime, took: timedelta = timedelta(0)) -> list[StagedPage]:
    listings = tuple(
        ObservedListing(sku=sku, name=sku, price=price, page=1, raw_hash="") for sku, price in prices.items()
    )
    return [StagedPage(1, 0, "u", 1, at, at + took, PageContent(listings, total=len(listings), ended=""))]


def verdict(
    before: Mapping[str, int], now: Mapping[str, int], began: datetime, again: datetime, **took: timedelta
) -> str | None:
    """The second scrape of a store, judged by what the first one said."""
    run, pages = run_at(again), pages_of(now, again, **took)
    return objection(tally(run, pages), prices_of(pages), Known(began, before).before(run, pages, TURNS))


def a_shop(chance: random.Random, size: int) -> dict[str, int]:
    return {str(sku): chance.choice((199, 250, 300, 450, 600, chance.randint(50, 5_000))) for sku in range(size)}


def changed(chance: random.Random, prices: Mapping[str, int], share: float) -> dict[str, int]:
    some = set(chance.sample(sorted(prices), round(share * len(prices))))
    return {sku: price + chance.randint(1, 400) * (sku in some) for sku, price in prices.items()}


seeds, sizes = st.integers(0, 2**32).map(random.Random), st.integers(ENOUGH, 800)


@given(seeds, sizes, st.floats(0, 1), st.floats(0, 1))
def test_a_turn_never_trips_it_however_much_turned(
    chance: random.Random, size: int, share: float, when: float
) -> None:
    before = a_shop(chance, size)
    now = changed(chance, before, share)
    week = timedelta(days=7)
    began, again = TURN - week * (1 - when) - timedelta(minutes=1), TURN + week * when
    assert verdict(before, now, began, again) is None


@given(seeds, sizes, st.floats(0, 0.6))
def test_nor_does_a_week_without_one(chance: random.Random, size: int, share: float) -> None:
    before = a_shop(chance, size)
    assert verdict(before, changed(chance, before, min(share, 0.59)), MONDAY, TURN - timedelta(hours=1)) is None


@given(seeds, sizes, st.floats(0, 0.38), st.floats(0.5, 1))
def test_the_catalogue_of_another_store_does(
    chance: random.Random, size: int, equal: float, overlap: float
) -> None:
    """IGA's stores share half of their range or more, and a third of the prices of that."""
    before = a_shop(chance, 2 * size)
    theirs = changed(chance, before, 1 - equal)
    ranged = chance.sample(sorted(theirs), round(overlap * len(theirs)))
    now = {sku: theirs[sku] for sku in ranged} | {f"x{sku}": 100 + sku for sku in range(size // 2)}
    found = moved(before, now)
    why = verdict(before, now, MONDAY, MONDAY + timedelta(hours=20))
    assert (why is not None) == (found.share > 0.6)
    if found.share > 0.6:
        assert f"prices moved: {len(found.skus)} of {found.common}" in str(why)
        assert "2026-09-07T00:00+00:00" in str(why)


@given(seeds, st.integers(0, ENOUGH - 1))
def test_too_little_in_common_says_nothing(chance: random.Random, common: int) -> None:
    before = a_shop(chance, 300)
    shared = sorted(before)[:common]
    now = {sku: before[sku] + 1 for sku in shared} | {f"x{n}": n + 1 for n in range(200)}
    assert verdict(before, now, MONDAY, MONDAY + timedelta(hours=20)) is None


def test_a_turn_within_either_scrape_counts() -> None:
    before, now = {str(n): n + 1 for n in range(200)}, {str(n): n + 2 for n in range(200)}
    hour = timedelta(hours=1)
    assert verdict(before, now, TURN - hour, TURN + hour) is None, "the first began before it"
    assert verdict(before, now, TURN - 9 * hour, TURN - hour, took=2 * hour) is None, "the second saw it"
    assert verdict(before, now, TURN, TURN + hour) is not None, "both after it"
    assert verdict(before, now, TURN - 9 * hour, TURN - 3 * hour, took=2 * hour) is not None, "both before it"


def test_each_company_turns_at_its_own_time() -> None:
    before, now, hour = (
        {str(n): n + 1 for n in range(200)},
        {str(n): n + 2 for n in range(200)},
        timedelta(hours=1),
    )
    for store, trips in (("coles:364", True), ("iga:5", False)):
        run, pages = run_at(MONDAY + hour, store), pages_of(now, MONDAY + hour)
        known = Known(MONDAY - hour, before).before(run, pages, TURNS)
        assert (objection(tally(run, pages), prices_of(pages), known) is not None) is trips


@pytest.mark.parametrize(("listings", "trips"), [(ENOUGH - 1, False), (ENOUGH, True), (2_000, True)])
def test_one_price_everywhere(listings: int, trips: bool) -> None:
    pages = pages_of({str(n): 250 for n in range(listings)}, MONDAY)
    why = objection(tally(run_at(MONDAY), pages), prices_of(pages), None)
    assert why == (f"one price everywhere: {listings} listings at 250 cents" if trips else None)


@given(seeds, sizes)
def test_two_prices_are_enough(chance: random.Random, size: int) -> None:
    prices = {str(n): 250 for n in range(size)} | {chance.choice([str(n) for n in range(size)]): 251}
    pages = pages_of(prices, MONDAY)
    assert objection(tally(run_at(MONDAY), pages), prices_of(pages), None) is None
