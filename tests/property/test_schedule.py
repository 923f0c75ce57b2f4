"""The laws of the schedule, whatever happens to the stores."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from splitcart_common.turns import Turns
from splitcart_scraper.domain.rests import Candidate, Rests, Standing, standing
from splitcart_scraper.domain.schedule import Choice, NothingDue, choose, nothing_due, ranked

NOW = datetime(2026, 9, 10, 12, tzinfo=UTC)
WALL = datetime(2026, 11, 21, tzinfo=UTC)
TURNS = Turns.parse("wed 00:00")
TURNED_AT = datetime(2026, 9, 9, tzinfo=UTC)
"""The last turn before NOW, 36 hours ago; the next is in 5.5 days."""

rests = st.builds(
    Rests,
    claimed=st.integers(1, 8).map(lambda n: timedelta(hours=n)),
    scraped=st.integers(0, 40).map(lambda n: timedelta(hours=n)),
    released=st.integers(0, 240).map(lambda n: timedelta(hours=n)),
    turns=st.sampled_from([TURNS, None]),
)
moments = st.none() | st.integers(-1000, 0).map(lambda quarters: NOW + timedelta(minutes=15 * quarters))
leases = st.none() | st.integers(-3, 3).map(lambda seconds: WALL + timedelta(seconds=seconds))


@st.composite
def candidates(draw: st.DrawFn, most: int = 12) -> list[Candidate]:
    known = []
    for number in range(draw(st.integers(0, most))):
        scraped_at, confirmed_at = draw(moments), draw(moments)
        took = timedelta(minutes=draw(st.integers(0, 300)))
        known.append(
            Candidate(
                store=f"aldi:G{number:02}",
                flagged_why=draw(st.none() | st.just("asked for")),
                last_scraped_at=scraped_at,
                scraped_from=None if scraped_at is None else scraped_at - took,
                last_claimed_at=draw(moments),
                lease_until=draw(leases),
                closed=draw(st.booleans()),
                scrapable=draw(st.sampled_from([True, True, True, False])),
                incomplete=draw(st.booleans()),
                anchor=None if confirmed_at is None else "aldi:A",
                confirmed_at=confirmed_at,
            )
        )
    return known


def due_at(one: Candidate, rests: Rests) -> datetime:
    """By hand: from when on a store that nobody holds may be handed out."""
    due = [datetime.min.replace(tzinfo=UTC)]
    if one.last_claimed_at is not None:
        due.append(one.last_claimed_at + rests.claimed)
    if one.last_scraped_at is not None and not one.flagged_why and not one.incomplete:
        fresh_until = one.last_scraped_at + rests.scraped
        if rests.turns is not None:
            began = one.scraped_from or one.last_scraped_at
            turns = [TURNED_AT + timedelta(days=7 * n) for n in range(-4, 3)]
            fresh_until = min(fresh_until, *(turn for turn in turns if turn > began))
        due.append(fresh_until)
        if one.confirmed_at is not None:
            due.append(min(one.last_scraped_at + rests.released, one.confirmed_at + timedelta(days=7)))
    return max(due)


def due(known: Iterable[Candidate], rests: Rests, now: datetime = NOW) -> set[str]:
    """By hand: what may be handed out."""
    return {
        one.store
        for one in known
        if not one.closed
        and one.scrapable
        and (one.lease_until <= WALL if one.lease_until is not None else due_at(one, rests) <= now)
    }


@given(candidates(), rests, st.randoms())
def test_everything_due_is_ranked_once_in_an_order_that_does_not_depend_on_the_input(known, rests, random):  # type: ignore[no-untyped-def] # hypothesis's Random
    order = ranked(known, NOW, WALL, rests)
    assert len(order) == len({choice.store for choice in order})
    assert {choice.store for choice in order} == due(known, rests)
    shuffled = list(known)
    random.shuffle(shuffled)
    assert ranked(shuffled, NOW, WALL, rests) == order


@given(candidates(), rests)
def test_the_order_is_flagged_then_never_scraped_then_oldest(known: list[Candidate], rests: Rests) -> None:
    by_store = {one.store: one for one in known}
    order = [by_store[choice.store] for choice in ranked(known, NOW, WALL, rests)]
    classes = [0 if one.flagged_why else 1 if one.last_scraped_at is None else 2 for one in order]
    assert classes == sorted(classes)
    oldest = [one.last_scraped_at for one, kind in zip(order, classes, strict=True) if kind == 2]
    assert oldest == sorted(moment for moment in oldest if moment is not None)


@given(candidates(), rests)
def test_no_choice_means_nothing_due_and_names_the_very_second_something_is(
    known: list[Candidate], rests: Rests
) -> None:
    answer = choose(known, NOW, WALL, rests)
    if isinstance(answer, Choice):
        assert answer.store in due(known, rests)
        return
    assert not due(known, rests)
    assert answer.why
    rested = [due_at(one, rests) for one in known if not one.closed and one.scrapable and one.lease_until is None]
    assert answer.next_due_at == min(rested, default=None)
    if answer.next_due_at is not None:
        assert answer.next_due_at > NOW
        assert isinstance(choose(known, answer.next_due_at, WALL, rests), Choice)
        assert isinstance(choose(known, answer.next_due_at - timedelta(seconds=1), WALL, rests), NothingDue)
    if answer.next_lease_end_at is not None:
        assert isinstance(choose(known, NOW, answer.next_lease_end_at, rests), Choice)
    if answer.next_due_at is None and answer.next_lease_end_at is None:
        assert all(one.closed or not one.scrapable for one in known)


@given(candidates(), rests)
def test_a_released_store_is_never_chosen_before_its_time_unless_flagged(
    known: list[Candidate], rests: Rests
) -> None:
    chosen = {choice.store for choice in ranked(known, NOW, WALL, rests)}
    for one in known:
        if one.confirmed_at is None or one.last_scraped_at is None or one.lease_until is not None:
            continue
        released_until = min(one.last_scraped_at + rests.released, one.confirmed_at + timedelta(days=7))
        if released_until > NOW and not one.flagged_why and not one.incomplete:
            assert one.store not in chosen


@given(candidates(), rests)
def test_a_flag_can_only_bring_a_store_forward(known: list[Candidate], rests: Rests) -> None:
    before = {choice.store for choice in ranked(known, NOW, WALL, rests)}
    flagged = [replace(one, flagged_why="asked for") for one in known]
    assert before <= {choice.store for choice in ranked(flagged, NOW, WALL, rests)}
    for one in flagged:
        if standing(one, NOW, WALL, rests) in (Standing.FRESH, Standing.RELEASED):
            raise AssertionError("a flagged store rests only for having been handed out")


@given(candidates(), rests)
def test_what_is_counted_is_every_store_once(known: list[Candidate], rests: Rests) -> None:
    waits = [one for one in known if one.store not in due(known, rests)]
    why = nothing_due(waits, NOW, WALL, rests).why
    counts = [int(word) for part in why.partition(": ")[2].split(", ") if (word := part.split(" ")[0]).isdigit()]
    assert sum(counts) == len(waits)


steps = st.lists(
    st.tuples(
        st.sampled_from(["claim", "claim", "finish", "die", "flag", "pass", "confirm", "eject"]), st.integers(0, 9)
    ),
    max_size=60,
)


@given(st.integers(1, 6), steps, rests)
def test_no_store_is_claimed_twice_nor_before_its_rest_unless_its_worker_died(
    number: int, happenings: list[tuple[str, int]], rests: Rests
) -> None:
    stores = {f"aldi:G{n}": Candidate(f"aldi:G{n}") for n in range(number)}
    now, held, died = NOW, set[str](), set[str]()
    for what, which in happenings:
        name = sorted(stores)[which % number]
        if what == "pass":
            now += timedelta(hours=which)
        elif what == "flag":
            stores[name] = replace(stores[name], flagged_why="asked for")
        elif what == "confirm":
            stores[name] = replace(stores[name], anchor="aldi:A", confirmed_at=now)
        elif what == "eject":
            stores[name] = replace(stores[name], anchor=None, confirmed_at=None)
        elif what == "finish" and name in held:
            held.remove(name)
            stores[name] = replace(stores[name], lease_until=None, last_scraped_at=now, flagged_why=None)
        elif what == "die" and name in held:
            held.remove(name)
            died.add(name)
            stores[name] = replace(stores[name], lease_until=WALL)
        elif what == "claim":
            choice = choose(list(stores.values()), now, WALL, rests)
            if isinstance(choice, NothingDue):
                continue
            assert choice.store not in held
            before = stores[choice.store].last_claimed_at
            assert choice.store in died or before is None or now - before >= rests.claimed
            died.discard(choice.store)
            held.add(choice.store)
            stores[choice.store] = replace(
                stores[choice.store], last_claimed_at=now, lease_until=WALL + timedelta(seconds=1)
            )


@given(candidates(most=8), rests)
@example([], Rests())
def test_every_open_store_is_chosen_in_time_even_if_it_is_confirmed_again_and_again(
    known: list[Candidate], rests: Rests
) -> None:
    """A worker that takes whatever is due, sleeps until something is, and whose members are confirmed at once."""
    stores = {one.store: replace(one, lease_until=None) for one in known}
    open_stores = {one.store for one in known if not one.closed and one.scrapable}
    visits = dict.fromkeys(open_stores, 0)
    now, end = NOW, NOW + timedelta(days=40)
    while open_stores and now < end:
        answer = choose(list(stores.values()), now, WALL, rests)
        if isinstance(answer, NothingDue):
            assert answer.next_due_at is not None
            assert answer.next_due_at > now
            now = answer.next_due_at
            continue
        one = stores[answer.store]
        visits[answer.store] += 1
        now += timedelta(minutes=1)
        stores[answer.store] = replace(
            one,
            last_claimed_at=now,
            last_scraped_at=now,
            scraped_from=now - timedelta(minutes=1),
            flagged_why=None,
            incomplete=False,
            confirmed_at=None if one.confirmed_at is None else now,
        )
    assert all(visits.values())


@given(candidates(), rests)
def test_closed_stores_and_those_without_prices_are_never_chosen(known: list[Candidate], rests: Rests) -> None:
    never = {one.store for one in known if standing(one, NOW, WALL, rests) in (Standing.CLOSED, Standing.OFFLINE)}
    assert never == {one.store for one in known if one.closed or not one.scrapable}
    assert not never & {choice.store for choice in ranked(known, NOW, WALL, rests)}
