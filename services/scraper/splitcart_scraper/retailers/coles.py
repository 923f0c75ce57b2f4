"""Coles: a Next.js shop, `www.coles.com.au`; prices in dollars, barcodes on product pages only (retailers.md §2).

A scrape opens with the shop's front page, which gives the build id (part of the addresses of the data route) and
the key of the GraphQL calls. Both are public and the same for every visitor; a deploy replaces the build id. The
store is chosen by cookie, and every page says which store it is about: one that names another ends the scrape.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from splitcart_common.events import StoreDiscovered
from splitcart_common.ids import store_key
from splitcart_scraper.domain.listing import LONGEST_SHORT_TEXT, PageContent, clean_text
from splitcart_scraper.domain.scrape import Category, each_once, parts_of
from splitcart_scraper.retailers.base import (
    DriftError,
    Ended,
    OutletsFound,
    PageContext,
    PageError,
    Request,
    Session,
)
from splitcart_scraper.retailers.coles_requests import (
    BUILD,
    KEY,
    SUPERMARKETS,
    front_page,
    listing,
    menu,
    opening_page,
    padded,
    stores,
)
from splitcart_scraper.retailers.coles_shapes import (
    LISTING_DOCUMENTS,
    LISTINGS,
    MENUS,
    OPENINGS,
    STORES,
    ListingProps,
    Node,
    Store,
    key_of,
    next_data,
)
from splitcart_scraper.retailers.coles_tiles import PROMOTIONS, SITE, read_tile
from splitcart_scraper.retailers.reading import counted_out, decode, degrees, line, page_of

MOST_PAGES: Final = 104
"""Pages of any listing that are served, of 48 products; the next is empty whatever the count says."""
PAGE: Final = 48
"""Products of a page, advertisements not counted."""
SPLIT_ABOVE: Final = 100 * PAGE
"""Products of a node that is walked by its children from the start."""
SURELY_SERVED: Final = 50 * PAGE
"""Products of a node that needs no parts, whatever its listing counts."""
LEVELS: Final = 3
SHORT_BELOW: Final = 0.95
"""The share of its own count that a listing must show: what moves between two pages is missed or seen twice."""

SKIPPED_ROOTS: Final = frozenset(name.replace(" ", "-") for name in PROMOTIONS) | {"liquorland", "tobacco"}
"""Slugs of roots that are not walked: promotions; a company of its own; goods whose prices may not be shown."""

_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}", re.ASCII)
_BUILD_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_SUPERMARKET: Final = re.compile(rf"{SUPERMARKETS}:0*([1-9][0-9]{{0,5}})", re.ASCII)


class Coles:
    """The shapes, the paging and the quirks of Coles."""

    company = "coles"
    parser_version = "coles-1"
    base_url = SITE
    finder_url = base_url

    def discovery(self) -> Sequence[Request]:
        """The front page: the store finder wants the key that it publishes."""
        return [front_page()]

    def outlets(self, body: bytes, request: Request, seen_at: datetime) -> OutletsFound:
        """The supermarkets around a point; of the front page the requests around all points."""
        if request.expects == "html":
            return OutletsFound((), stores(key_of(body)))
        answer = decode(STORES, body)
        if answer.data is None or answer.data.stores is None:
            raise PageError(f"the store finder refuses: {answer.errors!r:.200}")
        near = (found.store for found in answer.data.stores.results)
        return OutletsFound(tuple(_outlet(store, seen_at) for store in near if _counts(store)))

    def scrapable(self, _outlet: StoreDiscovered) -> bool:
        """Always: every supermarket of the store finder can be shopped at by cookie."""
        return True

    def opening(self, session: Session) -> Request:
        """The front page as a customer of the store."""
        return opening_page(session)

    def opened(self, session: Session, body: bytes) -> Session:
        """The session with build id and key; BotWallError (a PageError) where the page is not the shop's."""
        page = decode(OPENINGS, next_data(body))
        if not _BUILD_ID.fullmatch(page.build_id):
            raise PageError(f"the build id is {page.build_id!r:.60}")
        shown = page.props.page_props.init_store_id if page.props and page.props.page_props else None
        if shown is not None:
            _must_be_about(session, shown)
        return replace(session, tokens={BUILD: page.build_id, KEY: key_of(body)})

    def tree(self, session: Session) -> Request:
        """The menu of the store."""
        return menu(session)

    def categories(self, _session: Session, body: bytes) -> tuple[Category, ...]:
        """The departments, each once, in the menu's order; one of more products than are served by its children.

        Not the leaves: a listing of few products costs a request as well, and the tree has a thousand leaves. The
        menu's count is not quite the listing's, so one that may be too long has its children as parts behind it.
        """
        answer = decode(MENUS, body)
        if answer.data is None or answer.data.menu_items is None:
            raise PageError(f"the menu is refused: {answer.errors!r:.200}")
        restricted = frozenset(answer.data.menu_items.restricted_ids or ())
        roots = (root for root in answer.data.menu_items.items if not _promotes(root))
        found = each_once(category for root in roots for category in _walked(root, (), (), restricted))
        if not found:
            raise PageError("the menu has no category to walk")
        return found

    def next_page(self, session: Session, category: Category, read: Sequence[PageContent]) -> Request | Ended:
        """The next page by number, until the count is reached, a page adds nothing, or none more is served.

        Entries are no measure: a page of 48 products has up to 16 advertisements among them. A category that has
        parts is left for them as soon as its first page counts more products than are served.
        """
        if not read:
            return listing(session, category, 1)
        total = max((page.total for page in read if page.total is not None), default=None)
        seen = _products(read)
        before = _products(read[:-1])
        if counted_out(seen, seen - before, PAGE, total):
            return Ended()
        if seen == before:
            short = total is not None and seen < SHORT_BELOW * total
            return Ended(f"it ended at {seen} of {total}") if short else Ended()
        unserved = category.divisible and total is not None and total > MOST_PAGES * PAGE
        if unserved or len(read) >= MOST_PAGES:
            return Ended(f"no more than {MOST_PAGES} pages are served: {seen} of {total}", too_long=True)
        return listing(session, category, len(read) + 1)

    def parse(self, body: bytes, context: PageContext) -> PageContent:
        """The products of a page, each on its own and once; advertisements and paid copies are not among them.

        Reads the data route's answer, and the HTML page that bears the same data.
        """
        page = _listing_of(body)
        _must_be_about(context.session, page.init_store_id)
        tiles = (read_tile(bytes(raw), context) for raw in page.search_results.results)
        return page_of((tile for tile in tiles if tile is not None), page.search_results.no_of_results)


