"""The answers of the schedule, by example; its laws are in tests/property/test_schedule.py."""

from datetime import UTC, datetime, timedelta

from splitcart_scraper.domain.schedule import (
    Candidate,
    Choice,
    NothingDue,
    Standing,
    choose,
    ranked,
    standing,
)

NOW = datetime(2026, 9, 10, 12, tzinfo=UTC)
WALL = datetime(2026, 11, 21, 9, tzinfo=UTC)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def scraped(store: str, hours: float, **more: object) -> Candidate:
    at = ago(hours=hours)
    return Candidate(store, last_scraped_at=at, last_claimed_at=at, **more)  # type: ignore[arg-type]


def test_flagged_then_never_scraped_then_oldest() -> None:
    candidates = [
        scraped("recent", 30),
        scraped("oldest", 300),
        Candidate("tried", last_claimed_at=ago(hours=9)),
        Candidate("new"),
        scraped("flagged", 5, flagged_why="its group went stale"),
    ]
    order = ranked(candidates, NOW, WALL)
    assert [choice.store for choice in order] == ["flagged", "new", "tried", "oldest", "recent"]
    assert [choice.why for choice in order] == [
        "flagged: its group went stale",
        "never scraped",
        "never scraped",
        "scraped longest ago: 12.5 days",
        "scraped longest ago: 30.0 hours",
    ]
    assert [choice.reason for choice in order[:2]] == ["flagged", "scheduled"]


def test_a_store_rests_four_hours_even_if_flagged() -> None:
    candidate = scraped("a", 3.9, flagged_why="x")
    assert standing(candidate, NOW, WALL) is Standing.RESTING
    assert standing(candidate, NOW + timedelta(hours=0.1), WALL) is Standing.DUE


def test_a_lease_that_ended_is_exempt_from_the_rest() -> None:
    live = Candidate("a", last_claimed_at=ago(minutes=1), lease_until=WALL + timedelta(seconds=1))
    assert standing(live, NOW, WALL) is Standing.LEASED
    choice = choose([live], NOW, WALL + timedelta(seconds=1))
    assert isinstance(choice, Choice)
    assert choice.standing is Standing.INTERRUPTED


def test_where_none_is_due_the_answer_says_why_and_when() -> None:
    lease_end = WALL + timedelta(seconds=9)
    candidates = [
        scraped("a", 1),
        scraped("b", 3),
        Candidate("c", lease_until=lease_end),
        Candidate("d", closed=True),
    ]
    assert choose(candidates, NOW, WALL) == NothingDue(
        "of 4 stores none is due: 2 handed out within the last 4.0 hours, 1 being scraped now, 1 closed",
        next_due_at=NOW + timedelta(hours=1),
        next_lease_end_at=lease_end,
    )
    nothing = choose([], NOW, WALL)
    assert isinstance(nothing, NothingDue)
    assert "stores discover" in nothing.why
