"""The JSON and HTML of Coles's answers as far as they are read; field names are the retailer's in camel case."""

import re
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from splitcart_scraper.domain.listing import MISSING
from splitcart_scraper.retailers.base import BotWallError, PageError

LONGEST_NUMBER: Final = 40
"""Characters of a number that is believed; a price takes eight."""


class Pricing(Struct, rename="camel"):
    """Dollars; a price that is not there at all is `MISSING`. Fields that say nothing are 0, null or absent."""

    now: Any = MISSING
    was: Any = None
    comparable: Any = None
    promotion_type: Any = None
    special_type: Any = None
    offer_description: Any = None
    multi_buy_promotion: Any = None


class Tile(Struct, rename="camel"):
    """One entry of a listing, a product or an advertisement; what is not believed yet has any type."""

    kind: Any = field(name="_type", default=None)
    id: Any = None
    ad_id: Any = None
    ad_source: Any = None
    name: Any = None
    brand: Any = None
    size: Any = None
    availability: Any = None
    pricing: Pricing | UnsetType | None = UNSET
    online_heirs: Any = None
    image_uris: Any = None


class SearchResults(Struct, rename="camel"):
    """The entries of a page, unread: each is read on its own. `no_of_results` counts products, not entries."""

    results: list[Raw]
    no_of_results: Annotated[int, Meta(ge=0)] | None = None


class ListingProps(Struct, rename="camel"):
    """A page of a listing, and the store it is about."""

    search_results: SearchResults
    init_store_id: Any = None


class Listing(Struct, rename="camel"):
    """What the data route answers."""

    page_props: ListingProps


class ListingDocument(Struct, rename="camel"):
    """The same in the data of the HTML page."""

    props: Listing


class OpeningProps(Struct, rename="camel"):
    """The store a page is about, where it says so."""

    init_store_id: Any = None


class OpeningState(Struct, rename="camel"):
    """The properties of the opening page."""

    page_props: OpeningProps | None = None


class Opening(Struct, rename="camel"):
    """The data of the opening page; the build id is part of the addresses of the data route."""

    build_id: str
    props: OpeningState | None = None


class Node(Struct, rename="camel"):
    """A node of the menu, of three levels; `seo_token` is its part of an address."""

    id: str
    name: str
    seo_token: str
    product_count: int | None = None
    type: str | None = None
    sub_type: str | None = None
    child_items: "list[Node] | None" = None


class MenuItems(Struct, rename="camel"):
    """The menu; a node with a restricted id is not shown to everybody."""

    items: list[Node]
    restricted_ids: list[str] | None = None


class MenuData(Struct, rename="camel"):
    """The part of the answer that is the menu."""

    menu_items: MenuItems | None = None


class Menu(Struct):
    """An answer to `GetShopProductsMenu`."""

    data: MenuData | None = None
    errors: Any = None


class Address(Struct, rename="camel"):
    """Where a store is."""

    state: str | None = None
    suburb: str | None = None
    address_line: str | None = None
    postcode: str | None = None


class Position(Struct):
    """Degrees."""

    latitude: float | str | None = None
    longitude: float | str | None = None


class Brand(Struct):
    """The chain a store belongs to."""

    name: str | None = None


class Store(Struct, rename="camel"):
    """An outlet; its id begins with its brand, as in `COL:364`."""

    id: str
    name: str
    address: Address
    position: Position | None = None
    brand: Brand | None = None
    is_trading: bool | None = None


class FoundStore(Struct):
    """One result of the store finder."""

    store: Store


class FoundStores(Struct):
    """The results around a point."""

    results: list[FoundStore]


class StoresData(Struct):
    """The part of the answer that is the stores."""

    stores: FoundStores | None = None


class Stores(Struct):
    """An answer to `GetStores`."""

    data: StoresData | None = None
    errors: Any = None


def _exact(text: str) -> Decimal:
    """A number digit by digit, as it was written: a float would hide what is beyond whole cents."""
    try:
        return Decimal(text) if len(text) <= LONGEST_NUMBER else Decimal("NaN")
    except ArithmeticError:
        return Decimal("NaN")


TILES: Final = msgspec.json.Decoder(Tile, float_hook=_exact)
LISTINGS: Final = msgspec.json.Decoder(Listing)
LISTING_DOCUMENTS: Final = msgspec.json.Decoder(ListingDocument)
OPENINGS: Final = msgspec.json.Decoder(Opening)
MENUS: Final = msgspec.json.Decoder(Menu)
STORES: Final = msgspec.json.Decoder(Stores)

_DATA_BEGINS: Final = re.compile(rb'<script [^<>]{0,200}id="__NEXT_DATA__"[^<>]{0,200}>')
_KEY: Final = re.compile(rb"""BFF_API_SUBSCRIPTION_KEY["']?\s{0,9}[:=]\s{0,9}["']([A-Za-z0-9_-]{8,128})["']""")


def next_data(body: bytes) -> bytes:
    """The JSON in an HTML page of the shop; PageError for half a page, BotWallError for a whole one without any.

    The wall of this shop's host, Imperva, is such a page, and its status is 200.
    """
    begins = _DATA_BEGINS.search(body)
    if begins is None:
        if b"</html>" in body[-1_000:].lower():
            raise BotWallError(f"a page without data, a wall for robots ({len(body)} bytes)")
        raise PageError(f"no page of the shop ({len(body)} bytes)")
    ends = body.find(b"</script>", begins.end())
    if ends < 0:
        raise PageError(f"the page is cut off within its data ({len(body)} bytes)")
    return body[begins.end() : ends]


def key_of(body: bytes) -> str:
    """The key that a page publishes for its own calls, the same for all visitors; PageError where it does not."""
    found = _KEY.search(body)
    if found is None:
        next_data(body)  # a wall has a name of its own
        raise PageError("the page publishes no key for the store finder and the menu")
    return found[1].decode()
