"""Where things are: points in degrees, distances in kilometres, postcodes and the points they stand for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt
from typing import Final

EARTH_RADIUS_KM: Final = 6371.0088
KM_PER_DEGREE: Final = 111.195
"""Of latitude, by the same radius."""


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees north and east, WGS 84."""

    lat: float
    lon: float


def distance_km(a: Point, b: Point) -> float:
    """The great-circle distance (haversine): off by up to 0.5 %, as the earth is no sphere."""
    north, east = radians(b.lat - a.lat), radians(b.lon - a.lon)
    chord = sin(north / 2) ** 2 + cos(radians(a.lat)) * cos(radians(b.lat)) * sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(chord)))


@dataclass(frozen=True, slots=True)
class Postcode:
    """Four digits, as text: those of the Northern Territory begin with 0."""

    postcode: str
    state: str
    point: Point


class Postcodes:
    """Every postcode that is known, by its four digits."""

    def __init__(self, known: Iterable[Postcode]) -> None:
        self._known: Mapping[str, Postcode] = {place.postcode: place for place in known}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, postcode: str) -> Postcode | None:
        """The postcode, None if it is not known."""
        return self._known.get(postcode)

    def similar(self, postcode: str, count: int = 5) -> list[Postcode]:
        """The known postcodes numerically nearest to four digits, the nearest first.

        Numbers of neighbouring places are close, so the nearest number is the likeliest slip of the hand.
        """
        wanted = int(postcode)
        return sorted(self._known.values(), key=lambda place: (abs(int(place.postcode) - wanted), place.postcode))[
            :count
        ]


def parse_postcodes(text: str) -> Postcodes:
    """Read the package's table: a comment line starts with ``#``; else ``postcode state lat lon``."""
    known: list[Postcode] = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            postcode, state, lat, lon = line.split()
            known.append(Postcode(postcode, state, Point(float(lat), float(lon))))
    return Postcodes(known)
