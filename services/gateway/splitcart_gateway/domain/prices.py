"""What a product costs at the stores asked about: cheapest first, and where it is not sold or not known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from splitcart_gateway.domain.stores import Nearby


@dataclass(frozen=True, slots=True)
class Observed:
    """A served price (protocol.md, rule 8). Cents; `seen_store` is the store whose shelf proves it.

    `source` says which clause of the rule gives it: the store's ``own`` shelf, an ``exception`` stated with its
    group's evidence, or its ``anchor``. Since when an exception is this price is not on record: `changed_at` None.
    """

    store: str
    sku: str
    price: int
    seen_at: datetime
    seen_store: str
    changed_at: datetime | None
    was_price: int | None
    special: str | None
    source: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Priced:
    """A store that sells the product, and its cheapest listing of it."""

    near: Nearby
    price: Observed
    age_seconds: int
    """Since it was last seen."""
    held_seconds: int | None
    """Since it became this price, as far as that is on record."""


class Absence(StrEnum):
    """Why a store is known not to sell a product."""

    NOT_IN_RANGE = "not-in-range"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class NotSold:
    """A store known not to sell the product, by the last look at its whole range."""

    near: Nearby
    reason: Absence
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Offers:
    """All stores asked about, each in exactly one of the three."""

    prices: Sequence[Priced]
    not_sold_at: Sequence[NotSold]
    unknown: Sequence[Nearby]
    """Stores whose whole range nobody has seen yet."""


def compare(
    stores: Iterable[Nearby], observed: Iterable[Observed], range_seen_at: Mapping[str, datetime], now: datetime
) -> Offers:
    """Put every store in its place.

    Prices are ordered by cents, then distance, then store key; the others by distance, then store key.
    `range_seen_at` has the stores whose whole range is known, by their own shelf or their anchor's, and when it
    was last seen.
    """
    cheapest: dict[str, Observed] = {}
    for price in observed:
        known = cheapest.get(price.store)
        if known is None or (price.price, price.sku) < (known.price, known.sku):
            cheapest[price.store] = price
    prices: list[Priced] = []
    not_sold: list[NotSold] = []
    unknown: list[Nearby] = []
    for near in stores:
        key = near.store.key
        found = cheapest.get(key)
        if near.store.closed_at is not None:
            not_sold.append(NotSold(near, Absence.CLOSED, near.store.closed_at))
        elif found is not None:
            held = None if found.changed_at is None else _since(found.changed_at, now)
            prices.append(Priced(near, found, _since(found.seen_at, now), held))
        elif key in range_seen_at:
            not_sold.append(NotSold(near, Absence.NOT_IN_RANGE, range_seen_at[key]))
        else:
            unknown.append(near)
    prices.sort(key=lambda priced: (priced.price.price, _by_distance(priced.near)))
    not_sold.sort(key=lambda absent: _by_distance(absent.near))
    unknown.sort(key=_by_distance)
    return Offers(prices, not_sold, unknown)


def _since(moment: datetime, now: datetime) -> int:
    # Clocks of two machines may differ a little: nothing is seen in the future.
    return max(0, int((now - moment).total_seconds()))


def _by_distance(near: Nearby) -> tuple[float, str]:
    return (float("inf") if near.distance_km is None else near.distance_km, near.store.key)


def alike(prices: Sequence[Priced]) -> list[list[Priced]]:
    """Prices of one company, amount and special put together, in the order they first appear; nearest first.

    Most stores of a company ask the same: a person wants that said once, and the nearest store by name.
    """
    groups: dict[tuple[str, int, int | None, str | None], list[Priced]] = {}
    for priced in prices:
        price = priced.price
        same = (priced.near.store.company, price.price, price.was_price, price.special)
        groups.setdefault(same, []).append(priced)
    return list(groups.values())
