"""What confirmations state is kept as the latest and the differences before it: nothing of it is lost."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from splitcart_ingest.domain.exceptions import difference, restore
from splitcart_ingest.domain.membership import GroupException

AT = datetime(2026, 9, 1, tzinfo=UTC)

exceptions = st.builds(
    GroupException,
    st.none() | st.integers(100, 102),
    st.integers(0, 2).map(lambda days: AT + timedelta(days=days)),
)
statements = st.dictionaries(st.integers(0, 9), exceptions, max_size=8)


@given(st.lists(statements, min_size=1, max_size=8))
def test_every_past_statement_can_be_restored_exactly(stated):
    deltas = [difference(older, newer) for older, newer in pairwise(stated)]
    at_hand, restored = stated[-1], [stated[-1]]
    for delta in reversed(deltas):
        at_hand = restore(at_hand, delta)
        restored.append(at_hand)
    assert restored[::-1] == stated


@given(statements, statements)
def test_a_difference_says_nothing_that_both_say(older, newer):
    delta = difference(older, newer)
    assert not any(newer.get(x) == exception for x, exception in delta.stated.items())
    assert set(delta.absent) == newer.keys() - older.keys()
    assert list(delta.absent) == sorted(delta.absent)


@given(statements)
def test_what_is_stated_again_costs_nothing(stated):
    delta = difference(stated, dict(stated))
    assert (delta.stated, delta.absent) == ({}, ())
