"""The catalogue: which product each listing is, as a fold of `catalogue` and of nothing else. It decides nothing.

One value in memory, some 100,000 listings large, with the indexes that deciding needs: by listing, by barcode, by
name key. `evolve` changes it in place; who cannot write down what was decided throws it away and loads it again.
Ids of merged products stay valid: each is resolved to its survivor, so folding an event twice is folding it once.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import NamedTuple, assert_never
from uuid import UUID

from splitcart_common.events import (
    BrandsMerged,
    CatalogueEvent,
    KeyVariationLearned,
    ListingLinked,
    ListingUnlinked,
    ProductRegistered,
    ProductsMerged,
)

ListingId = tuple[str, str]
"""Company and SKU."""


class ProductRow(NamedTuple):
    """A product as it was registered, and what it was merged into: the survivor itself, never a step on the way."""

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


class Catalogue:
    """Products, links, learned keys, bars and brands, with their indexes.

    Build one with `Catalogue()` and `evolve`, or with `Catalogue.of` from the rows of `state()`.
    """

    @classmethod
    def of(
        cls,
        products: Iterable[ProductRow],
        links: Iterable[LinkRow],
        variations: Iterable[tuple[UUID, str]],
        bars: Iterable[tuple[str, str, UUID]],
        brands: Iterable[tuple[str, str]],
    ) -> "Catalogue":
        """The catalogue of these rows, in any order; names are read by the rules of this release."""
        raise NotImplementedError

    def __len__(self) -> int:
        """How many listings are linked."""
        raise NotImplementedError

    def product_of(self, company: str, sku: str) -> UUID | None:
        """The product a listing is, None if it was never linked."""
        raise NotImplementedError

    def resolve(self, product_id: UUID) -> UUID:
        """The survivor of a product: itself if it was never merged, or never heard of."""
        raise NotImplementedError

    def listings_of(self, product_id: UUID) -> Set[ListingId]:
        """The listings of a product, none if it is not known."""
        raise NotImplementedError

    def state(self) -> State:
        """All of it, sorted: equal for equal logs, and `Catalogue.of(*state)` is this catalogue again."""
        raise NotImplementedError


def evolve(catalogue: Catalogue, event: CatalogueEvent) -> None:
    """Fold one event into the catalogue, in place; the same one twice is the same as once."""
    raise NotImplementedError
