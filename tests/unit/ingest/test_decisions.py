"""Which product a listing is: the rules in their order, and what speaks against them."""

import pytest

from splitcart_common.events import (
    KeyVariationLearned,
    ListingLinked,
    ListingUnlinked,
    ProductRegistered,
    ProductsMerged,
)
from splitcart_ingest.domain.catalogue import Catalogue
from splitcart_ingest.domain.identity import RULE_VERSION, own_product_id
from tests.support.catalogue import CODES, Shelf

TIM_TAM, SHAPES, TEA, MILK, FILLED, *MORE = CODES


@pytest.fixture
def shelf():
    return Shelf()


def test_a_first_listing_founds_a_product_of_its_own(shelf):
    registered, linked = shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", size="0.2kg")
    assert isinstance(registered, ProductRegistered)
    assert (registered.product_id, registered.brand_id, registered.sizes) == (
        own_product_id("coles", "1"),
        "arnotts",
        ("200g",),
    )
    assert isinstance(linked, ListingLinked)
    assert (linked.rule, linked.rule_version, linked.name) == ("own-link", RULE_VERSION, "Tim Tam Original")


def test_what_is_described_again_decides_nothing(shelf):
    shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", size="200g", barcode=TIM_TAM)
    assert shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", size="200g", barcode=TIM_TAM) == ()
    assert (
        shelf.described(
            "coles",
            "1",
            "Tim Tam Original",
            brand="Arnott's",
            size="200g",
            barcode=TIM_TAM,
            category_path=("Pantry",),
        )
        == ()
    )


def test_a_barcode_joins_across_companies_and_teaches_the_other_name(shelf):
    shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", size="200g", barcode=TIM_TAM)
    linked, learned = shelf.described("iga", "9", "Arnotts T/Tam Choc Bisc", size="200g", barcode=TIM_TAM)
    assert (linked.rule, linked.evidence["listings"]) == ("barcode", ["coles/1"])
    assert isinstance(learned, KeyVariationLearned)
    assert shelf.together(("coles", "1"), ("iga", "9"))
    # The taught key is used from now on.
    (third,) = shelf.described("woolworths", "5", "Arnott's T/Tam Chocolate Bisc", size="0.2 kg")
    assert third.rule == "variation"
    assert shelf.together(("coles", "1"), ("woolworths", "5"))


def test_a_barcode_written_as_upc_is_the_same(shelf):
    shelf.described("coles", "1", "Heinz Beans", barcode="0012345678905")
    shelf.described("iga", "9", "Heinz Beans Tin", barcode="012345678905")
    assert shelf.together(("coles", "1"), ("iga", "9"))


def test_a_barcode_is_not_believed_of_a_thing_that_has_nothing_in_common(shelf):
    shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", barcode=TIM_TAM)
    shelf.described("iga", "9", "Garden Hose", brand="Neta", barcode=TIM_TAM)
    assert not shelf.together(("coles", "1"), ("iga", "9"))


def test_a_barcode_that_many_listings_share_is_distrusted(shelf):
    for sku in "123":
        shelf.described("iga", sku, f"Cake Slice {'abc'[int(sku) - 1]}", barcode=FILLED)
    shelf.described("coles", "7", "Cake Box", barcode=FILLED)
    assert shelf.together(("iga", "1"), ("iga", "2")), "two may be one thing listed twice"
    assert not shelf.together(("iga", "1"), ("iga", "3"))
    assert not shelf.together(("iga", "1"), ("coles", "7"))


@pytest.mark.parametrize("barcode", ["0000000000000", "2012345000008", "60092", "9310072004489"])
def test_codes_that_name_no_product_join_nothing(shelf, barcode):
    shelf.described("coles", "1", "Fresh Plums Punnet", barcode=barcode)
    shelf.described("iga", "9", "Plums", barcode=barcode)
    assert not shelf.together(("coles", "1"), ("iga", "9"))


