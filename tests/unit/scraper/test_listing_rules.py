"""From tiles to observations and batches."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from splitcart_common.events import ObservedListing, PageRead
from splitcart_scraper.domain.listing import (
    MISSING,
    PageContent,
    RawListing,
    Refusal,
    clean_text,
    distinct,
    observe,
    pack,
)

AT = datetime(2026, 9, 1, tzinfo=UTC)


def raw(**fields: object) -> RawListing:
    return RawListing(**{"sku": "1", "name": "Milk", "price": 100, "raw_hash": "h", **fields})  # type: ignore[arg-type]


def listing(sku: str, page: int, price: int = 100) -> ObservedListing:
    return ObservedListing(sku=sku, name="Milk", price=price, page=page, raw_hash="h")


@pytest.mark.parametrize(
    ("fields", "reason", "sku"),
    [
        ({"sku": None}, "sku-missing", None),
        ({"sku": "a b"}, "sku-missing", None),
        ({"sku": "x" * 65}, "sku-missing", None),
        ({"name": None}, "name-missing", "1"),
        ({"name": "\u200b \n"}, "name-missing", "1"),
        ({"name": 5}, "not-text", "1"),
        ({"name": "x" * 10_000_000}, "text-too-long", "1"),
        ({"name": "x" * 501}, "text-too-long", "1"),
        ({"brand": "x" * 201}, "text-too-long", "1"),
        ({"size": ["1 kg"]}, "not-text", "1"),
        ({"price": MISSING}, "price-missing", "1"),
        ({"price": "100"}, "price-not-a-number", "1"),
        ({"price": 1.5}, "price-not-a-number", "1"),
        ({"price": True}, "price-not-a-number", "1"),
        ({"price": -1}, "price-negative", "1"),
        ({"price": 0}, "price-zero", "1"),
        ({"price": 10**30}, "price-too-high", "1"),
    ],
)
def test_a_tile_is_refused_by_name(fields: dict[str, object], reason: str, sku: str | None) -> None:
    refusal = observe(raw(**fields), 1)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason.value, refusal.sku) == (reason, sku)
    assert len(refusal.detail) < 200


def test_what_only_adorns_a_listing_falls_away() -> None:
    seen = observe(
        raw(was_price=-1, unit_price="x", unit=5, barcode="none", image_url="x" * 3000, url="a\x00b"), 1
    )
    assert isinstance(seen, ObservedListing)
    assert (seen.was_price, seen.unit_price, seen.unit, seen.barcode, seen.image_url, seen.url) == (None,) * 6


def test_text_is_one_printable_line() -> None:
    assert clean_text(" a\u00a0b\x00\u200b\n c\u00ad ") == "a b c"


def test_what_is_observed_passes_the_events_own_validation() -> None:
    seen = observe(raw(brand="B", size="1 l", barcode="9300633636920", was_price=120, price=None), 3)
    assert msgspec.json.decode(msgspec.json.encode(seen), type=ObservedListing) == seen


def test_the_first_category_wins() -> None:
    pages = [PageContent((listing("a", 1), listing("b", 1))), PageContent((listing("b", 2, 999), listing("c", 2)))]
    assert [(sku, seen.price) for sku, seen in distinct(pages).items()] == [("a", 100), ("b", 100), ("c", 100)]


def test_batches_hold_200_and_know_their_pages() -> None:
    reads = {page: PageRead(page, AT, AT + timedelta(seconds=page)) for page in range(1, 16)}
    listings = [listing(str(n), n // 30 + 1) for n in range(430)]
    packed = list(pack(listings, reads))
    assert [(batch.number, len(batch.listings)) for batch in packed] == [(1, 200), (2, 200), (3, 30)]
    assert [seen for batch in packed for seen in batch.listings] == listings
    assert [read.page for read in packed[0].pages] == [1, 2, 3, 4, 5, 6, 7]
    assert [read.page for read in packed[1].pages] == [7, 8, 9, 10, 11, 12, 13, 14]
    assert list(pack([], reads)) == []
