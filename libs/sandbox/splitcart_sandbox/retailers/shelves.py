"""A store's whole price list at one moment, put together from prices, zones, clearances and ranges."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np

from splitcart_sandbox.retailers.noise import I64
from splitcart_sandbox.retailers.prices import Prices
from splitcart_sandbox.retailers.ranges import Carried, Ranges
from splitcart_sandbox.retailers.source import Outlet
from splitcart_sandbox.retailers.zones import Life, Zoning

T = TypeVar("T")

NOT_SOLD: Final = -1
"""The price of a listing that a store does not carry."""

_KEPT: Final = 256


@dataclass(frozen=True, slots=True)
class Store:
    """One store of the simulated country: where it is, and what becomes of it."""

    outlet: Outlet
    life: Life

    @property
    def key(self) -> str:
        """The store key, for example ``aldi:G452``."""
        return self.outlet.key


@dataclass(frozen=True, slots=True)
class Shelf:
    """Prices in cents in the order of the listings, `NOT_SOLD` where not carried; it stands in [at, until).

    `regular` is what the listing costs there without special and clearance, `NOT_SOLD` likewise.
    """

    at: int
    until: int
    prices: I64
    regular: I64
    _kept: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    def keep(self, what: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once: whatever follows from a price list stands, and goes, with it."""
        if what not in self._kept:
            self._kept[what] = make()
        kept: T = self._kept[what]
        return kept

    def priced(self, numbers: I64) -> list[tuple[int, int, int]]:
        """Number, price and regular price of each of these listings, in order."""
        prices, regular = self.prices[numbers].tolist(), self.regular[numbers].tolist()
        return list(zip(numbers.tolist(), prices, regular, strict=True))


@dataclass(frozen=True, slots=True)
class _National:
    """What the stores of a company have in common, standing in [at, until)."""

    at: int
    until: int
    regular: I64
    now: I64
    listed: Carried


class Shelves:
    """The price lists of one company's stores over an array of its listings.

    The last answers are kept: between two change moments a store's list is not computed again. Computing it
    afresh gives the same list, so nothing but speed depends on what is kept.
    """

    def __init__(self, prices: Prices, ranges: Ranges, zoning: Zoning) -> None:
        self._prices, self._ranges, self._zoning = prices, ranges, zoning
        self._national: _National | None = None
        self._zones: dict[int, I64] = {}
        self._kept: OrderedDict[str, Shelf] = OrderedDict()

    def shelf(self, store: Store, at: int) -> Shelf:
        """A store's list at a moment (seconds since 1970); empty once it has closed."""
        kept = self._kept.get(store.key)
        if kept is not None and kept.at <= at < kept.until:
            self._kept.move_to_end(store.key)
            return kept
        shelf = self._compute(store, at)
        self._kept[store.key] = shelf
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return shelf

    def _compute(self, store: Store, at: int) -> Shelf:
        national = self._common(at)
        until = min(national.until, store.life.until(at))
        if not store.life.open(at):
            nothing = np.full(len(national.now), NOT_SOLD, np.int64)
            return Shelf(at, until, nothing, nothing)
        zone = store.life.zone(at)
        difference = self._difference(zone)
        chosen = self._ranges.at_store(store.key, at)
        cleared = self._prices.clearances(store.key, at)
        carried = national.listed.mask & chosen.mask & self._ranges.in_zone(zone)
        asked = national.now + difference
        asked = np.where(cleared.mask, self._prices.reduced(asked, cleared.depth), asked)
        until = min(until, int(chosen.until.min()), int(cleared.until.min()))
        prices = np.where(carried, asked, NOT_SOLD)
        return Shelf(at, until, prices, np.where(carried, national.regular + difference, NOT_SOLD))

    def _common(self, at: int) -> _National:
        if self._national is None or not self._national.at <= at < self._national.until:
            priced, listed = self._prices.national(at), self._ranges.listed(at)
            until = min(int(priced.until.min()), int(listed.until.min()))
            self._national = _National(at, until, priced.regular, priced.now, listed)
        return self._national

    def _difference(self, zone: int) -> I64:
        if zone not in self._zones:
            self._zones[zone] = self._prices.zone_difference(zone, self._zoning.apart[zone])
        return self._zones[zone]
