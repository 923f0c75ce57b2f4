"""The catalogue: which product each listing is, as a fold of `catalogue` and of nothing else. It decides nothing.

One value in memory, some 100,000 listings large, with the indexes that deciding needs: by listing, by product, by
barcode, by learned key, by word and by brand. `evolve` changes it in place; who cannot write down what was decided
throws it away and loads it again. Ids of merged products stay valid: each is resolved to its survivor, so that
folding a log twice is folding it once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Final, TypeVar, assert_never
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
from splitcart_ingest.domain.barcodes import valid_barcode
from splitcart_ingest.domain.names import Reading, read
from splitcart_ingest.domain.rows import LinkRow, ListingId, ProductRow, State, Survivors

__all__ = ["Catalogue", "LinkRow", "Linked", "ListingId", "ProductRow", "State", "evolve"]

TRUSTED_A_COMPANY: Final = 2
"""A barcode that more listings of one company bear is not believed: it is filled in, not read."""
TRUSTED_IN_ALL: Final = 8

_RARE_WORDS: Final = 4
_MOST_LIKE: Final = 100
_MOST_LOOKED_AT: Final = 1_000


@dataclass(slots=True)
class Linked:
    """A listing that is linked: its row, its barcode if that is one, and its name as it reads."""

    row: LinkRow
    barcode: str | None
    reading: Reading


class Catalogue:
    """Products, links, learned keys, bars and brands, with their indexes.

    Build one with `Catalogue()` and `evolve`, or with `Catalogue.of` from the rows of `state()`. `unsettled`: the
    listings linked since `reconcile` last looked.
    """

    def __init__(self) -> None:
        self.unsettled: set[ListingId] = set()
        self._products: dict[UUID, ProductRow] = {}
        self._links: dict[ListingId, Linked] = {}
        self._members: dict[UUID, set[ListingId]] = {}
        self._learned: dict[UUID, set[str]] = {}
        self._bars: dict[ListingId, set[UUID]] = {}
        self._merged = Survivors[UUID]()
        self._brands = Survivors[str]()
        self._by_barcode: dict[str, set[ListingId]] = {}
        self._by_learned: dict[str, set[UUID]] = {}
        self._by_word: dict[str, dict[str, set[ListingId]]] = {}
        self._by_brand: dict[str, set[ListingId]] = {}

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
        catalogue = cls()
        for product in products:
            catalogue._products[product.product_id] = product._replace(merged_into=None)
            if product.merged_into is not None:
                catalogue._merged.add(product.merged_into, product.product_id)
        for link in links:
            catalogue.link(link)
        for product_id, key in variations:
            catalogue.learn(product_id, key)
        for company, sku, product_id in bars:
            catalogue.bar((company, sku), product_id)
        for brand, survivor in brands:
            catalogue.merge_brands(survivor, (brand,))
        catalogue.unsettled.clear()
        return catalogue

    def __len__(self) -> int:
        """How many listings are linked."""
        return len(self._links)

    def state(self) -> State:
        """All of it, sorted: equal for equal logs, and `Catalogue.of(*state)` is this catalogue again."""
        return State(
            tuple(
                row._replace(merged_into=None if (to := self.resolve(row.product_id)) == row.product_id else to)
                for _, row in sorted(self._products.items())
            ),
            tuple(self._links[listing].row for listing in sorted(self._links)),
            tuple(sorted((product, key) for product, keys in self._learned.items() for key in keys)),
            tuple(sorted((*listing, product) for listing, barred in self._bars.items() for product in barred)),
            tuple(sorted(self._brands.items())),
        )

    def product_of(self, company: str, sku: str) -> UUID | None:
        """The product a listing is, None if it was never linked."""
        linked = self._links.get((company, sku))
        return None if linked is None else linked.row.product_id

    def linked(self, listing: ListingId) -> Linked | None:
        """All that is known of a listing, None if it was never linked."""
        return self._links.get(listing)

    def listings(self) -> Iterable[ListingId]:
        """All that are linked, in no order."""
        return self._links

    def resolve(self, product_id: UUID) -> UUID:
        """The survivor of a product: itself if it was never merged, or never heard of."""
        return self._merged.resolve(product_id)

    def is_registered(self, product_id: UUID) -> bool:
        """Whether a product was ever registered, merged or not."""
        return product_id in self._products

    def listings_of(self, product_id: UUID) -> Set[ListingId]:
        """The listings of a product, none if it is not known."""
        return self._members.get(product_id, frozenset())

    def learned(self, product_id: UUID) -> Set[str]:
        """The name keys that were learned for a product."""
        return self._learned.get(product_id, frozenset())

    def who_learned(self, key: str) -> Set[UUID]:
        """The products that a name key was learned for."""
        return self._by_learned.get(key, frozenset())

    def barred(self, listing: ListingId) -> Set[UUID]:
        """The products that an operator parted a listing from."""
        return self._bars.get(listing, frozenset())

    def brand(self, brand: str | None) -> str | None:
        """The survivor of a brand."""
        return None if brand is None else self._brands.resolve(brand)

    def brands_merged_into(self, brand: str) -> int:
        """How many spellings were merged into a brand."""
        return len(self._brands.merged_into(brand))

    def with_brand(self, brand: str) -> Set[ListingId]:
        """The listings whose company names a brand, or one that was merged into it."""
        spellings = (brand, *self._brands.merged_into(brand))
        return {listing for spelling in spellings for listing in self._by_brand.get(spelling, ())}

    def with_barcode(self, barcode: str) -> Set[ListingId]:
        """The listings that bear a barcode."""
        return self._by_barcode.get(barcode, frozenset())

    def trusts(self, barcode: str, listing: ListingId) -> bool:
        """Whether a barcode is believed, `listing` bearing it as well: not where many do."""
        companies = Counter(company for company, _ in {*self.with_barcode(barcode), listing})
        return max(companies.values()) <= TRUSTED_A_COMPANY and companies.total() <= TRUSTED_IN_ALL

    def like(self, reading: Reading, company: str) -> list[ListingId]:
        """Listings of other companies that share rare words and the variety: some hundred, most alike first."""
        index = self._by_word.get(reading.variety, {})
        words = sorted((len(found), word) for word in set(reading.words) if (found := index.get(word)))
        shared = Counter[ListingId]()
        for number, (size, word) in enumerate(words):
            if number and (number >= _RARE_WORDS or len(shared) + size > _MOST_LOOKED_AT):
                break
            shared.update(listing for listing in index[word] if listing[0] != company)
        return sorted(shared, key=lambda listing: (-shared[listing], listing))[:_MOST_LIKE]

    def register(self, row: ProductRow) -> None:
        """Note a product."""
        self._products[row.product_id] = row

    def link(self, row: LinkRow) -> None:
        """Link a listing, or describe it anew; its product is resolved."""
        listing = (row.company, row.sku)
        row = row._replace(product_id=self.resolve(row.product_id))
        self.unlink(listing)
        reading = read(row.name or "", row.brand, row.size)
        barcode = valid_barcode(row.barcode)
        self._links[listing] = Linked(row, barcode, reading)
        self._members.setdefault(row.product_id, set()).add(listing)
        for index, key in self._entries(reading, barcode):
            index.setdefault(key, set()).add(listing)
        self.unsettled.add(listing)

    def unlink(self, listing: ListingId) -> None:
        """Forget a listing, if it is linked."""
        linked = self._links.pop(listing, None)
        if linked is None:
            return
        _discard(self._members, linked.row.product_id, listing)
        for index, key in self._entries(linked.reading, linked.barcode):
            _discard(index, key, listing)
        self.unsettled.discard(listing)

    def _entries(self, reading: Reading, barcode: str | None) -> Iterator[tuple[dict[str, set[ListingId]], str]]:
        """Where a listing stands in the indexes."""
        yield from ((self._by_word.setdefault(reading.variety, {}), word) for word in set(reading.words))
        if barcode is not None:
            yield self._by_barcode, barcode
        if reading.brand is not None:
            yield self._by_brand, reading.brand

    def learn(self, product_id: UUID, key: str) -> None:
        """Note a name key of a product."""
        product_id = self.resolve(product_id)
        self._learned.setdefault(product_id, set()).add(key)
        self._by_learned.setdefault(key, set()).add(product_id)

    def bar(self, listing: ListingId, product_id: UUID) -> None:
        """Note that no rule may link a listing to a product."""
        self._bars.setdefault(listing, set()).add(self.resolve(product_id))

    def lift(self, listing: ListingId, product_id: UUID) -> None:
        """Take a bar away."""
        _discard(self._bars, listing, self.resolve(product_id))

    def merge(self, survivor: UUID, merged: Iterable[UUID]) -> None:
        """Make products another's, with all that is there of them."""
        for product in merged:
            if self._merged.add(survivor, product):
                self._move(product, self.resolve(survivor))

    def _move(self, product: UUID, to: UUID) -> None:
        for listing in self._members.pop(product, ()):
            linked = self._links[listing]
            linked.row = linked.row._replace(product_id=to)
            self._members.setdefault(to, set()).add(listing)
            self.unsettled.add(listing)
        for key in self._learned.pop(product, ()):
            _discard(self._by_learned, key, product)
            self.learn(to, key)
        for barred in self._bars.values():
            if product in barred:
                barred.remove(product)
                barred.add(to)

    def merge_brands(self, survivor: str, merged: Iterable[str]) -> None:
        """Make brands another's."""
        for brand in merged:
            self._brands.add(survivor, brand)


