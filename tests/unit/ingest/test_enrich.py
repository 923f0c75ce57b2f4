"""Gaps filled from listings of the same product."""

from splitcart_ingest.domain.enrich import enrich
from tests.support.catalogue import listing


def test_gaps_are_filled_and_nothing_is_overwritten():
    full = listing(
        "coles", "1", "Tim Tam", brand="Arnott's", size="200g", image_url="https://c/1", category_path=("A", "B")
    )
    bare = listing("iga", "9", "Tim Tam", brand="Arnotts")
    first, second = enrich([full, bare])
    assert (first.listing, first.lent) == (full, {})
    assert (second.listing.brand, second.listing.size) == ("Arnotts", "200g")
    assert (second.listing.image_url, second.listing.category_path) == ("https://c/1", ("A", "B"))
    assert second.lent == dict.fromkeys(("size", "image_url", "category_path"), ("coles", "1"))


def test_what_most_say_is_lent_then_what_the_first_says():
    said = [listing("coles", "1", "T", size="0.2kg"), listing("iga", "2", "T", size="200g")]
    bare = listing("aldi", "0", "T")
    assert enrich([bare, *said])[0].listing.size == "0.2kg"
    assert enrich([bare, *said, listing("woolworths", "3", "T", size="200g")])[0].lent["size"] == ("iga", "2")


def test_a_supplier_lends_no_brand():
    bare, supplier = listing("aldi", "0", "T"), listing("iga", "1", "T", brand="Mondelez Australia Pty Limited")
    assert enrich([bare, supplier])[0].listing.brand is None
    assert enrich([bare, supplier])[1].listing.brand == "Mondelez Australia Pty Limited"


def test_one_listing_and_none():
    alone = listing("aldi", "0", "T")
    assert [found.listing for found in enrich([alone])] == [alone]
    assert enrich([]) == ()
