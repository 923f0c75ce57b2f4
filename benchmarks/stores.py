"""A company of many stores for the benchmarks of grouping, fed to the very domain code the service runs."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from splitcart_common.events.base import Event
from splitcart_common.turns import Turns
from splitcart_grouping.domain.decide import on_discovered
from splitcart_grouping.domain.groups import Groups
from splitcart_grouping.domain.market import Market, Settlement

TURNS = Turns.parse("wed 00:00")
AT = datetime(2026, 9, 3, 8, tzinfo=UTC)
LISTINGS = 20_000

Row = NDArray[np.int64]


def dict_pair(a: dict[str, int], b: dict[str, int]) -> tuple[int, int]:
    """The baseline's comparison: listings shared, and how many of them are equal."""
    shared = equal = 0
    for sku, price in a.items():
        other = b.get(sku)
        if other is not None:
            shared += 1
            equal += price == other
    return shared, equal


class Country:
    """Stores of so many zones, in turn; zones are 3 to 30 % away from a common price list.

    A store sells a share of the listings (`sold`), and has half a per cent of prices of its own. A row of `prices`
    holds cents by listing, 0 for one that the store does not sell.
    """

    def __init__(self, stores: int, zones: int, sold: float) -> None:
        self.rng = np.random.default_rng(5)
        base = self.rng.integers(50, 5_000, LISTINGS)
        self.zones = [self._zone(base) for _ in range(zones)]
        self._sells = [self.rng.random(LISTINGS) < sold for _ in range(stores)]
        self._own = [5 * (self.rng.random(LISTINGS) < 0.005) for _ in range(stores)]
        self.prices = [self.in_zone(store, store % zones) for store in range(stores)]
        self.keys = [f"coles:{store:04}" for store in range(stores)]
        self.skus = [f"{number:07}" for number in range(LISTINGS)]
        self.market = Market("coles", turns=TURNS)
        self.groups = Groups()
        self._seq = dict.fromkeys(self.keys, 0)
        self._recorded = {key: np.zeros(LISTINGS, np.int64) for key in self.keys}
        for key in self.keys:
            self.market.discover(key, AT - timedelta(hours=1))
            self.fold(on_discovered(self.market, self.groups, key, AT - timedelta(hours=1)))

    def _zone(self, base: Row) -> Row:
        zone, own = base.copy(), self.rng.random(LISTINGS) < self.rng.uniform(0.03, 0.30)
        zone[own] += 10 * self.rng.integers(1, 12, own.sum())
        return zone

    def in_zone(self, store: int, zone: int) -> Row:
        """A store's row, were it in that zone."""
        return np.where(self._sells[store], self.zones[zone] + self._own[store], 0)

    def as_dict(self, row: int) -> dict[str, int]:
        """A store's prices by sku, as a program with dictionaries holds them."""
        sold = np.flatnonzero(self.prices[row])
        return dict(zip((self.skus[n] for n in sold), self.prices[row][sold].tolist(), strict=True))

    def settlement(self, key: str, at: datetime) -> tuple[Settlement, list[tuple[str, int | None]]]:
        """A full scrape of a store, as ingest would publish it."""
        now, before = self.prices[self.keys.index(key)], self._recorded[key]
        changed = np.flatnonzero(now != before)
        self._recorded[key] = now
        self._seq[key] += 1
        scrape_id = UUID(int=(self.keys.index(key) << 32) + self._seq[key])
        changes = [(self.skus[n], int(now[n]) or None) for n in changed]
        return Settlement(key, scrape_id, self._seq[key], "full", at, at, ()), changes

    def scrape(self, key: str, at: datetime) -> None:
        """A full scrape, folded and not decided upon."""
        self.market.settle(*self.settlement(key, at))

    def fold(self, events: Iterable[Event]) -> None:
        """Fold what was decided."""
        for event in events:
            self.groups.evolve(event)
