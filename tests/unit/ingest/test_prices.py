"""The store fold, rule by rule."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from splitcart_ingest.domain.prices import (
    Abandon,
    Batch,
    BatchFolded,
    Complete,
    Ignored,
    Opened,
    Settled,
    Start,
    StoreState,
    decide,
    evolve,
)

T0 = datetime(2026, 9, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Store:
    """A store's fold, told message by message."""

    def __init__(self):
        self.state = StoreState(clock=T0 - HOUR)

    def tell(self, message):
        facts = decide(self.state, message)
        for fact in facts:
            evolve(self.state, fact)
        return facts

    def visit(self, number, prices, *, at=None, scope="full", end=True, **complete):
        at = at or T0 + number * HOUR
        scrape = UUID(int=number)
        self.tell(Start(scrape, at, scope))
        self.tell(Batch(scrape, 1, list(prices), list(prices.values())))
        if not end:
            return None
        (settled,) = self.tell(Complete(scrape, at + HOUR / 2, complete.pop("batches", 1), True, **complete))
        return settled


def test_created_updated_unchanged_and_withdrawn_are_counted():
    store = Store()
    first = store.visit(1, {1: 100, 2: 200, 3: None})
    assert (first.outcome, first.created, first.updated, first.unchanged) == ("full", 2, 0, 1)
    second = store.visit(2, {1: 100, 2: 250, 4: 400})
    assert (second.created, second.updated, second.unchanged, second.withdrawn) == (1, 1, 1, ())
    third = store.visit(3, {1: 100, 2: 250, 5: 1})
    assert third.withdrawn == (4,)
    assert store.state.prices == {1: 100, 2: 250, 4: None, 5: 1}


def test_a_withdrawn_listing_that_comes_back_is_created_again():
    store = Store()
    store.visit(1, {1: 100, 2: 200})
    store.visit(2, {1: 100, 3: 1})
    back = store.visit(3, {1: 100, 2: 200})
    assert back.created == 1
    assert store.state.prices[2] == 200


def test_a_row_that_is_there_already_is_not_among_those_added():
    store = Store()
    store.visit(1, {1: 100, 2: 200})
    store.visit(2, {1: 100, 3: 1})
    store.tell(Start(UUID(int=9), T0 + 9 * HOUR, "full"))
    (folded,) = store.tell(Batch(UUID(int=9), 1, [1, 2, 4], [101, 200, 7]))
    assert isinstance(folded, BatchFolded)
    assert folded.changes.rows_added == 1
    assert list(folded.changes.listings) == [4, 1, 2]  # the added first; 2 has a row, withdrawn
    assert list(folded.changes.places) == [2, 0, 1]
    assert folded.created == 2


def test_an_incomplete_scrape_is_partial_and_withdraws_nothing():
    for spoilt in ({"batches": 2}, {"refused_without_sku": 1}):
        store = Store()
        store.visit(1, {1: 100, 2: 200})
        settled = store.visit(2, {1: 100}, **spoilt)
        assert settled.outcome == "partial"
        assert settled.seen == (1,)
        assert store.state.prices == {1: 100, 2: 200}


def test_an_unfinished_category_makes_it_partial():
    store = Store()
    store.visit(1, {1: 100})
    store.tell(Start(UUID(int=2), T0 + 2 * HOUR, "full"))
    store.tell(Batch(UUID(int=2), 1, [1], [100]))
    (settled,) = store.tell(Complete(UUID(int=2), T0 + 2 * HOUR, 1, False))
    assert settled.outcome == "partial"


def test_a_refused_listing_counts_as_seen():
    store = Store()
    store.visit(1, dict.fromkeys(range(10), 100))
    settled = store.visit(2, dict.fromkeys(range(8), 100), refused=(8,), refused_unknown=1)
    assert settled.outcome == "full"
    assert settled.listings == 10
    assert settled.withdrawn == (9,)


def test_scrapes_of_a_part_neither_withdraw_nor_shrink_the_store():
    store = Store()
    store.visit(1, dict.fromkeys(range(10), 100))
    for number in (2, 3, 4):
        assert store.visit(number, {1: 100}, scope="part").outcome == "partial"
    assert store.visit(5, {1: 100}).outcome == "partial"
    assert len(store.state.partials) == 1


