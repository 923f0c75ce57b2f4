"""IGA: independent stores behind one shop. Plain JSON from `www.igashop.com.au`, prices in dollars.

A store has two numbers: the store finder's, which is its key, and the shop's (`retailer_ref`), which the addresses
are made of. Only a store that sells online has the second; the others show their prices nowhere.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from math import isfinite
from typing import Final
from urllib.parse import quote, urlencode
from uuid import uuid5

from splitcart_common.events import ObservedListing, StoreDiscovered
from splitcart_common.events.observations import Special
from splitcart_scraper.domain.listing import (
    LONGEST_SHORT_TEXT,
    PageContent,
    RawListing,
    Refusal,
    clean_text,
    observe,
)
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers import iga_finder
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
from splitcart_scraper.retailers.iga_shapes import HIERARCHIES, PAGES, TILES, Node, Page, Tile
from splitcart_scraper.retailers.reading import addressed, counted_out, decode, decode_tile, page_of, raw_hash

TAKE: Final = 36
SITE: Final = "https://www.igashop.com.au"
SHOPPING_MODE: Final = "11111111-1111-1111-1111-111111111111"
PROMOTIONAL: Final = frozenset(("specials", "weekly specials", "promotions", "seasonal", "christmas"))
"""Departments whose goods are listed elsewhere too, or come and go with a campaign."""

_IMAGE_SIZE: Final = re.compile(r"\bw_\d+,h_\d+\b")
_PER_UNIT: Final = re.compile(r"\$([0-9][0-9,]{0,9}(?:\.[0-9]{1,4})?) ?/ ?(\S.{0,30})")
_STORE: Final = re.compile(r"/stores/([^/?]+)/")
_NO_WORD: Final = re.compile(r"[^a-z0-9]+")


class Iga:
    """The shapes, the paging and the quirks of IGA."""

    company = "iga"
    parser_version = "iga-2"
    base_url = SITE
    finder_url = iga_finder.FINDER_URL

    def discovery(self) -> Sequence[Request]:
        """One request a number that may be a store's."""
        return list(iga_finder.requests())

    def outlets(self, body: bytes, request: Request, seen_at: datetime) -> OutletsFound:
        """The stores of an answer, with and without a web shop."""
        return iga_finder.found(self.company, body, request, seen_at)

    def scrapable(self, outlet: StoreDiscovered) -> bool:
        """Whether the store sells online."""
        return outlet.retailer_ref is not None

    def opening(self, session: Session) -> Request | None:
        """The front page, as a visitor who has chosen the store asks for it."""
        return Request("/", headers=_headers(session), expects="html")

    def opened(self, session: Session, _body: bytes) -> Session:
        """The same session: what the front page says is not needed, and the session id is ours to choose."""
        return session

    def tree(self, session: Session) -> Request:
        """The category hierarchy of the store."""
        target = f"/api/storefront/stores/{_reference(session)}/categoryHierarchy"
        return Request(target, headers=_headers(session))

    def categories(self, _session: Session, body: bytes) -> tuple[Category, ...]:
        """The leaves of the hierarchy, each once, in its order, without its root and promotional departments.

        Each listing is in one leaf or more, so nothing is lost by leaving out the nodes above.
        """
        found: dict[str, Category] = {}
        for node in decode(HIERARCHIES, body).children or ():
            for category in _leaves(node, ()):
                found.setdefault(category.key, category)
        if not found:
            raise PageError("the category hierarchy has no category to walk")
        return tuple(found.values())

    def next_page(self, session: Session, category: Category, read: Sequence[PageContent]) -> Request | Ended:
        """The page after as many tiles as were read, until there are as many as the retailer counts.

        `total` is believed as an end: without it every category would cost one request more, and most have one
        page. It is not believed against the pages: an empty page, or one that repeats the page before (as some
        stores answer past the end), ends the category too, and short if that is before the count, so that
        nothing is withdrawn for it. HTTP 404 means "not carried" only for a first page.
        """
        skip = sum(page.tiles for page in read)
        if read:
            last, total = read[-1], read[-1].total
            repeated = last.tiles > 0 and len(read) > 1 and _skus(last) == _skus(read[-2])
            seen = skip - (last.tiles if repeated else 0)
            if counted_out(seen, last.tiles, TAKE, total):
                return Ended()
            if repeated or last.tiles == 0:
                return Ended() if total is None or seen >= total else Ended(f"it ended at {seen} of {total}")
        query = {"take": TAKE, "skip": skip, "sessionId": uuid5(session.scrape_id, "igashop session")}
        where = f"/api/storefront/stores/{_reference(session)}/categories/{quote(category.key, safe='')}"
        return Request(
            f"{where}/search?{urlencode(query)}",
            headers=_headers(session),
            meanings={} if read else {404: Meaning.NOT_CARRIED},
        )

    def parse(self, body: bytes, context: PageContext) -> PageContent:
        """The tiles of a page, each on its own; DriftError where the page is another store's."""
        page = decode(PAGES, body)
        _check_store(page, context.session)
        return page_of((_tile(bytes(raw), context) for raw in page.items), page.total)


