"""Woolworths: JSON from the site's own interface, prices in dollars, most tiles with a barcode (retailers.md §3).

What has to be known of it: a listing never runs out of advertisements, only of products; of no category are more
than 10,000 products served; and a guest cannot choose a store. Whatever is asked for, a session that has not
chosen one is shown the default store's prices, in October 2026 those of store 1101. So every tile is asked whose
price it bears, and a page of another store than the one asked for ends the scrape as drift. Live and as a guest,
store 1101 alone can honestly be scraped; which one it is may change, and each refusal names it (`--store 1101`).
All stores stay on record and `scrapable`: that is for a session to show, and one that has chosen a store needs no
other module.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import msgspec

from splitcart_common.events import ObservedListing, StoreDiscovered
from splitcart_scraper.domain.listing import (
    LONGEST_SHORT_TEXT,
    PageContent,
    Refusal,
    clean_text,
    refused_unread,
)
from splitcart_scraper.domain.scrape import Category, each_once, parts_of
from splitcart_scraper.retailers import woolworths_finder
from splitcart_scraper.retailers.base import (
    DriftError,
    Ended,
    OutletsFound,
    PageContext,
    PageError,
    Request,
    Session,
)
from splitcart_scraper.retailers.reading import decode, decode_tile, page_of
from splitcart_scraper.retailers.woolworths_finder import SITE, front_page, headers
from splitcart_scraper.retailers.woolworths_shapes import (
    BUNDLES,
    PAGES,
    TILES,
    TREES,
    Node,
    Page,
    Tile,
)
from splitcart_scraper.retailers.woolworths_tile import is_promoted, observed, sku_of, store_of

PAGE: Final = 36
"""Products of a page, the advertisements on top not counted; to ask for more is an error."""
MOST_SERVED: Final = 10_000
"""Products of one category that are served, whatever its count."""
UNCOUNTED: Final = 100
"""One in so many products may be missing at the end: goods come and go while a long listing is read."""

SKIPPED: Final = frozenset(("specials", "everyday market", "home & lifestyle", "electronics", "front of store"))
"""Categories of goods that are elsewhere too, or other sellers', or that cannot be read."""

_NODE_ID: Final = re.compile(r"[0-9][_-][0-9A-F]{6,12}", re.ASCII)
_NO_WORD: Final = re.compile(r"[^a-z0-9]+")


class Woolworths:
    """The shapes, the paging and the quirks of Woolworths."""

    company = "woolworths"
    parser_version = "woolworths-1"
    base_url = SITE
    finder_url = base_url

    def discovery(self) -> Sequence[Request]:
        """The front page, then one request around each of the points that together have every supermarket near."""
        return woolworths_finder.requests()

    def outlets(self, body: bytes, request: Request, seen_at: datetime) -> OutletsFound:
        """The supermarkets around a point, none on the front page."""
        return woolworths_finder.found(self.company, body, request, seen_at)

    def scrapable(self, _outlet: StoreDiscovered) -> bool:
        """Always: which store's prices a session is shown is seen only when it is."""
        return True

    def opening(self, _session: Session) -> Request | None:
        """The front page, whose cookies the site wants to see again in what follows."""
        return front_page()

    def opened(self, session: Session, _body: bytes) -> Session:
        """The same session: what counts of the front page are its cookies, which the client keeps."""
        return session

    def tree(self, _session: Session) -> Request:
        """The category tree, which is the same for every store."""
        return Request("/apis/ui/PiesCategoriesWithSpecials", headers=headers(""))

    def categories(self, _session: Session, body: bytes) -> tuple[Category, ...]:
        """The departments, in the tree's order: no product of one is missing from it, as it may be from its parts.

        A department with more products than are served is walked by its children: from the start where the tree
        counts them, which it seldom does, else as parts, once its first page does.
        """
        found = each_once(category for root in decode(TREES, body).categories for category in _walked(root))
        if not found:
            raise PageError("the category tree has no category to walk")
        return found

    def next_page(self, session: Session, category: Category, read: Sequence[PageContent]) -> Request | Ended:
        """The next page, until one brings no product that is new; how long a page is says nothing.

        Where that comes before the count is reached, one page more is asked for, so that a single answer that
        lacks its products ends nothing. The count is never believed as an end.
        """
        progress = _progress(read)
        total = max((page.total or 0 for page in read), default=0)
        missing = total - progress.products
        if progress.barren > 1 or (progress.barren and 0 < total <= progress.products):
            excused = 0 if progress.gap else total // UNCOUNTED
            return Ended() if missing <= excused else Ended(f"it ended at {progress.products} of {total}")
        unserved = category.divisible and total > MOST_SERVED
        if unserved or (len(read) * PAGE >= MOST_SERVED and missing > 0):
            served = f"{progress.products} of {total} products, and at most {MOST_SERVED} of a category are served"
            return Ended(f"{served}: its children have to be walked instead", too_long=True)
        return _listing(session, category, len(read) + 1)

    def parse(self, body: bytes, context: PageContext) -> PageContent:
        """The products of a page; advertisements and other sellers' goods are left out.

        DriftError where a tile bears the prices of another store than the one asked for; a tile that does not
        say whose price it bears is refused, and a page of such tiles is no page.
        """
        page = decode(PAGES, body)
        if not page.success:
            raise PageError("the answer says that it is no success")
        own = _own(page)
        _check_store([tile for tile, _ in own if isinstance(tile, Tile)], context.session)
        seen = (
            tile if isinstance(tile, Refusal) else _observed(tile, raw, context)
            for tile, raw in own
            if isinstance(tile, Refusal) or not is_promoted(tile)
        )
        return page_of(seen, page.total_record_count)


