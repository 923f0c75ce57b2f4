"""Every quirk of retailers.md §1 on pages of our own making."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from splitcart_common.events import ObservedListing
from splitcart_scraper.domain.listing import PageContent, Refusal, RefusalReason
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.aldi import Aldi
from splitcart_scraper.retailers.base import Ended, Meaning, PageContext, PageError, Request, Session

FIXTURES = Path(__file__).parents[2] / "fixtures" / "aldi"
ALDI = Aldi()
SESSION = Session("aldi:G452", "G452", UUID(int=1))
CATEGORY = Category("920000101", ("Bakery", "Breads"))
SEEN_AT = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def page() -> PageContent:
    return ALDI.parse((FIXTURES / "page.json").read_bytes(), PageContext(SESSION, CATEGORY, 7))


@pytest.fixture(scope="module")
def listings(page: PageContent) -> dict[str, ObservedListing]:
    return {listing.sku: listing for listing in page.listings}


def read(tiles: int, total: int | None) -> PageContent:
    refused = tuple(Refusal(RefusalReason.MALFORMED, "", None) for _ in range(tiles))
    return PageContent((), refused, total)


def test_prices_are_cents_and_skus_keep_their_zeros(listings: dict[str, ObservedListing]) -> None:
    rolls = listings["000000000000200998"]
    assert rolls.price == 469
    assert rolls.brand == "BON APPETIT"
    assert rolls.size == "280 g"
    assert rolls.page == 7
    assert rolls.category_path == ("Bakery", "Breads")
    assert rolls.barcode is None
    assert (
        rolls.url
        == "https://www.aldi.com.au/product/bon-appetit-brioche-milk-rolls-8-pack-280g-000000000000200998"
    )


def test_not_for_sale_is_not_out_of_range(listings: dict[str, ObservedListing]) -> None:
    assert listings["000000000000200998"].available
    assert not listings["000000000000300002"].available, "discontinued"


def test_was_price_is_read_from_text_and_makes_a_special(listings: dict[str, ObservedListing]) -> None:
    assert (listings["000000000000200998"].was_price, listings["000000000000200998"].special) == (599, "special")
    assert (listings["000000000000300001"].was_price, listings["000000000000300001"].special) == (None, "none")
    assert listings["000000000000300002"].was_price is None, "a word is no price"


@pytest.mark.parametrize("before", [None, "$0.00", "$4.69", "$4.68", "4.70 each", 599, "9" * 30])
def test_a_price_before_that_is_not_above_the_price_is_none(before: object) -> None:
    tile = {"sku": "000000000000000001", "name": "Rolls", "price": {"amount": 469, "wasPriceDisplay": before}}
    (rolls,) = ALDI.parse(json.dumps({"data": [tile]}).encode(), PageContext(SESSION, CATEGORY, 1)).listings
    assert (rolls.price, rolls.was_price, rolls.special) == (469, None, "none")


def test_a_product_that_is_repeated_on_a_page_counts_once() -> None:
    tiles = [{"sku": f"{n:018}", "name": f"Thing {n}", "price": {"amount": 100 + n}} for n in (1, 2, 1, 3, 2)]
    found = ALDI.parse(json.dumps({"data": tiles}).encode(), PageContext(SESSION, CATEGORY, 1))
    assert [listing.price for listing in found.listings] == [101, 102, 103]
    assert found.tiles == 3, "or the next page would begin behind products that were not shown"


def test_there_is_no_barcode_anywhere(listings: dict[str, ObservedListing]) -> None:
    assert {listing.barcode for listing in listings.values()} == {None}


def test_unit_price_and_what_it_is_for(listings: dict[str, ObservedListing]) -> None:
    assert (listings["000000000000200998"].unit_price, listings["000000000000200998"].unit) == (168, "100g")
    assert (listings["000000000000300001"].unit_price, listings["000000000000300001"].unit) == (199, "1kg")


def test_sizes_may_be_missing_or_approximate(listings: dict[str, ObservedListing]) -> None:
    assert listings["000000000000300001"].size is None
    assert listings["000000000000300002"].size == "approx. 1.8 kg per package"


def test_image_has_one_width_and_no_slug(listings: dict[str, ObservedListing]) -> None:
    assert listings["000000000000200998"].image_url == (
        "https://dm.example/is/image/aldiprodapac/product/jpg/scaleWidth/500/0a1b2c3d-0000-4000-8000-000000000001"
    )
    image = "https://dm.example/scaleWidth/500/00000000-0000-4000-8000-000000000002"
    assert listings["000000000000300001"].image_url == image
    assert listings["000000000000300002"].image_url is None


def test_a_price_that_is_null_is_an_observation_without_one(listings: dict[str, ObservedListing]) -> None:
    assert listings["000000000000300002"].price is None


def test_what_is_not_understood_is_refused_by_name(page: PageContent) -> None:
    assert {refusal.sku: refusal.reason.value for refusal in page.refusals if refusal.sku} == {
        "000000000000300003": "price-zero",
        "000000000000300004": "price-not-a-number",
        "000000000000300005": "price-negative",
        "000000000000300006": "price-missing",
        "000000000000300007": "malformed",
        "000000000000300008": "name-missing",
        "000000000000300009": "price-not-a-number",
    }
    assert [refusal.reason.value for refusal in page.refusals if refusal.sku is None] == ["sku-missing"] * 2
    assert page.total == 42


def test_the_tree_is_walked_by_leaves_once_each_without_promotions() -> None:
    categories = ALDI.categories(SESSION, (FIXTURES / "tree.json").read_bytes())
    assert [(category.key, category.path) for category in categories] == [
        ("1111111152", ("Fruits & Vegetables", "Fresh Fruit")),
        ("1111111153", ("Fruits & Vegetables", "Fresh Vegetables")),
        ("920000101", ("Bakery", "Breads", "Sliced Breads")),
    ]
    assert ALDI.tree(SESSION).target == "/v2/product-category-tree?serviceType=walk-in&servicePoint=G452"


@pytest.mark.parametrize("body", [b"", b'{"data":[', b'{"data":[]}', b'{"data":{}}', b"[]", b"\xff\xfe"])
def test_a_tree_without_categories_is_no_tree(body: bytes) -> None:
    with pytest.raises(PageError):
        ALDI.categories(SESSION, body)


def test_pages_follow_by_offset_until_the_count_is_reached() -> None:
    first = ALDI.next_page(SESSION, CATEGORY, [])
    assert isinstance(first, Request)
    assert first.target == (
        "/v3/product-search?currency=AUD&serviceType=walk-in&categoryKey=920000101&limit=30&offset=0"
        "&sort=relevance&testVariant=A&servicePoint=G452"
    )
    second = ALDI.next_page(SESSION, CATEGORY, [read(30, 42)])
    assert isinstance(second, Request)
    assert "offset=30&" in second.target
    assert ALDI.next_page(SESSION, CATEGORY, [read(30, 42), read(12, 42)]) == Ended()
    assert ALDI.next_page(SESSION, CATEGORY, [read(0, 0)]) == Ended()
    assert ALDI.next_page(SESSION, CATEGORY, [read(30, None), read(0, None)]) == Ended()


def test_http_400_is_the_end_only_where_an_end_can_be() -> None:
    def end(*pages: PageContent) -> object:
        request = ALDI.next_page(SESSION, CATEGORY, pages)
        assert isinstance(request, Request)
        return request.meanings.get(400)

    assert end() is None, "the first page"
    assert end(read(30, 200)) is None, "long before the count"
    assert end(read(30, 31)) is Meaning.PAST_END
    assert end(read(30, None)) is Meaning.PAST_END


def test_an_empty_page_before_the_count_leaves_the_category_short() -> None:
    assert ALDI.next_page(SESSION, CATEGORY, [read(30, 200), read(0, 200)]) == Ended("it ended at 30 of 200")


def test_service_points_become_outlets_and_the_rest_is_asked_for() -> None:
    request = next(iter(ALDI.discovery()))
    found = ALDI.outlets((FIXTURES / "service_points.json").read_bytes(), request, SEEN_AT)
    glenmore, penrith = found.outlets
    assert (glenmore.store, glenmore.name, glenmore.address) == (
        "aldi:G452",
        "Glenmore Park",
        "1 Town Tce, Shop 4",
    )
    assert (glenmore.suburb, glenmore.state, glenmore.postcode) == ("Glenmore Park", "NSW", "2745")
    assert (glenmore.lat, glenmore.lon, glenmore.sells_online) == (-33.79, 150.67, True)
    assert (penrith.lat, penrith.lon, penrith.sells_online) == (None, None, False)
    [rest] = found.rest
    assert rest.target == request.target.replace("offset=0", "offset=2")
    assert len(ALDI.discovery()) < 150


def test_a_store_that_cannot_be_named_spoils_its_answer() -> None:
    body = (FIXTURES / "service_points.json").read_bytes().replace(b'"G453"', b'"G 453/?"')
    with pytest.raises(PageError, match="not a store key"):
        ALDI.outlets(body, next(iter(ALDI.discovery())), SEEN_AT)
