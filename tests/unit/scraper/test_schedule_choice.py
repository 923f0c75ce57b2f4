"""The answers of the schedule, by example; its laws are in tests/property/test_schedule.py."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from splitcart_common.turns import Turns
from splitcart_scraper.domain.rests import CONFIRMED, Candidate, Rests, Standing, Wait, standing
from splitcart_scraper.domain.schedule import Choice, NothingDue, choose, ranked, waiting

NOW = datetime(2026, 9, 10, 12, tzinfo=UTC)
WALL = datetime(2026, 11, 21, 9, tzinfo=UTC)
RESTS = Rests(turns=Turns.parse("wed 00:00,coles=thu 06:00"))
"""NOW is a Thursday: prices turned 36 hours ago, those of Coles 6."""


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def scraped(store: str, hours: float, **more: object) -> Candidate:
    at = ago(hours=hours)
    return Candidate(store, last_scraped_at=at, last_claimed_at=at, **more)  # type: ignore[arg-type]


def test_flagged_then_never_scraped_then_oldest() -> None:
    candidates = [
        scraped("aldi:recent", 30),
        scraped("aldi:oldest", 300),
        Candidate("aldi:tried", last_claimed_at=ago(hours=9)),
        Candidate("aldi:new"),
        scraped("aldi:flagged", 5, flagged_why="its group went stale"),
    ]
    order = ranked(candidates, NOW, WALL, RESTS)
    assert [choice.store for choice in order] == [
        f"aldi:{name}" for name in ("flagged", "new", "tried", "oldest", "recent")
    ]
    assert [choice.why for choice in order] == [
        "flagged: its group went stale",
        "never scraped",
        "never scraped",
        "scraped longest ago: 12.5 days",
        "scraped longest ago: 30.0 hours",
    ]
    assert [choice.reason for choice in order[:2]] == ["flagged", "scheduled"]


def test_a_store_rests_four_hours_even_if_flagged() -> None:
    candidate = scraped("aldi:a", 3.9, flagged_why="x")
    assert standing(candidate, NOW, WALL, RESTS) is Standing.RESTING
    assert standing(candidate, NOW + timedelta(hours=0.1), WALL, RESTS) is Standing.DUE


def test_a_lease_that_ended_is_exempt_from_the_rest() -> None:
    live = Candidate("a", last_claimed_at=ago(minutes=1), lease_until=WALL + timedelta(seconds=1))
    assert standing(live, NOW, WALL, RESTS) is Standing.LEASED
    choice = choose([live], NOW, WALL + timedelta(seconds=1), RESTS)
    assert isinstance(choice, Choice)
    assert choice.standing is Standing.INTERRUPTED


def member(store: str, hours: float, confirmed_hours: float, **more: object) -> Candidate:
    return scraped(store, hours, anchor="aldi:anchor", confirmed_at=ago(hours=confirmed_hours), **more)


def test_a_store_that_stands_alone_rests_twenty_hours_after_a_complete_scrape() -> None:
    assert standing(scraped("aldi:a", 19), NOW, WALL, RESTS) is Standing.FRESH
    assert standing(scraped("aldi:a", 20), NOW, WALL, RESTS) is Standing.DUE
    assert standing(scraped("aldi:a", 19, flagged_why="x"), NOW, WALL, RESTS) is Standing.DUE
    assert standing(scraped("aldi:a", 19, incomplete=True), NOW, WALL, RESTS) is Standing.DUE


def test_a_turn_of_prices_ends_that_rest_but_not_the_four_hours() -> None:
    assert standing(scraped("coles:a", 7), NOW, WALL, RESTS) is Standing.DUE
    assert standing(scraped("coles:a", 5), NOW, WALL, RESTS) is Standing.FRESH
    spanning = replace(scraped("coles:a", 5), scraped_from=ago(hours=6, seconds=1))
    assert standing(spanning, NOW, WALL, RESTS) is Standing.DUE, "it began on the other side of the turn"
    soon = replace(spanning, last_claimed_at=ago(hours=3))
    assert standing(soon, NOW, WALL, RESTS) is Standing.RESTING


def test_a_member_is_released_for_five_days_whatever_prices_do() -> None:
    released = member("aldi:m", 100, 90)
    assert standing(released, NOW, WALL, RESTS) is Standing.RELEASED
    assert RESTS.wait(released) == Wait(ago(hours=100) + timedelta(days=5), Standing.RELEASED)
    assert standing(released, ago(hours=100) + timedelta(days=5), WALL, RESTS) is Standing.DUE


def test_a_release_ends_with_its_confirmation() -> None:
    long = replace(RESTS, released=timedelta(days=30))
    released = member("aldi:m", 100, 90)
    assert long.wait(released) == Wait(ago(hours=90) + CONFIRMED, Standing.RELEASED)
    assert standing(member("aldi:m", 170, 169), NOW, WALL, long) is Standing.DUE


def test_a_member_is_not_kept_resting_when_flagged_never_scraped_or_not_wholly_read() -> None:
    assert standing(member("aldi:m", 30, 20, flagged_why="its anchor differs"), NOW, WALL, RESTS) is Standing.DUE
    assert standing(member("aldi:m", 30, 20, incomplete=True), NOW, WALL, RESTS) is Standing.DUE
    never = Candidate("aldi:m", anchor="aldi:anchor", confirmed_at=ago(hours=1))
    assert standing(never, NOW, WALL, RESTS) is Standing.DUE


def test_a_store_that_shows_no_prices_is_never_due() -> None:
    offline = Candidate("iga:1", scrapable=False, flagged_why="x")
    assert standing(offline, NOW, WALL, RESTS) is Standing.OFFLINE
    nothing = choose([offline], NOW, WALL, RESTS)
    assert nothing == NothingDue("of 1 stores none is due: 1 not selling online")


def test_who_waits_is_listed_by_when_it_is_due() -> None:
    candidates = [member("aldi:m", 100, 90), scraped("aldi:b", 3), scraped("aldi:a", 30), scraped("aldi:c", 19)]
    assert [(one.store, wait.standing) for one, wait in waiting(candidates, NOW, WALL, RESTS)] == [
        ("aldi:c", Standing.FRESH),
        ("aldi:b", Standing.FRESH),
        ("aldi:m", Standing.RELEASED),
    ]


def test_where_none_is_due_the_answer_says_why_and_when() -> None:
    lease_end = WALL + timedelta(seconds=9)
    candidates = [
        Candidate("aldi:a", last_claimed_at=ago(hours=1)),
        Candidate("aldi:b", last_claimed_at=ago(hours=3)),
        Candidate("aldi:c", lease_until=lease_end),
        Candidate("aldi:d", closed=True),
        scraped("aldi:e", 5),
        member("aldi:f", 100, 90),
        member("aldi:g", 90, 90),
    ]
    assert choose(candidates, NOW, WALL, RESTS) == NothingDue(
        "of 7 stores none is due: 2 handed out within the last 4.0 hours, 1 scraped within the last 20.0 hours, "
        "and no turn of prices since, 2 released, as their anchors' prices stand for theirs, 1 being scraped now, "
        "1 closed",
        next_due_at=NOW + timedelta(hours=1),
        next_lease_end_at=lease_end,
    )
    nothing = choose([], NOW, WALL, RESTS)
    assert isinstance(nothing, NothingDue)
    assert "stores discover" in nothing.why
