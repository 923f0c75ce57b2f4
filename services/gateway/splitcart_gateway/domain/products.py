"""Products as people see them: listings of several companies under one name, and which answers a query best."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from splitcart_common.ids import COMPANIES
from splitcart_gateway.domain.query import Query, fold, forms, words_of

LIKE: Final = 0.5
"""Word similarity from which a listing answers a misspelt query; below it is only a suggestion."""

_ORDER: Final[Mapping[str, int]] = {company: number for number, company in enumerate(COMPANIES)}

WHOLE, BEGINS = 1.0, 0.6


@dataclass(frozen=True, slots=True)
class Listing:
    """What one company sells under one sku. `likeness`: trigram word similarity to the query, 0 to 1."""

    product_id: UUID
    company: str
    sku: str
    name: str
    brand: str | None
    size: str | None
    barcode: str | None
    category_path: tuple[str, ...]
    image_url: str | None
    likeness: float = 0.0


@dataclass(frozen=True, slots=True)
class Product:
    """The thing itself: name, brand and size are those of its first listing that has any; never without one."""

    product_id: UUID
    name: str
    brand: str | None
    size: str | None
    image_url: str | None
    listings: tuple[Listing, ...]


def gather(listings: Iterable[Listing]) -> dict[UUID, Product]:
    """Listings by product; those of a product in the order of companies, then by sku."""
    by_product: dict[UUID, list[Listing]] = {}
    for listing in listings:
        by_product.setdefault(listing.product_id, []).append(listing)
    return {product_id: _product(product_id, found) for product_id, found in by_product.items()}


def _product(product_id: UUID, found: list[Listing]) -> Product:
    found.sort(key=lambda listing: (_ORDER.get(listing.company, len(_ORDER)), listing.sku))
    return Product(
        product_id=product_id,
        name=found[0].name,
        brand=next((listing.brand for listing in found if listing.brand), None),
        size=next((listing.size for listing in found if listing.size), None),
        image_url=next((listing.image_url for listing in found if listing.image_url), None),
        listings=tuple(found),
    )


def best_first(query: Query, listings: Iterable[Listing]) -> list[UUID]:
    """The products of these listings, best answer first; ties by the shorter name, then by company and sku."""
    best: dict[UUID, tuple[float, int, int, str]] = {}
    for listing in listings:
        rank = (
            -relevance(query.words, listing),
            len(listing.name),
            _ORDER.get(listing.company, len(_ORDER)),
            listing.sku,
        )
        known = best.get(listing.product_id)
        if known is None or rank < known:
            best[listing.product_id] = rank
    return sorted(best, key=lambda product_id: best[product_id])


def relevance(words: Sequence[str], listing: Listing) -> float:
    """How well a listing answers: the share of the words it bears, plus up to a half for saying little else.

    A whole word counts 1, the beginning of one 0.6. A misspelt query counts by its likeness instead.
    """
    if not words:
        return listing.likeness
    named = words_of(listing.name)
    described = set(named).union(words_of(listing.brand or ""), words_of(listing.size or ""))
    matched = sum(_match(word, described) for word in words) / len(words)
    surplus = max(0, len(set(named).union(words_of(listing.brand or ""))) - len(words))
    return max(matched, listing.likeness) + 0.5 / (1 + surplus / 2)


def _match(word: str, described: set[str]) -> float:
    possible = [fold(form) for form in forms(word)]
    if any(form in described for form in possible):
        return WHOLE
    return BEGINS if any(known.startswith(form) for known in described for form in possible) else 0.0
