"""`listing-described` and `catalogue`: what listings are called, and which product each one is."""

from typing import Any, ClassVar, Literal
from uuid import UUID

from splitcart_common.events.base import Company, Event, LongText, Moment, ShortText, Sku
from splitcart_common.events.observations import Name


class ListingDescribed(Event, frozen=True):
    """The full description of one listing; compacted by company/sku."""

    TYPE: ClassVar[str] = "listing-described"

    company: Company
    sku: Sku
    name: Name
    described_at: Moment
    by: UUID
    brand: ShortText | None = None
    size: ShortText | None = None
    barcode: ShortText | None = None
    category_path: tuple[ShortText, ...] = ()
    image_url: LongText | None = None
    own_brand: bool | None = None


class ProductRegistered(Event, frozen=True):
    """A new product; its id is the UUIDv5 of its first listing."""

    TYPE: ClassVar[str] = "product-registered"

    product_id: UUID
    company: Company
    sku: Sku
    name: Name
    brand_id: ShortText | None = None
    sizes: tuple[ShortText, ...] = ()


class ListingLinked(Event, frozen=True):
    """A listing was found to be a product, by which rule and on what evidence.

    It carries the description that was judged, so that the catalogue is a fold of its own log alone. Rule
    `own-link`: the listing was described anew and stays where it was.
    """

    TYPE: ClassVar[str] = "listing-linked"

    company: Company
    sku: Sku
    product_id: UUID
    rule: Literal["barcode", "own-link", "name-key", "variation", "operator"]
    evidence: dict[str, Any]
    rule_version: ShortText
    name: Name | None = None
    brand: ShortText | None = None
    size: ShortText | None = None
    barcode: ShortText | None = None


class ListingUnlinked(Event, frozen=True):
    """A link was taken back; the listing's next link follows. If barred, no rule links it there again."""

    TYPE: ClassVar[str] = "listing-unlinked"

    company: Company
    sku: Sku
    product_id: UUID
    by: ShortText
    barred: bool = False
    reason: LongText = ""


class KeyVariationLearned(Event, frozen=True):
    """A match by barcode taught another name key for a product."""

    TYPE: ClassVar[str] = "key-variation-learned"

    product_id: UUID
    key: LongText
    company: Company
    sku: Sku


class ProductsMerged(Event, frozen=True):
    """Late duplicates became one product."""

    TYPE: ClassVar[str] = "products-merged"

    survivor: UUID
    merged: tuple[UUID, ...]
    reason: ShortText
    evidence: dict[str, Any]


class BrandsMerged(Event, frozen=True):
    """Spellings of one brand became one."""

    TYPE: ClassVar[str] = "brands-merged"

    survivor: ShortText
    merged: tuple[ShortText, ...]
    reason: ShortText
    evidence: dict[str, Any]


CatalogueEvent = (
    ProductRegistered | ListingLinked | ListingUnlinked | KeyVariationLearned | ProductsMerged | BrandsMerged
)
"""Everything that is ever said on `catalogue`."""
