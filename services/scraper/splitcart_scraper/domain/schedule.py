"""Which store is next: the brain of the schedule.

Every store of a company is a `Candidate`. What keeps one from being handed out is the same under every policy
(closed, leased, one of the rests: `domain.rests`); a `Policy` only says in which order the others come. So who is
left alone and who goes first are settled apart: `oldest` has always sent flagged stores first, then those never
scraped, then the one scraped longest ago, and a policy that knows of anchors needs no other rests. Moments named
`now` are virtual, moments named `wall` are the wall clock's, which leases live by.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from splitcart_scraper.domain.budgets import Spent
from splitcart_scraper.domain.rests import Candidate, Rests, Standing, Wait, standing
from splitcart_scraper.domain.scrape import Reason


class Policy(Protocol):
    """The order in which stores that are due come."""

    @property
    def name(self) -> str:
        """What an operator calls it."""
        ...

    @property
    def means(self) -> str:
        """What it does, for people."""
        ...

    def rank(self, candidate: Candidate, now: datetime, /) -> tuple[int, float, str]:
        """Sort key, smaller first; two stores never have the same."""
        ...

    def why(self, candidate: Candidate, now: datetime, /) -> str:
        """Why the store stands where it stands, for people."""
        ...


class OldestPolicy:
    """Flagged first, then never scraped, then the one scraped longest ago.

    Stores never scraped take turns by when they were last tried, so that one that always fails does not keep
    the others waiting; one whose lease ended has its claim back, as if it had not been tried.
    """

    name = "oldest"
    means = "flagged stores first, then those never scraped, then the one scraped longest ago"

    def rank(self, candidate: Candidate, _now: datetime) -> tuple[int, float, str]:
        """Sort key, smaller first."""
        scraped = _seconds(candidate.last_scraped_at)
        if candidate.flagged_why is not None:
            return 0, scraped, candidate.store
        if candidate.last_scraped_at is None:
            tried_at = candidate.last_claimed_at if candidate.lease_until is None else None
            return 1, _seconds(tried_at), candidate.store
        return 2, scraped, candidate.store

    def why(self, candidate: Candidate, now: datetime) -> str:
        """Which of the three it is."""
        if candidate.flagged_why is not None:
            return f"flagged: {candidate.flagged_why}"
        if candidate.last_scraped_at is None:
            return "never scraped"
        return f"scraped longest ago: {_ago(now - candidate.last_scraped_at)}"


OLDEST: Final[Policy] = OldestPolicy()

POLICIES: Final[Mapping[str, Policy]] = {policy.name: policy for policy in (OLDEST,)}
"""Every policy by name. One that knows of anchors and members (`adaptive`) joins here and needs nothing else: the
candidates bear what grouping says of them, and the setting `scraper_policy` chooses by these names."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The next store, and why it is; `reason` is what its scrape will say."""

    store: str
    why: str
    reason: Reason
    standing: Standing
    last_claimed_at: datetime | None
    lease_until: datetime | None


@dataclass(frozen=True, slots=True)
class NothingDue:
    """No store can be handed out: why, the virtual moment a rest ends, the wall moment a lease does."""

    why: str
    next_due_at: datetime | None = None
    next_lease_end_at: datetime | None = None


def ranked(
    candidates: Iterable[Candidate], now: datetime, wall: datetime, rests: Rests, policy: Policy = OLDEST
) -> list[Choice]:
    """Every store that can be handed out, the next one first."""
    due = [
        (policy.rank(candidate, now), candidate, state)
        for candidate in candidates
        if (state := standing(candidate, now, wall, rests)) in (Standing.DUE, Standing.INTERRUPTED)
    ]
    due.sort(key=lambda entry: entry[0])
    return [
        Choice(
            store=candidate.store,
            why=policy.why(candidate, now),
            reason="scheduled" if candidate.flagged_why is None else "flagged",
            standing=state,
            last_claimed_at=candidate.last_claimed_at,
            lease_until=candidate.lease_until,
        )
        for _, candidate, state in due
    ]


def choose(
    candidates: Sequence[Candidate], now: datetime, wall: datetime, rests: Rests, policy: Policy = OLDEST
) -> Choice | NothingDue:
    """The next store, or why there is none and when there will be one."""
    order = ranked(candidates, now, wall, rests, policy)
    return order[0] if order else nothing_due(candidates, now, wall, rests)


def over_budget(today: Spent, otherwise: NothingDue) -> NothingDue:
    """Stores are due, but the company has been asked enough today; a lease that ends may still go on."""
    return NothingDue(
        today.refusal("no new scrape begins"),
        next_due_at=today.next_day_at,
        next_lease_end_at=otherwise.next_lease_end_at,
    )


def waiting(
    candidates: Iterable[Candidate], now: datetime, wall: datetime, rests: Rests
) -> list[tuple[Candidate, Wait]]:
    """The stores that are left alone for a while, the one whose rest ends first at the head."""
    found = [
        (candidate, wait)
        for candidate in candidates
        if standing(candidate, now, wall, rests) in (Standing.RESTING, Standing.FRESH, Standing.RELEASED)
        and (wait := rests.wait(candidate)) is not None
    ]
    return sorted(found, key=lambda entry: (entry[1].until, entry[0].store))


def nothing_due(candidates: Sequence[Candidate], now: datetime, wall: datetime, rests: Rests) -> NothingDue:
    """Why none of these can be handed out, and when the first of them can."""
    if not candidates:
        return NothingDue("no stores are known: run `splitcart stores discover` first")
    states = {candidate.store: standing(candidate, now, wall, rests) for candidate in candidates}
    leases = [
        candidate.lease_until
        for candidate in candidates
        if states[candidate.store] is Standing.LEASED and candidate.lease_until is not None
    ]
    counts = Counter(states.values())
    parts = [
        f"{counts[state]} {text}"
        for state, text in (
            (Standing.RESTING, f"handed out within the last {_ago(rests.claimed)}"),
            (Standing.FRESH, f"scraped within the last {_ago(rests.scraped)}, and no turn of prices since"),
            (Standing.RELEASED, "released, as their anchors' prices stand for theirs"),
            (Standing.LEASED, "being scraped now"),
            (Standing.OFFLINE, "not selling online"),
            (Standing.CLOSED, "closed"),
        )
        if counts[state]
    ]
    resting = waiting(candidates, now, wall, rests)
    return NothingDue(
        f"of {len(candidates)} stores none is due: {', '.join(parts)}",
        next_due_at=resting[0][1].until if resting else None,
        next_lease_end_at=min(leases, default=None),
    )


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment is not None else float("-inf")


def _ago(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"
