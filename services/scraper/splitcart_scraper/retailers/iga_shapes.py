"""The JSON of IGA's shop as far as it is read; names are the retailer's."""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from splitcart_scraper.domain.listing import MISSING


class Tile(Struct):
    """One product of a listing; prices are dollars, and what is not believed yet has any type.

    The keys of the price before a reduction are absent, not null, where there is no reduction.
    """

    sku: Any = None
    name: Any = None
    productId: Any = None  # noqa: N815 - the retailer's name
    brand: Any = None
    barcode: Any = None
    available: Any = True
    priceNumeric: Any = MISSING  # noqa: N815 - the retailer's name
    priceSource: Any = None  # noqa: N815 - the retailer's name
    wholePrice: Any = None  # noqa: N815 - the retailer's name
    pricePerUnit: Any = None  # noqa: N815 - the retailer's name
    wasPriceNumeric: Any = None  # noqa: N815 - the retailer's name
    unitOfSize: Any = None  # noqa: N815 - the retailer's name
    unitOfPrice: Any = None  # noqa: N815 - the retailer's name
    image: Any = None


class Link(Struct):
    """Where a page is."""

    href: str | None = None


class Links(Struct):
    """The pages around; `current` is the page's own address and names its store."""

    current: Link | None = None


class Pagination(Struct):
    """What surrounds the paging."""

    links: Links | None = msgspec.field(name="_links", default=None)


class Page(Struct):
    """One page of a listing, its tiles unread: each is read on its own."""

    items: list[Raw]
    total: int | None = None
    pagination: Pagination | None = None


class Node(Struct):
    """A node of the hierarchy."""

    identifier: str
    displayName: str  # noqa: N815 - the retailer's name
    children: "list[Node] | None" = None


PAGES: Final = msgspec.json.Decoder(Page)
TILES: Final = msgspec.json.Decoder(Tile)
HIERARCHIES: Final = msgspec.json.Decoder(Node)
