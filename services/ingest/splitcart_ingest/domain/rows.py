"""The catalogue as rows: what is stored of it, and what a digest covers."""

from collections.abc import ItemsView, Set
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

ListingId = tuple[str, str]
"""Company and SKU."""

K = TypeVar("K", UUID, str)


class ProductRow(NamedTuple):
    """A product as it was registered, and what it was merged into: the survivor, never a step on the way."""

    product_id: UUID
    company: str
    sku: str
    brand_id: str | None
    sizes: tuple[str, ...]
    merged_into: UUID | None


class LinkRow(NamedTuple):
    """Where a listing is linked to, and the description it was linked by, as the company wrote it."""

    company: str
    sku: str
    product_id: UUID
    name: str | None
    brand: str | None
    size: str | None
    barcode: str | None


class State(NamedTuple):
    """All of a catalogue as rows, each in order: what is stored, and what a digest covers."""

    products: tuple[ProductRow, ...]
    links: tuple[LinkRow, ...]
    variations: tuple[tuple[UUID, str], ...]
    bars: tuple[tuple[str, str, UUID], ...]
    brands: tuple[tuple[str, str], ...]


class Survivors(Generic[K]):
    """What was merged into what, each at its survivor, however many steps it took."""

    def __init__(self) -> None:
        self._into: dict[K, K] = {}
        self._from: dict[K, set[K]] = {}

    def resolve(self, one: K) -> K:
        """The survivor: itself where it was never merged."""
        return self._into.get(one, one)

    def add(self, survivor: K, merged: K) -> bool:
        """Merge one into the survivor of another, with all that was merged into it; whether that is news.

        What was merged before stays where it is.
        """
        to = self.resolve(survivor)
        if merged == to or merged in self._into:
            return False
        moved = {merged, *self._from.pop(merged, ())}
        self._into |= dict.fromkeys(moved, to)
        self._from.setdefault(to, set()).update(moved)
        return True

    def merged_into(self, survivor: K) -> Set[K]:
        """All that was merged into a survivor."""
        return self._from.get(survivor, frozenset())

    def items(self) -> ItemsView[K, K]:
        """All that were merged, with their survivors."""
        return self._into.items()