def _own(page: Page) -> list[tuple[Tile | Refusal, bytes]]:
    """The tiles of a page with their bytes, those of other sellers' goods left out."""
    own: list[tuple[Tile | Refusal, bytes]] = []
    for raw in _products(page):
        tile = decode_tile(TILES, raw)
        if isinstance(tile, Refusal) or tile.is_market_product is not True:
            own.append((tile, raw))
    return own


def _products(page: Page) -> Iterator[bytes]:
    """What the bundles of a page hold, in order; a bundle that is none stands for one product, to be refused."""
    for bundle in page.bundles:
        try:
            yield from map(bytes, BUNDLES.decode(bundle).products)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield b"null"


def _check_store(tiles: Sequence[Tile], session: Session) -> None:
    """Read the session's store back from the tiles, advertisements included; PageError where none says it."""
    stores = {store_of(tile) for tile in tiles}
    others = sorted(store for store in stores if store is not None and store != session.store_id)
    if others:
        company, other = Woolworths.company, others[0]
        raise DriftError(
            f"asked for store {session.store_id}, the answer is of store {other}: a guest cannot choose a store "
            f"and is shown the default one, whatever is asked for. Scrape {company}:{other}, whose prices these "
            f"are (--store {other}); store {session.store_id} needs a session that has chosen it"
        )
    if stores == {None}:
        raise PageError("no tile says which store's prices it bears")


def _observed(tile: Tile, raw: bytes, context: PageContext) -> ObservedListing | Refusal:
    if store_of(tile) is None:
        return refused_unread("it does not say which store's price it bears", sku_of(tile))
    return observed(tile, raw, context)


@dataclass(slots=True)
class _Progress:
    """What the pages of a category brought so far: `barren` pages at the end had no product that was new.

    Products refused without their number cannot be told apart, so each counts as one, and none as new.
    """

    products: int = 0
    barren: int = 0
    gap: bool = False
    """A barren page was followed by one that was not: it lacked products that were due."""


def _progress(read: Sequence[PageContent]) -> _Progress:
    progress, seen, nameless = _Progress(), set[str](), 0
    for page in read:
        before = len(seen)
        seen.update(listing.sku for listing in page.listings)
        seen.update(refusal.sku for refusal in page.refusals if refusal.sku is not None)
        nameless += sum(refusal.sku is None for refusal in page.refusals)
        fresh = len(seen) > before
        progress.gap = progress.gap or (fresh and progress.barren > 0)
        progress.barren = 0 if fresh else progress.barren + 1
    progress.products = len(seen) + nameless
    return progress


def _listing(session: Session, category: Category, page: int) -> Request:
    """A page of a category, sorted by name: an order by price would move while it is read, when prices turn."""
    name = category.path[-1]
    where = f"/shop/browse/{_NO_WORD.sub('-', name.lower()).strip('-')}"
    body = {
        "categoryId": category.key,
        "pageNumber": page,
        "pageSize": PAGE,
        "sortType": "Name",
        "url": f"{where}?pageNumber={page}",
        "location": f"{where}?pageNumber={page}",
        "formatObject": msgspec.json.encode({"name": name}).decode(),
        "isSpecial": False,
        "isBundle": False,
        "isMobile": False,
        "filters": [{"Key": "SoldBy", "Items": [{"Term": "Woolworths"}]}],
        "token": "",
        "gpBoost": 0,
        "isHideUnavailableProducts": False,
        "isHideEverydayMarketProducts": True,
        "categoryVersion": "v2",
        "enableAdReRanking": False,
        "groupEdmVariants": True,
        "storeId": session.store_id,
    }
    sent = {**headers(where), "content-type": "application/json"}
    return Request(
        "/apis/ui/browse/category",
        method="POST",
        headers=sent,
        body=msgspec.json.encode(body),
        label=f"{category.key}, page {page}",
    )


def _walked(node: Node, above: tuple[str, ...] = ()) -> list[Category]:
    """A department with its children as parts; the children alone where the tree counts more than are served.

    Below a part there are no parts: no child of a department comes near what is served. Children that cannot be
    addressed spoil the tree only where they are needed.
    """
    name = clean_text(node.description)[:LONGEST_SHORT_TEXT]
    if _is_skipped(node, name):
        return []
    if not _NODE_ID.fullmatch(node.node_id):
        raise PageError(f"{name!r} has the id {node.node_id[:60]!r}: a slug is answered like an empty category")
    whole = Category(node.node_id, (*above, name))
    if above and node.product_count <= MOST_SERVED:
        return [whole]
    try:
        below = [category for child in node.children or () for category in _walked(child, whole.path)]
    except PageError:
        if node.product_count > MOST_SERVED:
            raise
        return [whole]
    if node.product_count > MOST_SERVED and below:
        return below
    return [replace(whole, divisible=bool(below)), *parts_of(whole, below)]


def _is_skipped(node: Node, name: str) -> bool:
    """Whether a node is a campaign, other sellers' goods, tobacco, or one that only answers with an error."""
    promotional = node.is_special or node.node_id.startswith("specialsgroup") or node.node_id.endswith("_SPECIALS")
    return promotional or name.casefold() in SKIPPED or "tobacco" in name.casefold()
