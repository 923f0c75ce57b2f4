"""Brands that are one: what one company calls so and another otherwise, under one barcode."""

from collections.abc import Iterable, Iterator
from typing import Final

from rapidfuzz.distance import OSA

from splitcart_common.events import BrandsMerged
from splitcart_ingest.domain.catalogue import Catalogue, ListingId

SPELLINGS_AGREE: Final = 2
"""So many products make two spellings of a brand one,"""
NAMES_AGREE: Final = 3
"""so many two names that are not spelled alike,"""
ALMOST_ALWAYS: Final = 0.8
"""if they go together wherever two companies name a brand of a thing: `nestle` and `milo` do not."""


def same_brands(catalogue: Catalogue, listings: Iterable[ListingId]) -> Iterator[BrandsMerged]:
    """The brands that listings show to be one, each merge with those before it in mind.

    The survivor: more listings, then more spellings, then the alphabet.
    """
    brands = _Brands(catalogue)
    for one, other in sorted({pair for listing in listings for pair in brands.pairs_of(listing)}):
        merged = brands.judge(one, other)
        if merged is not None:
            yield merged


class _Brands:
    """The brands with the merges of this run drafted on top."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._into: dict[str, str] = {}

    def pairs_of(self, listing: ListingId) -> Iterator[tuple[str, str]]:
        """The brand of a listing with each other one that stands under its barcode, each pair in order."""
        linked = self._catalogue.linked(listing)
        brand = None if linked is None else linked.reading.brand
        if linked is None or brand is None:
            return
        for other in self._under_its_barcode(listing):
            theirs = self._brand(other)
            if theirs is not None and theirs != self._resolve(brand):
                first, second = sorted((self._resolve(brand), theirs))
                yield first, second

    def judge(self, one: str, other: str) -> BrandsMerged | None:
        """Two brands made one, if enough speaks for it."""
        one, other = self._resolve(one), self._resolve(other)
        if one == other:
            return None
        together, ours, theirs = self._together(one, other)
        spelled_alike = _spelled_alike(one, other)
        if not (spelled_alike and together >= SPELLINGS_AGREE) and not (
            together >= NAMES_AGREE and together >= ALMOST_ALWAYS * max(ours, theirs)
        ):
            return None
        survivor = min((one, other), key=self._rank)
        merged = other if survivor == one else one
        self._into |= dict.fromkeys((merged, *(b for b, to in self._into.items() if to == merged)), survivor)
        return BrandsMerged(
            survivor=survivor,
            merged=(merged,),
            reason="spelling" if spelled_alike else "barcode",
            evidence={"products": together, "named": {one: ours, other: theirs}},
        )

    def _resolve(self, brand: str) -> str:
        known = self._catalogue.brand(brand) or brand
        return self._into.get(known, known)

    def _brand(self, listing: ListingId) -> str | None:
        linked = self._catalogue.linked(listing)
        return None if linked is None or linked.reading.brand is None else self._resolve(linked.reading.brand)

    def _listings(self, brand: str) -> set[ListingId]:
        drafted = [b for b, to in self._into.items() if to == brand]
        return {listing for b in (brand, *drafted) for listing in self._catalogue.with_brand(b)}

    def _under_its_barcode(self, listing: ListingId) -> Iterator[ListingId]:
        """Listings of other companies that are the same product and bear the same barcode."""
        linked = self._catalogue.linked(listing)
        if linked is None or linked.barcode is None or not self._catalogue.trusts(linked.barcode, listing):
            return
        same = self._catalogue.listings_of(linked.row.product_id)
        yield from (o for o in self._catalogue.with_barcode(linked.barcode) & same if o[0] != listing[0])

    def _together(self, one: str, other: str) -> tuple[int, int, int]:
        """Under how many barcodes the two stand together, and each with a brand of another company at all."""
        ours, theirs = self._barcodes(one), self._barcodes(other)
        return len(ours.keys() & theirs.keys()), len(ours), len(theirs)

    def _barcodes(self, brand: str) -> dict[str, ListingId]:
        """The barcodes under which a brand stands with a brand that another company names."""
        found = {}
        for listing in self._listings(brand):
            linked = self._catalogue.linked(listing)
            if linked is None or linked.barcode is None:
                continue
            if any(self._brand(theirs) is not None for theirs in self._under_its_barcode(listing)):
                found[linked.barcode] = listing
        return found

    def _rank(self, brand: str) -> tuple[int, int, str]:
        return -len(self._listings(brand)), -self._catalogue.brands_merged_into(brand), brand


def _spelled_alike(one: str, other: str) -> bool:
    """Whether one is the beginning of the other (`arnotts`, `arnottstimtam`), or one letter away."""
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) >= 4 and (longer.startswith(shorter) or OSA.distance(one, other, score_cutoff=1) <= 1)
