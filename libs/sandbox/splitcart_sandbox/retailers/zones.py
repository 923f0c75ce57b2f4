"""Hidden price zones: which stores charge the same, and where each store starts and moves to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import asin, cos, log, radians, sin, sqrt
from typing import Final

from splitcart_sandbox.retailers.noise import fraction, salt
from splitcart_sandbox.retailers.processes import DAY, FOREVER
from splitcart_sandbox.retailers.source import Outlet

CAPITALS: Final[Mapping[str, tuple[float, float]]] = {
    "ACT": (-35.28, 149.13), "NSW": (-33.87, 151.21), "NT": (-12.46, 130.84), "QLD": (-27.47, 153.03),
    "SA": (-34.93, 138.60), "TAS": (-42.88, 147.33), "VIC": (-37.81, 144.96), "WA": (-31.95, 115.86),
}  # fmt: skip
METRO_KM: Final = 100.0
REMOTE_KM: Final = 700.0
MONTH: Final = 365 * DAY // 12


@dataclass(frozen=True, slots=True)
class Zoning:
    """A company's zones by number: name, share of prices that is the zone's own, and each outlet's home zone.

    Two zones' prices differ in about the sum of their `apart`.
    """

    names: tuple[str, ...]
    apart: tuple[float, ...]
    home: tuple[int, ...]


MakeZoning = Callable[[Sequence[Outlet], int], Zoning]
"""Outlets and a seed to their zones: a table of states for the chains, owners for the independents."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of a company that prices by geography: which outlets it takes, and the share of prices its own."""

    name: str
    apart: float
    states: tuple[str, ...]
    remoteness: tuple[str, ...] = ("metro", "country", "remote")


def by_geography(*zones: Zone) -> MakeZoning:
    """Each outlet belongs to the first zone that takes its state and remoteness; to the last if none does."""

    def number(outlet: Outlet) -> int:
        far = remoteness(outlet)
        taking = (n for n, zone in enumerate(zones) if outlet.state in zone.states and far in zone.remoteness)
        return next(taking, len(zones) - 1)

    def make(outlets: Sequence[Outlet], _seed: int) -> Zoning:
        names, apart = tuple(zone.name for zone in zones), tuple(zone.apart for zone in zones)
        return Zoning(names, apart, tuple(map(number, outlets)))

    return make


def merged(zoning: Zoning, count: int | None) -> Zoning:
    """The same with only so many zones, None for all. ValueError if it has fewer than asked for."""
    if count is None:
        return zoning
    if not 1 <= count <= len(zoning.names):
        raise ValueError(f"a company of {len(zoning.names)} zones cannot be played with {count}")
    return Zoning(zoning.names[:count], zoning.apart[:count], tuple(zone % count for zone in zoning.home))


def remoteness(outlet: Outlet) -> str:
    """``metro``, ``country`` or ``remote``, by distance from the state's capital; all of the NT is remote."""
    distance = kilometres((outlet.latitude, outlet.longitude), CAPITALS[outlet.state])
    if outlet.state == "NT" or distance > REMOTE_KM:
        return "remote"
    return "metro" if distance < METRO_KM else "country"


def kilometres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance of two (latitude, longitude) in degrees."""
    north, east = radians(b[0] - a[0]), radians(b[1] - a[1])
    chord = sin(north / 2) ** 2 + cos(radians(a[0])) * cos(radians(b[0])) * sin(east / 2) ** 2
    return 2 * 6371.0 * asin(sqrt(chord))


@dataclass(frozen=True, slots=True)
class Life:
    """What becomes of one store: the zones it is in, each from a moment on, and when it closes.

    `moves` are (moment, zone) in order, the first at moment 0: its home.
    """

    moves: tuple[tuple[int, int], ...]
    closes: int

    def zone(self, at: int) -> int:
        """The zone it prices by at a moment."""
        return next(zone for since, zone in reversed(self.moves) if since <= at)

    def open(self, at: int) -> bool:
        """Whether it still trades."""
        return at < self.closes

    def until(self, at: int) -> int:
        """The next moment after `at` at which it moves or closes."""
        coming = (since for since, _ in self.moves if since > at)
        return min(next(coming, FOREVER), self.closes if self.closes > at else FOREVER)


def life(seed: int, store: str, home: int, zones: int, moves: float, closures: float, origin: int) -> Life:
    """A store's life: nothing before `origin`; `moves` and `closures` are shares of stores a month."""
    path, at = [(0, home)], origin
    for step in range(16):
        if zones == 1 or moves == 0:
            break
        at += _wait(moves, seed, "move", store, step)
        other = salt(seed, "move to", store, step) % (zones - 1)
        path.append((at, other if other < path[-1][1] else other + 1))
    closes = FOREVER if closures == 0 else origin + _wait(closures, seed, "closure", store)
    return Life(tuple(path), closes)


def _wait(share_a_month: float, *purpose: object) -> int:
    """Seconds to the first of events that come at a steady rate."""
    return 1 + int(-log(1.0 - fraction(*purpose)) / share_a_month * MONTH)
