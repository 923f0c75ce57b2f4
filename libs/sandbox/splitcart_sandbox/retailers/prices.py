"""What things cost, in integer cents: the company's price, a zone's difference from it, a store's clearances.

A price is always a function of (seed, listing, zone, store, moment); see `processes` for how it moves.
"""

from typing import NamedTuple

import numpy as np

from splitcart_sandbox.retailers.noise import I64, U64, Bools, below, draws, draws_at, pick, salt, scramble
from splitcart_sandbox.retailers.processes import DAY, WEEK, bursts, eras
from splitcart_sandbox.retailers.profiles import CLEARANCE_SLOT, CompanyProfile

_CLEARANCE_DEPTHS = np.array([30, 40, 50, 60], np.int64)


class Priced(NamedTuple):
    """Regular price, price asked now, and until when each stands."""

    regular: I64
    now: I64
    until: I64


class Cleared(NamedTuple):
    """Which listings a store clears, by how many per cent, and until when that stands."""

    mask: Bools
    depth: I64
    until: I64


class Prices:
    """The prices of one company over an array of listings and the real prices they start from."""

    def __init__(self, profile: CompanyProfile, seed: int, turn_at: int, listings: U64, base: I64) -> None:
        self._profile, self._seed, self._company, self._turn_at = profile, seed, profile.company, turn_at
        self._listings, self._base = listings, base
        self._drift = draws(listings, salt(seed, self._company, "drift"))
        self._special = draws(listings, salt(seed, self._company, "special"))
        self._depths = np.array(profile.special_depths, np.int64)

    def national(self, at: int) -> Priced:
        """The company's price: the real one, or one it drifted to, less this week's special."""
        era = eras(self._drift, self._profile.drift_seconds, at)
        # Every second era is the real price, so a price does not wander off however long the world runs.
        away = self._step(draws_at(self._drift, 2 * era.number + 1), 3, 10)
        regular = np.where(era.number % 2 == 0, self._base, self._base + away)
        week = (at - self._turn_at) // WEEK
        draw = draws_at(self._special, np.full(len(self._base), week, np.int64))
        special = below(draw, self._profile.special_share)
        depth = self._depths[pick(scramble(draw), len(self._depths))]
        now = np.where(special, self.reduced(regular, depth), regular)
        return Priced(regular, now, np.minimum(era.until, self._turn_at + (week + 1) * WEEK))

    def zone_difference(self, zone: int, apart: float) -> I64:
        """Cents a zone adds to the company's price, on that share of the listings; it never changes."""
        draw = draws(self._listings, salt(self._seed, self._company, "zone", zone))
        difference: I64 = np.where(below(draw, apart), self._step(scramble(draw), 3, 12), 0)
        return difference

    def clearances(self, store: str, at: int) -> Cleared:
        """What one store clears on its own."""
        low, high = self._profile.clearance_days
        of = draws(self._listings, salt(self._seed, "clearance", store))
        burst = bursts(of, CLEARANCE_SLOT, self._profile.clearance_chance, low * DAY, high * DAY, at)
        depth = _CLEARANCE_DEPTHS[pick(burst.draw, len(_CLEARANCE_DEPTHS))]
        return Cleared(burst.active, depth, burst.until)

    @staticmethod
    def reduced(cents: I64, depth: I64) -> I64:
        """So many per cent off, ending in 9 as shelf prices do, and always below the price it started from."""
        nine = (cents * (100 - depth) // 100 + 5) // 10 * 10 - 1
        price: I64 = np.maximum(np.minimum(nine, cents - 1), 1)
        return price

    def _step(self, draw: U64, low: int, high: int) -> I64:
        """Up or down by `low` to `high` per cent of the real price: whole 5 cents, at least 5, never to 0."""
        percent = low + pick(draw, high - low + 1)
        step = np.maximum((self._base * percent // 100 + 2) // 5 * 5, 5)
        down = ((draw & np.uint64(1)) == 0) & (self._base >= 40)
        signed: I64 = np.where(down, -step, step)
        return signed
