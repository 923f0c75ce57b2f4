"""The product page of Coles: whose barcode it bears, and when it bears none that is believed."""

import json
from pathlib import Path

import pytest

from splitcart_common.events.observations import BarcodeReading
from splitcart_scraper.domain.barcodes import Finding, Reading, Wanted, checked, judge
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.base import BotWallError, Meaning, PageContext, PageError, Session
from splitcart_scraper.retailers.coles import Coles
from splitcart_scraper.retailers.coles_product import ColesProducts, slug_of

FIXTURES = Path(__file__).parents[2] / "fixtures" / "coles"
GOOD = (FIXTURES / "product.html").read_bytes()
PAGES = ColesProducts()
CODE, OTHER = "9300012345672", "9310000000018"


def page(product: object, linked: object = None, **props: object) -> bytes:
    """A product page with this in its data, and that in its linked data."""
    state = json.dumps({"props": {"pageProps": {"product": product, **props}}})
    head = f'<script type="application/ld+json">{json.dumps(linked)}</script>' if linked is not None else ""
    return f'<html>{head}<script id="__NEXT_DATA__" type="application/json">{state}</script></html>'.encode()


def test_a_good_page() -> None:
    assert PAGES.parse(GOOD, "7000002") == Reading(Finding.FOUND, CODE)


def test_a_newer_layout_and_a_upc_in_two_spellings() -> None:
    body = (FIXTURES / "product_new_layout.html").read_bytes()
    assert PAGES.parse(body, "7000005") == Reading(Finding.FOUND, "0041390000058")


@pytest.mark.parametrize(
    ("offered", "code"),
    [
        (CODE, CODE),
        (int(CODE), CODE),
        (f"0{CODE}", CODE),
        (f" {CODE}\n", CODE),
        ("041390000058", "0041390000058"),
        (41390000058, "0041390000058"),  # a number has lost its zero
        ("93001236", "93001236"),
        ("0000093001236", "93001236"),  # an EAN-8 in a field of 13 stays an EAN-8
        ("19300012345679", "19300012345679"),  # a carton; whether it names the product is for the fold to say
        ("0200123456788", "0200123456788"),  # made in a shop: the same
    ],
)
def test_leading_zeros_change_nothing(offered: object, code: str) -> None:
    assert checked(offered) == code
    assert BarcodeReading("1", code, None, "page").barcode == code  # type: ignore[arg-type] # no moment needed


@pytest.mark.parametrize(
    "offered",
    [
        "9300012345678", "930001234567", "9300012345672x", "60092", "00000000060092", "0", "000000000000000",
        "", "9 300012 345672", "٩٣٠٠٠١٢٣٤٥٦٧٢", "²" * 13, "1" * 15, "9" * 10_000, True, 9300012345672.0, None, -5,
        10**14, [CODE], {"gtin": CODE}, "N/A",
    ],
)  # fmt: skip
def test_what_is_no_barcode(offered: object) -> None:
    assert checked(offered) is None


def test_one_wrong_digit_or_two_swapped_neighbours_are_seen() -> None:
    for at, digit in enumerate(CODE):
        for wrong in set("0123456789") - {digit}:
            assert checked(CODE[:at] + wrong + CODE[at + 1 :]) is None


