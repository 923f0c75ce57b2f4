"""Whatever a page has been turned into: observations of the shelf price, named refusals, or no page; no crash."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.aldi import Aldi
from splitcart_scraper.retailers.base import PageContext, PageError, Session

GOOD = (Path(__file__).parents[2] / "fixtures" / "aldi" / "page.json").read_bytes().strip()
CONTEXT = PageContext(Session("aldi:G1", "G1"), Category("1", ("A",)), 1)
TRUE_PRICES = {
    "000000000000200998": {469},
    "000000000000300001": {199},
    "000000000000300002": {None},
}
JUNK: list[Any] = [
    None, True, -5, 0, 4.69, 10**30, "469", "", "\x00\u200b", "x" * 10_000, [], [1], {}, {"amount": "1"}
]  # fmt: skip


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, child in inner for path in paths(child, (*at, key)))]


PLACES = [path for path in paths(json.loads(GOOD)) if path]


def changed(path: tuple[Any, ...], junk: Any, *, drop: bool) -> bytes:
    """The good page with one place replaced or taken away."""
    page = json.loads(GOOD)
    parent = page
    for key in path[:-1]:
        parent = parent[key]
    if drop:
        del parent[path[-1]]
    else:
        parent[path[-1]] = junk
    return json.dumps(page).encode()


def check(body: bytes, but: str = "") -> None:
    try:
        content = Aldi().parse(body, CONTEXT)
    except PageError:
        return
    for listing in content.listings:
        if listing.sku != but:
            assert listing.price in TRUE_PRICES.get(listing.sku, {listing.price})
        assert listing.price is None or listing.price > 0
    assert all(refusal.reason and len(refusal.detail) <= 200 for refusal in content.refusals)


@settings(max_examples=150)
@given(st.sampled_from(PLACES), st.sampled_from(JUNK), st.booleans())
def test_one_place_changed(path: tuple[Any, ...], junk: Any, drop: bool) -> None:
    touched = json.loads(GOOD)["data"][path[1]] if path[0] == "data" and len(path) > 1 else {}
    check(changed(path, junk, drop=drop), but=str(touched.get("sku", "")))


@settings(max_examples=60)
@given(st.integers(0, len(GOOD) - 1))
def test_cut_off_anywhere(length: int) -> None:
    try:
        Aldi().parse(GOOD[:length], CONTEXT)
    except PageError:
        return
    raise AssertionError("half a page is no page")


@settings(max_examples=60)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=3))
def test_bytes_overwritten(at: int, noise: bytes) -> None:
    try:
        content = Aldi().parse(GOOD[:at] + noise + GOOD[at + len(noise) :], CONTEXT)
    except PageError:
        return
    assert content.tiles >= 0