def _listing_of(body: bytes) -> ListingProps:
    if body.lstrip()[:1] == b"<":
        return decode(LISTING_DOCUMENTS, next_data(body)).props.page_props
    return decode(LISTINGS, body).page_props


def _must_be_about(session: Session, shown: object) -> None:
    """DriftError for an answer about another store; a store's number is text or not, with zeros or without."""
    number = str(shown) if type(shown) is int else shown
    if not isinstance(number, str):
        raise PageError(f"the page does not say which store it is about, but {number!r:.40}")
    if padded(number) != padded(session.store_id):
        raise DriftError(f"the answer is about store {number!r:.40}, not {padded(session.store_id)}")


def _products(read: Sequence[PageContent]) -> int:
    """How many products the pages bear, each counted once; one without a SKU is like no other."""
    seen = {tile.sku for page in read for tile in page.listings}
    refused = [refusal.sku for page in read for refusal in page.refusals]
    return len(seen.union(filter(None, refused))) + refused.count(None)


def _promotes(root: Node) -> bool:
    return (
        root.seo_token in SKIPPED_ROOTS
        or clean_text(root.name).casefold() in PROMOTIONS
        or root.type not in (None, "CATALOG")
        or root.sub_type == "SEASONAL"
    )


def _walked(
    node: Node, slugs: tuple[str, ...], names: tuple[str, ...], restricted: frozenset[str]
) -> list[Category]:
    """The node; where more products are in it than are served, its children in its place.

    Where that may be, its children as its parts; those that cannot be addressed spoil the menu only where they are
    needed.
    """
    if node.id in restricted:
        return []
    if not _SLUG.fullmatch(node.seo_token):
        raise PageError(f"a category cannot be addressed: {node.seo_token!r:.60}")
    slugs, names = (*slugs, node.seo_token), (*names, clean_text(node.name)[:LONGEST_SHORT_TEXT])
    whole = Category("/".join(slugs), names)
    count = node.product_count
    if not node.child_items or len(slugs) >= LEVELS or (count is not None and count <= SURELY_SERVED):
        return [whole]
    too_long = count is not None and count > SPLIT_ABOVE
    try:
        below = [found for child in node.child_items for found in _walked(child, slugs, names, restricted)]
    except PageError:
        if too_long:
            raise
        return [whole]
    if too_long:
        return below
    return [replace(whole, divisible=bool(below)), *parts_of(whole, below)]


def _counts(store: Store) -> bool:
    """A supermarket that trades; one that does not trade yet or any more has neither hours nor a telephone."""
    return store.id.startswith(f"{SUPERMARKETS}:") and store.is_trading is not False


def _outlet(store: Store, seen_at: datetime) -> StoreDiscovered:
    """A store of the answer; PageError for one that cannot be named, so that it is not taken for closed."""
    number = _SUPERMARKET.fullmatch(store.id)
    if number is None:
        raise PageError(f"{store.id!r:.60} is no number of a supermarket")
    address, position = store.address, store.position
    return StoreDiscovered(
        store=store_key(Coles.company, number[1]),
        name=line(store.name),
        address=line(address.address_line),
        suburb=line(address.suburb),
        state=line(address.state),
        postcode=line(address.postcode),
        lat=degrees(position.latitude, 90) if position else None,
        lon=degrees(position.longitude, 180) if position else None,
        sells_online=True,
        seen_at=seen_at,
        division=line(store.brand.name) or None if store.brand else None,
    )
