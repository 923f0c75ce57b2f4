"""Full or partial (protocol.md, rule 4), case by case."""

import pytest

from splitcart_ingest.domain.sync import is_full, parted
from tests.support.ingest import listing

HUNDRED = frozenset(range(100))


@pytest.mark.parametrize(
    ("size", "full_size", "full"),
    [
        (0, None, False),
        (5, None, True),
        (90, 100, True),
        (89, 100, False),
        (0, 1, False),
        (120, 100, True),
        (9, 10, True),
    ],
)
def test_the_first_scrape_and_then_nine_tenths(size, full_size, full):
    assert is_full(size, frozenset(range(size)), full_size, []) is full


def test_three_partials_that_agree_are_the_new_size():
    seen = frozenset(range(50))
    assert not is_full(50, seen, 100, [seen])
    assert is_full(50, seen, 100, [seen, seen])
    assert is_full(50, seen, 100, [HUNDRED, seen, seen])


def test_three_partials_that_differ_by_more_than_two_in_a_hundred_are_not():
    seen = frozenset(range(98))
    assert is_full(98, seen, 1000, [HUNDRED, HUNDRED])
    assert not is_full(97, frozenset(range(97)), 1000, [HUNDRED, HUNDRED])
    # Each is near the next, but not all three.
    assert not is_full(50, frozenset(range(2, 52)), 1000, [frozenset(range(50)), frozenset(range(1, 51))])


def test_what_has_no_price_and_cannot_be_had_is_not_sold():
    priced, out_of_stock = listing("1", 100), listing("2", 200, available=False)
    unpriced, gone = listing("3", None), listing("4", None, available=False)
    assert parted((gone, priced, unpriced, out_of_stock)) == ([priced, unpriced, out_of_stock], [gone])