def test_a_store_that_shrank_comes_to_rest_at_the_third_scrape():
    store = Store()
    store.visit(1, dict.fromkeys(range(10), 100))
    outcomes = [store.visit(number, dict.fromkeys(range(5), 100)).outcome for number in (2, 3, 4)]
    assert outcomes == ["partial", "partial", "full"]
    assert store.state.full_size == 5


def test_an_abandoned_scrape_neither_counts_nor_resets():
    store = Store()
    store.visit(1, dict.fromkeys(range(10), 100))
    store.visit(2, dict.fromkeys(range(5), 100))
    store.visit(3, dict.fromkeys(range(5), 100))
    store.visit(4, {1: 100}, end=False)
    (settled,) = store.tell(Abandon(UUID(int=4), T0 + 5 * HOUR))
    assert settled.outcome == "abandoned"
    assert store.visit(6, dict.fromkeys(range(5), 100)).outcome == "full"


def test_a_new_scrape_ends_an_open_one_as_superseded():
    store = Store()
    store.visit(1, {1: 100}, end=False)
    settled, opened = store.tell(Start(UUID(int=2), T0 + 2 * HOUR, "full"))
    assert isinstance(settled, Settled)
    assert isinstance(opened, Opened)
    assert (settled.outcome, settled.seen, opened.seq) == ("superseded", (1,), 2)
    assert store.tell(Batch(UUID(int=1), 2, [5], [5])) == (Ignored("not-open"),)


def test_repeats_are_ignored():
    store = Store()
    store.visit(1, {1: 100}, end=False)
    assert store.tell(Start(UUID(int=1), T0, "full")) == (Ignored("repeat"),)
    assert store.tell(Batch(UUID(int=1), 1, [1], [999])) == (Ignored("repeat"),)
    store.tell(Complete(UUID(int=1), T0 + 2 * HOUR, 1, True))
    assert store.tell(Complete(UUID(int=1), T0 + 2 * HOUR, 1, True)) == (Ignored("not-open"),)
    assert store.tell(Abandon(UUID(int=7), T0)) == (Ignored("not-open"),)


def test_the_first_sighting_in_a_scrape_stands():
    store = Store()
    store.tell(Start(UUID(int=1), T0, "full"))
    store.tell(Batch(UUID(int=1), 1, [1, 2, 1], [100, 200, 111]))
    (folded,) = store.tell(Batch(UUID(int=1), 2, [2, 3], [222, 300]))
    assert list(folded.seen) == [3]
    assert store.state.prices == {1: 100, 2: 200, 3: 300}


def test_an_empty_scrape_of_a_store_with_prices_is_partial():
    store = Store()
    store.visit(1, {1: 100, 2: 200})
    store.tell(Start(UUID(int=2), T0 + 2 * HOUR, "full"))
    (settled,) = store.tell(Complete(UUID(int=2), T0 + 2 * HOUR, 0, True))
    assert settled.outcome == "partial"
    assert store.state.prices == {1: 100, 2: 200}


def test_times_are_clamped_to_the_stores_clock():
    store = Store()
    first = store.visit(5, {1: 100})
    late = store.visit(6, {1: 101}, at=T0)
    assert late.started_at == first.settled_at
    assert late.settled_at == late.started_at


def test_a_scrape_that_saw_nothing_is_never_full():
    store = Store()
    store.tell(Start(UUID(int=1), T0, "full"))
    (settled,) = store.tell(Complete(UUID(int=1), T0, 0, True))
    assert settled.outcome == "partial"
    assert store.state.full_size is None


def test_a_refused_listing_of_other_stores_is_counted_and_not_listed():
    """Whether another store has described it by then must not matter: this fold reads one store's messages."""
    outcomes = []
    for refused, unknown in (((77,), 0), ((), 1)):
        store = Store()
        store.visit(1, {1: 100})
        outcomes.append(store.visit(2, {1: 100}, scope="part", refused=refused, refused_unknown=unknown))
    assert outcomes[0] == outcomes[1]
    assert (outcomes[0].seen, outcomes[0].listings) == ((1,), 2)


def test_a_number_of_batches_that_cannot_be_costs_nothing():
    store = Store()
    assert store.visit(1, {1: 100}, batches=100_000_000).outcome == "partial"
