"""Aldi Australia: plain JSON from `api.aldi.com.au`, prices in cents, no barcode anywhere."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from splitcart_common.events import ObservedListing, StoreDiscovered
from splitcart_common.ids import store_key
from splitcart_common.money import from_dollars
from splitcart_scraper.domain.listing import (
    LONGEST_SHORT_TEXT,
    MISSING,
    PageContent,
    RawListing,
    Refusal,
    clean_text,
    observe,
)
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.aldi_points import POINTS
from splitcart_scraper.retailers.aldi_shapes import (
    PAGES,
    SERVICE_POINTS,
    TILES,
    TREES,
    Node,
    Price,
    ServicePoint,
    Tile,
    total_of,
)
from splitcart_scraper.retailers.base import (
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

PAGE: Final = 30
OUTLETS_PAGE: Final = 100
PROMOTIONAL_ROOTS: Final = frozenset(
    ("lower prices", "super savers", "limited time only", "christmas", "front of store", "weekly specials")
) | {"special buys"}
"""Roots of the tree whose goods are listed elsewhere too, or come and go with a campaign."""

SITE: Final = "https://www.aldi.com.au"
IMAGE_WIDTH: Final = "500"
_PER: Final = re.compile(r"\bper\s+(.+)$")


class Aldi:
    """The shapes, the paging and the quirks of Aldi."""

    company = "aldi"
    parser_version = "aldi-2"
    base_url = "https://api.aldi.com.au"
    finder_url = base_url

    def discovery(self) -> Sequence[Request]:
        """One request around each of the points that together have every outlet near."""
        return [_service_points(f"{latitude:.1f}", f"{longitude:.1f}", 0) for latitude, longitude in POINTS]

    def outlets(self, body: bytes, request: Request, seen_at: datetime) -> OutletsFound:
        """The stores around a point, and the request for those that did not fit on the page."""
        answer = decode(SERVICE_POINTS, body)
        asked = parse_qs(urlsplit(request.target).query)
        after = int(asked["offset"][0]) + len(answer.data)
        total = total_of(answer.meta)
        more = bool(answer.data) and total is not None and after < total
        rest = (_service_points(asked["latitude"][0], asked["longitude"][0], after),) if more else ()
        return OutletsFound(tuple(_outlet(point, seen_at) for point in answer.data), rest)

    def scrapable(self, _outlet: StoreDiscovered) -> bool:
        """Always: a store that sells nothing online shows its prices all the same."""
        return True

    def opening(self, _session: Session) -> Request | None:
        """None: Aldi needs neither cookie nor key."""
        return None

    def opened(self, session: Session, _body: bytes) -> Session:
        """The same session: there is no opening page."""
        return session

    def tree(self, session: Session) -> Request:
        """The category tree of the store."""
        query = {"serviceType": "walk-in", "servicePoint": session.store_id}
        return Request(f"/v2/product-category-tree?{urlencode(query)}")

    def categories(self, _session: Session, body: bytes) -> tuple[Category, ...]:
        """The leaves of the tree, each once, in the tree's order; promotional roots skipped."""
        found: dict[str, Category] = {}
        for root in decode(TREES, body).data:
            if clean_text(root.name).casefold() not in PROMOTIONAL_ROOTS:
                for category in _leaves(root, ()):
                    found.setdefault(category.key, category)
        if not found:
            raise PageError("the category tree has no category to walk")
        return tuple(found.values())

    def next_page(self, session: Session, category: Category, read: Sequence[PageContent]) -> Request | Ended:
        """The next page by offset, until the count is reached or a page is empty.

        HTTP 400 is the end only where an end can be: never on the first page, nor long before the count.
        """
        offset = sum(page.tiles for page in read)
        total = read[-1].total if read else None
        if read and (read[-1].tiles == 0 or counted_out(offset, read[-1].tiles, PAGE, total)):
            return Ended() if total is None or offset >= total else Ended(f"it ended at {offset} of {total}")
        can_end = offset > 0 and (total is None or offset + PAGE >= total)
        query = {
            "currency": "AUD",
            "serviceType": "walk-in",
            "categoryKey": category.key,
            "limit": PAGE,
            "offset": offset,
            "sort": "relevance",
            "testVariant": "A",
            "servicePoint": session.store_id,
        }
        return Request(
            f"/v3/product-search?{urlencode(query)}", meanings={400: Meaning.PAST_END} if can_end else {}
        )

    def parse(self, body: bytes, context: PageContext) -> PageContent:
        """The tiles of a page, each on its own: one that is broken does not take the others with it."""
        page = decode(PAGES, body)
        return page_of((_tile(bytes(raw), context) for raw in page.data), total_of(page.meta))


