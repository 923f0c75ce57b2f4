"""The stores, and which of them are near a point: all in memory, as there are only some thousands."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Final

from splitcart_gateway.domain.places import KM_PER_DEGREE, Point, distance_km

REMEMBERED_ANSWERS: Final = 4096


@dataclass(frozen=True, slots=True)
class Store:
    """One outlet. `name` and `point` are None until its own description has come; `closed_at` None: open."""

    key: str
    company: str
    name: str | None
    division: str | None
    address: str | None
    suburb: str | None
    state: str | None
    postcode: str | None
    point: Point | None
    sells_online: bool | None
    seen_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Nearby:
    """A store and how far it is; None where no place was asked about or the store's own is unknown."""

    store: Store
    distance_km: float | None


class StoreBook:
    """All stores as of one moment. Never changed: a later moment is another book."""

    def __init__(self, stores: Iterable[Store] = ()) -> None:
        self._by_key: Mapping[str, Store] = {store.key: store for store in sorted(stores, key=lambda s: s.key)}
        placed = [
            (store.point.lat, store.key, store.point, store)
            for store in self._by_key.values()
            if store.point is not None and store.closed_at is None
        ]
        placed.sort(key=lambda row: row[:2])
        self._south_to_north = placed
        self._latitudes = [row[0] for row in placed]
        self._answers: dict[tuple[Point, float, str | None], Sequence[Nearby]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def companies(self) -> set[str]:
        """The companies of the open stores."""
        return {store.company for store in self._by_key.values() if store.closed_at is None}

    def get(self, key: str) -> Store | None:
        """A store by its key, closed ones too; None if there is none."""
        return self._by_key.get(key)

    def all(self, company: str | None = None) -> list[Store]:
        """Every open store, of one company if it is named, by key."""
        return [
            store
            for store in self._by_key.values()
            if store.closed_at is None and (company is None or store.company == company)
        ]

    def near(self, point: Point, radius_km: float, company: str | None = None) -> Sequence[Nearby]:
        """Every open store within the radius (its edge included), nearest first, then by key.

        Answers are remembered for as long as the book lives: the same few places are asked for again and again.
        """
        asked = (point, radius_km, company)
        answer = self._answers.get(asked)
        if answer is None:
            if len(self._answers) >= REMEMBERED_ANSWERS:
                self._answers.clear()
            answer = self._answers[asked] = self._search(point, radius_km, company)
        return answer

    def _search(self, point: Point, radius_km: float, company: str | None) -> Sequence[Nearby]:
        # Only the band of latitudes that the radius can reach is measured.
        degrees = radius_km / KM_PER_DEGREE * 1.001
        low = bisect_left(self._latitudes, point.lat - degrees)
        high = bisect_right(self._latitudes, point.lat + degrees)
        found: list[tuple[float, str, Store]] = []
        for _, key, place, store in self._south_to_north[low:high]:
            if company is None or store.company == company:
                distance = distance_km(point, place)
                if distance <= radius_km:
                    found.append((distance, key, store))
        found.sort(key=lambda row: row[:2])
        return tuple(Nearby(store, distance) for distance, _, store in found)

    def measured(self, store: Store, point: Point | None) -> Nearby:
        """A store with its distance from a point, as far as both are known."""
        known = point is not None and store.point is not None
        return Nearby(store, distance_km(point, store.point) if known and point and store.point else None)

    def similar(self, key: str, count: int = 3) -> list[str]:
        """Keys that look like one that is not there, the likest first."""
        company = key.partition(":")[0]
        keys = [known for known in self._by_key if known.startswith(f"{company}:")]
        return get_close_matches(key, keys or self._by_key, n=count)
