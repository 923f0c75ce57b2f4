"""The laws of grouping: of the comparer, of the fold of the groups, and of everything decided.

What a confirmation means is asked of ingest's own rule 8 (`Company.check`, tests/support/grouping_model.py). Of a
member that is current, a confirmation and its anchor's row give back exactly the price the member was seen at, or
that it does not sell the listing, for every listing that either of the two sells; but for listings that both sell
and whose price moved at the anchor after the member was seen, where the anchor's or the group's price stands.
"""

from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from splitcart_common.events.groups import (
    AnchorHandedOver,
    AnchorWentStale,
    GroupEvent,
    GroupException,
    GroupFormed,
    GroupsMerged,
    MemberConfirmed,
    MemberEjected,
    RescrapeNeeded,
)
from splitcart_grouping.domain.compare import Compared, Verdict, compare, matches
from splitcart_grouping.domain.decide import on_settled, on_tick
from splitcart_grouping.domain.drift import Drift
from splitcart_grouping.domain.groups import Groups
from splitcart_grouping.domain.market import Market
from splitcart_grouping.domain.rules import RULES, Rules
from splitcart_grouping.domain.times import seconds
from splitcart_grouping.domain.vectors import NOT_SOLD, Moves, Vectors, ints
from tests.support.grouping_model import SMALL, TURN, TURNS, Company, hours, replay, told

# The comparer

SKUS = range(40)
Row = dict[int, tuple[int, int]]
"""Cents, and the second the listing was attested, by listing."""
Move = tuple[int, int, int, int, int]
"""A listing went from cents to cents between two seconds."""


def rows_of_prices() -> st.SearchStrategy[Row]:
    cell = st.tuples(st.integers(0, 3), st.integers(1, 6))
    return st.dictionaries(st.sampled_from(SKUS), cell)


@st.composite
def known_moves(draw: st.DrawFn) -> list[Move]:
    def move() -> Move:
        since = draw(st.integers(0, 5))
        cents = (draw(st.integers(0, 3)), draw(st.integers(0, 3)))
        return (draw(st.sampled_from(SKUS)), *cents, since, since + draw(st.integers(1, 3)))

    return [move() for _ in range(draw(st.integers(0, 30)))]


def arrays(rows: list[Row], moves: list[Move]) -> tuple[Vectors, Drift]:
    """The same as the comparer takes it, the moves one scrape at a time."""
    vectors, drift = Vectors(), Drift()
    vectors.add_columns(len(SKUS))
    drift.widen(vectors.codes.shape[1])
    for prices in rows:
        row, numbers = vectors.add_row(), sorted(prices)
        columns = ints(numbers)
        cents, attested = (ints([prices[n][i] for n in numbers]) for i in (0, 1))
        vectors.load(row, columns, cents, attested, attested)
    for move in moves:
        drift.add(Moves(*(ints([value]) for value in move)), vectors)
    return vectors, drift


def reference(a: Row, b: Row, moves: list[Move]) -> tuple[int, int, int]:
    """Shared, equal and unknown, as the design says it."""
    shared = equal = unknown = 0
    for sku in a.keys() & b.keys():
        (p, seen_a), (q, seen_b) = a[sku], b[sku]
        if seen_b < seen_a:
            (p, seen_a), (q, seen_b) = (q, seen_b), (p, seen_a)
        moved = any(
            (of, old, new) == (sku, p, q) and since < seen_b and until > seen_a
            for of, old, new, since, until in moves
        )
        if p != q and moved and seen_a != seen_b:
            unknown += 1
        else:
            shared += 1
            equal += p == q
    return shared, equal, unknown


def counts(found: Compared) -> tuple[int, int, int]:
    return found.shared, found.equal, found.unknown


@given(rows_of_prices(), rows_of_prices(), known_moves())
@example({0: (1, 3)}, {0: (2, 5)}, [(0, 1, 2, 0, 3)])  # found by when the first was seen: before it
@example({0: (1, 3)}, {0: (2, 5)}, [(0, 1, 2, 5, 8)])  # begun when the second was seen: after it
@example({0: (1, 3)}, {0: (2, 5)}, [(0, 1, 2, 4, 8)])
def test_comparing_is_symmetric_and_what_the_reference_says(a, b, moves):
    vectors, drift = arrays([a, b], moves)
    assert counts(compare(vectors, drift, 0, 1)) == counts(compare(vectors, drift, 1, 0)) == reference(a, b, moves)


@given(st.lists(rows_of_prices(), min_size=2, max_size=6), known_moves(), st.integers(50, 98), st.booleans())
def test_the_early_bound_changes_no_match(rows, moves, percent, wide):
    rules = Rules(equal_percent=percent, shared_least=2)
    vectors, drift = arrays(rows, moves)
    if wide:  # as of 65,536 different prices
        vectors.codes = vectors.codes.astype(np.uint32)
    others = ints(range(1, len(rows)))
    expected = [
        (row, found.shared, found.equal)
        for row in others.tolist()
        if (found := compare(vectors, drift, 0, row)).verdict(rules) is Verdict.MATCH
    ]
    assert matches(vectors, drift, 0, others, rules) == expected


