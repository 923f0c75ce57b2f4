"""Whatever a page of Coles has been turned into: the prices of its tiles, named refusals, or no page; no crash."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from splitcart_common.events import ObservedListing
from splitcart_scraper.domain.listing import MOST_CENTS, PageContent
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.base import DriftError, Ended, PageContext, PageError, Session
from splitcart_scraper.retailers.coles import MOST_PAGES, Coles
from splitcart_scraper.retailers.coles_requests import BUILD, KEY, stores

FIXTURES = Path(__file__).parents[2] / "fixtures" / "coles"
GOOD = (FIXTURES / "page.json").read_bytes().strip()
FRONT = (FIXTURES / "opening.html").read_bytes().strip()
SESSION = Session("coles:364", "364", UUID(int=7), tokens={BUILD: "b", KEY: "k"})
CATEGORY = Category("pantry", ("Pantry",))
CONTEXT = PageContext(SESSION, CATEGORY, 1)
COLES = Coles()
JUNK: list[Any] = [
    None, True, False, -5, -0.01, 0, 0.0, 4.69, 4.695, 1e-9, 1e22, 10**30, 10**4000, float("nan"), float("inf"),
    "469", "", "\x00\u200b\x1b[2J", "<b>Jam</b>", "x" * 10_000, "../..", [], [1], [[]], {}, {"now": 1},
    {"id": "1"},
]  # fmt: skip


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, child in inner for path in paths(child, (*at, key)))]


def changed(good: bytes, path: tuple[Any, ...], junk: Any, *, drop: bool = False) -> bytes:
    """The good answer with one place replaced or taken away; NaN and infinity are written as words."""
    answer = json.loads(good)
    parent = answer
    for key in path[:-1]:
        parent = parent[key]
    if drop:
        del parent[path[-1]]
    else:
        parent[path[-1]] = junk
    return json.dumps(answer).encode()


def prices_of_tiles(body: bytes) -> dict[str, set[Decimal | None]]:
    """What each product of the page costs in cents, read in another way: as decimals, to the last digit."""
    prices: dict[str, set[Decimal | None]] = {}
    for tile in json.loads(body.decode("utf-8", "replace"), parse_float=Decimal)["pageProps"]["searchResults"][
        "results"
    ]:
        if isinstance(tile, dict) and tile.get("_type") == "PRODUCT":
            pricing = tile.get("pricing")
            now = pricing.get("now") if isinstance(pricing, dict) else None
            price = Decimal(now) * 100 if isinstance(now, int | Decimal) else None
            prices.setdefault(str(tile.get("id")), set()).add(price)
    return prices


def check(body: bytes) -> PageContent | None:
    try:
        content = COLES.parse(body, CONTEXT)
    except (PageError, DriftError):
        return None
    prices = prices_of_tiles(body) if content.listings else {}
    for listing in content.listings:
        assert listing.price in prices[listing.sku]
        assert listing.price is None or 0 < listing.price <= MOST_CENTS
        assert listing.was_price is None or (listing.price is not None and listing.was_price > listing.price)
        assert len(listing.name) <= 500
        assert listing.name.isprintable()
    assert all(refusal.reason and len(refusal.detail) <= 200 for refusal in content.refusals)
    return content


PLACES = [path for path in paths(json.loads(GOOD)) if path]


def test_the_good_page_is_good() -> None:
    content = check(GOOD)
    assert content is not None
    assert len(content.listings) == 9


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(JUNK), st.booleans())
def test_one_place_changed(path: tuple[Any, ...], junk: Any, drop: bool) -> None:
    check(changed(GOOD, path, junk, drop=drop))


@pytest.mark.parametrize(
    "field", ["id", "adId", "name", "brand", "size", "pricing", "onlineHeirs", "imageUris", "_type"]
)
@pytest.mark.parametrize("tile", [2, 3])
def test_every_junk_in_every_field_that_is_read(tile: int, field: str) -> None:
    for junk in JUNK:
        check(changed(GOOD, ("pageProps", "searchResults", "results", tile, field), junk))


@pytest.mark.parametrize(
    "field", ["now", "was", "comparable", "promotionType", "multiBuyPromotion", "offerDescription"]
)
def test_every_junk_in_every_field_of_a_price(field: str) -> None:
    for junk in JUNK:
        check(changed(GOOD, ("pageProps", "searchResults", "results", 3, "pricing", field), junk))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(GOOD) - 1))
def test_cut_off_anywhere(length: int) -> None:
    assert check(GOOD[:length]) is None, "half a page is no page"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=3))
def test_bytes_overwritten(at: int, noise: bytes) -> None:
    check(GOOD[:at] + noise + GOOD[at + len(noise) :])


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from([b"<", b"<html>", b"<!DOCTYPE html><html>", b'<script id="__NEXT_DATA__">']),
    st.binary(max_size=99),
)
def test_html_for_json(start: bytes, rest: bytes) -> None:
    assert check(start + rest) is None
    assert check(start + rest + b"</script></html>") is None


def test_a_name_of_ten_megabytes_is_refused() -> None:
    path = ("pageProps", "searchResults", "results", 3, "name")
    for letter in ("x", "\u00e9", "\x00", " "):
        content = check(changed(GOOD, path, letter * 10_000_000))
        assert content is not None
        assert "text-too-long" in {
            refusal.reason.value for refusal in content.refusals if refusal.sku == "7000002"
        }


def test_nested_without_end() -> None:
    for opening in (b"[", b'{"pageProps":', b'{"pageProps":{"searchResults":{"results":['):
        assert check(opening * 100_000) is None


@settings(max_examples=200, deadline=None)
@given(st.integers(1, MOST_CENTS), st.integers(0, 20), st.booleans())
def test_whole_cents_are_exact_however_they_are_written(cents: int, zeros: int, as_power: bool) -> None:
    plain = f"{cents // 100}.{cents % 100:02d}"
    text = f"{cents}e-2" if as_power else plain + "0" * zeros
    content = check(GOOD.replace(b'"pricing":{"now":2.8,', f'"pricing":{{"now":{text},'.encode()))
    assert content is not None
    assert {listing.sku: listing.price for listing in content.listings}["7000002"] == cents


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**7), st.integers(3, 30), st.integers(1, 9))
def test_what_is_beyond_whole_cents_is_never_rounded_away(dollars: int, places: int, last: int) -> None:
    text = f"{dollars}.{'0' * (places - 1)}{last}"
    content = check(GOOD.replace(b'"pricing":{"now":2.8,', f'"pricing":{{"now":{text},'.encode()))
    assert content is not None
    assert "7000002" not in {listing.sku for listing in content.listings}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30), st.one_of(st.none(), st.integers(0, 10**12)))))
def test_every_listing_ends(said: list[tuple[int, int, int | None]]) -> None:
    read: list[PageContent] = []
    for first, tiles, total in [*said, *[(0, 48, 10**12)] * (MOST_PAGES + 1)]:
        if isinstance(COLES.next_page(SESSION, CATEGORY, read), Ended):
            break
        skus = range(48 * len(read) + first, 48 * len(read) + first + tiles)
        seen = (ObservedListing(sku=str(sku), name="Jam", price=5, page=1, raw_hash="") for sku in skus)
        read.append(PageContent(tuple(seen), (), total))
    assert isinstance(COLES.next_page(SESSION, CATEGORY, read), Ended)
    assert len(read) <= MOST_PAGES


def read_menu(body: bytes) -> object:
    return COLES.categories(SESSION, body)


def read_stores(body: bytes) -> object:
    return COLES.outlets(body, stores("k")[0], datetime(2026, 9, 1, tzinfo=UTC))


@pytest.mark.parametrize(("name", "reads"), [("menu.json", read_menu), ("stores.json", read_stores)])
def test_menus_and_store_finders_answers_are_read_whole_or_not(
    name: str, reads: Callable[[bytes], object]
) -> None:
    good = (FIXTURES / name).read_bytes().strip()
    for path in paths(json.loads(good))[1:]:
        for junk in JUNK:
            with suppress(PageError):
                reads(changed(good, path, junk))
    for length in range(0, len(good), 7):
        with pytest.raises(PageError):
            reads(good[:length])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(FRONT) - 1), st.binary(max_size=3), st.booleans())
def test_a_broken_opening_page_opens_no_session_of_another_shape(at: int, noise: bytes, cut: bool) -> None:
    body = FRONT[:at] if cut else FRONT[:at] + noise + FRONT[at + len(noise) :]
    try:
        tokens = COLES.opened(SESSION, body).tokens
    except (PageError, DriftError):
        return
    assert set(tokens) == {BUILD, KEY}
    assert all(
        token.isascii() and token.isprintable() and not set(token) & set(" /?#\"'") for token in tokens.values()
    )