@pytest.mark.parametrize(
    ("gtin", "linked", "reading"),
    [
        (None, None, Reading(Finding.NONE)),
        ("", {"@type": "Product", "gtin": ""}, Reading(Finding.NONE)),
        (0, None, Reading(Finding.NONE)),
        ([], None, Reading(Finding.NONE)),
        ([None, CODE], None, Reading(Finding.FOUND, CODE)),
        ([CODE, int(CODE)], {"@type": "Product", "gtin14": f"0{CODE}"}, Reading(Finding.FOUND, CODE)),
        (None, [{"@type": "Product", "gtin13": CODE}], Reading(Finding.FOUND, CODE)),
        ("60092", {"@type": "Product", "gtin": CODE}, Reading(Finding.FOUND, CODE)),
        ("60092", None, Reading(Finding.INVALID, detail="'60092'")),
        ([CODE, OTHER], None, Reading(Finding.SEVERAL, detail=f"{CODE}, {OTHER}")),
        (CODE, {"@type": "Product", "gtin": OTHER}, Reading(Finding.SEVERAL, detail=f"{CODE}, {OTHER}")),
        (CODE, {"@type": "Product", "sku": "8", "gtin": OTHER}, Reading(Finding.FOUND, CODE)),
        (CODE, {"@type": "Offer", "gtin": OTHER}, Reading(Finding.FOUND, CODE)),
        (None, {"@type": "Product", "mpn": CODE, "gtin": None}, Reading(Finding.NONE)),
        (CODE, "no object", Reading(Finding.FOUND, CODE)),
        (CODE, {"@graph": "none"}, Reading(Finding.FOUND, CODE)),
    ],
)
def test_none_one_or_several(gtin: object, linked: object, reading: Reading) -> None:
    assert PAGES.parse(page({"id": 7, "gtin": gtin}, linked), "7") == reading


def test_linked_data_that_is_broken_is_passed_over() -> None:
    broken = page({"id": 7, "gtin": CODE}, {"@type": "Product", "gtin": OTHER}).replace(b'"@type"', b'"@type', 1)
    assert PAGES.parse(broken, "7") == Reading(Finding.FOUND, CODE)


def test_a_page_without_its_product_or_about_another_is_a_product_gone() -> None:
    assert PAGES.parse(page(None), "7").finding is Finding.GONE
    assert PAGES.parse(page(None, pdpLayout={"product": None}), "7").finding is Finding.GONE
    other = PAGES.parse(GOOD, "7000003")
    assert (other.finding, other.barcode) == (Finding.GONE, None)
    assert "7000002" in other.detail


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"pageProps":{}}', "no page of the shop"),
        (GOOD[:1_000], "cut off"),
        (page({"gtin": CODE}), "which product"),
        (GOOD.replace(b'"product":', b'"produce":'), "no place for a product"),
    ],
)
def test_what_is_no_product_page(body: bytes, says: str) -> None:
    with pytest.raises(PageError, match=says):
        PAGES.parse(body, "7")


def test_a_wall_is_a_wall() -> None:
    with pytest.raises(BotWallError):
        PAGES.parse((FIXTURES / "wall.html").read_bytes(), "7000002")


def test_an_empty_field_is_no_offer_and_no_mistake() -> None:
    assert judge([None, "", 0]) == Reading(Finding.NONE)
    assert len(judge(["x" * 10_000_000]).detail) <= 200
    assert judge([10**5_000]) == Reading(Finding.INVALID, detail="int")


def test_the_request() -> None:
    asked = PAGES.request("coles:364", Wanted("7000005", "River Mint Tea", "O'Gum & Co.", "20 Pack"))
    assert asked.target == "/product/o'gum-&-co.-river-mint-tea-20-pack-7000005"
    assert asked.headers["cookie"] == "fulfillmentStoreId=0364; shopping-method=clickAndCollect"
    assert asked.meanings[404] is Meaning.NOT_CARRIED
    assert "?" not in PAGES.request("coles:364", Wanted("7", "Why? #1 50% / half \u2026é")).target


def test_the_page_asked_for_is_the_one_that_the_listing_names() -> None:
    session = Session("coles:364", "364", scrape_id=None)  # type: ignore[arg-type] # a listing is read without
    context = PageContext(session, Category("pantry", ("Pantry",)), 1)
    content = Coles().parse((FIXTURES / "page.json").read_bytes(), context)
    assert content.listings
    for listing in content.listings:
        slug = slug_of(Wanted(listing.sku, listing.name, listing.brand, listing.size))
        assert listing.url == f"https://www.coles.com.au/product/{slug}"
