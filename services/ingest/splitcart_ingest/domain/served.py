"""The price served for a store, a listing and a moment: where the two folds meet (protocol.md, rules 5 to 9).

This is the reference: `read.prices` and `read.prices_as_of` (sql/prices.sql, sql/as_of.sql) are held to it by
property tests. `explain` says besides which branch of the rule it was, and why none before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from splitcart_ingest.domain.membership import Confirmed, Ejected, GroupException
from splitcart_ingest.domain.prices import Outcome

CURRENT = timedelta(hours=72)
EXCEPTION_LASTS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One change of one listing at one store; `price` None: withdrawn. `at` is its scrape's time."""

    listing: int
    seq: int
    at: datetime
    price: int | None


@dataclass(frozen=True, slots=True)
class ScrapeRow:
    """One scrape of one store; `outcome` None while it is open, `seen` None where it was full."""

    seq: int
    scrape_id: UUID
    at: datetime
    outcome: Outcome | None
    seen: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """All that is on record of one store: its own fold, and the markers that name it as the member."""

    history: Sequence[HistoryRow] = ()
    scrapes: Sequence[ScrapeRow] = ()
    markers: Sequence[Confirmed | Ejected] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """A price in cents, the store it was seen at, and when."""

    price: int
    store: str
    seen_at: datetime


Branch = Literal["a", "b", "c", "d"]
"""The letters of rule 8."""
NOT_FOLDED: Final = float("inf")
"""The seq of a scrape that is not folded yet: later than all that is (rule 7)."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one store's own record says of a listing at a moment.

    `row` is its last change, `evidence` the scrape that says last that it stands; `floor` is a seq (rule 7), 0
    where nobody was ever confirmed here.
    """

    store: str
    row: HistoryRow | None
    evidence: ScrapeRow | None
    floor: float

    @property
    def stands(self) -> bool:
        """Whether the evidence is above the floor."""
        return self.evidence is not None and self.evidence.seq > self.floor

    @property
    def served(self) -> Served | None:
        """The own row as a price; None where it is withdrawn or there is none."""
        if self.row is None or self.row.price is None or self.evidence is None:
            return None
        return Served(self.row.price, self.store, self.evidence.at)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is served and by which branch of rule 8; `passed_over` says of each branch before it why not that one.

    `anchor` is None where the store stands alone; `marker` is the group's last decision about it by then.
    """

    branch: Branch
    served: Served | None
    own: Look
    marker: Confirmed | Ejected | None
    exception: GroupException | None
    anchor: Look | None
    passed_over: tuple[tuple[Branch, str], ...]


class _View:
    """One store's record as of a moment."""

    def __init__(self, store: str, record: StoreRecord, at: datetime) -> None:
        self.store = store
        self.scrapes = {scrape.seq: scrape for scrape in record.scrapes if scrape.at <= at}
        self.seq_of = {scrape.scrape_id: seq for seq, scrape in self.scrapes.items()}
        self.rows: dict[int, HistoryRow] = {}
        for row in record.history:
            if row.at <= at:
                known = self.rows.get(row.listing)
                if known is None or known.seq < row.seq:  # a scrape changes a listing at most once
                    self.rows[row.listing] = row
        self.markers = [marker for marker in record.markers if marker.at <= at]
        self.last_full = max((seq for seq, s in self.scrapes.items() if s.outcome == "full"), default=0)
        self.floor = max(
            (self.later(m.up_to_scrape) for m in self.markers if isinstance(m, Confirmed)), default=0.0
        )

    def later(self, scrape_id: UUID) -> float:
        """A scrape's seq."""
        return self.seq_of.get(scrape_id, NOT_FOLDED)

    def look(self, listing: int) -> Look:
        """What the record says of a listing; its evidence is the greatest seq that does (rule 5)."""
        row = self.rows.get(listing)
        listed = (
            seq
            for seq, scrape in self.scrapes.items()
            if self._settled(scrape) and scrape.seen is not None and listing in scrape.seen
        )
        evidence = max((0 if row is None else row.seq, self.last_full, *listed))
        return Look(self.store, row, self.scrapes.get(evidence), self.floor)

    def _settled(self, scrape: ScrapeRow) -> bool:
        """A superseded scrape was still open as long as the one that ended it had not begun."""
        return scrape.outcome is not None and (scrape.outcome != "superseded" or scrape.seq + 1 in self.scrapes)


def served(
    store: str, listing: int, at: datetime, records: Mapping[str, StoreRecord], last_turn: datetime | None
) -> Served | None:
    """Rule 8, for any moment (rule 9): None where the store does not sell it, or nothing is known.

    `records` holds at least the store and its anchor; `last_turn` is the company's last turn before `at`.
    """
    return explain(store, listing, at, records, last_turn).served


def explain(
    store: str, listing: int, at: datetime, records: Mapping[str, StoreRecord], last_turn: datetime | None
) -> Verdict:
    """What is served by rule 8, and how it came to that; the arguments are those of `served`."""
    mine = _View(store, records.get(store, StoreRecord()), at)
    marker = mine.markers[-1] if mine.markers else None
    own = mine.look(listing)
    if marker is None or isinstance(marker, Ejected) or marker.anchor == store:
        if own.stands:
            return Verdict("a", own.served, own, marker, None, None, ())
        return Verdict("b", None, own, marker, None, None, (("a", _below(own)),))
    exception = marker.exceptions.get(listing)
    theirs = _View(marker.anchor, records.get(marker.anchor, StoreRecord()), at)
    anchor = theirs.look(listing)
    why = _not_own(own, at, CURRENT if exception is None else EXCEPTION_LASTS, last_turn)
    if why is None:
        return Verdict("a", own.served, own, marker, exception, anchor, ())
    passed: tuple[tuple[Branch, str], ...] = (("a", why), ("b", "it is no anchor"))
    why = _no_exception(exception, at, anchor, theirs.later(marker.anchor_scrape))
    if why is None and exception is not None:
        says = None if exception.price is None else Served(exception.price, store, exception.seen_at)
        return Verdict("c", says, own, marker, exception, anchor, passed)
    passed += (("c", why or ""),)
    return Verdict("d", anchor.served if anchor.stands else None, own, marker, exception, anchor, passed)


def _below(look: Look) -> str:
    if look.evidence is None:
        return f"{look.store} was never scraped"
    floor = "a scrape that is not folded" if look.floor == NOT_FOLDED else f"scrape {look.floor:.0f}"
    return f"its evidence, scrape {look.evidence.seq}, is not above its floor, {floor}"


def _not_own(own: Look, at: datetime, lasts: timedelta, last_turn: datetime | None) -> str | None:
    """Why a member's own row is not served, None where it is."""
    if own.evidence is None or not own.stands:
        return _below(own)
    if at - own.evidence.at > lasts:
        return f"its evidence is older than {lasts / timedelta(hours=1):.0f} hours"
    if last_turn is not None and own.evidence.at < last_turn:
        return f"its evidence is from before the turn at {last_turn.isoformat()}"
    return None


def _no_exception(exception: GroupException | None, at: datetime, anchor: Look, confirmed: float) -> str | None:
    """Why no exception is served, None where it is. `confirmed`: the anchor's scrape it was compared with."""
    if exception is None:
        return "no exception is stated"
    if exception.price is None:
        return None
    if at - exception.seen_at > EXCEPTION_LASTS:
        return "the exception has lapsed: it was not seen again for 7 days"
    if anchor.row is not None and anchor.row.seq > confirmed:
        return f"the exception has lapsed: the anchor's price changed since, at its scrape {anchor.row.seq}"
    return None
