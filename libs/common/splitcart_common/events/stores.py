"""`stores`: the full state of each outlet, compacted."""

from typing import Annotated, ClassVar

from msgspec import Meta

from splitcart_common.events.base import Event, LongText, Moment, ShortText, StoreKey


class StoreDiscovered(Event, frozen=True):
    """An outlet as the retailer's store finder gave it. Coordinates are degrees, null where unknown.

    Version 1 carried the coordinates as the retailers' own strings.
    """

    TYPE: ClassVar[str] = "store-discovered"
    VERSION: ClassVar[int] = 2

    store: StoreKey
    name: ShortText
    address: ShortText
    suburb: ShortText
    state: ShortText
    postcode: ShortText
    lat: Annotated[float, Meta(ge=-90, le=90)] | None
    lon: Annotated[float, Meta(ge=-180, le=180)] | None
    sells_online: bool
    seen_at: Moment
    division: ShortText | None = None
    retailer_ref: ShortText | None = None


class StoreClosed(Event, frozen=True):
    """An outlet is gone: it is not scraped any more."""

    TYPE: ClassVar[str] = "store-closed"

    store: StoreKey
    reason: LongText
    at: Moment
