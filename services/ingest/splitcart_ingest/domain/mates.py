"""Which product a listing goes to: found by barcode, key or name, if nothing speaks against it."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from splitcart_ingest.domain.catalogue import Catalogue, ListingId
from splitcart_ingest.domain.matching import Comparison, align, compare
from splitcart_ingest.domain.names import Reading

CLEARLY: Final = 0.5
"""How much more than the next product the best has to weigh: two that fit equally well are no finding."""

_CONTRADICTS: Final = frozenset({"size", "number", "word", "variety", "form"})
"""What a listing may have against none of a product's listings, whichever of them it is like."""


@dataclass(frozen=True, slots=True)
class Mate:
    """The product that was found, by which rule and on what evidence."""

    product: UUID
    rule: Literal["barcode", "variation", "name-key"]
    evidence: dict[str, Any]


def by_barcode(catalogue: Catalogue, listing: ListingId, reading: Reading, code: str | None) -> Mate | None:
    """The product most of whose listings bear the same barcode; of several the first by id.

    Not one whose name has nothing in common with this one's: companies mistype codes too.
    """
    if code is None:
        return None
    bearers: dict[UUID, list[ListingId]] = {}
    for other in sorted(catalogue.with_barcode(code) - {listing}):
        linked = catalogue.linked(other)
        if linked is not None and akin(reading, linked.reading):
            bearers.setdefault(linked.row.product_id, []).append(other)
    found = [product for product in bearers if product not in catalogue.barred(listing)]
    if not found:
        return None
    product = min(found, key=lambda product: (-len(bearers[product]), product))
    return Mate(product, "barcode", {"listings": ["/".join(other) for other in bearers[product]]})


def by_key(catalogue: Catalogue, listing: ListingId, reading: Reading, code: str | None) -> Mate | None:
    """The one product that learned this very name key, if nothing speaks against it."""
    found = [p for p in catalogue.who_learned(reading.key) if is_free(catalogue, p, listing, code)]
    return Mate(found[0], "variation", {}) if len(found) == 1 else None


def by_name(catalogue: Catalogue, listing: ListingId, reading: Reading, code: str | None) -> Mate | None:
    """The product with the listing most like this one, if nothing speaks against it and none comes near it.

    A listing without a size fits every size of a thing: then one that is taken comes near as well.
    """
    best = alike(catalogue, listing, reading)
    found = [
        (comparison.weight, product)
        for product, (_, comparison) in best.items()
        if is_free(catalogue, product, listing, code)
        and is_consistent(catalogue, reading, catalogue.listings_of(product))
    ]
    if not found:
        return None
    weight, product = min(found, key=lambda one: (-one[0], one[1]))
    near = found if reading.sizes else [(comparison.weight, other) for other, (_, comparison) in best.items()]
    if any(other != product and weight - theirs < CLEARLY for theirs, other in near):
        return None
    if has_rival(catalogue, listing, best[product][0], weight, {product}):
        return None
    return Mate(product, "name-key", evidence_of(*best[product]))


def evidence_of(other: ListingId, comparison: Comparison) -> dict[str, Any]:
    """What a likeness of names rests on, for the record."""
    return {
        "with": "/".join(other),
        "weight": round(comparison.weight, 2),
        "only_here": list(comparison.left),
        "only_there": list(comparison.right),
    }


def alike(catalogue: Catalogue, listing: ListingId, reading: Reading) -> dict[UUID, tuple[ListingId, Comparison]]:
    """By product, the listing of another company that is most like a reading and may be the same thing."""
    best: dict[UUID, tuple[ListingId, Comparison]] = {}
    for other in catalogue.like(reading, listing[0]):
        linked = catalogue.linked(other)
        if linked is None:
            continue
        comparison = against(catalogue, reading, linked.reading)
        product = linked.row.product_id
        if comparison.same and (product not in best or best[product][1].weight < comparison.weight):
            best[product] = (other, comparison)
    return best


def has_rival(
    catalogue: Catalogue, listing: ListingId, other: ListingId, weight: float, products: Container[UUID]
) -> bool:
    """Whether a third listing, of the first one's company, is about as much like the other: it may be either.

    No rival is one of `products`, nor, if the other has a size, one that its company is with already.
    """
    theirs = catalogue.linked(other)
    if theirs is None:
        return False
    for third in catalogue.like(theirs.reading, other[0]):
        linked = catalogue.linked(third)
        if linked is None or third[0] != listing[0] or third == listing or linked.row.product_id in products:
            continue
        taken = any(company == other[0] for company, _ in catalogue.listings_of(linked.row.product_id))
        if taken and theirs.reading.sizes:
            continue
        comparison = against(catalogue, theirs.reading, linked.reading)
        if comparison.same and weight - comparison.weight < CLEARLY:
            return True
    return False


def against(catalogue: Catalogue, one: Reading, other: Reading) -> Comparison:
    """Two readings held against each other, their brands by what is known of them."""
    brand = catalogue.brand(one.brand)
    return compare(one, other, one_brand=brand is not None and brand == catalogue.brand(other.brand))


def akin(one: Reading, other: Reading) -> bool:
    """Whether two names have anything in common: a word, a number or the brand."""
    words = align(one.words, other.words)
    return bool(words.common or words.alike or one.numbers & other.numbers) or (
        one.brand is not None and one.brand == other.brand
    )


def is_free(catalogue: Catalogue, product: UUID, listing: ListingId, code: str | None) -> bool:
    """Whether a name may lead a listing to a product.

    Not where an operator parted them, not where the company has a listing there already, as one company seldom
    sells a thing twice and often sells its like, and not where all barcodes there are others.
    """
    if product in catalogue.barred(listing):
        return False
    members = catalogue.listings_of(product)
    if any(company == listing[0] and sku != listing[1] for company, sku in members):
        return False
    codes = codes_of(catalogue, members - {listing})
    return code is None or not codes or code in codes


def is_consistent(catalogue: Catalogue, reading: Reading, listings: Iterable[ListingId]) -> bool:
    """Whether no listing contradicts a reading: likeness is not handed on from one to the next."""
    return not any(
        against(catalogue, reading, linked.reading).forbids in _CONTRADICTS
        for listing in listings
        if (linked := catalogue.linked(listing)) is not None
    )


def codes_of(catalogue: Catalogue, listings: Iterable[ListingId]) -> frozenset[str]:
    """The barcodes of listings that are trusted."""
    return frozenset(
        code
        for listing in listings
        if (linked := catalogue.linked(listing)) is not None
        and (code := linked.barcode) is not None
        and catalogue.trusts(code, listing)
    )


def survivor_of(catalogue: Catalogue, products: Iterable[UUID]) -> UUID:
    """Which of products that are one stays: more listings, then more learned keys, then the first by id."""
    return min(products, key=lambda p: (-len(catalogue.listings_of(p)), -len(catalogue.learned(p)), str(p)))
