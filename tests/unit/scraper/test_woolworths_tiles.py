"""Every quirk of Woolworths' tiles (retailers.md §3), on pages of our own making."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from splitcart_common.events import ObservedListing
from splitcart_common.events.observations import Multibuy
from splitcart_ingest.domain.identity import valid_barcode
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.base import DriftError, PageContext, PageError, Session
from splitcart_scraper.retailers.woolworths import Woolworths

FIXTURES = Path(__file__).parents[2] / "fixtures" / "woolworths"
WOOLWORTHS = Woolworths()
SESSION = Session("woolworths:1101", "1101", UUID(int=1))
CONTEXT = PageContext(SESSION, Category("1_39FD49C", ("Pantry",)), 7)


def parse(body: bytes) -> PageContent:
    return WOOLWORTHS.parse(body, CONTEXT)


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def one(**changed: Any) -> PageContent:
    """A page of one product, with some of its fields changed."""
    page = json.loads(fixture("refused.json"))
    page["Bundles"] = page["Bundles"][:1]
    page["Bundles"][0]["Products"][0].update(changed)
    return parse(json.dumps(page).encode())


def seen(**changed: Any) -> ObservedListing:
    (listing,) = one(**changed).listings
    return listing


@pytest.fixture(scope="module")
def listings() -> dict[str, ObservedListing]:
    return {listing.sku: listing for listing in parse(fixture("page.json")).listings}


def test_dollars_become_whole_cents_and_the_stock_code_is_the_sku(listings: dict[str, ObservedListing]) -> None:
    sauce = listings["700001"]
    assert (sauce.sku, sauce.name, sauce.brand, sauce.size) == (
        "700001",
        "Tillerman Tomato Sauce",
        "Tillerman",
        "500g",
    )
    assert (sauce.price, sauce.page, sauce.barcode, sauce.available) == (350, 7, "9312345678907", True)
    assert sauce.url == ("https://www.woolworths.com.au/shop/productdetails/700001/tillerman-tomato-sauce")
    assert sauce.image_url == "https://cdn0.woolworths.example/large/700001.jpg"


@pytest.mark.parametrize(
    ("dollars", "cents"),
    [(4.35, 435), (0.29, 29), (1.1, 110), (1.15, 115), (8.2, 820), (3, 300), (99999.99, 9999999)],
)
def test_no_float_comes_near_a_price(dollars: float, cents: int) -> None:
    assert seen(Price=dollars, InstorePrice=dollars).price == cents


def test_a_was_price_that_is_the_price_is_none(listings: dict[str, ObservedListing]) -> None:
    assert (listings["700001"].was_price, listings["700001"].special) == (400, "special")
    assert (listings["700002"].was_price, listings["700002"].special) == (None, "none")
    assert seen(WasPrice=3.0).was_price is None, "nor one below the price"


def test_a_lower_shelf_price_is_no_special(listings: dict[str, ObservedListing]) -> None:
    assert listings["700002"].special == "none"
    assert (seen(IsOnSpecial=False).special, seen(IsOnSpecial=False).was_price) == ("none", 400)


def test_half_price_has_a_flag(listings: dict[str, ObservedListing]) -> None:
    assert (listings["700003"].special, listings["700003"].was_price, listings["700003"].price) == (
        "half",
        400,
        200,
    )


def test_a_product_that_cannot_be_had_has_no_price(listings: dict[str, ObservedListing]) -> None:
    figs = listings["700007"]
    assert (figs.price, figs.was_price, figs.available) == (None, None, False), "its WasPrice is still set"


def test_a_product_with_a_price_may_be_out_of_stock_all_the_same() -> None:
    assert (seen(IsInStock=False).available, seen(IsAvailable=False).available) == (False, False)
    assert seen(IsInStock=False).price == 350
    assert seen(IsPurchasable=False).available, "what the web does not sell may stand on the shelf"


@pytest.mark.parametrize("price", [10**4000, -(10**4000), 10**15])
def test_a_number_of_any_length_is_refused_in_a_few_words(price: int) -> None:
    (refusal,) = one(Price=price).refusals
    assert refusal.reason.value == ("price-negative" if price < 0 else "price-too-high")
    assert len(refusal.detail) < 80


def test_multibuys_are_kept_apart_from_the_single_price(listings: dict[str, ObservedListing]) -> None:
    assert (listings["700004"].price, listings["700004"].multibuy) == (220, Multibuy(4, 800))
    assert listings["700001"].multibuy is None


@pytest.mark.parametrize(
    "data", [{"Quantity": 1, "Price": 3}, {"Quantity": 4}, {"Quantity": "4", "Price": 8}, [4, 8], {"Price": -8}]
)
def test_a_multibuy_that_is_none_falls_away(data: Any) -> None:
    listing = seen(CentreTag={"MultibuyData": data})
    assert (listing.price, listing.multibuy) == (350, None)


def test_member_prices_are_kept_apart(listings: dict[str, ObservedListing]) -> None:
    assert (listings["700005"].price, listings["700005"].member_price) == (650, 520)
    assert listings["700001"].member_price is None


def test_a_multibuy_for_members_alone_is_not_everybodys(listings: dict[str, ObservedListing]) -> None:
    assert (listings["700006"].price, listings["700006"].multibuy, listings["700006"].member_price) == (
        180,
        None,
        None,
    )


def test_the_shelf_price_is_the_stores_where_the_web_charges_another(listings: dict[str, ObservedListing]) -> None:
    plums = listings["700011"]
    assert (plums.price, plums.online_price, plums.was_price, plums.special) == (60, 56, 70, "special")
    assert listings["700001"].online_price is None
    assert seen(InstorePrice=None).price == 350
    assert seen(InstorePrice="3.60").price == 350


def test_unit_prices_and_what_they_are_for(listings: dict[str, ObservedListing]) -> None:
    assert (listings["700001"].unit_price, listings["700001"].unit) == (70, "100g")
    assert (listings["700008"].unit_price, listings["700008"].unit) == (1250, "1kg")
    assert (listings["700003"].unit_price, listings["700003"].unit) == (None, None)


def test_a_weight_range_is_priced_at_its_most(listings: dict[str, ObservedListing]) -> None:
    assert (listings["700008"].price, listings["700008"].size) == (3500, "1.3kg - 2.8kg")


def test_the_deli_is_priced_by_the_kilogram(listings: dict[str, ObservedListing]) -> None:
    ham = listings["700009"]
    assert (ham.price, ham.size, ham.unit_price, ham.unit, ham.brand) == (2490, "1kg", 249, "100g", None)
    assert listings["700010"].size == "min. 250g"


def test_html_is_read_as_text(listings: dict[str, ObservedListing]) -> None:
    assert listings["700010"].name == "Tillerman Bread & Butter Pudding"
    assert listings["700010"].brand == "Tillerman & Co"


def test_barcodes_may_be_null_empty_short_or_made_in_the_shop(listings: dict[str, ObservedListing]) -> None:
    assert valid_barcode(listings["700001"].barcode) == "9312345678907"
    assert (listings["700002"].barcode, listings["700004"].barcode) == (None, None)
    assert listings["700003"].barcode == "012345678905", "an eleven-digit code of a twelve-digit format"
    assert valid_barcode(listings["700003"].barcode) == "0012345678905"
    assert valid_barcode(listings["700008"].barcode) is None, "02.. is a weighed good's"
    assert valid_barcode(listings["700011"].barcode) is None, "a number of the till"


def test_the_tile_names_its_category_unless_it_names_several(listings: dict[str, ObservedListing]) -> None:
    assert listings["700001"].category_path == ("Pantry", "Pasta, Rice & Grains", "Pasta")
    assert listings["700010"].category_path == ("Pantry",), "the department that is walked"
    for attributes in (None, {}, {"piesdepartmentnamesjson": "no list"}, {"piesdepartmentnamesjson": ["Bakery"]}):
        assert seen(AdditionalAttributes=attributes).category_path == ("Pantry",)


def test_advertisements_and_marketplace_goods_are_no_listings() -> None:
    page = parse(fixture("page.json"))
    assert [listing.sku for listing in page.listings] == [f"{700000 + n}" for n in range(1, 12)]
    assert (page.refusals, page.total) == ((), 42)
    assert parse(fixture("past_end.json")) == PageContent(total=0)


def test_a_product_that_is_repeated_on_a_page_counts_once() -> None:
    page = json.loads(fixture("page.json"))
    once = parse(json.dumps(page).encode())
    page["Bundles"] += page["Bundles"][:6]
    assert parse(json.dumps(page).encode()) == once


def test_a_bundle_of_several_products_is_read_whole() -> None:
    page = json.loads(fixture("page.json"))
    first, second, *_ = (b["Products"][0] for b in page["Bundles"] if not b["Products"][0]["AdStatus"])
    page["Bundles"] = [{"Products": [first, second]}, {"Products": []}]
    assert [listing.sku for listing in parse(json.dumps(page).encode()).listings] == ["700001", "700002"]


def test_what_is_not_understood_is_refused_by_name() -> None:
    page = parse(fixture("refused.json"))
    assert {refusal.sku: refusal.reason.value for refusal in page.refusals if refusal.sku} == {
        "700101": "price-not-a-number",
        "700102": "price-zero",
        "700103": "price-negative",
        "700104": "price-missing",
        "700105": "price-not-a-number",
        "700106": "name-missing",
        "700107": "price-too-high",
        "700108": "malformed",
        "700109": "price-not-a-number",
    }
    nameless = [refusal.reason.value for refusal in page.refusals if refusal.sku is None]
    assert sorted(nameless) == ["malformed"] * 3 + ["sku-missing"] * 2
    assert [listing.sku for listing in page.listings] == ["700001"]


def test_a_tile_of_another_store_stops_the_scrape_and_says_what_to_do() -> None:
    with pytest.raises(
        DriftError, match=r"asked for store 1550.*store 1101.*Scrape woolworths:1101.*--store 1101"
    ):
        WOOLWORTHS.parse(
            fixture("page.json"),
            PageContext(Session("woolworths:1550", "1550", UUID(int=1)), CONTEXT.category, 1),
        )
    with pytest.raises(DriftError):
        one(FulfilmentStoreId=1102)
    assert seen(FulfilmentStoreId="1101").price == 350


def test_an_advertisement_of_another_store_gives_it_away_too() -> None:
    with pytest.raises(DriftError):
        parse(fixture("past_end.json").replace(b'"FulfilmentStoreId":1101', b'"FulfilmentStoreId":1102'))


@pytest.mark.parametrize("unsaid", [None, 0, -1101, True, 1101.0, "", "x", {}, "9" * 400])
def test_a_page_that_does_not_say_whose_prices_it_bears_is_no_page(unsaid: Any) -> None:
    with pytest.raises(PageError, match="which store"):
        one(FulfilmentStoreId=unsaid)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"Success":true,"TotalRecordCount":1}',
        b'{"Success":true,"Bundles":[]}',
        b'{"Success":false,"TotalRecordCount":0,"Bundles":[]}',
        b'{"Success":true,"TotalRecordCount":-1,"Bundles":[]}',
        b'{"Success":true,"TotalRecordCount":0,"Bundles":null}',
        b"<html><h1>Access Denied</h1></html>",
    ],
)
def test_what_is_no_page_is_none(body: bytes) -> None:
    with pytest.raises(PageError):
        parse(body)
