"""The price served for a store, a listing and a moment: where the two folds meet (protocol.md, rules 5 to 9).

This is the reference: `read.prices` (sql/prices.sql) is held to it by a property test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from splitcart_ingest.domain.membership import Confirmed, Ejected
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


class _View:
    """One store's record as of a moment."""

    def __init__(self, record: StoreRecord, at: datetime) -> None:
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
        """A scrape's seq; one that is not folded yet counts as later than all that is (rule 7)."""
        return self.seq_of.get(scrape_id, float("inf"))

    def evidence(self, listing: int) -> int:
        """The greatest seq that says something about a listing, 0 for none (rule 5)."""
        row = self.rows.get(listing)
        listed = (
            seq
            for seq, scrape in self.scrapes.items()
            if self._settled(scrape) and scrape.seen is not None and listing in scrape.seen
        )
        return max((0 if row is None else row.seq, self.last_full, *listed))

    def _settled(self, scrape: ScrapeRow) -> bool:
        """A superseded scrape was still open as long as the one that ended it had not begun."""
        return scrape.outcome is not None and (scrape.outcome != "superseded" or scrape.seq + 1 in self.scrapes)

    def own(self, listing: int, store: str, seq: int) -> Served | None:
        """The store's own row; None where it is a tombstone or there is none."""
        row = self.rows.get(listing)
        if row is None or row.price is None:
            return None
        return Served(row.price, store, self.scrapes[seq].at)


def served(
    store: str, listing: int, at: datetime, records: Mapping[str, StoreRecord], last_turn: datetime | None
) -> Served | None:
    """Rule 8, for any moment (rule 9): None where the store does not sell it, or nothing is known.

    `records` holds at least the store and its anchor; `last_turn` is the company's last turn before `at`.
    """
    mine = _View(records.get(store, StoreRecord()), at)
    marker = mine.markers[-1] if mine.markers else None
    evidence = mine.evidence(listing)
    if marker is None or isinstance(marker, Ejected) or marker.anchor == store:
        return mine.own(listing, store, evidence) if evidence > mine.floor else None
    exception = marker.exceptions.get(listing)
    if evidence > mine.floor:
        seen_at = mine.scrapes[evidence].at
        lasts = CURRENT if exception is None else EXCEPTION_LASTS
        if at - seen_at <= lasts and (last_turn is None or seen_at >= last_turn):
            return mine.own(listing, store, evidence)
    anchor = _View(records.get(marker.anchor, StoreRecord()), at)
    if exception is not None:
        if exception.price is None:
            return None
        row = anchor.rows.get(listing)
        unchanged = row is None or row.seq <= anchor.later(marker.anchor_scrape)
        if at - exception.seen_at <= EXCEPTION_LASTS and unchanged:
            return Served(exception.price, store, exception.seen_at)
    evidence = anchor.evidence(listing)
    return anchor.own(listing, marker.anchor, evidence) if evidence > anchor.floor else None
