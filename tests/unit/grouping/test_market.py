"""The observations of a company: what settles, what is a repeat, and what is saved."""

from datetime import timedelta
from uuid import UUID

import pytest

from splitcart_grouping.domain.drift import KEPT_SECONDS, Drift
from splitcart_grouping.domain.market import Market, Settlement
from splitcart_grouping.domain.remembered import Remembered
from splitcart_grouping.domain.vectors import NOT_SOLD, Moves, Vectors, ints
from tests.support.grouping_model import TURNS, hours

A = "aldi:A"


def settled(seq: int, at: float = 1, outcome="full", seen=()) -> Settlement:
    return Settlement(A, UUID(int=seq), seq, outcome, hours(at), hours(at + 0.2), tuple(seen))


def prices_of(market: Market) -> dict[str, int]:
    prices = market.vectors.prices(market.stores[A].row).tolist()
    return {sku: price for sku, price in zip(market.skus, prices, strict=True) if price != NOT_SOLD}


def test_changes_enter_in_their_order_and_withdrawals_take_away():
    market = Market("aldi", turns=TURNS)
    assert market.settle(settled(1), [("x", 100), ("y", 200), ("x", 110)])
    assert prices_of(market) == {"x": 110, "y": 200}
    assert market.settle(settled(2, 2), [("y", None), ("never", None), ("z", 0)])
    assert prices_of(market) == {"x": 110, "z": 0}
    assert market.skus == ["x", "y", "z"]
    assert market.vectors.sold[0] == 2


def test_a_repeat_and_what_is_older_change_nothing():
    market = Market("aldi", turns=TURNS)
    market.settle(settled(3), [("x", 100)])
    before = market.record(A)
    assert not market.settle(settled(3), [("x", 5)])
    assert not market.settle(settled(2), [("y", 5)])
    assert market.record(A) == before


def test_a_full_scrape_attests_every_cell_and_another_what_it_saw():
    market = Market("aldi", turns=TURNS)
    market.settle(settled(1), [("x", 100), ("y", 200)])
    market.settle(settled(2, 2, "partial", ["x", "unheard of"]), [])
    attested = market.vectors.attested[0]
    assert attested[1] < attested[0]
    assert [visit.seq for visit in (market.stores[A].full, market.stores[A].last)] == [1, 2]
    assert market.stores[A].since_full == (UUID(int=1), UUID(int=2))
    market.settle(settled(3, 3), [])
    assert attested[1] == attested[0]
    assert market.stores[A].since_full == (UUID(int=3),)


def test_what_moved_across_a_turn_counts_as_moved_at_the_turn():
    market = Market("aldi", turns=TURNS)
    market.settle(settled(1, -5), [("x", 100), ("y", 1)])
    market.settle(settled(2, 5), [("x", 110)])
    assert market.vectors.moved[0, 0] == hours(0).timestamp()
    market.settle(settled(3, 7), [("x", 120)])
    assert market.vectors.moved[0, 0] == hours(7).timestamp()


def test_a_store_is_open_from_discovery_to_closing_and_again():
    market = Market("aldi", turns=TURNS)
    assert A not in market.stores
    assert not market.is_open(A)
    assert market.discover(A, hours(1))
    assert not market.discover(A, hours(2))
    assert market.close(A, hours(3))
    assert not market.close(A, hours(3))
    assert not market.discover(A, hours(2))
    assert market.is_closed(A)
    assert market.discover(A, hours(4))
    assert not market.is_closed(A)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"", "cut off after 0 bytes"),
        (b"nonsense, and enough of it", "it begins with b'nons'"),
        (b"SCGR\x02\x00" + bytes(8), "has version 2, this code reads 1"),
        (b"SCGR\x01\x00\x05\x00\x00\x00\x00\x00\x00\x00abc", "is damaged: 3 of 5 bytes"),
    ],
)
def test_a_record_that_is_none_is_refused_with_its_reason(record, reason):
    with pytest.raises(ValueError, match=f"{A} .*{reason}"):
        Market("aldi", turns=TURNS).restore(A, record)


def test_a_record_of_another_store_or_of_listings_unknown_is_refused():
    market = Market("aldi", turns=TURNS)
    market.settle(settled(1), [("x", 100), ("y", 1)])
    record = market.record(A)
    with pytest.raises(ValueError, match="the record of aldi:B is that of aldi:A"):
        Market("aldi", ["x", "y"], turns=TURNS).restore("aldi:B", record)
    with pytest.raises(ValueError, match="names a listing above the 1 that aldi has"):
        Market("aldi", ["x"], turns=TURNS).restore(A, record)


def test_more_prices_than_16_bits_can_name_are_still_exact():
    vectors = Vectors()
    vectors.add_columns(70_000)
    row, columns = vectors.add_row(), ints(range(70_000))
    vectors.write(row, columns, columns + 1, 1, 0)
    assert vectors.codes.itemsize == 4
    assert (vectors.prices(row) == columns + 1).all()
    vectors.write(row, columns[:1], ints([9_999_999]), 2, 0)
    assert vectors.prices(row)[0] == 9_999_999


def test_old_moves_make_room_for_new_ones():
    vectors, drift = Vectors(), Drift()
    vectors.add_columns(600)
    drift.widen(vectors.codes.shape[1])
    columns = ints(range(600))
    for number in range(20):
        at = (number + 1) * KEPT_SECONDS // 2
        one = columns * 0 + 1
        drift.add(Moves(columns, one, one + number + 1, one * (at - 9), one * at), vectors)
    assert len(drift.chain) <= 4096
    newest = drift.chain[: drift.used, 3].max()
    assert newest == 20 * KEPT_SECONDS // 2
    assert len(set(drift.chain[: drift.used, 5].tolist())) == 600


def test_the_same_move_seen_in_many_stores_is_one_entry():
    vectors, drift = Vectors(), Drift()
    vectors.add_columns(1)
    drift.widen(vectors.codes.shape[1])
    for since in (10, 12, 14, 100):
        drift.add(Moves(*(ints([value]) for value in (0, 5, 6, since, since + 5))), vectors)
    assert sorted(drift.chain[: drift.used, 2:4].tolist()) == [[10, 19], [100, 105]]


def test_pairs_are_remembered_until_one_of_them_changes():
    remembered, others = Remembered(), ints([1, 2, 300])
    assert remembered.unknown(5, others).tolist() == [1, 2, 300]
    remembered.differ(5, others)
    assert remembered.unknown(5, others).tolist() == []
    assert remembered.unknown(300, ints([5, 6])).tolist() == [6]
    remembered.forget(300)
    assert remembered.unknown(5, others).tolist() == [300]


def test_times_between_are_kept_exactly():
    market = Market("aldi", turns=TURNS)
    market.discover(A, hours(1) + timedelta(microseconds=7))
    market.settle(settled(1, 1.0001), [("x", 1)])
    again = Market("aldi", market.skus, turns=TURNS)
    again.restore(A, market.record(A))
    assert again.stores[A] == market.stores[A]
    assert again.full_at[0] == market.full_at[0]