def test_names_join_across_companies(shelf):
    shelf.described("coles", "1", "Old Gold Peppermint Dark Chocolate Block", brand="Cadbury", size="180g")
    (linked,) = shelf.described(
        "iga",
        "9",
        "Cadbury Old Gold Dark Chocolate Peppermint",
        brand="Mondelez Australia Pty Limited",
        size="180g",
    )
    assert (linked.rule, linked.evidence["with"], linked.evidence["only_there"]) == (
        "name-key",
        "coles/1",
        ["block"],
    )


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("Cadbury Old Gold Dark Chocolate Peppermint", "200g"),
        ("Cadbury Old Gold Dark Chocolate Orange", "180g"),
        ("Cadbury Old Gold Dark Chocolate Peppermint 70%", "180g"),
        ("Lindt Old Gold Dark Chocolate Peppermint", "180g"),
    ],
)
def test_names_do_not_join_false_friends(shelf, name, size):
    shelf.described("coles", "1", "Old Gold Peppermint Dark Chocolate Block", brand="Cadbury", size="180g")
    shelf.described("iga", "9", name, brand=name.split()[0], size=size)
    assert not shelf.together(("coles", "1"), ("iga", "9"))


def test_names_do_not_join_what_one_company_lists_twice(shelf):
    shelf.described("iga", "1", "Coca-Cola Classic")
    shelf.described("iga", "2", "Coca-Cola Classic")
    assert not shelf.together(("iga", "1"), ("iga", "2"))


def test_names_do_not_join_what_bears_other_barcodes(shelf):
    shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", size="200g", barcode=TIM_TAM)
    shelf.described("iga", "9", "Tim Tam Original", brand="Arnott's", size="200g", barcode=SHAPES)
    assert not shelf.together(("coles", "1"), ("iga", "9"))


def test_a_name_that_fits_two_products_equally_well_fits_none(shelf):
    shelf.described("coles", "1", "Milk Full Cream", brand="Pauls", size="2L", barcode=MILK)
    shelf.described("aldi", "1", "Milk Full Cream", brand="Pauls", size="2L", barcode=TEA)
    shelf.described("iga", "9", "Milk Full Cream", brand="Pauls", size="2L")
    assert shelf.catalogue.product_of("iga", "9") == own_product_id("iga", "9")


def test_without_a_size_one_that_is_taken_comes_near_as_well(shelf):
    for sku, size in (("1", "10 x 375ml"), ("2", "2L")):
        shelf.described("coles", sku, "Soft Drink Classic", brand="Coca-Cola", size=size)
    shelf.described("iga", "1", "Coca-Cola Soft Drink Classic", brand="Coca-Cola", size="10 x 375ml")
    assert shelf.together(("coles", "1"), ("iga", "1"))
    shelf.described("iga", "2", "Coca-Cola Soft Drink Classic", brand="Coca-Cola")
    assert not shelf.together(("coles", "2"), ("iga", "2"))


def test_two_of_a_company_that_fit_one_equally_well_are_both_left(shelf):
    for sku, size in (("1", "10 x 375ml"), ("2", "2L")):
        shelf.described("coles", sku, "Soft Drink Classic", brand="Coca-Cola", size=size)
    shelf.described("iga", "1", "Coca-Cola Soft Drink Classic", brand="Coca-Cola")
    shelf.described("coles", "3", "Soft Drink Classic", brand="Coca-Cola", size="1.25L")
    for sku in "123":
        assert not shelf.together(("coles", sku), ("iga", "1"))
    assert shelf.reconciled(whole=True) == ()


def test_likeness_is_not_handed_on(shelf):
    """The middle one has no size: like both, it must not make one of two sizes."""
    shelf.described("coles", "1", "Pringles Original Potato Chips", brand="Pringles", size="134g")
    shelf.described("woolworths", "1", "Pringles Original Potato Chips", brand="Pringles")
    shelf.described("iga", "1", "Pringles Original Potato Chips", brand="Pringles", size="53g")
    assert shelf.together(("coles", "1"), ("woolworths", "1"))
    assert not shelf.together(("coles", "1"), ("iga", "1"))


def test_a_listing_that_is_renamed_keeps_its_link(shelf):
    shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", size="200g")
    shelf.described("iga", "9", "Arnott's Tim Tam Original", size="200g")
    (linked,) = shelf.described("iga", "9", "Chocolate Biscuits New Look", size="165g")
    assert linked.rule == "own-link"
    assert shelf.together(("coles", "1"), ("iga", "9"))


