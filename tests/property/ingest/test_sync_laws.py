"""When a scrape counts as full (protocol.md, rule 4), over random runs of scrapes of one store."""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from splitcart_ingest.domain.prices import Abandon, Batch, Complete, Settled, Start, StoreState, decide, evolve
from splitcart_ingest.domain.sync import is_full

AT = datetime(2026, 9, 1, tzinfo=UTC)
sets = st.frozensets(st.integers(0, 60), max_size=50)


class Store:
    """A store that is scraped again and again, each visit complete in itself."""

    def __init__(self) -> None:
        self.state = StoreState(clock=AT - timedelta(days=1))
        self._numbers = count(1)

    def visit(self, seen: frozenset[int], end: str = "completed", scope: str = "full") -> Settled | None:
        """One scrape; how it ended, None where the next one has to end it."""
        number = next(self._numbers)
        ident, at = UUID(int=number), AT + timedelta(hours=number)
        batch = Batch(ident, 1, sorted(seen), [100] * len(seen))
        self._fold(Start(ident, at, scope))
        self._fold(batch)
        if end == "completed":
            return self._fold(Complete(ident, at, 1, all_categories=True))
        return self._fold(Abandon(ident, at)) if end == "abandoned" else None

    def _fold(self, message) -> Settled | None:
        ended = None
        for fact in decide(self.state, message):
            evolve(self.state, fact)
            ended = fact if isinstance(fact, Settled) else None
        return ended


@given(sets, st.none() | st.integers(1, 80), st.lists(sets, max_size=4))
def test_it_is_full_for_one_of_three_reasons_and_no_other(seen, full_size, before):
    first = full_size is None
    near = full_size is not None and len(seen) / full_size >= 0.9 - 1e-12
    three = [*before[-2:], seen]
    everywhere = {x for one in three for x in one}
    agree = len(three) == 3 and sum(all(x in one for one in three) for x in everywhere) >= 0.98 * len(everywhere)
    assert is_full(len(seen), seen, full_size, before) is (len(seen) > 0 and (first or near or agree))


@given(sets, st.integers(1, 80), st.lists(sets, max_size=3), st.integers(0, 9))
def test_seeing_more_never_makes_it_partial_while_nothing_else_changes(seen, full_size, before, more):
    larger = seen | frozenset(range(100, 100 + more))
    if 10 * len(seen) >= 9 * full_size and seen:
        assert is_full(len(larger), larger, full_size, before)


neither = st.tuples(sets, st.sampled_from((("abandoned", "full"), ("lost", "full"), ("completed", "part"))))


@given(st.integers(21, 60), st.integers(1, 20), st.lists(neither, max_size=6), st.randoms(use_true_random=False))
def test_a_store_that_shrank_comes_to_rest_at_the_third_scrape_that_agrees(before, after, between, rng):
    """What is abandoned, superseded or of a part neither counts nor resets."""
    store = Store()
    ended = store.visit(frozenset(range(before)))
    assert ended is not None
    assert ended.outcome == "full"
    small = frozenset(range(min(after, before * 89 // 100)))
    outcomes = []
    places = [rng.randrange(3) for _ in between]
    for number in range(3):
        for place, (seen, (end, scope)) in zip(places, between, strict=True):
            if place == number:
                store.visit(seen, end, scope)
        ended = store.visit(small)
        assert ended is not None
        outcomes.append(ended.outcome)
    assert outcomes == ["partial", "partial", "full"]
    assert store.state.full_size == len(small)
    assert {x for x, price in store.state.prices.items() if price is not None} >= small
    last = store.visit(small)
    assert last is not None
    assert last.outcome == "full", "the new size is what later ones are held to"


@given(st.lists(st.sampled_from((frozenset(range(12)), frozenset(range(12, 24)))), min_size=3, max_size=8))
def test_partials_that_see_now_this_and_now_that_stay_partial(visits):
    store = Store()
    store.visit(frozenset(range(40)))
    run: list[frozenset[int]] = []
    for seen in visits:
        ended = store.visit(seen)
        assert ended is not None
        agree = len(run) >= 2 and run[-2] == run[-1] == seen
        assert (ended.outcome == "full") is agree
        if agree:
            return  # from here on there is another size
        assert not ended.withdrawn
        run.append(seen)


@given(sets, sets)
def test_a_full_scrape_between_begins_the_count_anew(one, whole):
    store = Store()
    store.visit(frozenset(range(100)))
    small = one | {0}
    store.visit(small)
    store.visit(small)
    store.visit(frozenset(range(100)) | whole)
    ended = store.visit(small)
    assert ended is not None
    assert ended.outcome == "partial"
