from datetime import UTC, datetime, timedelta
from uuid import UUID

from splitcart_common import events
from splitcart_sandbox.demo.savings import Visit, saved

T0 = datetime(2026, 9, 1, tzinfo=UTC)
A, B, C = "aldi:A", "aldi:B", "aldi:C"


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def confirmed(store: str, anchor: str, hours: float, version: int = 1) -> events.MemberConfirmed:
    return events.MemberConfirmed(version, store, anchor, UUID(int=1), UUID(int=2), 400, 400, (), "1", at(hours))


def test_nothing_is_saved_without_groups():
    assert saved([Visit(A, at(1), 15), Visit(B, at(2), 15)], []) == 0


def test_a_visit_to_an_anchor_spares_one_to_each_member():
    decisions = [confirmed(B, A, 2), confirmed(C, A, 3)]
    assert saved([Visit(A, at(1), 15)], decisions) == 0
    assert saved([Visit(A, at(2.5), 15)], decisions) == 15
    assert saved([Visit(A, at(4), 15)], decisions) == 30


def test_a_visit_to_a_member_is_the_price_of_the_proof():
    assert saved([Visit(A, at(4), 15), Visit(B, at(5), 14)], [confirmed(B, A, 2)]) == 1


def test_a_member_that_left_is_spared_nothing():
    left = events.MemberEjected(3, B, A, 400, 380, (), at(3))
    assert saved([Visit(A, at(4), 15), Visit(B, at(5), 15)], [confirmed(B, A, 2), left]) == 0


def test_a_member_that_moved_counts_with_its_new_anchor():
    moved = [confirmed(B, A, 1), confirmed(B, C, 2, version=2)]
    assert saved([Visit(A, at(3), 10)], moved) == 0
    assert saved([Visit(C, at(3), 10)], moved) == 10
