from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitcart_gateway.domain.products import Listing, best_first, gather, relevance
from splitcart_gateway.domain.query import fold, forms, is_printable, parse, to_tsquery


def listing(
    number: int, name: str, company: str = "aldi", brand: str | None = None, size: str | None = None
) -> Listing:
    return Listing(UUID(int=number), company, f"sku{number}", name, brand, size, None, (), None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Full Cream MILK", ("full", "cream", "milk")),
        ("  coca-cola   zero 24pk ", ("coca", "cola", "zero", "24pk")),
        ("1.25L", ("1.25l",)),
        ("O'Brien & sons", ("o", "brien", "sons")),
        ("milk milk milk", ("milk",)),
        ("".join(chr(ord(letter) + 0xFEE0) for letter in "Milk"), ("milk",)),
        ("!!! --- ;;;", ()),
    ],
)
def test_words(text: str, words: tuple[str, ...]) -> None:
    assert parse(text).words == words


@pytest.mark.parametrize(
    ("text", "barcodes"),
    [
        ("9300650658615", ("9300650658615",)),
        ("9300 6506 58615", ("9300650658615",)),
        ("012345678905", ("0012345678905", "012345678905")),
        ("0012345678905", ("0012345678905", "012345678905")),
        ("93006506", ("93006506",)),
        ("1234", ()),
        ("milk", ()),
        ("".join(chr(ord(digit) + 0xFEE0) for digit in "93006506"), ("93006506",)),
    ],
)
def test_barcodes_in_every_way_they_are_written(text: str, barcodes: tuple[str, ...]) -> None:
    assert parse(text).barcodes == barcodes


def test_a_sku_has_a_digit_and_no_space() -> None:
    assert parse("332510").sku == "332510"
    assert parse("milk").sku is None
    assert parse("milk 2l").sku is None


def test_forms_of_a_word() -> None:
    assert forms("eggs") == ("eggs",)
    assert forms("apples") == ("apples", "apple")
    assert forms("swiss") == ("swiss",)
    assert forms("thé") == ("thé", "the")
    assert fold("CRÈME Brûlée") == "creme brulee"


@given(st.text(max_size=300))
def test_any_text_makes_a_query_that_cannot_end_its_quotes(text: str) -> None:
    query = parse(text)
    assert len(query.words) <= 12
    for word in query.words:
        assert all(character.isalnum() or character == "." for character in word)
    assert to_tsquery(query.words).count("'") % 2 == 0


@pytest.mark.parametrize(
    ("text", "fine"), [("milk", True), ("mi\0lk", False), ("a\x1bb", False), ("\ud800", False)]
)
def test_control_characters(text: str, fine: bool) -> None:
    assert is_printable(text) is fine


def test_products_gather_the_listings_of_all_companies_in_the_order_of_companies() -> None:
    product = gather(
        [listing(1, "Spread Woolworths", "woolworths", size="380g"), listing(1, "Spread Aldi", brand="Vegemite")]
    )[UUID(int=1)]
    assert product.name == "Spread Aldi"
    assert (product.brand, product.size) == ("Vegemite", "380g")
    assert [one.company for one in product.listings] == ["aldi", "woolworths"]


def test_whole_words_and_little_else_come_first() -> None:
    listings = [
        listing(1, "Milk Chocolate Coated Buttermilk Biscuits With Extra Things"),
        listing(2, "Full Cream Milk", size="2l"),
        listing(3, "Milky Way Bar"),
    ]
    assert best_first(parse("milk"), listings)[0] == UUID(int=2)
    assert best_first(parse("milk"), listings)[-1] == UUID(int=3)
    assert relevance(("milk", "2l"), listings[1]) > relevance(("milk", "2l"), listings[0])


def test_the_brand_is_a_word_of_the_product() -> None:
    listings = [listing(1, "Spread", brand="Vegemite"), listing(2, "Vegemite Flavoured Crackers And More Of Them")]
    assert best_first(parse("vegemite spread"), listings)[0] == UUID(int=1)
