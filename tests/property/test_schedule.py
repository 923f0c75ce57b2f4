"""The laws of the schedule, whatever happens to the stores."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from splitcart_scraper.domain.schedule import (
    REST,
    Candidate,
    Choice,
    NothingDue,
    Standing,
    choose,
    ranked,
    standing,
)

NOW = datetime(2026, 9, 10, tzinfo=UTC)
WALL = datetime(2026, 11, 21, tzinfo=UTC)

moments = st.none() | st.integers(-400, 0).map(lambda hours: NOW + timedelta(hours=hours / 4))
leases = st.none() | st.integers(-3, 3).map(lambda seconds: WALL + timedelta(seconds=seconds))


@st.composite
def candidates(draw: st.DrawFn, most: int = 12) -> list[Candidate]:
    number = draw(st.integers(0, most))
    return [
        Candidate(
            store=f"aldi:G{n:02}",
            flagged_why=draw(st.none() | st.just("asked for")),
            last_scraped_at=draw(moments),
            last_claimed_at=draw(moments),
            lease_until=draw(leases),
            closed=draw(st.booleans()),
        )
        for n in range(number)
    ]


def due(known: Iterable[Candidate]) -> set[str]:
    """By hand: what may be handed out."""
    return {
        one.store
        for one in known
        if not one.closed
        and (
            one.lease_until <= WALL
            if one.lease_until is not None
            else one.last_claimed_at is None or NOW - one.last_claimed_at >= REST
        )
    }


@given(candidates(), st.randoms())
def test_everything_due_is_ranked_once_in_an_order_that_does_not_depend_on_the_input(known, random):  # type: ignore[no-untyped-def] # hypothesis's Random
    order = ranked(known, NOW, WALL)
    assert len(order) == len({choice.store for choice in order})
    assert {choice.store for choice in order} == due(known)
    shuffled = list(known)
    random.shuffle(shuffled)
    assert ranked(shuffled, NOW, WALL) == order


@given(candidates())
def test_the_order_is_flagged_then_never_scraped_then_oldest(known: list[Candidate]) -> None:
    by_store = {one.store: one for one in known}
    order = [by_store[choice.store] for choice in ranked(known, NOW, WALL)]
    classes = [0 if one.flagged_why else 1 if one.last_scraped_at is None else 2 for one in order]
    assert classes == sorted(classes)
    oldest = [one.last_scraped_at for one, kind in zip(order, classes, strict=True) if kind == 2]
    assert oldest == sorted(moment for moment in oldest if moment is not None)


@given(candidates())
def test_no_choice_means_nothing_due_and_names_the_first_moment_something_is(known: list[Candidate]) -> None:
    answer = choose(known, NOW, WALL)
    if isinstance(answer, Choice):
        assert answer.store in due(known)
        return
    assert not due(known)
    assert answer.why
    if answer.next_due_at is not None:
        assert answer.next_due_at > NOW
        assert isinstance(choose(known, answer.next_due_at, WALL), Choice)
    if answer.next_lease_end_at is not None:
        assert isinstance(choose(known, NOW, answer.next_lease_end_at), Choice)
    if answer.next_due_at is None and answer.next_lease_end_at is None:
        assert all(one.closed for one in known)


steps = st.lists(
    st.tuples(st.sampled_from(["claim", "claim", "finish", "die", "flag", "pass"]), st.integers(0, 9)), max_size=60
)


@given(st.integers(1, 6), steps)
def test_no_store_is_claimed_twice_nor_before_its_rest_unless_its_worker_died(
    number: int, happenings: list[tuple[str, int]]
) -> None:
    stores = {f"aldi:G{n}": Candidate(f"aldi:G{n}") for n in range(number)}
    now, held, died = NOW, set[str](), set[str]()
    for what, which in happenings:
        name = sorted(stores)[which % number]
        if what == "pass":
            now += timedelta(hours=which / 4)
        elif what == "flag":
            stores[name] = replace(stores[name], flagged_why="asked for")
        elif what == "finish" and name in held:
            held.remove(name)
            stores[name] = replace(stores[name], lease_until=None, last_scraped_at=now, flagged_why=None)
        elif what == "die" and name in held:
            held.remove(name)
            died.add(name)
            stores[name] = replace(stores[name], lease_until=WALL)
        elif what == "claim":
            choice = choose(list(stores.values()), now, WALL)
            if isinstance(choice, NothingDue):
                continue
            assert choice.store not in held
            before = stores[choice.store].last_claimed_at
            assert choice.store in died or before is None or now - before >= REST
            died.discard(choice.store)
            held.add(choice.store)
            stores[choice.store] = replace(
                stores[choice.store], last_claimed_at=now, lease_until=WALL + timedelta(seconds=1)
            )


@given(candidates(most=8), st.integers(1, 3))
def test_every_open_store_is_chosen_in_time(known: list[Candidate], hours: int) -> None:
    stores = {one.store: replace(one, lease_until=None) for one in known}
    waiting = {one.store for one in known if not one.closed}
    now = NOW
    for _ in range(4 * len(stores) + 10):
        choice = choose(list(stores.values()), now, WALL)
        if isinstance(choice, Choice):
            waiting.discard(choice.store)
            stores[choice.store] = replace(
                stores[choice.store], last_claimed_at=now, last_scraped_at=now, flagged_why=None
            )
        now += timedelta(hours=hours)
    assert not waiting


@given(candidates())
def test_closed_stores_are_never_chosen(known: list[Candidate]) -> None:
    closed = {one.store for one in known if standing(one, NOW, WALL) is Standing.CLOSED}
    assert closed == {one.store for one in known if one.closed}
    assert not closed & {choice.store for choice in ranked(known, NOW, WALL)}
