"""Every quirk of Coles's listings (retailers.md §2) on a page of our own making."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from splitcart_common.events import ObservedListing
from splitcart_common.events.observations import Multibuy
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.base import DriftError, PageContext, PageError, Session
from splitcart_scraper.retailers.coles import Coles
from splitcart_scraper.retailers.coles_shapes import BotWallError

FIXTURES = Path(__file__).parents[2] / "fixtures" / "coles"
PAGE = (FIXTURES / "page.json").read_bytes()
WALL = (FIXTURES / "wall.html").read_bytes()
COLES = Coles()
CONTEXT = PageContext(Session("coles:364", "364", UUID(int=7)), Category("pantry", ("Pantry",)), 7)


@pytest.fixture(scope="module")
def page() -> PageContent:
    return COLES.parse(PAGE, CONTEXT)


@pytest.fixture(scope="module")
def listings(page: PageContent) -> dict[str, ObservedListing]:
    return {listing.sku: listing for listing in page.listings}


def only(**fields: Any) -> PageContent:
    """A page of one product: the good one with these fields of its own, and of its pricing as `pricing__*`."""
    product: dict[str, Any] = {"_type": "PRODUCT", "id": 1, "name": "Jam", "pricing": {"now": 5, "was": 0}}
    for name, value in fields.items():
        if name.startswith("pricing__"):
            product["pricing"][name.removeprefix("pricing__")] = value
        else:
            product[name] = value
    results = {"noOfResults": 1, "results": [product]}
    return COLES.parse(
        json.dumps({"pageProps": {"initStoreId": "0364", "searchResults": results}}).encode(), CONTEXT
    )


def one(**fields: Any) -> ObservedListing:
    [listing] = only(**fields).listings
    return listing


def test_dollars_become_cents_exactly(listings: dict[str, ObservedListing]) -> None:
    prices = {sku: listing.price for sku, listing in listings.items()}
    assert (prices["7000001"], prices["7000002"], prices["7000004"], prices["7000005"]) == (1200, 280, 10, 1029)
    for cents in (1, 7, 29, 57, 115, 819, 1999, 110_010, 9_999_999):
        assert one(pricing__now=cents / 100).price == cents


@pytest.mark.parametrize(
    "text", ["2.505", "4.9999999999999999999999", "1e-7", "5.000000000000000000000000000000000001"]
)
def test_a_price_that_is_no_whole_cents_is_refused_not_rounded(text: str) -> None:
    body = PAGE.replace(b'"pricing":{"now":12,', b'"pricing":{"now":' + text.encode() + b",")
    assert {refusal.sku: refusal.reason for refusal in COLES.parse(body, CONTEXT).refusals}["7000001"] == (
        "price-not-a-number"
    )


def test_what_identifies_a_product_is_as_the_retailer_writes_it(listings: dict[str, ObservedListing]) -> None:
    chops = listings["7000001"]
    assert (chops.name, chops.brand, chops.size) == ("Saltbush Lamb Chops", "Banksia Creek", "approx. 300g")
    assert (chops.page, chops.barcode, chops.available) == (7, None, True)
    assert listings["7000004"].brand is None
    assert listings["7000007"].size == "1.3kg - 2.8kg", "a range keeps both ends"
    assert one(id="3942620").sku == "3942620", "the id is text elsewhere"


def test_html_of_descriptions_is_not_read(listings: dict[str, ObservedListing]) -> None:
    assert "<" not in repr(listings["7000001"])


def test_was_is_zero_absent_or_equal_where_there_was_no_other_price(listings: dict[str, ObservedListing]) -> None:
    assert listings["7000001"].was_price == 1410
    assert listings["7000002"].was_price is None, "0"
    assert listings["7000008"].was_price is None, "absent"
    assert listings["7000004"].was_price is None, "equal"
    assert one(pricing__was=4.99).was_price is None, "lower"
    assert one(pricing__was="a while ago").was_price is None


def test_pricing_null_is_an_observation_without_a_price(listings: dict[str, ObservedListing]) -> None:
    bouquet = listings["7000003"]
    assert (bouquet.price, bouquet.available, bouquet.special, bouquet.multibuy) == (None, False, "none", None)
    assert one(pricing__now=None, pricing__was=3).was_price is None


def test_a_was_price_alone_is_no_special(listings: dict[str, ObservedListing]) -> None:
    assert {sku: listing.special for sku, listing in listings.items()} == {
        "7000001": "special",
        "7000002": "none",  # a multi-buy: one costs what it did
        "7000003": "none",
        "7000004": "none",  # EVERYDAY
        "7000005": "down",  # DOWNDOWN
        "7000006": "half",
        "7000007": "clearance",  # WHILE_STOCKS_LAST
        "7000008": "new",
        "7000009": "none",  # FLYBUYS
    }
    assert one(pricing__promotionType="SPECIAL").special == "special", "with was 0 it is one all the same"
    assert one(pricing__promotionType="CONTINUITYREDEEMABLE", pricing__was=9).special == "none"
    assert one(pricing__promotionType=["SPECIAL"], pricing__was=9).special == "none"


def test_a_multi_buy_and_members_offers_leave_the_shelf_price_alone(listings: dict[str, ObservedListing]) -> None:
    assert (listings["7000002"].price, listings["7000002"].multibuy) == (280, Multibuy(2, 500))
    flybuys = listings["7000009"]
    assert (flybuys.price, flybuys.was_price, flybuys.member_price, flybuys.online_price) == (650, 800, None, None)
    assert listings["7000001"].online_price is None, "onlineSpecial says that it is on special online too"


def multibuy(
    minimum: object, reward: object, words: object = None, kind: str = "MultibuyMultiSku"
) -> Multibuy | None:
    offer = {"type": kind, "minQuantity": minimum, "reward": reward}
    return one(pricing__now=5, pricing__multiBuyPromotion=offer, pricing__offerDescription=words).multibuy


def test_the_total_of_a_multi_buy_is_quantity_times_reward_or_what_its_words_say() -> None:
    assert multibuy(2, 2.6) == Multibuy(2, 520)
    assert multibuy(3, 1.67, "Pick any 3 for $5") == Multibuy(3, 500), "each is rounded, the words are not"
    assert multibuy(3, 1.6666666666, None) == Multibuy(3, 500)
    assert multibuy(2, 2.5, "Pick any 2 for $5.00") == Multibuy(2, 500)


@pytest.mark.parametrize(
    ("minimum", "reward", "words"),
    [
        (2, 2.5, "Pick any 2 for $9"),
        (2, 2.5, "Pick any 3 for $5"),
        (2, 20, None),
        (2, 5, None),
        (1, 2.5, None),
        (0, 2.5, None),
        (2, 0, None),
        (2, -1, None),
        (2, True, None),
        ("2", 2.5, None),
        (2, "2.5", None),
        (2, None, None),
        (5_000, 0.01, None),
        (2, 1e30, None),
    ],
)
def test_a_multi_buy_that_makes_no_sense_is_none(minimum: object, reward: object, words: object) -> None:
    assert multibuy(minimum, reward, words) is None


def test_the_unit_price_has_two_spellings_and_is_not_read_from_unit(listings: dict[str, ObservedListing]) -> None:
    assert (listings["7000001"].unit_price, listings["7000001"].unit) == (4000, "1kg")
    assert (listings["7000002"].unit_price, listings["7000002"].unit) == (156, "100g")
    assert (listings["7000004"].unit_price, listings["7000004"].unit) == (10, "1ea")
    assert (listings["7000005"].unit_price, listings["7000005"].unit) == (None, None), "another spelling"
    assert one(pricing__comparable="$1,234.50 per 1kg").unit_price == 123_450


def test_heirs_are_named_upside_down_and_promotions_among_them_skipped(
    listings: dict[str, ObservedListing],
) -> None:
    assert listings["7000001"].category_path == ("Meat & Seafood", "Lamb", "Grass-Fed Lamb")
    assert listings["7000004"].category_path == ("Pantry",), "all are promotions: the category that was walked"
    assert listings["7000003"].category_path == ("Pantry",), "none"
    odd = [5, {"aisle": 5}, {"subCategory": " Deli ", "category": None, "aisle": "Ham"}]
    assert one(onlineHeirs=odd).category_path == ("Deli", "Ham")


def test_a_sponsored_copy_is_no_product_of_the_listing(listings: dict[str, ObservedListing]) -> None:
    assert listings["7000002"].price == 280, "the copy on top says 9.99"
    assert only(adId="display_invented").tiles == 0
    assert only(adSource="citrus").tiles == 0
    assert only(adId=None, adSource=None, featured=True).tiles == 1


def test_advertisements_and_associations_are_neither_listings_nor_refusals(page: PageContent) -> None:
    assert page.total == 678
    assert page.tiles == 9 + 11, "of 26 entries"
    assert only(_type="CONTENT_ASSOCIATION", pricing=5).tiles == 1, "but what cannot be read at all is refused"


def test_a_product_that_is_repeated_on_a_page_counts_once(page: PageContent) -> None:
    assert [listing.sku for listing in page.listings].count("7000008") == 1


def test_what_is_not_understood_is_refused_by_name(page: PageContent) -> None:
    assert {refusal.sku: refusal.reason.value for refusal in page.refusals} == {
        "7000010": "price-not-a-number",
        "7000011": "price-zero",
        "7000012": "price-negative",
        "7000013": "price-not-a-number",
        "7000014": "price-missing",
        "7000015": "price-missing",
        "7000016": "malformed",
        "7000017": "price-too-high",
        "7000018": "name-missing",
        "7000019": "malformed",
        None: "sku-missing",
    }


def test_two_products_without_an_id_are_two() -> None:
    tile = json.dumps({"_type": "PRODUCT", "name": "No Id", "pricing": {"now": 1}})
    body = f'{{"pageProps":{{"initStoreId":"364","searchResults":{{"results":[{tile},{tile}]}}}}}}'
    assert COLES.parse(body.encode(), CONTEXT).tiles == 2


def test_pictures_have_one_host_and_the_default_comes_first(listings: dict[str, ObservedListing]) -> None:
    images = "https://cdn.productimages.coles.com.au/productimages"
    assert listings["7000001"].image_url == f"{images}/7/7000001.jpg"
    assert listings["7000003"].image_url is None
    assert one(imageUris=[{"uri": "//elsewhere.example/x?y"}]).image_url is None


def test_the_address_of_a_product_keeps_the_signs_that_the_shop_keeps(
    listings: dict[str, ObservedListing],
) -> None:
    site = "https://www.coles.com.au/product/"
    assert listings["7000001"].url == f"{site}banksia-creek-saltbush-lamb-chops-approx.-300g-7000001"
    assert listings["7000005"].url == f"{site}o'gum-&-co.-river-mint-tea-20-pack-7000005"
    assert listings["7000004"].url == f"{site}cloth-wipes-7000004"
    assert one(name="A/B (50% Off)?").url == f"{site}ab-50-off-1"


@pytest.mark.parametrize("number", ['"364"', "364", '"0364"'])
def test_a_stores_number_is_the_same_with_zeros_or_without(number: str) -> None:
    body = PAGE.replace(b'"initStoreId":"0364"', b'"initStoreId":' + number.encode())
    assert COLES.parse(body, CONTEXT).tiles > 0


@pytest.mark.parametrize("number", ['"0766"', "766", '"COL"', '"03640"', '""'])
def test_a_page_about_another_store_ends_the_scrape(number: str) -> None:
    body = PAGE.replace(b'"initStoreId":"0364"', b'"initStoreId":' + number.encode())
    with pytest.raises(DriftError, match="not 0364"):
        COLES.parse(body, CONTEXT)


@pytest.mark.parametrize("number", ["null", "true", "[]", "36.4"])
def test_a_page_that_names_no_store_cannot_be_trusted(number: str) -> None:
    with pytest.raises(PageError, match="which store"):
        COLES.parse(PAGE.replace(b'"initStoreId":"0364"', b'"initStoreId":' + number.encode()), CONTEXT)
    with pytest.raises(PageError, match="which store"):
        COLES.parse(PAGE.replace(b'"initStoreId":"0364",', b""), CONTEXT)


def test_a_wall_for_robots_is_html_without_data_and_has_a_name() -> None:
    with pytest.raises(BotWallError):
        COLES.parse(WALL, CONTEXT)


def test_the_html_page_bears_the_same_listing(page: PageContent) -> None:
    props = json.dumps({"props": json.loads(PAGE), "buildId": "b"})
    script = f'<script id="__NEXT_DATA__" type="application/json">{props}</script>'
    html = f"\n<!DOCTYPE html><html><body>{script}</body></html>".encode()
    found = COLES.parse(html, CONTEXT)
    assert [(seen.sku, seen.price) for seen in found.listings] == [
        (seen.sku, seen.price) for seen in page.listings
    ]
    with pytest.raises(PageError, match="cut off"):
        COLES.parse(html[: len(html) // 2], CONTEXT)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"notFound":true}',
        b'{"pageProps":{"__N_REDIRECT":"/browse"}}',
        b'{"pageProps":{"initStoreId":"0364","searchResults":null}}',
        b'{"pageProps":{"initStoreId":"0364","searchResults":{"noOfResults":-1,"results":[]}}}',
        b'{"pageProps":{"initStoreId":"0364","searchResults":{"noOfResults":1,"results":[NaN]}}}',
        b"<html><body>half a wall",
        PAGE[:2000],
    ],
)
def test_what_is_no_page_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(PageError):
        COLES.parse(body, CONTEXT)
