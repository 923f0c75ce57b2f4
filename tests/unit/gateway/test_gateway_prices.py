from datetime import UTC, datetime, timedelta

import pytest

from splitcart_gateway.domain.places import Point
from splitcart_gateway.domain.prices import Absence, Observed, alike, compare
from splitcart_gateway.domain.stores import Nearby, Store
from splitcart_gateway.domain.wording import age, distance, saving

NOW = datetime(2026, 9, 2, 12, tzinfo=UTC)


def near(key: str, kilometres: float | None, closed: bool = False) -> Nearby:
    store = Store(
        *(key, key.partition(":")[0], key, None, None, None, None, None, Point(0, 0), True, NOW),
        closed_at=NOW if closed else None,
    )
    return Nearby(store, kilometres)


def seen(key: str, cents: int, hours_ago: float = 1, sku: str = "1", special: str | None = None) -> Observed:
    at = NOW - timedelta(hours=hours_ago)
    return Observed(key, sku, cents, at, key, at - timedelta(days=3), None, special, "own", key)


def test_cheapest_first_then_nearest() -> None:
    stores = [near("aldi:far", 9), near("aldi:near", 1), near("coles:1", 2), near("coles:2", None)]
    offers = compare(
        stores,
        [seen("aldi:far", 200), seen("aldi:near", 200), seen("coles:1", 100), seen("coles:2", 200)],
        {},
        NOW,
    )
    assert [priced.near.store.key for priced in offers.prices] == ["coles:1", "aldi:near", "aldi:far", "coles:2"]


def test_every_store_is_in_exactly_one_place() -> None:
    stores = [
        near("aldi:sells", 1),
        near("aldi:not", 2),
        near("aldi:unseen", 3),
        near("aldi:closed", 4, closed=True),
    ]
    full_at = {"aldi:sells": NOW, "aldi:not": NOW - timedelta(hours=5), "aldi:closed": NOW}
    offers = compare(stores, [seen("aldi:sells", 100), seen("aldi:closed", 90)], full_at, NOW)
    assert [priced.near.store.key for priced in offers.prices] == ["aldi:sells"]
    assert [(absent.near.store.key, absent.reason, absent.seen_at) for absent in offers.not_sold_at] == [
        ("aldi:not", Absence.NOT_IN_RANGE, NOW - timedelta(hours=5)),
        ("aldi:closed", Absence.CLOSED, NOW),
    ]
    assert [unseen.store.key for unseen in offers.unknown] == ["aldi:unseen"]


def test_of_two_listings_of_a_product_the_cheaper_counts() -> None:
    offers = compare([near("aldi:1", 1)], [seen("aldi:1", 300, sku="a"), seen("aldi:1", 250, sku="b")], {}, NOW)
    assert [priced.price.sku for priced in offers.prices] == ["b"]


def test_ages_are_whole_seconds_and_never_negative() -> None:
    offers = compare(
        [near("aldi:1", 1), near("aldi:2", 2)], [seen("aldi:1", 1, 2.5), seen("aldi:2", 2, -1)], {}, NOW
    )
    assert [priced.age_seconds for priced in offers.prices] == [9000, 0]
    assert offers.prices[0].held_seconds == 9000 + 3 * 86400


def test_the_same_price_at_stores_of_a_company_is_said_once() -> None:
    stores = [near("aldi:1", 1), near("coles:1", 2), near("aldi:2", 3), near("aldi:3", 4)]
    observed = [
        seen("aldi:1", 200),
        seen("coles:1", 200),
        seen("aldi:2", 200),
        seen("aldi:3", 200, special="special"),
    ]
    groups = alike(compare(stores, observed, {}, NOW).prices)
    assert [[priced.near.store.key for priced in group] for group in groups] == [
        ["aldi:1", "aldi:2"],
        ["coles:1"],
        ["aldi:3"],
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (119, "just now"),
        (300, "5 minutes ago"),
        (5399, "90 minutes ago"),
        (5400, "2 hours ago"),
        (26 * 3600, "26 hours ago"),
        (47 * 3600, "2 days ago"),
        (9 * 86400, "9 days ago"),
    ],
)
def test_ages_in_words(seconds: int, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("kilometres", "text"),
    [
        (None, ""),
        (0.001, "10 m"),
        (0.347, "350 m"),
        (0.996, "1.0 km"),
        (1.24, "1.2 km"),
        (9.96, "10 km"),
        (42.4, "42 km"),
    ],
)
def test_distances_in_words(kilometres: float | None, text: str) -> None:
    assert distance(kilometres).replace("\N{NO-BREAK SPACE}", " ") == text


def test_savings_in_words() -> None:
    assert saving(450, 900) == "save 50%"
    assert saving(900, 450) == ""
    assert saving(450, None) == ""