def test_what_is_unknown_does_not_count_against_the_early_bound():
    moved = range(20, 40)
    a, b = ({n: (cents if n in moved else 1, seen) for n in SKUS} for cents, seen in ((1, 3), (2, 5)))
    vectors, drift = arrays([a, b], [(n, 1, 2, 3, 5) for n in moved])
    assert matches(vectors, drift, 0, ints([1]), Rules(shared_least=5)) == [(1, 20, 20)]


@given(rows_of_prices(), rows_of_prices(), known_moves(), st.integers(0, 3))
def test_comparing_is_monotone_in_evidence(a, b, moves, cents):
    rules = Rules(equal_percent=80, shared_least=4)
    new = max(SKUS)
    a.pop(new, None)
    b.pop(new, None)
    moves = [move for move in moves if move[0] != new]
    vectors, drift = arrays([a, b, a | {new: (cents, 3)}, b | {new: (cents, 5)}, b | {new: (cents + 1, 5)}], moves)
    pairs = ((0, 1), (2, 3), (2, 4))
    before, equal, differing = (compare(vectors, drift, *pair).verdict(rules) for pair in pairs)
    if before is Verdict.MATCH:
        assert equal is Verdict.MATCH
    if before is Verdict.DIFFERENT:
        assert differing is Verdict.DIFFERENT
    # With too little evidence before, one listing more may make it enough, but never by itself equal.
    if before is Verdict.TOO_LITTLE and differing is Verdict.MATCH:
        assert compare(vectors, drift, 0, 1).equal >= 0.8 * (compare(vectors, drift, 0, 1).shared + 1)


@given(st.integers(0, 199), st.integers(0, 400))
def test_too_small_evidence_never_matches(shared, smaller):
    found = Compared(shared, shared, 0, max(shared, smaller))
    assert found.verdict(RULES) is Verdict.TOO_LITTLE


# The fold of the groups

STORES = tuple(f"aldi:{name}" for name in "ABCDE")


@st.composite
def group_logs(draw: st.DrawFn) -> list[GroupEvent]:
    """Any events in any order, versions repeated and out of order, stores nobody has discovered among them."""
    log = []
    for number in range(draw(st.integers(0, 12))):
        version = max(1, number + draw(st.integers(-2, 2)))
        at = TURN + timedelta(hours=draw(st.integers(0, 50)))
        a, b = draw(st.sampled_from(STORES)), draw(st.sampled_from(STORES))
        scrape, sku = UUID(int=draw(st.integers(1, 9))), GroupException("x", draw(st.none() | st.just(5)), at)
        log.append(
            draw(
                st.sampled_from(
                    (
                        GroupFormed(version, a, at),
                        MemberConfirmed(version, a, b, scrape, scrape, 5, 5, (sku,), "1", at),
                        MemberConfirmed(version, a, b, scrape, scrape, 0, 0, (), "1", at),
                        MemberEjected(version, a, b, 5, 1, ("x",), at),
                        GroupsMerged(version, a, b, 5, 5, at),
                        AnchorWentStale(version, a, at, at),
                        AnchorHandedOver(version, a, b, "closed", at),
                        RescrapeNeeded(version, a, "why", at),
                    )
                )
            )
        )
    return log


@given(group_logs(), st.data())
def test_folding_again_changes_nothing(log, data):
    once, again = replay(log), Groups()
    for place, event in enumerate(log):
        again.evolve(event)
        for old in data.draw(st.lists(st.sampled_from(log[: place + 1]), max_size=2)):
            again.evolve(old)
    assert again.version >= once.version
    kept: list[GroupEvent] = []
    for event in log:
        if not kept or event.version > kept[-1].version:
            kept.append(event)
    assert replay(kept) == once
    assert replay([event for event in kept for _ in range(2)]) == once


@given(group_logs())
def test_no_store_is_in_two_groups_whatever_the_log_says(log):
    groups = replay(log)
    assert not groups.anchors.keys() & groups.members.keys()
    followed = [store for anchor in STORES for store in groups.followers(anchor)]
    assert sorted(followed) == sorted(groups.members)
    assert groups.copy() == groups


# Everything decided


