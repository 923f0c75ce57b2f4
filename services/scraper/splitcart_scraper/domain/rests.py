"""How long a store is left alone, and why: what keeps a store from being handed out, whatever the policy.

A request is scarce, so none is spent on a price that is known. Three rests follow, and the longest holds:

- *Handed out*: 4 hours, for every store, so that one that fails does not take the turns of the others.
- *Scraped*: a store that stands on its own (an anchor, or a group of one) and was scraped completely rests for 20
  hours, or until its company's prices turn if that is sooner. Between two turns at most 1 % of prices change a day
  (retailers.md, section 5); without this rest an idle hour would go into asking the same anchors six times a day.
  At the turn a third of all prices change at once: every store that stands on its own is due then, and a scrape of
  an anchor renews the prices of its whole group. 20 and not 24, so that a daily visit does not drift.
- *Released*: a member is served from its anchor, so scraping it renews one store's prices where a scrape of the
  anchor renews a group's. While its confirmation stands it rests for 5 days after its last scrape, and a turn does
  not end that: what turned is learnt from the anchor. The visit that follows proves the confirmation anew, so each
  member is sampled once in that time. 5 and not 7: what a member alone sells is served for 7 days after it was
  seen (protocol.md, rule 8), so the visit must come before, with time to spare where many are due at once. After
  7 days nothing vouches for the member at all.

Exempt from the last two are stores that are flagged, and those whose last settled scrape was not full: their own
evidence is not whole, so neither "known" nor "confirmed" is said of what they charge.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from splitcart_common.ids import company_of
from splitcart_common.turns import Turns

CONFIRMED: Final = timedelta(days=7)
"""Virtual time after which a confirmation lapses (design.md, section 5)."""


class Standing(StrEnum):
    """Whether a store can be handed out, and if not, what it waits for."""

    DUE = "due"
    INTERRUPTED = "interrupted"
    """Its worker died or stopped: its scrape goes on from the checkpoint, without a rest."""
    LEASED = "leased"
    RESTING = "resting"
    """Handed out a short time ago."""
    FRESH = "fresh"
    """Scraped completely a short time ago, and its prices have not turned since."""
    RELEASED = "released"
    """Its anchor's prices stand for its own."""
    OFFLINE = "offline"
    """It shows its prices nowhere."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A store as the schedule sees it. `lease_until` is wall time, None where nobody holds the store.

    `last_scraped_at` and `scraped_from` are the end and the beginning of its last complete scrape; `incomplete`:
    that one, or a scrape settled since, has not turned out full. `anchor` and `confirmed_at` are a member's.
    """

    store: str
    flagged_why: str | None = None
    last_scraped_at: datetime | None = None
    last_claimed_at: datetime | None = None
    lease_until: datetime | None = None
    closed: bool = False
    scrapable: bool = True
    scraped_from: datetime | None = None
    incomplete: bool = False
    anchor: str | None = None
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Until when (virtual) a store is left alone, and as what."""

    until: datetime
    standing: Standing


@dataclass(frozen=True, slots=True)
class Rests:
    """The three rests, in virtual time, and when prices turn; None: they never do."""

    claimed: timedelta = timedelta(hours=4)
    scraped: timedelta = timedelta(hours=20)
    released: timedelta = timedelta(days=5)
    turns: Turns | None = None

    def wait(self, candidate: Candidate) -> Wait | None:
        """What a store waits for longest; None for one that was neither handed out nor scraped yet."""
        return max(self._waits(candidate), key=lambda wait: wait.until, default=None)

    def _waits(self, candidate: Candidate) -> Iterator[Wait]:
        scraped_at = candidate.last_scraped_at
        known = candidate.flagged_why is None and not candidate.incomplete
        if known and scraped_at is not None:
            if candidate.anchor is not None and candidate.confirmed_at is not None:
                until = min(scraped_at + self.released, candidate.confirmed_at + CONFIRMED)
                yield Wait(until, Standing.RELEASED)
            until = scraped_at + self.scraped
            if self.turns is not None:
                until = min(until, _next_turn(self.turns, candidate.store, candidate.scraped_from or scraped_at))
            yield Wait(until, Standing.FRESH)
        if candidate.last_claimed_at is not None:
            yield Wait(candidate.last_claimed_at + self.claimed, Standing.RESTING)


NO_REST: Final = Rests(timedelta(0), timedelta(0), timedelta(0))
"""For a store that somebody asked for."""


def standing(candidate: Candidate, now: datetime, wall: datetime, rests: Rests) -> Standing:
    """Whether a store can be handed out."""
    if candidate.closed:
        return Standing.CLOSED
    if not candidate.scrapable:
        return Standing.OFFLINE
    if candidate.lease_until is not None:
        return Standing.INTERRUPTED if candidate.lease_until <= wall else Standing.LEASED
    wait = rests.wait(candidate)
    return wait.standing if wait is not None and now < wait.until else Standing.DUE


def _next_turn(turns: Turns, store: str, after: datetime) -> datetime:
    """The first turn after a moment: a scrape that spans it has seen prices of both sides."""
    return turns.last(company_of(store), after) + timedelta(days=7)
