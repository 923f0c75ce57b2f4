"""The JSON of Woolworths' answers as far as it is read; the retailer's names are these in Pascal case."""

from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct, field

from splitcart_scraper.domain.listing import MISSING


class Tile(Struct, rename="pascal"):
    """One product of a listing; prices are dollars, and what is not believed yet has any type.

    A price that is not there at all is `MISSING`; one of a product that cannot be had is null.
    """

    stockcode: Any = None
    name: Any = None
    brand: Any = None
    url_friendly_name: Any = None
    barcode: Any = None
    gtin_format: Any = None
    price: Any = MISSING
    was_price: Any = None
    is_on_special: Any = False
    is_half_price: Any = False
    instore_price: Any = None
    instore_was_price: Any = None
    instore_is_on_special: Any = False
    cup_price: Any = None
    cup_measure: Any = None
    package_size: Any = None
    unit: Any = None
    is_available: Any = True
    is_in_stock: Any = True
    is_market_product: Any = False
    is_sponsored_ad: Any = False
    ad_id: Any = field(name="AdID", default=None)
    fulfilment_store_id: Any = None
    """The store whose prices these are, by its number in the store finder: 42 of 42 pick-up points agree [S17]."""
    large_image_file: Any = None
    centre_tag: Any = None
    image_tag: Any = None
    additional_attributes: Any = None


class Bundle(Struct, rename="pascal"):
    """What a listing is made of: one product in all that were seen, so that more than one is read as well."""

    products: list[Raw]


class Page(Struct, rename="pascal"):
    """One page of a listing, its bundles unread: each is read on its own."""

    success: bool
    total_record_count: Annotated[int, Meta(ge=0)]
    bundles: list[Raw]


class Node(Struct, rename="pascal"):
    """A node of the category tree; ordinary ones say 0 for their number of products."""

    node_id: str
    description: str
    product_count: int = 0
    is_special: bool = False
    children: "list[Node] | None" = None


class Tree(Struct, rename="pascal"):
    """The category tree."""

    categories: list[Node]


class Store(Struct, rename="pascal"):
    """An outlet of the group, which is not always a supermarket; coordinates are text."""

    division: str
    store_no: str | int
    name: str
    address_line1: str | None = None
    address_line2: str | None = None
    suburb: str | None = None
    state: str | None = None
    postcode: str | None = None
    latitude: str | float | None = None
    longitude: str | float | None = None


class Stores(Struct, rename="pascal"):
    """One answer of the store finder."""

    stores: list[Store]


PAGES: Final = msgspec.json.Decoder(Page)
BUNDLES: Final = msgspec.json.Decoder(Bundle)
TILES: Final = msgspec.json.Decoder(Tile, float_hook=Decimal)
"""Prices are read by their decimal digits: a float never comes near them."""

TREES: Final = msgspec.json.Decoder(Tree)
STORES: Final = msgspec.json.Decoder(Stores)
