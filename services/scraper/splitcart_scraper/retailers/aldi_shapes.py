"""The JSON of Aldi's answers as far as it is read; names are the retailer's."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from splitcart_scraper.domain.listing import MISSING


class Price(Struct):
    """Amounts in cents; an amount that is not there at all is `MISSING`."""

    amount: Any = MISSING
    comparison: Any = None
    comparisonDisplay: Any = None  # noqa: N815 - the retailer's name
    wasPriceDisplay: Any = None  # noqa: N815 - the retailer's name


class Asset(Struct):
    """A picture."""

    url: Any = None


class Tile(Struct):
    """One product of a listing; what is not believed yet has any type."""

    sku: Any = None
    name: Any = None
    brandName: Any = None  # noqa: N815 - the retailer's name
    sellingSize: Any = None  # noqa: N815 - the retailer's name
    urlSlugText: Any = None  # noqa: N815 - the retailer's name
    discontinued: Any = False
    price: Price | UnsetType | None = UNSET
    assets: list[Asset] | None = None


class Pagination(Struct):
    """The count of the whole listing."""

    totalCount: int | None = None  # noqa: N815 - the retailer's name


class Meta(Struct):
    """What surrounds the data."""

    pagination: Pagination | None = None


class Page(Struct):
    """One page of a listing, its tiles unread: each is read on its own."""

    data: list[Raw]
    meta: Meta | None = None


class Node(Struct):
    """A node of the category tree."""

    key: str
    name: str
    children: "list[Node] | None" = None


class Tree(Struct):
    """The category tree."""

    data: list[Node]


class Address(Struct):
    """Where a store is."""

    address1: str | None
    city: str | None
    zipCode: str | None  # noqa: N815 - the retailer's name
    regionIsoCode: str | None  # noqa: N815 - the retailer's name
    address2: str | None = None
    latitude: str | float | None = None
    longitude: str | float | None = None


class ServicePoint(Struct):
    """A store."""

    id: str
    name: str
    address: Address
    availableCustomerServiceTypes: list[str] | None = None  # noqa: N815 - the retailer's name


class ServicePoints(Struct):
    """One answer of the store finder."""

    data: list[ServicePoint]
    meta: Meta | None = None


PAGES: Final = msgspec.json.Decoder(Page)
TILES: Final = msgspec.json.Decoder(Tile)
TREES: Final = msgspec.json.Decoder(Tree)
SERVICE_POINTS: Final = msgspec.json.Decoder(ServicePoints)


def total_of(meta: Meta | None) -> int | None:
    """How many there are in all, None where the answer does not say."""
    return meta.pagination.totalCount if meta is not None and meta.pagination is not None else None
