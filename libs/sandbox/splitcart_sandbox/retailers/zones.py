"""Hidden price zones: which stores charge the same, and where each store starts and moves to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
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

    Two zones differ in about the sum of their `apart`, in less where that is large: prices both changed can meet.
    """

    names: tuple[str, ...]
    apart: tuple[float, ...]
    home: tuple[int, ...]


MakeZoning = Callable[[Sequence[Outlet], Sequence[Outlet], int], Zoning]
"""A company's outlets, those of them that are in the country, and a seed, to the zones of the latter.

A table of states for the chains, owners for the independents.
"""


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

    def make(_every: Sequence[Outlet], chosen: Sequence[Outlet], _seed: int) -> Zoning:
        names, apart = tuple(zone.name for zone in zones), tuple(zone.apart for zone in zones)
        return Zoning(names, apart, tuple(map(number, chosen)))

    return make


def by_owner(*, largest: int, single_share: float, apart: float) -> MakeZoning:
    """Each owner is a zone: that share of all outlets has an owner of its own, the rest is dealt out to chains.

    Who owns what is drawn over all of a company's outlets, so a smaller country keeps the owners and has fewer
    outlets of each; owners of none of the chosen are left out.
    """

    def make(every: Sequence[Outlet], chosen: Sequence[Outlet], seed: int) -> Zoning:
        deck = sorted(every, key=lambda outlet: salt(seed, "owner", outlet.key))
        singles = round(single_share * len(deck))
        owner = {outlet.key: f"single-{outlet.store_id}" for outlet in deck[:singles]}
        dealt = iter(deck[singles:])
        for number, size in enumerate(chain_sizes(len(deck) - singles, largest), 1):
            owner |= {outlet.key: f"chain-{number:02}" for outlet in islice(dealt, size)}
        names = tuple(sorted({owner[outlet.key] for outlet in chosen}))
        home = tuple(names.index(owner[outlet.key]) for outlet in chosen)
        return Zoning(names, (apart,) * len(names), home)

    return make


def chain_sizes(outlets: int, largest: int) -> Iterator[int]:
    """Sizes of the chains that own so many outlets: the n-th has an n-th of the largest one's, and at least 2.

    What is left for the last chain may be a single outlet.
    """
    for number in count(1):
        if outlets <= 0:
            return
        size = min(max(2, round(largest / number)), outlets)
        yield size
        outlets -= size


def merged(zoning: Zoning, wanted: int | None) -> Zoning:
    """The same with only so many zones, None for all. ValueError if it has fewer than asked for."""
    if wanted is None:
        return zoning
    if not 1 <= wanted <= len(zoning.names):
        raise ValueError(f"a company of {len(zoning.names)} zones cannot be played with {wanted}")
    return Zoning(zoning.names[:wanted], zoning.apart[:wanted], tuple(zone % wanted for zone in zoning.home))


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
