"""What the demo reads out of the log of observations, and what it concludes."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from splitcart_common import events
from splitcart_sandbox.demo.course import FASTEST, FORTNIGHT, UNHURRIED, speed_of
from splitcart_sandbox.demo.figures import Manners
from splitcart_sandbox.demo.log import Recorded, observe

T0 = datetime(2026, 9, 1, tzinfo=UTC)
STORE = "coles:1"
FULL = {UUID(int=1), UUID(int=2), UUID(int=4)}


def started(number: int) -> events.ScrapeStarted:
    at = T0 + timedelta(hours=number)
    return events.ScrapeStarted(UUID(int=number), STORE, "scheduled", at, ("all",), "1", "full")


def seen(sku: str, price: int | None, *, available: bool = True) -> events.ObservedListing:
    return events.ObservedListing(sku, f"Thing {sku}", price, 1, "00", available=available)


def page(number: int, *listings: events.ObservedListing, batch: int = 1) -> events.ProductsObserved:
    at = T0 + timedelta(hours=number)
    return events.ProductsObserved(UUID(int=number), batch, listings, (events.PageRead(1, at, at),))


def completed(number: int, refused: tuple[str, ...] = ()) -> events.ScrapeCompleted:
    return events.ScrapeCompleted(UUID(int=number), T0 + timedelta(hours=number), 1, 1, 9, 1, 1, 5, refused)


def recorded(*said: events.Event) -> Recorded:
    found = Recorded()
    for event in said:
        observe(found, STORE, event, FULL)
    return found


FIRST = (started(1), page(1, seen("a", 100), seen("b", 200), seen("c", 300)), completed(1))


def test_what_a_store_shows_is_what_its_latest_scrape_saw():
    found = recorded(*FIRST, started(2), page(2, seen("a", 110), seen("d", 400)), completed(2))
    assert found.shown[STORE].now == {"a": 110, "d": 400}
    assert [(sku, price) for sku, _, _, price in found.reads[STORE]] == [
        ("a", 100), ("b", 200), ("c", 300), ("a", 110), ("d", 400),
    ]  # fmt: skip


def test_what_lacks_its_price_keeps_the_one_it_had():
    again = page(2, seen("a", None), seen("b", None, available=False), seen("c", 300))
    assert recorded(*FIRST, started(2), again, completed(2)).shown[STORE].now == {"a": 100, "c": 300}
    unread = page(2, seen("a", 100), seen("c", 300))
    assert recorded(*FIRST, started(2), unread, completed(2, ("b",))).shown[STORE].now == {
        "a": 100, "b": 200, "c": 300,
    }  # fmt: skip


def test_what_was_gone_has_no_price_to_keep():
    gone = (started(2), page(2, seen("a", 100)), completed(2))
    partial = (started(3), page(3, seen("a", None), seen("b", None)), completed(3))
    assert recorded(*FIRST, *gone, *partial).shown[STORE].now == {"a": 100}
    # What a scrape that was not judged full did not see is not gone.
    whole = (started(4), page(4, seen("a", None), seen("c", None)), completed(4))
    assert recorded(*FIRST, *partial, *whole).shown[STORE].now == {"a": 100, "c": 300}


def test_the_first_sighting_in_a_scrape_stands():
    found = recorded(started(1), page(1, seen("a", 100)), page(1, seen("a", 105), batch=2), completed(1))
    assert found.shown[STORE].now == {"a": 100}
    assert found.prices == {(UUID(int=1), "a"): 100}


def test_what_an_abandoned_scrape_saw_is_on_record():
    left = events.ScrapeAbandoned(UUID(int=3), T0, "bot-wall", "HTML where data was due", 1)
    found = recorded(*FIRST, started(3), page(3, seen("a", 120)), left)
    assert found.abandoned == [{"store": STORE, "reason": "bot-wall", "detail": "HTML where data was due"}]
    whole = (started(4), page(4, seen("a", None), seen("b", 200)), completed(4))
    found = recorded(*FIRST, started(3), page(3, seen("a", 120)), left, *whole)
    assert found.shown[STORE].now == {"a": 120, "b": 200}


@pytest.mark.parametrize(("seconds", "speed"), [(None, UNHURRIED), (10, FASTEST), (120, 10_152.0)])
def test_a_demo_shows_a_fortnight_if_it_has_the_time(seconds, speed):
    assert speed_of(seconds) == pytest.approx(speed)


def test_ninety_seconds_are_enough_for_it():
    assert speed_of(90) * 90 == pytest.approx(FORTNIGHT.total_seconds())
    assert timedelta(days=14) < FORTNIGHT


def test_who_is_polite():
    def at_host(at_once: int = 1, gap: float | None = 1.5, too_soon: int = 0) -> bool:
        return Manners(10, at_once, 1.5, gap, 3, too_soon, {}).polite

    assert at_host()
    assert at_host(gap=None)
    assert not at_host(at_once=2)
    assert not at_host(gap=1.49)
    assert not at_host(too_soon=1)