def evolve(catalogue: Catalogue, event: CatalogueEvent) -> None:
    """Fold one event into the catalogue, in place; the same one twice is the same as once."""
    match event:
        case ProductRegistered():
            catalogue.register(
                ProductRow(event.product_id, event.company, event.sku, event.brand_id, event.sizes, None)
            )
        case ListingLinked():
            _linked(catalogue, event)
        case ListingUnlinked():
            if event.barred:
                catalogue.bar((event.company, event.sku), event.product_id)
            catalogue.unlink((event.company, event.sku))
        case KeyVariationLearned():
            catalogue.learn(event.product_id, event.key)
        case ProductsMerged():
            catalogue.merge(event.survivor, event.merged)
        case BrandsMerged():
            catalogue.merge_brands(event.survivor, event.merged)
        case _:
            assert_never(event)


def _linked(catalogue: Catalogue, event: ListingLinked) -> None:
    listing = (event.company, event.sku)
    if event.rule == "operator":
        catalogue.lift(listing, event.product_id)
    is_new = catalogue.linked(listing) is None
    catalogue.link(LinkRow(*listing, event.product_id, event.name, event.brand, event.size, event.barcode))
    if is_new and event.rule in ("name-key", "own-link"):
        catalogue.unsettled.discard(listing)  # by its name it has just been held against all others


K = TypeVar("K")
V = TypeVar("V")


def _discard(index: dict[K, set[V]], key: K, value: V) -> None:
    """Take a value out of an index, and its entry if that was the last."""
    values = index.get(key)
    if values is not None:
        values.discard(value)
        if not values:
            del index[key]
