"""The observations of one company: a fold of `price-changed` and `stores`, and of nothing else.

A store's prices are those of a settled state: what a scrape changed enters when it settles, whatever its outcome.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from splitcart_common.events.prices import Outcome
from splitcart_common.turns import Turns
from splitcart_grouping.domain import record
from splitcart_grouping.domain.drift import KEPT_SECONDS, Drift
from splitcart_grouping.domain.kernels import Ints
from splitcart_grouping.domain.record import Cells, Observed, Visit
from splitcart_grouping.domain.remembered import Remembered
from splitcart_grouping.domain.rules import RULES, Rules
from splitcart_grouping.domain.times import micros, seconds
from splitcart_grouping.domain.vectors import NOT_SOLD, Moves, Vectors, ints, no_moves

NEVER = -(2**63)
"""When a store's last full scrape started, if it had none."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """StoreSettled, as the fold needs it. `seen`: the SKUs of a scrape that is not full."""

    store: str
    scrape_id: UUID
    seq: int
    outcome: Outcome
    started_at: datetime
    settled_at: datetime
    seen: tuple[str, ...] = ()


class Market:
    """What is known of a company's stores. Mutable; `decide` only reads it (but for what it remembers comparing).

    `skus` gives each listing its number; it only grows. The turns say which of two sightings of a store lie on
    either side of a turn of prices.
    """

    def __init__(self, company: str, skus: Iterable[str] = (), *, turns: Turns, rules: Rules = RULES) -> None:
        self.company = company
        self.skus = list(skus)
        self.turns = turns
        self.rules = rules
        self.stores: dict[str, Observed] = {}
        self.vectors = Vectors()
        self.drift = Drift()
        self.remembered = Remembered()
        self.full_at = np.full(0, NEVER, np.int64)
        """By row: when the last full scrape of a store that is open started, in microseconds; else `NEVER`."""
        self._moves: dict[str, Moves] = {}
        self._number = {sku: number for number, sku in enumerate(self.skus)}
        self._order: tuple[Ints, NDArray[np.object_]] = ints(()), np.zeros(0, np.object_)
        self._widen(len(self.skus))

    def is_open(self, store: str) -> bool:
        """Whether a store was discovered, and not closed since."""
        seen = self.stores.get(store)
        return seen is not None and seen.is_open

    def is_closed(self, store: str) -> bool:
        """Whether a store was closed, and not discovered since."""
        seen = self.stores.get(store)
        return seen is not None and seen.closed_at is not None and not seen.is_open

    def number(self, sku: str) -> int | None:
        """A listing's number; None for one that no store ever had a price of."""
        return self._number.get(sku)

    def in_order(self) -> tuple[Ints, NDArray[np.object_]]:
        """All listings in the order of their skus: their numbers, and their skus."""
        if len(self._order[0]) != len(self.skus):
            order = ints(sorted(range(len(self.skus)), key=self.skus.__getitem__))
            self._order = order, np.array(self.skus, np.object_)[order]
        return self._order

    def discover(self, store: str, at: datetime) -> bool:
        """Fold StoreDiscovered; whether the store is open by it and was not before."""
        seen = self._of(store)
        was_open = seen.is_open
        seen.discovered_at = at if seen.discovered_at is None else max(seen.discovered_at, at)
        self._note_full(seen)
        return seen.is_open and not was_open

    def close(self, store: str, at: datetime) -> bool:
        """Fold StoreClosed; whether the store is closed by it and was open."""
        seen = self._of(store)
        was_open = seen.is_open
        seen.closed_at = at if seen.closed_at is None else max(seen.closed_at, at)
        self._note_full(seen)
        return was_open and not seen.is_open

    def settle(self, scrape: Settlement, changes: Iterable[tuple[str, int | None]]) -> bool:
        """Fold a scrape that has settled, with all it changed: (sku, cents or None for withdrawn), in order.

        False for a repeat, its seq being at or below the last: nothing changed then.
        """
        seen = self._of(scrape.store)
        if seen.last is not None and scrape.seq <= seen.last.seq:
            return False
        at, turned = seconds(scrape.started_at), seconds(self.turns.last(self.company, scrape.started_at))
        moves = self._write(seen.row, dict(changes), at, turned)
        visit = Visit(scrape.scrape_id, scrape.seq, scrape.outcome, scrape.started_at, scrape.settled_at)
        seen.last = visit
        if scrape.outcome == "full":
            self.vectors.attest(seen.row, slice(None), at)
            seen.full, seen.since_full = visit, (visit.scrape_id,)
            looked_at = int(self.vectors.sold[seen.row])
        else:
            numbers = [number for sku in scrape.seen if (number := self._number.get(sku)) is not None]
            self.vectors.attest(seen.row, ints(numbers), at)
            looked_at = len(numbers)
            if seen.full is not None:
                seen.since_full += (visit.scrape_id,)
        self._drift(scrape.store, moves, looked_at, at)
        self._note_full(seen)
        self.remembered.forget(seen.row)
        return True

    def record(self, store: str) -> bytes:
        """All that is known of a store, compact; KeyError for one that nothing is known of."""
        seen = self.stores[store]
        prices = self.vectors.prices(seen.row)
        columns = np.flatnonzero(prices != NOT_SOLD)
        attested, moved = (
            array[seen.row, columns].astype(np.int64) for array in (self.vectors.attested, self.vectors.moved)
        )
        cells = Cells(columns, prices[columns].astype(np.int64), attested, moved)
        return record.write(store, seen, cells, self._moves.get(store, no_moves()))

    def restore(self, store: str, saved: bytes) -> None:
        """Take up a store's record; ValueError if it is damaged, another store's, or of unknown listings."""
        seen, cells, moves = record.read(store, saved)
        known = len(self.skus)
        if any(len(columns) and columns.max() >= known for columns in (cells.columns, moves.columns)):
            raise ValueError(f"the record of {store} names a listing above the {known} that {self.company} has")
        seen.row = self._of(store).row
        self.stores[store] = seen
        self.vectors.load(seen.row, cells.columns, cells.cents, cells.attested, cells.moved)
        self._moves[store] = moves
        self.drift.add(moves, self.vectors)
        self._note_full(seen)
        self.remembered.forget(seen.row)

    def _write(self, row: int, prices: dict[str, int | None], at: int, turned: int) -> Moves:
        columns, cents = [], []
        for sku, price in prices.items():
            number = self._number.get(sku)
            if number is None:
                if price is None:
                    continue
                number = self._number[sku] = len(self.skus)
                self.skus.append(sku)
            columns.append(number)
            cents.append(NOT_SOLD if price is None else price)
        self._widen(len(self.skus) - self.vectors.columns)
        return self.vectors.write(row, ints(columns), ints(cents), at, turned)

    def _drift(self, store: str, moves: Moves, looked_at: int, at: int) -> None:
        """Note what moved, unless so much did that the store would not match itself as it was last seen.

        That is no drift: the store went to another zone, or prices turned on another day. Did its moves make
        listings unknown, the two zones it went between would differ in nothing that is known.
        """
        if 100 * len(moves.columns) > (100 - self.rules.equal_percent) * looked_at:
            moves = no_moves()
        self.drift.add(moves, self.vectors)
        recent = self._moves.get(store, no_moves()).and_(moves)
        self._moves[store] = recent.later_than(at - KEPT_SECONDS)

    def _of(self, store: str) -> Observed:
        seen = self.stores.get(store)
        if seen is None:
            seen = self.stores[store] = Observed(self.vectors.add_row())
            if seen.row >= len(self.full_at):
                room = len(self.vectors.codes) - len(self.full_at)
                self.full_at = np.pad(self.full_at, (0, room), constant_values=NEVER)
        return seen

    def _note_full(self, seen: Observed) -> None:
        comparable = seen.is_open and seen.full is not None
        self.full_at[seen.row] = micros(seen.full.started_at) if seen.full is not None and comparable else NEVER

    def _widen(self, count: int) -> None:
        if count:
            self.vectors.add_columns(count)
            self.drift.widen(self.vectors.codes.shape[1])
