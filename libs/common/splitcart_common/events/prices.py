"""`price-changed`: what the fold of the observations changed, keyed by company, kept for ever."""

from typing import ClassVar, Literal
from uuid import UUID

from msgspec import Struct

from splitcart_common.events.base import Cents, Count, Event, Moment, Sku, StoreKey
from splitcart_common.events.observations import Batch, Special

Outcome = Literal["full", "partial", "abandoned", "superseded"]


class PriceChange(Struct, frozen=True, gc=False):
    """One listing's price before (null: not on record, or withdrawn) and after."""

    sku: Sku
    new: Cents
    old: Cents | None = None
    was: Cents | None = None
    special: Special = "none"


class PricesChanged(Event, frozen=True):
    """The changes that one batch of one store's scrape made."""

    TYPE: ClassVar[str] = "prices-changed"

    store: StoreKey
    scrape_id: UUID
    seq: Count
    batch: Batch
    at: Moment
    changes: tuple[PriceChange, ...]


class PricesWithdrawn(Event, frozen=True):
    """Listings a full scrape did not see: no longer sold at the store."""

    TYPE: ClassVar[str] = "prices-withdrawn"

    store: StoreKey
    scrape_id: UUID
    seq: Count
    at: Moment
    skus: tuple[Sku, ...]


class StoreSettled(Event, frozen=True):
    """All of a scrape is folded. `seen` lists the SKUs of a scrape that is not full, else it is empty."""

    TYPE: ClassVar[str] = "store-settled"

    store: StoreKey
    scrape_id: UUID
    seq: Count
    outcome: Outcome
    started_at: Moment
    settled_at: Moment
    created: Count
    updated: Count
    unchanged: Count
    withdrawn: Count
    listings: Count
    seen: tuple[Sku, ...] = ()
