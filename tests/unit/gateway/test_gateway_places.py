from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitcart_gateway.context import load_postcodes
from splitcart_gateway.domain.places import Point, distance_km, parse_postcodes
from splitcart_gateway.domain.stores import Nearby, Store, StoreBook

MELBOURNE = Point(-37.8136, 144.9631)
SYDNEY = Point(-33.8688, 151.2093)

points = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))


def store(key: str, point: Point | None, closed: bool = False) -> Store:
    closed_at = datetime(2026, 9, 1, tzinfo=UTC) if closed else None
    return Store(key, key.partition(":")[0], key, None, None, None, None, None, point, True, None, closed_at)


def test_known_distances() -> None:
    assert distance_km(MELBOURNE, SYDNEY) == pytest.approx(713.4, abs=1)
    assert distance_km(MELBOURNE, MELBOURNE) == 0
    assert distance_km(Point(0, 0), Point(0, 180)) == pytest.approx(20_015, abs=1)


@given(points, points)
def test_a_distance_is_the_same_both_ways_and_at_most_half_round_the_earth(a: Point, b: Point) -> None:
    assert distance_km(a, b) == pytest.approx(distance_km(b, a))
    assert 0 <= distance_km(a, b) <= 20_016


def test_the_postcodes_of_the_package_cover_australia() -> None:
    postcodes = load_postcodes()
    assert len(postcodes) > 3000
    for text, state in (("3000", "VIC"), ("2000", "NSW"), ("0800", "NT"), ("7000", "TAS"), ("6000", "WA")):
        place = postcodes.get(text)
        assert place
        assert place.state == state
    assert postcodes.get("1999") is None


def test_the_postcodes_closest_in_number_are_suggested() -> None:
    postcodes = parse_postcodes("# a comment\n3000 VIC -37.8 144.9\n3002 VIC -37.8 144.9\n4000 QLD -27.4 153.0\n")
    assert [place.postcode for place in postcodes.similar("3001", 2)] == ["3000", "3002"]


@given(
    st.lists(st.tuples(st.floats(-38.5, -37.0), st.floats(144.0, 146.0)), max_size=30),
    st.floats(0.1, 150),
)
def test_near_is_every_open_store_within_the_radius_nearest_first(
    places: list[tuple[float, float]], radius: float
) -> None:
    stores = [store(f"aldi:{number}", Point(*place)) for number, place in enumerate(places)]
    found = StoreBook(stores).near(MELBOURNE, radius)
    expected = {s.key for s in stores if s.point and distance_km(MELBOURNE, s.point) <= radius}
    assert {near.store.key for near in found} == expected
    distances = [near.distance_km or 0.0 for near in found]
    assert distances == sorted(distances)


def test_closed_and_undescribed_stores_are_near_nothing_but_can_be_named() -> None:
    book = StoreBook(
        [
            store("aldi:open", MELBOURNE),
            store("aldi:closed", MELBOURNE, closed=True),
            store("aldi:new", None),
            store("coles:open", MELBOURNE),
        ]
    )
    assert [near.store.key for near in book.near(MELBOURNE, 5)] == ["aldi:open", "coles:open"]
    assert [near.store.key for near in book.near(MELBOURNE, 5, "coles")] == ["coles:open"]
    assert [s.key for s in book.all("aldi")] == ["aldi:new", "aldi:open"]
    new = book.get("aldi:new")
    assert new
    assert book.measured(new, MELBOURNE) == Nearby(new, None)


def test_keys_that_look_alike_are_suggested() -> None:
    book = StoreBook([store("aldi:G100", None), store("aldi:G101", None), store("coles:100", None)])
    assert book.similar("aldi:G10")[0].startswith("aldi:G10")
    assert book.similar("nobody:zzzz") == []
