"""Which product a listing is, and what it is called."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitcart_ingest.domain.barcodes import valid_barcode
from splitcart_ingest.domain.identity import own_product_id
from splitcart_ingest.domain.listings import Description, join


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("9310072004488", "9310072004488"),
        ("9310072004489", None),  # check digit
        ("012345678905", "0012345678905"),  # UPC-12 as EAN-13
        ("19310072004485", None),  # a carton is not the thing in it
        ("96385074", "96385074"),  # EAN-8
        ("60092", None),  # a PLU of produce
        ("0212345000009", None),  # made in a shop for weighed goods
        ("2012345000008", None),
        ("", None),
        (None, None),
        ("not a barcode", None),
        ("٩٣١٠٠٧٢٠٠٤٤٨٨", None),  # digits, but not ours
    ],
)
def test_barcodes_are_checked(text, valid):
    assert valid_barcode(text) == valid


def test_a_listing_founds_a_product_of_its_own_and_another_where_it_was_parted_from_it():
    ids = [own_product_id(company, sku, nth) for company in ("aldi", "iga") for sku in "12" for nth in range(3)]
    assert len(set(ids)) == len(ids)
    assert str(own_product_id("coles", "1")) == "c6c71ded-20de-5916-9704-970ecb834106", "the same for ever"


FIELDS = st.tuples(st.sampled_from("ab"), st.none() | st.just("B"), st.none(), st.none(), st.just(()), st.none())
DESCRIPTIONS = st.builds(
    Description, st.integers(0, 3).map(lambda n: date(2026, 9, 1) + timedelta(days=n)), FIELDS
)


@given(
    st.lists(DESCRIPTIONS, min_size=1, max_size=8).flatmap(lambda of: st.tuples(st.just(of), st.permutations(of)))
)
def test_a_description_does_not_depend_on_the_order_or_on_repeats(orders):
    first, other = orders
    results = []
    for order in (first, [*other, *other]):
        known = None
        for seen in order:
            known = join(known, seen)
        results.append(known)
    assert results[0] == results[1]
    assert results[0].day == max(d.day for d in first)
