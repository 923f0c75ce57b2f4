"""Every quirk of retailers.md §4 on pages of our own making."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from splitcart_common.events import ObservedListing
from splitcart_scraper.domain.listing import PageContent, Refusal, RefusalReason
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.base import (
    DriftError,
    Ended,
    Meaning,
    PageContext,
    PageError,
    Request,
    Session,
)
from splitcart_scraper.retailers.iga import Iga

FIXTURES = Path(__file__).parents[2] / "fixtures" / "iga"
PAGE = (FIXTURES / "page.json").read_bytes()
IGA = Iga()
SESSION = Session("iga:14132", "14132", UUID(int=7), "92811")
CATEGORY = Category("Fruit", ("Grocery", "Fruit and Vegetable", "Fruit"))


@pytest.fixture(scope="module")
def page() -> PageContent:
    return IGA.parse(PAGE, PageContext(SESSION, CATEGORY, 7))


@pytest.fixture(scope="module")
def listings(page: PageContent) -> dict[str, ObservedListing]:
    return {listing.sku: listing for listing in page.listings}


def read(skus: range, total: int | None) -> PageContent:
    return PageContent((), tuple(Refusal(RefusalReason.MALFORMED, "", str(sku)) for sku in skus), total)


def asked(request: Request | Ended) -> Request:
    assert isinstance(request, Request)
    return request


# Tiles ------------------------------------------------------------------------------------------------------


def test_dollars_become_cents_without_an_error_of_floats(listings: dict[str, ObservedListing]) -> None:
    assert listings["80060092"].price == 56
    assert listings["180000002203"].price == 799
    assert listings["300002"].price == 435, "4.35 * 100 is 434.99999999999994"
    assert listings["300003"].price == 40, "the average piece of a kilogram price has more digits than cents"
    assert listings["300004"].price == 101, "half a cent goes up, by its digits: as a float 1.005 is below it"


def test_the_price_of_weighed_goods_is_a_piece_and_the_unit_price_a_kilogram(
    listings: dict[str, ObservedListing],
) -> None:
    plums = listings["80060092"]
    assert (plums.price, plums.unit_price, plums.unit, plums.size) == (56, 400, "1kg", "140g")
    onions = listings["300003"]
    assert (onions.unit_price, onions.unit) == (270, "1kg"), "no text, but a whole price and its unit"
    rolls = listings["180000002203"]
    assert (rolls.unit_price, rolls.unit) == (352, "100g")
    assert (listings["300002"].unit_price, listings["300002"].unit) == (None, None)


def test_keys_of_the_price_before_are_absent_without_a_special(listings: dict[str, ObservedListing]) -> None:
    rolls = listings["180000002203"]
    assert (rolls.was_price, rolls.special) == (None, "none")


def test_a_temporary_reduction_is_a_special_and_half_from_50_percent_on(
    listings: dict[str, ObservedListing],
) -> None:
    assert (listings["80060092"].was_price, listings["80060092"].special) == (91, "special")
    assert (listings["300001"].was_price, listings["300001"].special) == (500, "half")


def test_a_price_before_that_is_not_above_the_price_is_none(listings: dict[str, ObservedListing]) -> None:
    assert (listings["300002"].was_price, listings["300002"].special) == (None, "special")


def test_a_price_before_without_a_reduction_makes_no_special(listings: dict[str, ObservedListing]) -> None:
    assert (listings["300004"].was_price, listings["300004"].special) == (200, "none")


def test_barcodes_are_passed_on_the_tills_number_of_produce_too(listings: dict[str, ObservedListing]) -> None:
    assert listings["80060092"].barcode == "60092"
    assert listings["180000002203"].barcode == "7500464254443"
    assert listings["300001"].barcode is None, "words are no code"


def test_a_brand_may_be_missing_a_company_or_in_chinese(listings: dict[str, ObservedListing]) -> None:
    assert listings["80060092"].brand is None
    assert listings["180000002203"].brand == "Mondelez Australia Pty Limited"
    assert listings["300001"].brand == "\u83d3\u66f4"


def test_an_image_may_be_missing_and_is_asked_for_in_a_smaller_size(listings: dict[str, ObservedListing]) -> None:
    address = "https://cdn.example/image/upload/w_500,h_500,c_pad,b_auto/igashop/images/80060092.jpg"
    assert listings["80060092"].image_url == address
    assert [listings[sku].image_url for sku in ("180000002203", "300001", "300003", "300004")] == [None] * 4


def test_a_product_that_is_repeated_on_a_page_counts_once() -> None:
    items = ",".join(f'{{"sku":"{n}","name":"A","priceNumeric":{n}}}' for n in (1, 2, 1, 3, 2))
    found = IGA.parse(f'{{"items":[{items}]}}'.encode(), PageContext(SESSION, CATEGORY, 1))
    assert [listing.price for listing in found.listings] == [100, 200, 300]
    assert found.tiles == 3, "or the next page would begin behind products that were not shown"


def test_what_else_a_tile_says(page: PageContent, listings: dict[str, ObservedListing]) -> None:
    plums = listings["80060092"]
    assert plums.url == "https://www.igashop.com.au/product/black-plums-80060092"
    assert (plums.category_path, plums.page, page.total) == (CATEGORY.path, 7, 34)
    assert (plums.available, listings["300001"].available) == (True, False)
    assert (listings["300002"].size, listings["300003"].size, listings["300001"].size) == ("1.5l", None, "1ea")
    assert listings["300005"].price is None, "a price that is null is an observation without one"


def test_what_is_not_understood_is_refused_by_name(page: PageContent) -> None:
    assert {refusal.sku: refusal.reason.value for refusal in page.refusals if refusal.sku} == {
        "300010": "price-zero",
        "300011": "price-negative",
        "300012": "price-too-high",
        "300013": "price-not-a-number",
        "300014": "price-not-a-number",
        "300015": "price-missing",
        "300016": "name-missing",
    }
    assert sorted(refusal.reason.value for refusal in page.refusals if refusal.sku is None) == [
        "malformed",
        "sku-missing",
    ]


def priced(word: str) -> PageContent:
    body = f'{{"items":[{{"sku":"1","name":"A","priceNumeric":{word}}}]}}'.encode()
    return IGA.parse(body, PageContext(SESSION, CATEGORY, 1))


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_a_price_that_json_has_no_word_for_makes_no_page(word: str) -> None:
    with pytest.raises(PageError, match="JSON is malformed"):
        priced(word)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("-1e300", "price-negative"),
        ("1e300", "price-too-high"),
        ("9" * 400, "price-too-high"),
        ("1e999999", "malformed"),
        ("9" * 5_000, "malformed"),
    ],
)
def test_a_price_beyond_all_measure_is_refused_by_name_and_in_a_few_words(word: str, reason: str) -> None:
    (refusal,) = priced(word).refusals
    assert refusal.reason.value == reason
    assert len(refusal.detail) < 100


def test_a_page_of_another_store_is_drift() -> None:
    other = PAGE.replace(b"/api/stores/92811/", b"/api/stores/32600/")
    with pytest.raises(DriftError, match="asked for store 92811, the page is of store 32600"):
        IGA.parse(other, PageContext(SESSION, CATEGORY, 1))


def test_a_page_that_does_not_name_its_store_is_not_judged() -> None:
    body = b'{"items":[],"total":0,"pagination":{"_links":{"current":{}}}}'
    assert IGA.parse(body, PageContext(SESSION, CATEGORY, 1)) == PageContent(total=0)


# Tree and paging --------------------------------------------------------------------------------------------


def test_the_tree_is_walked_by_leaves_once_each_without_promotions() -> None:
    categories = IGA.categories(SESSION, (FIXTURES / "tree.json").read_bytes())
    above = ("Grocery", "Fruit and Vegetable")
    assert [(category.key, category.path) for category in categories] == [
        ("Citrus_Fruit", (*above, "Fruit", "Citrus Fruit")),
        ("Berries_Cherries_and_Grapes", (*above, "Fruit", "Berries, Cherries and Grapes")),
        ("Salads", (*above, "Salads")),
    ]
    assert IGA.tree(SESSION).target == "/api/storefront/stores/92811/categoryHierarchy"


@pytest.mark.parametrize("body", [b"", b'{"identifier":', b'{"identifier":"x","displayName":"x"}', b"[]", b"\xff"])
def test_a_tree_without_categories_is_no_tree(body: bytes) -> None:
    with pytest.raises(PageError):
        IGA.categories(SESSION, body)


def test_pages_follow_by_what_was_read_until_the_count_is_reached() -> None:
    first = asked(IGA.next_page(SESSION, CATEGORY, []))
    path, query = urlsplit(first.target).path, parse_qs(urlsplit(first.target).query)
    assert path == "/api/storefront/stores/92811/categories/Fruit/search"
    assert (query["take"], query["skip"]) == (["36"], ["0"])
    second = asked(IGA.next_page(SESSION, CATEGORY, [read(range(36), 40)]))
    assert "skip=36&" in second.target
    assert IGA.next_page(SESSION, CATEGORY, [read(range(36), 40), read(range(36, 40), 40)]) == Ended()
    assert IGA.next_page(SESSION, CATEGORY, [read(range(0), 0)]) == Ended()


def test_the_last_page_repeated_past_the_end_is_the_end() -> None:
    pages = [read(range(36), None), read(range(36, 40), None)]
    assert "skip=40&" in asked(IGA.next_page(SESSION, CATEGORY, pages)).target
    assert IGA.next_page(SESSION, CATEGORY, [*pages, pages[-1]]) == Ended()
    assert IGA.next_page(SESSION, CATEGORY, [*pages, read(range(0), None)]) == Ended(), "others answer nothing"


def test_a_category_that_ends_before_its_count_is_short() -> None:
    pages = [read(range(36), 90), read(range(36, 72), 90)]
    assert IGA.next_page(SESSION, CATEGORY, [*pages, pages[-1]]) == Ended("it ended at 72 of 90")
    assert IGA.next_page(SESSION, CATEGORY, [*pages, read(range(0), 90)]) == Ended("it ended at 72 of 90")


def test_http_404_is_a_category_not_carried_only_at_its_first_page() -> None:
    assert asked(IGA.next_page(SESSION, CATEGORY, [])).meanings == {404: Meaning.NOT_CARRIED}
    assert asked(IGA.next_page(SESSION, CATEGORY, [read(range(36), 90)])).meanings == {}


# The session ------------------------------------------------------------------------------------------------


def test_every_request_names_the_store_as_the_site_does() -> None:
    opening = IGA.opening(SESSION)
    assert opening is not None
    assert (opening.target, opening.expects) == ("/", "html")
    session = IGA.opened(SESSION, b"<html></html>")
    for request in (opening, IGA.tree(session), asked(IGA.next_page(session, CATEGORY, []))):
        assert request.headers == {
            "cookie": "iga-shop.retailerStoreId=92811",
            "x-shopping-mode": "11111111-1111-1111-1111-111111111111",
        }


def test_the_session_id_is_one_a_scrape_and_the_same_after_a_kill() -> None:
    def session_id(session: Session, *pages: PageContent) -> str:
        request = asked(IGA.next_page(session, CATEGORY, pages))
        return parse_qs(urlsplit(request.target).query)["sessionId"][0]

    assert UUID(session_id(SESSION)).version == 5
    again = Session("iga:14132", "14132", UUID(int=7), "92811")
    assert session_id(again, read(range(36), 90)) == session_id(SESSION)
    assert session_id(Session("iga:14132", "14132", UUID(int=8), "92811")) != session_id(SESSION)


def test_a_store_without_a_web_shop_has_nothing_to_ask_for() -> None:
    with pytest.raises(ValueError, match="sells nothing online"):
        IGA.opening(Session("iga:14150", "14150", UUID(int=7)))