class Grouping(RuleBasedStateMachine):
    """A company whose stores are found, scraped, closed and compared at random; every step is checked.

    `Company.check` holds what must be true after each decision, rule 8 of the protocol among it.
    """

    @initialize()
    def begin(self) -> None:
        self.company = Company(SMALL)
        self.now = TURN - timedelta(hours=10)

    @rule(store=st.sampled_from("ABCDEF"))
    def discover(self, store: str) -> None:
        self.company.discover(store, at=self.now)

    @rule(
        store=st.sampled_from("ABCDEF"),
        zone=st.sampled_from((100, 100, 100, 200)),
        missing=st.sets(st.integers(0, 11), max_size=2),
        other=st.dictionaries(st.integers(0, 13), st.integers(1, 3), max_size=1),
        outcome=st.sampled_from(("full", "full", "full", "partial", "abandoned")),
        wait=st.sampled_from((0, 1, 5, 30)),
    )
    def scrape(self, store, zone, missing, other, outcome, wait) -> None:
        self.now += timedelta(hours=wait)
        found = {f"k{n:02}": zone for n in range(12) if n not in missing}
        found |= {f"k{n:02}": price for n, price in other.items()}
        self.company.scrape(store, found, self.now, outcome)
        self.now += timedelta(minutes=10)

    @rule(wait=st.sampled_from((0, 20, 100)))
    def tick(self, wait: int) -> None:
        self.now += timedelta(hours=wait)
        self.company.tick(self.now)
        assert self.company.tick(self.now) == [], "the fixed point is stable"
        self._nothing_matches()

    @rule(store=st.sampled_from("ABCDEF"))
    def close(self, store: str) -> None:
        self.company.close(store, self.now)

    @rule()
    def pass_a_week(self) -> None:
        self.now += timedelta(days=7)

    @precondition(lambda self: self.company.market.stores)
    @rule()
    def restart(self) -> None:
        """A new process: the stores from their records, in another order, and the groups from the log."""
        old = self.company.market
        new = Market(old.company, old.skus, turns=TURNS, rules=SMALL)
        for store in sorted(old.stores, reverse=True):
            new.restore(store, old.record(store))
            assert new.record(store) == old.record(store)
        for store in sorted(old.stores):
            events = on_settled(old, self.company.groups, store, self.now, TURNS)
            assert told(on_settled(new, replay(self.company.log), store, self.now, TURNS)) == told(events)
        self.company.market = new
        self.company.groups = replay(self.company.log)

    def teardown(self) -> None:
        if hasattr(self, "company"):
            assert replay(self.company.log) == self.company.groups

    def _nothing_matches(self) -> None:
        market, groups = self.company.market, self.company.groups
        current = [anchor for anchor in groups.anchors if self.company.current(anchor, self.now)]
        for a in current:
            for b in current:
                if a < b:
                    rows = (market.stores[store].row for store in (a, b))
                    verdict = compare(market.vectors, market.drift, *rows).verdict(SMALL)
                    assert verdict is not Verdict.MATCH or not (self._leads(a) or self._leads(b))

    def _leads(self, store: str) -> bool:
        floor, scrapes = self.company.groups.floors.get(store), self.company.on_record[store].scrapes
        seq = max((row.seq for row in scrapes if row.scrape_id == floor), default=0)
        return any(row.outcome == "full" and row.seq > seq for row in scrapes)


TestGrouping = Grouping.TestCase


@given(st.permutations("ABCDEF"), st.permutations("ABCDEF"))
def test_the_same_inputs_give_the_same_events_whatever_order_they_are_held_in(order, other):
    said = []
    for stores in (order, other):
        company = Company(SMALL)
        company.discover(*"ABCDEF")
        for store in stores:
            zone = 100 if store in "ABCD" else 200
            found = {f"k{n:02}": zone for n in range(12)} | {f"k{ord(store)}": 7}
            company.scrape(store, found, hours(1), decides=False)
        said.append(told(on_tick(company.market, company.groups, hours(2), TURNS)))
    assert said[0] == said[1]


@given(st.lists(st.tuples(st.integers(0, 30), st.none() | st.integers(0, 5)), max_size=30), st.integers(1, 400))
def test_a_record_holds_all_there_is(changes, cut):
    company = Company(SMALL)
    company.discover("A")
    found = {f"k{n}": price for n, price in changes if price is not None}
    company.scrape("A", found or {"k0": 1}, hours(1))
    company.scrape("A", {sku: price + 1 for sku, price in found.items()}, hours(2), "partial")
    market = company.market
    record = market.record("aldi:A")
    again = Market("aldi", market.skus, turns=TURNS)
    again.restore("aldi:A", record)
    assert again.record("aldi:A") == record
    assert again.stores["aldi:A"] == market.stores["aldi:A"]
    assert (again.vectors.prices(0) == market.vectors.prices(0)).all()
    assert not (again.vectors.prices(0) < NOT_SOLD).any()
    if cut < len(record):
        with pytest.raises(ValueError, match="aldi:A"):
            again.restore("aldi:A", record[:cut])


def test_a_moment_is_held_to_what_a_cell_can_hold():
    assert seconds(TURN + timedelta(seconds=1, microseconds=999_999)) == seconds(TURN) + 1
