"""Late duplicates: products and brands that turned out to be one, by what was linked since."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from splitcart_common.events import CatalogueEvent, ProductsMerged
from splitcart_ingest.domain.catalogue import Catalogue, ListingId
from splitcart_ingest.domain.mates import CLEARLY, akin, alike, codes_of, evidence_of, has_rival, is_consistent
from splitcart_ingest.domain.same_brands import same_brands


def reconcile(catalogue: Catalogue, *, whole: bool = False) -> tuple[CatalogueEvent, ...]:
    """What turned out to be one: BrandsMerged, then ProductsMerged, in a fixed order; () once they are folded.

    Looks only at what was linked since the last time, and forgets it (`Catalogue.unsettled`): it may run after
    every batch. `whole` looks at everything, as after a change of the rules; some seconds for 100,000 listings.
    """
    listings = sorted(catalogue.listings() if whole else catalogue.unsettled)
    catalogue.unsettled.clear()
    return *same_brands(catalogue, listings), *_Products(catalogue).merges(listings)


class _Products:
    """The products with the merges of this run drafted on top: each sees those before it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._into: dict[UUID, UUID] = {}
        self._from: dict[UUID, set[UUID]] = {}

    def merges(self, listings: Iterable[ListingId]) -> Iterator[ProductsMerged]:
        """Each merge that a listing shows; what is merged is looked at again, as it may fit what neither did."""
        waiting = deque(listings)
        while waiting:
            listing = waiting.popleft()
            merge = self._barcode(listing) or self._name(listing)
            if merge is not None:
                waiting.extend(sorted(self._listings(merge.survivor)))
                yield merge

    def _product(self, listing: ListingId) -> UUID:
        linked = self._catalogue.linked(listing)
        assert linked is not None  # noqa: S101 - only those that are linked are asked for
        return self._into.get(linked.row.product_id, linked.row.product_id)

    def _listings(self, product: UUID) -> set[ListingId]:
        parts = {product, *self._from.get(product, ())}
        return {listing for part in parts for listing in self._catalogue.listings_of(part)}

    def _barcode(self, listing: ListingId) -> ProductsMerged | None:
        """Another product with a listing that bears the same barcode."""
        linked = self._catalogue.linked(listing)
        code = None if linked is None else linked.barcode
        if linked is None or code is None or not self._catalogue.trusts(code, listing):
            return None
        here = self._product(listing)
        for other in sorted(self._catalogue.with_barcode(code)):
            there = self._product(other)
            theirs = self._catalogue.linked(other)
            if there != here and theirs is not None and akin(linked.reading, theirs.reading):
                if self._parted(here, there):
                    continue
                evidence = {"barcode": code, "listings": ["/".join(listing), "/".join(other)]}
                return self._merge(here, there, "barcode", evidence)
        return None

    def _name(self, listing: ListingId) -> ProductsMerged | None:
        """The one other product that this listing's name fits, as it would if it were described now."""
        linked = self._catalogue.linked(listing)
        if linked is None:
            return None
        here = self._product(listing)
        found = [
            (comparison.weight, there, other, comparison)
            for product, (other, comparison) in alike(self._catalogue, listing, linked.reading).items()
            if (there := self._into.get(product, product)) != here
        ]
        fit = [one for one in found if self._fit(here, one[1])]
        if not fit:
            return None
        weight, there, other, comparison = min(fit, key=lambda one: (-one[0], one[1]))
        near = fit if linked.reading.sizes else found
        if any(one[1] != there and weight - one[0] < CLEARLY for one in near):
            return None
        parts = {here, there, *self._from.get(here, ()), *self._from.get(there, ())}
        if has_rival(self._catalogue, listing, other, weight, parts):
            return None
        return self._merge(
            here, there, "name-key", {"listing": "/".join(listing), **evidence_of(other, comparison)}
        )

    def _parted(self, here: UUID, there: UUID) -> bool:
        """Whether an operator parted a listing of the one from the other."""
        barred = self._catalogue.barred
        return any(
            self._into.get(p, p) == there for listing in self._listings(here) for p in barred(listing)
        ) or any(self._into.get(p, p) == here for listing in self._listings(there) for p in barred(listing))

    def _fit(self, here: UUID, there: UUID) -> bool:
        """Whether names may make two products one: no company twice, no other barcodes, nothing contradicts."""
        ours, theirs = self._listings(here), self._listings(there)
        if not {company for company, _ in ours}.isdisjoint(company for company, _ in theirs):
            return False
        codes, others = codes_of(self._catalogue, ours), codes_of(self._catalogue, theirs)
        if (codes and others and codes.isdisjoint(others)) or self._parted(here, there):
            return False
        readings = (self._catalogue.linked(listing) for listing in ours)
        return all(is_consistent(self._catalogue, one.reading, theirs) for one in readings if one is not None)

    def _merge(self, here: UUID, there: UUID, reason: str, evidence: Mapping[str, object]) -> ProductsMerged:
        survivor = min((here, there), key=self._rank)
        merged = there if survivor == here else here
        moved = {merged, *self._from.pop(merged, ())}
        self._into |= dict.fromkeys(moved, survivor)
        self._from.setdefault(survivor, set()).update(moved)
        return ProductsMerged(survivor=survivor, merged=(merged,), reason=reason, evidence=dict(evidence))

    def _rank(self, product: UUID) -> tuple[int, int, str]:
        """The survivor comes first: more listings, then more learned keys, then the alphabet."""
        parts = {product, *self._from.get(product, ())}
        learned = {key for part in parts for key in self._catalogue.learned(part)}
        return -len(self._listings(product)), -len(learned), str(product)
