"""What a run of catalogue events comes to, row by row: the last word on each, and merges worked out to their ends.

Pure. Rows do not depend on each other, and a merge moves all that is there of what is merged, so that it does not
matter whether it comes before a row or after it. Only bars are taken away again: they are followed event by event.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
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
from splitcart_ingest.domain.catalogue import ListingId

K = TypeVar("K", UUID, str)
Bar = tuple[str, str, UUID]
"""Company, SKU and the product that the listing is barred from."""


@dataclass(slots=True)
class Pointers(Generic[K]):
    """What was merged into what, each at its survivor. `moved`: those that point elsewhere than in the tables."""

    known: dict[K, K]
    moved: dict[K, K] = field(default_factory=dict)

    def resolve(self, one: K) -> K:
        """The survivor."""
        at = self.moved.get(one) or self.known.get(one, one)
        return self.moved.get(at, at)

    def merge(self, survivor: K, merged: Iterable[K]) -> dict[K, K]:
        """Point `merged`, and all that pointed there, at the survivor of `survivor`; which did move.

        What was merged before stays where it is.
        """
        to = self.resolve(survivor)
        gone = {one for one in merged if one != to and self.resolve(one) == one}
        now = {one: to for one, at in self.moved.items() if at in gone}
        now |= dict.fromkeys(gone, to)
        self.moved |= now
        return now


@dataclass(slots=True)
class Net:
    """The rows that events leave behind. A listing at None is linked to nothing."""

    products: dict[UUID, ProductRegistered]
    links: dict[ListingId, ListingLinked | None]
    learned: Sequence[KeyVariationLearned]
    merged: Pointers[UUID]
    brands: Pointers[str]
    bars: set[Bar]


def mentioned(events: Sequence[CatalogueEvent]) -> tuple[set[UUID], set[str]]:
    """The products and brands whose survivors `net` has to know: those that a merge or a bar names."""
    products: set[UUID] = set()
    brands: set[str] = set()
    for event in events:
        match event:
            case ProductsMerged():
                products.update(event.merged, (event.survivor,))
            case BrandsMerged():
                brands.update(event.merged, (event.survivor,))
            case ListingUnlinked(barred=True) | ListingLinked(rule="operator"):
                products.add(event.product_id)
    return products, brands


def net(
    events: Sequence[CatalogueEvent],
    products: Mapping[UUID, UUID],
    brands: Mapping[str, str],
    bars: Iterable[Bar],
) -> Net:
    """What events come to, given the survivors of all that is `mentioned`, and all the bars, before them."""
    found = Net({}, {}, [], Pointers(dict(products)), Pointers(dict(brands)), set(bars))
    learned: list[KeyVariationLearned] = []
    for event in events:
        match event:
            case ProductRegistered():
                found.products[event.product_id] = event
            case ListingLinked():
                found.links[event.company, event.sku] = event
                if event.rule == "operator":
                    found.bars.discard((event.company, event.sku, found.merged.resolve(event.product_id)))
            case ListingUnlinked():
                found.links[event.company, event.sku] = None
                if event.barred:
                    found.bars.add((event.company, event.sku, found.merged.resolve(event.product_id)))
            case KeyVariationLearned():
                learned.append(event)
            case ProductsMerged():
                moved = found.merged.merge(event.survivor, event.merged)
                found.bars = {(company, sku, moved.get(product, product)) for company, sku, product in found.bars}
            case BrandsMerged():
                found.brands.merge(event.survivor, event.merged)
    found.learned = learned
    return found
