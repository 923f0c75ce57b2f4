"""Late duplicates: what later listings show to be one product, or one brand."""

import pytest

from splitcart_common.events import BrandsMerged, ProductsMerged
from tests.support.catalogue import CODES, Shelf

ONE, TWO, THREE, FOUR, *_ = CODES


@pytest.fixture
def shelf():
    return Shelf()


def late(shelf):
    """Two products that a third listing, joined to one by its barcode, is called like the other."""
    shelf.described("coles", "1", "TT Orig Bisc", brand="Arnott's", size="200g", barcode=ONE)
    shelf.described("iga", "2", "Tim Tam Original", brand="Arnott's", size="200g")
    shelf.described("woolworths", "3", "Arnott's Tim Tam Original Biscuits", brand="Arnott's", size="200g")
    assert not shelf.together(("coles", "1"), ("iga", "2"))


def test_a_listing_under_a_barcode_brings_together_what_its_name_fits(shelf):
    late(shelf)
    shelf.described("aldi", "4", "Tim Tam Original Biscuits", brand="Arnott's", size="200g", barcode=ONE)
    (merged,) = shelf.reconciled()
    assert isinstance(merged, ProductsMerged)
    assert (merged.reason, merged.evidence["listing"]) == ("name-key", "aldi/4")
    assert shelf.together(("coles", "1"), ("iga", "2"))
    assert shelf.reconciled() == ()
    assert shelf.reconciled(whole=True) == ()


def test_the_survivor_has_more_listings_then_more_keys_then_the_first_id(shelf):
    late(shelf)
    of_names = shelf.catalogue.product_of("iga", "2")
    of_code = shelf.catalogue.product_of("coles", "1")
    shelf.described("aldi", "4", "Tim Tam Original Biscuits", brand="Arnott's", size="200g", barcode=ONE)
    # Two listings each; the barcode's taught a key.
    (merged,) = shelf.reconciled()
    assert (merged.survivor, merged.merged) == (of_code, (of_names,))
    assert shelf.catalogue.resolve(of_names) == of_code
    assert len(shelf.catalogue.listings_of(of_code)) == 4


def test_what_an_operator_parted_stays_apart(shelf):
    late(shelf)
    shelf.described("aldi", "4", "Tim Tam Original Biscuits", brand="Arnott's", size="200g", barcode=ONE)
    shelf.reconciled()
    shelf.unmerged("iga/2", shelf.catalogue.product_of("coles", "1"))
    shelf.described("iga", "2", "Tim Tam Original Biscuit", brand="Arnott's", size="200g")
    assert shelf.reconciled() == ()
    assert shelf.reconciled(whole=True) == ()
    assert not shelf.together(("coles", "1"), ("iga", "2"))


def test_other_barcodes_and_one_company_twice_are_no_duplicates(shelf):
    late(shelf)
    shelf.described("iga", "5", "Tim Tam Original Biscuits", brand="Arnott's", size="200g", barcode=ONE)
    assert shelf.reconciled() == (), "IGA would be there twice"
    shelf.described("woolworths", "3", "Arnott's Tim Tam Original", brand="Arnott's", size="200g", barcode=TWO)
    assert shelf.reconciled() == ()


def test_a_barcode_that_two_products_share_makes_them_one(shelf):
    shelf.described("coles", "1", "Tim Tam Original", brand="Arnott's", size="200g", barcode=ONE)
    shelf.described("iga", "2", "Tim Tam Dark", brand="Arnott's", size="200g", barcode=TWO)
    shelf.described("woolworths", "3", "Tim Tam Dark", brand="Arnott's", size="200g", barcode=TWO)
    shelf.described("iga", "2", "Tim Tam Original", brand="Arnott's", size="200g", barcode=ONE)
    assert shelf.together(("coles", "1"), ("iga", "2")), "its barcode says so"
    assert not shelf.together(("coles", "1"), ("woolworths", "3"))


def test_spellings_of_a_brand_become_one_and_then_part_no_names(shelf):
    for number, code in enumerate((ONE, TWO)):
        shelf.described("coles", f"{number}", f"Rice Pouch Kind {number}", brand="Jordan", barcode=code)
        shelf.described("iga", f"{number}", f"Rice Pouch Kind {number}", brand="Jordanss", barcode=code)
    (merged,) = shelf.reconciled()
    assert isinstance(merged, BrandsMerged)
    assert (merged.survivor, merged.merged, merged.reason) == ("jordan", ("jordanss",), "spelling")
    assert shelf.reconciled() == ()
    assert shelf.catalogue.brand("jordanss") == "jordan"
    shelf.described("coles", "8", "Basmati Bag", brand="Jordan", size="1kg")
    shelf.described("iga", "8", "Basmati Bag", brand="Jordanss", size="1kg")
    assert shelf.together(("coles", "8"), ("iga", "8"))


def test_names_of_a_brand_that_always_go_together_become_one(shelf):
    for number, code in enumerate((ONE, TWO, THREE)):
        shelf.described("coles", f"{number}", f"Rice Pouch Kind {number}", brand="Uncle Ben's", barcode=code)
        shelf.described("iga", f"{number}", f"Rice Pouch Kind {number}", brand="Tilda Foods", barcode=code)
    (merged,) = shelf.reconciled()
    assert (merged.survivor, merged.reason) == ("tildafoods", "barcode")


def test_a_maker_is_not_the_brand_of_a_line(shelf):
    for number, code in enumerate((ONE, TWO, THREE)):
        shelf.described("coles", f"{number}", f"Milo Bar {number}", brand="Nestle", barcode=code)
        shelf.described("iga", f"{number}", f"Milo Bar {number}", brand="Milo", barcode=code)
    for number, code in enumerate((FOUR, *CODES[4:6]), 5):
        shelf.described("coles", f"{number}", f"KitKat Bar {number}", brand="Nestle", barcode=code)
        shelf.described("iga", f"{number}", f"KitKat Bar {number}", brand="KitKat", barcode=code)
    assert [event for event in shelf.reconciled() if isinstance(event, BrandsMerged)] == []
