"""`product-observed`: what the scrapers saw. The source of truth, kept for ever."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta, Struct

from splitcart_common.events.base import (
    Cents,
    Company,
    Count,
    Event,
    LongText,
    Moment,
    ShortText,
    Sku,
    StoreKey,
    whole,
)

MAX_LISTINGS = 200
"""Listings in one `products-observed`: a message carries a batch, as one per message costs 5 to 15 times."""

Batch = Annotated[int, Meta(ge=1, le=100_000, description="Number of the batch within its scrape, from 1.")]
Barcode = Annotated[str, Meta(pattern=whole(r"^[0-9]{8,14}$"), description="EAN-8, UPC-12, EAN-13 or GTIN-14.")]
Special = Literal["none", "special", "half", "down", "new", "clearance"]
Name = Annotated[str, Meta(min_length=1, max_length=500)]


class Multibuy(Struct, frozen=True, gc=False):
    """So many for so much in all."""

    quantity: Annotated[int, Meta(ge=2, le=1000)]
    total: Cents


class ObservedListing(Struct, frozen=True, gc=False):
    """One listing as one store showed it; `price` is null where the tile bears none."""

    sku: Sku
    name: Name
    price: Cents | None
    page: Count
    raw_hash: Annotated[str, Meta(max_length=64, description="Of the tile as the retailer sent it.")]
    brand: ShortText | None = None
    size: ShortText | None = None
    barcode: ShortText | None = None
    category_path: tuple[ShortText, ...] = ()
    was_price: Cents | None = None
    unit_price: Cents | None = None
    unit: ShortText | None = None
    multibuy: Multibuy | None = None
    member_price: Cents | None = None
    online_price: Cents | None = None
    special: Special = "none"
    available: bool = True
    image_url: LongText | None = None
    url: LongText | None = None


class PageRead(Struct, frozen=True, gc=False):
    """When a page of a scrape was asked for and had arrived: the price on it was true in between."""

    page: Count
    requested_at: Moment
    received_at: Moment


class ScrapeStarted(Event, frozen=True):
    """A store's visit began; a `part` scrape never withdraws anything."""

    TYPE: ClassVar[str] = "scrape-started"

    scrape_id: UUID
    store: StoreKey
    reason: Literal["scheduled", "flagged", "probe", "redrive", "manual"]
    started_at: Moment
    planned_categories: tuple[ShortText, ...]
    parser_version: ShortText
    scope: Literal["full", "part"]


class ProductsObserved(Event, frozen=True):
    """Up to 200 listings of one scrape, and when the pages that bear them were read."""

    TYPE: ClassVar[str] = "products-observed"

    scrape_id: UUID
    batch: Batch
    listings: Annotated[tuple[ObservedListing, ...], Meta(max_length=MAX_LISTINGS)]
    pages: tuple[PageRead, ...] = ()


class ScrapeCompleted(Event, frozen=True):
    """A store's visit ended; whether it was full is for the fold to say (protocol.md, rule 4)."""

    TYPE: ClassVar[str] = "scrape-completed"

    scrape_id: UUID
    finished_at: Moment
    batches: Count
    pages: Count
    requests: Count
    categories_planned: Count
    categories_finished: Count
    listings: Count
    refused_skus: tuple[Sku, ...] = ()
    refused_tiles_without_sku: Count = 0


class ScrapeAbandoned(Event, frozen=True):
    """A store's visit was given up; what it had seen by then is published and stands."""

    TYPE: ClassVar[str] = "scrape-abandoned"

    scrape_id: UUID
    finished_at: Moment
    reason: Literal["network", "bot-wall", "throttled", "drift", "quarantine-rejected", "lease-lost"]
    detail: LongText
    batches: Count


class BarcodeReading(Struct, frozen=True):
    """A barcode read for one listing, and where from."""

    sku: Sku
    barcode: Barcode
    seen_at: Moment
    source: Literal["page", "prefill"]


class BarcodesObserved(Event, frozen=True):
    """Barcodes of one company, read outside any scrape."""

    TYPE: ClassVar[str] = "barcodes-observed"

    company: Company
    store: StoreKey
    items: Annotated[tuple[BarcodeReading, ...], Meta(max_length=MAX_LISTINGS)]
