"""Whatever a page of Woolworths has been turned into: the shelf price of the tile, a named refusal, or no page.

What a tile's price is, is worked out here a second time, from the page itself, by other means than the parser's.
"""

import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from splitcart_common.events import ObservedListing
from splitcart_scraper.domain.listing import PageContent, RefusalReason
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.base import DriftError, Ended, PageContext, PageError, Session
from splitcart_scraper.retailers.woolworths import Woolworths

FIXTURES = Path(__file__).parents[2] / "fixtures" / "woolworths"
GOOD = (FIXTURES / "page.json").read_bytes().strip()
SESSION = Session("woolworths:1101", "1101", UUID(int=1))
CONTEXT = PageContext(SESSION, Category("1_39FD49C", ("Pantry",)), 1)
JUNK: list[Any] = [
    None, True, False, -5, -0.01, 0, 0.0, 1.005, 4.69, 10**15, 10**30, -(10**30), 10**4000, -(10**4000), 1e308,
    5e-324, "4.69", "", " ", "\x00\u200b\u202e", "<br>" * 300, "x" * 10_000, [], [1], {}, {"Price": "1"}, [[]] * 3,
]  # fmt: skip
HTML = b"<!doctype html><html><head><title>Access Denied</title></head><body>Reference 18.2</body></html>"


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, child in inner for path in paths(child, (*at, key)))]


PLACES = [path for path in paths(json.loads(GOOD)) if path]
PRICES = [path for path in PLACES if str(path[-1]).endswith(("Price", "FulfilmentStoreId"))]


def changed(path: tuple[Any, ...], junk: Any, *, drop: bool = False) -> bytes:
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


NO_PRICE = -1


def cents(dollars: Any) -> int | None:
    """Cents of a number that is a shelf's, by its decimal digits; None of null, else `NO_PRICE`."""
    if dollars is None:
        return None
    if isinstance(dollars, bool) or not isinstance(dollars, int | Decimal):
        return NO_PRICE
    whole = Decimal(dollars) * 100 if abs(Decimal(dollars)) < 10**6 else Decimal(0)
    return int(whole) if 0 < whole <= 10_000_000 and whole == int(whole) else NO_PRICE


def true_prices(body: bytes) -> Counter[tuple[str, int | None]]:
    """Stock codes and shelf prices of the products on a page."""
    found: Counter[tuple[str, int | None]] = Counter()
    for bundle in json.loads(body, parse_float=Decimal)["Bundles"]:
        tiles = bundle.get("Products") if isinstance(bundle, dict) else None
        for tile in tiles if isinstance(tiles, list) else []:
            if isinstance(tile, dict):
                online = cents(tile.get("Price", "there is none"))
                instore = cents(tile.get("InstorePrice"))
                both = (online or NO_PRICE) > 0 and (instore or NO_PRICE) > 0
                found[str(tile.get("Stockcode")), instore if both else online] += 1
    return found


def check(body: bytes) -> PageContent | None:
    """Parse a page; None where it is refused as a whole. Any other exception fails the test."""
    try:
        content = Woolworths().parse(body, CONTEXT)
    except (PageError, DriftError):
        return None
    truth = true_prices(body)
    for listing in content.listings:
        assert truth[listing.sku, listing.price], f"{listing.sku} does not cost {listing.price}"
        assert listing.price is None or listing.price > 0
        again = msgspec.json.decode(msgspec.json.encode(listing), type=ObservedListing)
        assert again == listing, "it passes the event's own validation"
    for refusal in content.refusals:
        assert isinstance(refusal.reason, RefusalReason)
        assert len(refusal.detail) <= 200
    assert not isinstance(Woolworths().next_page(SESSION, CONTEXT.category, [content]), Ended) or not content.tiles
    return content


@settings(max_examples=300)
@given(st.sampled_from(PLACES), st.sampled_from(JUNK), st.booleans())
def test_one_place_changed(path: tuple[Any, ...], junk: Any, drop: bool) -> None:
    check(changed(path, junk, drop=drop))


@settings(max_examples=200)
@given(st.sampled_from(PRICES), st.sampled_from(JUNK))
def test_a_price_or_a_store_changed(path: tuple[Any, ...], junk: Any) -> None:
    check(changed(path, junk))


@settings(max_examples=200)
@given(st.one_of(*(st.decimals(-5, 120_000, places=places) for places in (0, 1, 2, 3, 4))))
def test_any_price_is_taken_to_the_cent_or_not_at_all(dollars: Decimal) -> None:
    body = re.sub(rb'("(?:Instore)?Price"):3\.5,', rb"\1:%s," % str(dollars).encode(), GOOD)
    content = check(body)
    assert content is not None
    (seen,) = [one for one in (*content.listings, *content.refusals) if one.sku == "700001"]
    if cents(dollars) == NO_PRICE:
        assert not isinstance(seen, ObservedListing)
    else:
        assert isinstance(seen, ObservedListing)
        assert (seen.price, seen.online_price) == (cents(dollars), None)


@settings(max_examples=150)
@given(st.integers(0, len(GOOD) - 1))
def test_cut_off_anywhere(length: int) -> None:
    assert check(GOOD[:length]) is None, "half a page is no page"


@settings(max_examples=150)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=3))
def test_bytes_overwritten(at: int, noise: bytes) -> None:
    body = GOOD[:at] + noise + GOOD[at + len(noise) :]
    try:
        content = Woolworths().parse(body, CONTEXT)
    except (PageError, DriftError):
        return
    assert content.tiles <= 20


@settings(max_examples=50)
@given(st.integers(0, len(GOOD)))
def test_html_in_place_of_json_from_anywhere_on(at: int) -> None:
    assert check(GOOD[:at] + HTML) is None


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1E999999999", b"1E-999999999"])
def test_numbers_that_are_none(number: bytes) -> None:
    content = check_without_truth(GOOD.replace(b'"Price":3.5,', b'"Price":%s,' % number))
    if content is not None:
        assert "700001" not in {listing.sku for listing in content.listings}


@pytest.mark.parametrize("name", ["x" * 10_000_000, "<br>" * 2_500_000, "&amp;" * 2_000_000, "\x00" * 1_000_000])
@pytest.mark.parametrize("field", ["Name", "Brand", "PackageSize", "UrlFriendlyName", "Barcode", "CupMeasure"])
def test_texts_of_megabytes(name: str, field: str) -> None:
    page = json.loads(GOOD)
    tile = page["Bundles"][2]["Products"][0]
    tile[field] = name
    content = check(json.dumps(page).encode())
    assert content is not None
    refused = [(refusal.sku, refusal.reason.value) for refusal in content.refusals]
    assert refused == ([("700001", "text-too-long")] if field in ("Name", "Brand", "PackageSize") else [])


@pytest.mark.parametrize("depth", [100, 100_000])
def test_nesting_without_end(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    for field in (b'"CentreTag":', b'"Bundles":', b'"AdditionalAttributes":'):
        check_without_truth(GOOD.replace(field, field + deep + b',"Was":'))


def check_without_truth(body: bytes) -> PageContent | None:
    """Parse a page that the second reading cannot read."""
    try:
        return Woolworths().parse(body, CONTEXT)
    except (PageError, DriftError):
        return None
