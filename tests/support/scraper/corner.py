"""Corner: an invented fifth company, made by docs/add-a-retailer.md and by nothing else.

A shop with one JSON answer for all stores, a tree of aisles, pages of 20 counted from 1, prices in integer cents.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from splitcart_common.events import ObservedListing, StoreDiscovered
from splitcart_common.ids import store_key
from splitcart_scraper.domain.listing import MISSING, PageContent, RawListing, Refusal, clean_text, observe
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.base import (
    DriftError,
    Ended,
    Meaning,
    OutletsFound,
    PageContext,
    PageError,
    Request,
    Session,
)
from splitcart_scraper.retailers.reading import (
    addressed,
    counted_out,
    decode,
    decode_tile,
    degrees,
    line,
    page_of,
    raw_hash,
)

PER_PAGE: Final = 20
PROMOTIONAL: Final = frozenset(("deals",))
"""Aisles whose goods are in another one too."""


class Tile(Struct):
    """One product of a page; what is not believed yet has any type."""

    ref: Any = None
    title: Any = None
    maker: Any = None
    pack: Any = None
    ean: Any = None
    cents: Any = MISSING
    cents_before: Any = None
    in_stock: Any = True


class Page(Struct):
    """A page of an aisle, its tiles unread: each is read on its own, so that one broken tile costs one tile."""

    store: int
    count: int
    goods: list[Raw]


class Aisle(Struct):
    """A node of the tree."""

    code: str
    title: str
    aisles: "list[Aisle]"


class Tree(Struct):
    """The tree of a store."""

    aisles: list[Aisle]


class Store(Struct):
    """A store of the finder; its position is latitude and longitude."""

    number: int
    title: str
    street: str
    town: str
    state: str
    postcode: str
    position: tuple[float, float] | None = None


class Stores(Struct):
    """The store finder's only answer."""

    stores: list[Store]


STORES: Final = msgspec.json.Decoder(Stores)
TREES: Final = msgspec.json.Decoder(Tree)
PAGES: Final = msgspec.json.Decoder(Page)
TILES: Final = msgspec.json.Decoder(Tile)


class Corner:
    """The shapes, the paging and the quirks of Corner."""

    company = "corner"
    parser_version = "corner-1"
    base_url = "https://shop.corner.example"
    finder_url = base_url

    def discovery(self) -> Sequence[Request]:
        """One request has every store."""
        return [Request("/stores")]

    def outlets(self, body: bytes, _request: Request, seen_at: datetime) -> OutletsFound:
        """The stores of the answer."""
        return OutletsFound(tuple(_outlet(store, seen_at) for store in decode(STORES, body).stores))

    def scrapable(self, _outlet: StoreDiscovered) -> bool:
        """Always: every store shows its prices."""
        return True

    def opening(self, _session: Session) -> Request | None:
        """None: the shop wants neither cookies nor keys."""
        return None

    def opened(self, session: Session, _body: bytes) -> Session:
        """Never called, as there is no opening page."""
        return session

    def tree(self, session: Session) -> Request:
        """The aisles of the store."""
        return Request(f"/stores/{session.store_id}/aisles")

    def categories(self, _session: Session, body: bytes) -> tuple[Category, ...]:
        """The leaves, in the tree's order, without the deals."""
        found = tuple(leaf for aisle in decode(TREES, body).aisles for leaf in _leaves(aisle, ()))
        if not found:
            raise PageError("the tree has no aisle to walk")
        return found

    def next_page(self, session: Session, category: Category, read: Sequence[PageContent]) -> Request | Ended:
        """The next page by number, until as many tiles are read as the shop counts; past the end is a 404."""
        seen, total = sum(page.tiles for page in read), read[-1].total if read else None
        if read and counted_out(seen, read[-1].tiles, PER_PAGE, total):
            return Ended()
        if read and read[-1].tiles == 0:
            return Ended() if total is None or seen >= total else Ended(f"it ended at {seen} of {total}")
        return Request(
            f"/stores/{session.store_id}/aisles/{category.key}?page={len(read) + 1}",
            meanings={404: Meaning.PAST_END},
        )

    def parse(self, body: bytes, context: PageContext) -> PageContent:
        """The tiles of a page, each on its own; DriftError where the page is another store's."""
        page = decode(PAGES, body)
        if str(page.store) != context.session.store_id:
            raise DriftError(f"asked for store {context.session.store_id}, the page is of store {page.store}")
        return page_of((_tile(bytes(raw), context) for raw in page.goods), page.count)


def _tile(raw: bytes, context: PageContext) -> ObservedListing | Refusal:
    tile = decode_tile(TILES, raw)
    if isinstance(tile, Refusal):
        return tile
    before, now = tile.cents_before, tile.cents
    reduced = isinstance(before, int) and isinstance(now, int) and before > now
    return observe(
        RawListing(
            sku=tile.ref,
            name=tile.title,
            price=now,
            raw_hash=raw_hash(raw),
            brand=tile.maker,
            size=tile.pack,
            barcode=tile.ean,
            category_path=context.category.path,
            was_price=before if reduced else None,
            special="special" if reduced else "none",
            available=tile.in_stock is not False,
        ),
        context.page,
    )


def _leaves(aisle: Aisle, above: tuple[str, ...]) -> list[Category]:
    if aisle.code in PROMOTIONAL:
        return []
    path = (*above, clean_text(aisle.title))
    if not aisle.aisles:
        return [Category(addressed(aisle.code), path)]
    return [leaf for child in aisle.aisles for leaf in _leaves(child, path)]


def _outlet(store: Store, seen_at: datetime) -> StoreDiscovered:
    latitude, longitude = store.position or (None, None)
    return StoreDiscovered(
        store=store_key(Corner.company, str(store.number)),
        name=line(store.title),
        address=line(store.street),
        suburb=line(store.town),
        state=line(store.state),
        postcode=line(store.postcode),
        lat=degrees(latitude, 90),
        lon=degrees(longitude, 180),
        sells_online=True,
        seen_at=seen_at,
    )