def _tile(raw: bytes, context: PageContext) -> ObservedListing | Refusal:
    tile = decode_tile(TILES, raw)
    if isinstance(tile, Refusal):
        return tile
    price = tile.price
    priced = price if isinstance(price, Price) else Price(amount=None if price is None else MISSING)
    was = _was(priced)
    if was is not None and not (type(priced.amount) is int and was > priced.amount):
        was = None  # 0 or the price itself: there was no other price
    return observe(
        RawListing(
            sku=tile.sku,
            name=tile.name,
            price=priced.amount,
            raw_hash=raw_hash(raw),
            brand=tile.brandName,
            size=tile.sellingSize,
            category_path=context.category.path,
            was_price=was,
            unit_price=priced.comparison,
            unit=_unit(priced.comparisonDisplay),
            special="none" if was is None else "special",
            available=tile.discontinued is not True,
            image_url=_image(tile),
            url=f"{SITE}/product/{tile.urlSlugText}-{tile.sku}" if isinstance(tile.urlSlugText, str) else None,
        ),
        context.page,
    )


def _was(price: Price) -> int | None:
    """The was-price, which exists only as text: ``$5.99``."""
    text = price.wasPriceDisplay
    if not isinstance(text, str) or len(text) > 20:
        return None
    try:
        return from_dollars(text)
    except ValueError:
        return None


def _unit(display: object) -> str | None:
    """What the unit price is for, ``100g`` of ``$1.68 per 100 g``."""
    found = _PER.search(display) if isinstance(display, str) and len(display) <= LONGEST_SHORT_TEXT else None
    return "".join(found[1].split()).lower() if found else None


def _image(tile: Tile) -> str | None:
    """The first picture at one width; the slug at the end of its address is decoration."""
    url = tile.assets[0].url if tile.assets else None
    if not isinstance(url, str):
        return None
    return url.replace("{width}", IMAGE_WIDTH).removesuffix("/{slug}").removesuffix(f"/{tile.urlSlugText}")


def _leaves(node: Node, above: tuple[str, ...]) -> list[Category]:
    path = (*above, clean_text(node.name)[:LONGEST_SHORT_TEXT])
    if not node.children:
        return [Category(addressed(node.key), path)]
    return [leaf for child in node.children for leaf in _leaves(child, path)]


def _service_points(latitude: str, longitude: str, offset: int) -> Request:
    query = {
        "latitude": latitude,
        "longitude": longitude,
        "serviceType": "walk-in",
        "includeNearbyServicePoints": "true",
        "limit": OUTLETS_PAGE,
        "offset": offset,
    }
    return Request(f"/v2/service-points?{urlencode(query)}")


def _outlet(point: ServicePoint, seen_at: datetime) -> StoreDiscovered:
    """A store of the answer; PageError for one that cannot be named, so that it is not taken for closed."""
    try:
        key = store_key(Aldi.company, point.id)
    except ValueError as error:
        raise PageError(str(error)) from None
    address = point.address
    street = ", ".join(part for part in (line(address.address1), line(address.address2)) if part)
    return StoreDiscovered(
        store=key,
        name=line(point.name),
        address=street[:LONGEST_SHORT_TEXT],
        suburb=line(address.city),
        state=line(address.regionIsoCode),
        postcode=line(address.zipCode),
        lat=degrees(address.latitude, 90),
        lon=degrees(address.longitude, 180),
        sells_online="pickup" in (point.availableCustomerServiceTypes or ()),
        seen_at=seen_at,
    )
