"""Whatever a page has been turned into: observations of the shelf price, named refusals, or no page; no crash."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers import RETAILERS
from splitcart_scraper.retailers.base import DriftError, PageContext, PageError, Session

FIXTURES = Path(__file__).parents[2] / "fixtures"


@dataclass(frozen=True)
class Case:
    """A retailer's good page: where its tiles are, and their prices in cents."""

    company: str
    tiles: str
    true_prices: dict[str, set[int | None]]

    @property
    def good(self) -> bytes:
        """The bytes of the page."""
        return (FIXTURES / self.company / "page.json").read_bytes().strip()

    def parse(self, body: bytes) -> Any:
        """What the retailer's module reads."""
        session = Session(f"{self.company}:G1", "G1", UUID(int=1), "92811")
        return RETAILERS[self.company].parse(body, PageContext(session, Category("1", ("A",)), 1))


CASES = [
    Case(
        "aldi",
        "data",
        {
            "000000000000200998": {469},
            "000000000000300001": {199},
            "000000000000300002": {None},
        },
    ),
    Case(
        "iga",
        "items",
        {"80060092": {56}, "180000002203": {799}, "300001": {250}, "300002": {435}, "300003": {40}},
    ),
]
JUNK: list[Any] = [
    None, True, -5, 0, 4.69, 10**30, "469", "", "\x00\u200b", "x" * 10_000, [], [1], {}, {"amount": "1"}
]  # fmt: skip


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, child in inner for path in paths(child, (*at, key)))]


PLACES = [(case, path) for case in CASES for path in paths(json.loads(case.good)) if path]


def changed(case: Case, path: tuple[Any, ...], junk: Any, *, drop: bool) -> bytes:
    """The good page with one place replaced or taken away."""
    page = json.loads(case.good)
    parent = page
    for key in path[:-1]:
        parent = parent[key]
    if drop:
        del parent[path[-1]]
    else:
        parent[path[-1]] = junk
    return json.dumps(page).encode()


def check(case: Case, body: bytes, but: str = "") -> None:
    try:
        content = case.parse(body)
    except (PageError, DriftError):
        return
    for listing in content.listings:
        if listing.sku != but:
            assert listing.price in case.true_prices.get(listing.sku, {listing.price})
        assert listing.price is None or listing.price > 0
    assert all(refusal.reason and len(refusal.detail) <= 200 for refusal in content.refusals)


@settings(max_examples=300)
@given(st.sampled_from(PLACES), st.sampled_from(JUNK), st.booleans())
def test_one_place_changed(place: tuple[Case, tuple[Any, ...]], junk: Any, drop: bool) -> None:
    case, path = place
    touched = json.loads(case.good)[case.tiles][path[1]] if path[0] == case.tiles and len(path) > 1 else {}
    but = str(touched.get("sku", "")) if isinstance(touched, dict) else ""
    check(case, changed(case, path, junk, drop=drop), but=but)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.company)
@settings(max_examples=60)
@given(st.data())
def test_cut_off_anywhere(case: Case, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(case.good) - 1))
    with pytest.raises(PageError):
        case.parse(case.good[:length])


HTML = b"<!doctype html><html><head><title>Access Denied</title></head><body>Reference 18.2</body></html>"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.company)
@settings(max_examples=50)
@given(st.data())
def test_html_in_place_of_json_from_anywhere_on(case: Case, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(case.good) - 1))
    with pytest.raises(PageError):
        case.parse(case.good[:at] + HTML)


def with_each_tile(case: Case, **fields: Any) -> bytes:
    """The good page with fields of every tile that was good replaced, and no other tiles."""
    page = json.loads(case.good)
    tiles = [tile for tile in page[case.tiles] if isinstance(tile, dict)]
    page[case.tiles] = [tile | fields for tile in tiles if tile.get("sku") in case.true_prices]
    return json.dumps(page).encode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.company)
@pytest.mark.parametrize("text", ["x" * 10_000_000, "\x00" * 1_000_000, "\u202e" * 1_000_000])
def test_names_of_megabytes_are_refused_by_name(case: Case, text: str) -> None:
    content = case.parse(with_each_tile(case, name=text))
    assert content.tiles > 0
    assert content.listings == ()
    assert {refusal.reason.value for refusal in content.refusals} <= {"text-too-long", "name-missing"}
    assert all(len(refusal.detail) <= 200 for refusal in content.refusals)


PRICES = {"aldi": lambda price: {"price": {"amount": price}}, "iga": lambda price: {"priceNumeric": price}}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.company)
@pytest.mark.parametrize(
    "price", [-1, -4.5, 10**15, 10**400, 1e308, "4.69", True, [1], {"amount": 1}], ids=lambda _: ""
)
def test_no_price_is_made_of_what_is_none(case: Case, price: Any) -> None:
    content = case.parse(with_each_tile(case, **PRICES[case.company](price)))
    assert content.listings == ()
    assert all(refusal.reason.value.startswith(("price-", "malformed")) for refusal in content.refusals)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.company)
@pytest.mark.parametrize("depth", [100, 100_000])
def test_nesting_without_end(case: Case, depth: int) -> None:
    check_crash(case, b'{"' + case.tiles.encode() + b'":' + b"[" * depth + b"]" * depth + b"}")
    check_crash(case, case.good.replace(b'"name":', b'"name":' + b"[" * depth + b"]" * depth + b',"x":'))


def check_crash(case: Case, body: bytes) -> None:
    try:
        content = case.parse(body)
    except (PageError, DriftError):
        return
    assert content.tiles == len(content.listings) + len(content.refusals)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.company)
@settings(max_examples=60)
@given(st.data(), st.binary(min_size=1, max_size=3))
def test_bytes_overwritten(case: Case, data: st.DataObject, noise: bytes) -> None:
    at = data.draw(st.integers(0, len(case.good) - 1))
    try:
        content = case.parse(case.good[:at] + noise + case.good[at + len(noise) :])
    except (PageError, DriftError):
        return
    assert content.tiles >= 0