def _tile(raw: bytes, context: PageContext) -> ObservedListing | Refusal:
    tile = decode_tile(TILES, raw)
    if isinstance(tile, Refusal):
        return tile
    price, was = _cents(tile.priceNumeric), _cents(tile.wasPriceNumeric)
    was_price = was if isinstance(was, int) and isinstance(price, int) and was > price > 0 else None
    unit_price, unit = _unit_price(tile)
    return observe(
        RawListing(
            sku=tile.sku,
            name=tile.name,
            price=price,
            raw_hash=raw_hash(raw),
            brand=tile.brand,
            size=_amount(tile.unitOfSize),
            barcode=tile.barcode,
            category_path=context.category.path,
            was_price=was_price,
            unit_price=unit_price,
            unit=unit,
            special=_special(tile, price, was_price),
            available=tile.available is not False,
            image_url=_image(tile),
            url=_url(tile),
        ),
        context.page,
    )


def _cents(dollars: object) -> object:
    """Cents of a number of dollars, half cents up; what is no number stays as it is, for `observe` to refuse.

    By way of the decimal digits the number is written in: 4.35 dollars are 435 cents, not 434.99999999999994.
    """
    if type(dollars) is not int and not (type(dollars) is float and isfinite(dollars)):
        return dollars
    return int((Decimal(str(dollars)) * 100).to_integral_value(ROUND_HALF_UP))


def _special(tile: Tile, price: object, was: int | None) -> Special:
    """A temporary price reduction; half price from 50 % on."""
    if tile.priceSource != "tpr":
        return "none"
    return "half" if was is not None and isinstance(price, int) and 2 * price <= was else "special"


def _unit_price(tile: Tile) -> tuple[object, str | None]:
    """Cents and what they are for, ``100g`` of ``$3.52/100g``; never the price, which is a piece's.

    Where that text is missing, the whole price of weighed goods with its unit says the same.
    """
    text = tile.pricePerUnit
    found = _PER_UNIT.fullmatch(text) if isinstance(text, str) else None
    if found:
        unit = "".join(found[2].split()).lower()
        cents = (Decimal(found[1].replace(",", "")) * 100).to_integral_value(ROUND_HALF_UP)
        return int(cents), unit if unit[0].isdigit() else f"1{unit}"
    unit_of_price = _amount(tile.unitOfPrice)
    return (_cents(tile.wholePrice), unit_of_price) if unit_of_price is not None else (None, None)


def _amount(unit: object) -> str | None:
    """``140g`` of ``{"size": 140, "abbreviation": "g"}``; None where a unit has no size or no name."""
    if not isinstance(unit, dict):
        return None
    size, name = unit.get("size"), unit.get("abbreviation")
    if not isinstance(size, int | float) or not 0 < size < 100_000:
        return None
    if not isinstance(name, str) or not name.strip():
        return None
    return f"{size:g}{name.strip()}"


def _image(tile: Tile) -> str | None:
    """The picture in the size that pages show."""
    url = tile.image.get("default") if isinstance(tile.image, dict) else None
    return _IMAGE_SIZE.sub("w_500,h_500", url) if isinstance(url, str) else None


def _url(tile: Tile) -> str | None:
    """The page of a product; what stands before its number in the address is decoration."""
    if not isinstance(tile.name, str) or not isinstance(tile.productId, str):
        return None
    slug = _NO_WORD.sub("-", tile.name[:LONGEST_SHORT_TEXT].lower()).strip("-")
    return f"{SITE}/product/{slug}-{quote(tile.productId, safe='')}"


def _check_store(page: Page, session: Session) -> None:
    """Compare the store that the page's own address names with the one asked for."""
    links = page.pagination.links if page.pagination is not None else None
    current = links.current if links is not None else None
    named = _STORE.search(current.href) if current is not None and current.href is not None else None
    if named is not None and named[1] != session.retailer_ref:
        raise DriftError(f"asked for store {session.retailer_ref}, the page is of store {named[1]}")


def _skus(page: PageContent) -> set[str | None]:
    return {listing.sku for listing in page.listings} | {refusal.sku for refusal in page.refusals}


def _leaves(node: Node, above: tuple[str, ...]) -> list[Category]:
    name = clean_text(node.displayName)[:LONGEST_SHORT_TEXT]
    if len(above) < 2 and name.casefold() in PROMOTIONAL:
        return []
    path = (*above, name)
    if not node.children:
        return [Category(addressed(node.identifier), path)]
    return [leaf for child in node.children for leaf in _leaves(child, path)]


def _headers(session: Session) -> Mapping[str, str]:
    """The store as a browser would say it; in each request, as workers of several stores share a client."""
    return {"cookie": f"iga-shop.retailerStoreId={_reference(session)}", "x-shopping-mode": SHOPPING_MODE}


def _reference(session: Session) -> str:
    """The store's number at the shop; ValueError for a store that has none, which is never handed out."""
    if session.retailer_ref is None:
        raise ValueError(f"{session.store} sells nothing online: the shop has no prices of it")
    return quote(session.retailer_ref, safe="")