def test_a_late_barcode_takes_a_listing_to_its_product_and_its_old_id_goes_along(shelf):
    shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", barcode=TIM_TAM)
    shelf.described("iga", "9", "Arnotts T/Tam Bisc")
    lone = shelf.catalogue.product_of("iga", "9")
    merged, linked, *_ = shelf.described("iga", "9", "Arnotts T/Tam Bisc", barcode=TIM_TAM)
    assert isinstance(merged, ProductsMerged)
    assert linked.rule == "barcode"
    assert shelf.together(("coles", "1"), ("iga", "9"))
    assert shelf.catalogue.resolve(lone) == shelf.catalogue.product_of("coles", "1")


def test_a_late_barcode_parts_what_a_name_had_joined(shelf):
    shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", size="200g", barcode=TIM_TAM)
    shelf.described("iga", "9", "Arnott's Tim Tam Original", size="200g")
    assert shelf.together(("coles", "1"), ("iga", "9"))
    unlinked, *rest = shelf.described("iga", "9", "Arnott's Tim Tam Original", size="200g", barcode=SHAPES)
    assert isinstance(unlinked, ListingUnlinked)
    assert (unlinked.by, unlinked.barred) == ("rule:barcode", False)
    assert [event.TYPE for event in rest] == ["product-registered", "listing-linked"]
    assert not shelf.together(("coles", "1"), ("iga", "9"))


def test_a_company_that_relaunches_under_another_barcode_stays(shelf):
    shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", barcode=TIM_TAM)
    shelf.described("iga", "9", "Tim Tam Original", brand="Arnott's", barcode=TIM_TAM)
    shelf.described("iga", "9", "Tim Tam Original", brand="Arnott's", barcode=SHAPES)
    assert shelf.together(("coles", "1"), ("iga", "9"))
    shelf.described("aldi", "3", "Tim Tam", brand="Arnott's", barcode=SHAPES)
    assert shelf.together(("coles", "1"), ("aldi", "3"))


def test_an_operator_parts_a_listing_for_good(shelf):
    shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", size="200g", barcode=TIM_TAM)
    shelf.described("iga", "9", "Arnott's Tim Tam Original", size="200g", barcode=TIM_TAM)
    product = shelf.catalogue.product_of("coles", "1")
    unlinked, registered, _ = shelf.unmerged("iga/9", product)
    assert (unlinked.by, unlinked.barred, unlinked.reason) == ("key-1", True, "not the same")
    assert registered.product_id == own_product_id("iga", "9")
    assert shelf.unmerged("iga/9", product) == (), "a repeat"
    shelf.described("iga", "9", "Arnotts Tim Tam Original Biscuits", size="200g", barcode=TIM_TAM)
    assert not shelf.together(("coles", "1"), ("iga", "9"))
    assert shelf.reconciled() == ()


def test_a_founder_that_is_parted_founds_another(shelf):
    shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", size="200g", barcode=TIM_TAM)
    shelf.described("iga", "9", "Arnott's Tim Tam Original", size="200g", barcode=TIM_TAM)
    product = shelf.catalogue.product_of("coles", "1")
    shelf.unmerged("coles/1", product)
    assert shelf.catalogue.product_of("coles", "1") == own_product_id("coles", "1", 1)
    assert shelf.catalogue.product_of("iga", "9") == product


def test_there_is_nothing_to_part(shelf):
    shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's")
    assert shelf.unmerged("coles/1", own_product_id("coles", "1")) == (), "all there is of it"
    assert shelf.unmerged("coles/1", own_product_id("coles", "2")) == (), "it is another product"
    assert shelf.unmerged("coles/2", own_product_id("coles", "1")) == (), "nobody described it"


@pytest.mark.parametrize("subject", ["coles", "coles/", "/1", ""])
def test_a_subject_that_names_no_listing_is_refused(shelf, subject):
    with pytest.raises(ValueError, match="expected company/sku"):
        shelf.unmerged(subject, own_product_id("coles", "1"))


def test_a_name_in_no_script_of_ours_stands_alone(shelf):
    shelf.described("coles", "1", "\u8212\u9002\u5200\u7247", brand="\u8212\u9002")
    shelf.described("iga", "9", "\u8212\u9002\u5200\u7247", brand="\u8212\u9002")
    assert len(shelf.catalogue) == 2
    assert not shelf.together(("coles", "1"), ("iga", "9"))


def test_an_empty_catalogue_knows_nobody():
    catalogue = Catalogue()
    assert catalogue.product_of("coles", "1") is None
    assert not catalogue.listings_of(own_product_id("coles", "1"))
    assert catalogue.resolve(own_product_id("coles", "1")) == own_product_id("coles", "1")
