"""One product of Woolworths: from its tile to an observation. The quirks are those of retailers.md §3."""

import html
import re
from decimal import Decimal
from typing import Final, TypeGuard

import msgspec

from splitcart_common.events import ObservedListing
from splitcart_common.events.observations import Multibuy, Special
from splitcart_common.money import from_dollars
from splitcart_scraper.domain.listing import (
    LONGEST_NAME,
    LONGEST_SHORT_TEXT,
    MOST_CENTS,
    RawListing,
    Refusal,
    clean_text,
    observe,
)
from splitcart_scraper.retailers.base import PageContext
from splitcart_scraper.retailers.reading import raw_hash
from splitcart_scraper.retailers.woolworths_finder import SITE
from splitcart_scraper.retailers.woolworths_shapes import Tile

MEMBERS_ONLY: Final = "Member Price"
"""What the picture tag of an offer says that only members of the loyalty scheme get."""

_BEYOND: Final = 10**9
"""Dollars; past it, it does not matter how many digits a number has."""
_MOST_IN_A_MULTIBUY: Final = 1000
_LONGEST_LIST: Final = 4_000
_BREAK: Final = re.compile(r"<[^<>]{0,80}>")
_LEVELS: Final = ("piesdepartmentnamesjson", "piescategorynamesjson", "piessubcategorynamesjson")


def sku_of(tile: Tile) -> str | None:
    """The stock code, a number in the retailer's JSON, as text; None where it is none."""
    code = tile.stockcode
    if type(code) is int:
        return str(code) if 0 < code < 10**12 else None
    return code if isinstance(code, str) else None


def store_of(tile: Tile) -> str | None:
    """The number of the store whose prices the tile bears; None where it does not say."""
    number = tile.fulfilment_store_id
    if type(number) is int:
        return str(number) if 0 < number < 10**9 else None
    return number if isinstance(number, str) and number.isdecimal() and len(number) < 10 else None


def is_promoted(tile: Tile) -> bool:
    """Whether this is an advertisement: a copy, on top of the page, of a product that has its own place."""
    return tile.is_sponsored_ad is True or (isinstance(tile.ad_id, str) and tile.ad_id != "")


def observed(tile: Tile, raw: bytes, context: PageContext) -> ObservedListing | Refusal:
    """The observation of a tile, or why it is none."""
    price, was, special, online = _shelf(tile)
    unit_price = _adorning(tile.cup_price)
    slug = tile.url_friendly_name
    return observe(
        RawListing(
            sku=sku_of(tile),
            name=_plain(tile.name),
            price=price,
            raw_hash=raw_hash(raw),
            brand=_plain(tile.brand),
            size=_size(tile),
            barcode=_barcode(tile),
            category_path=_path(tile, context.category.path),
            was_price=was,
            unit_price=unit_price,
            unit=_measure(tile.cup_measure) if unit_price is not None else None,
            multibuy=_multibuy(tile),
            member_price=_member_price(tile),
            online_price=online,
            special=special,
            available=tile.is_available is not False and tile.is_in_stock is not False,
            image_url=tile.large_image_file,
            url=f"{SITE}/shop/productdetails/{sku_of(tile)}/{slug}" if isinstance(slug, str) else None,
        ),
        context.page,
    )


def _shelf(tile: Tile) -> tuple[object, int | None, Special, int | None]:
    """What the shelf says: price, price before, kind of special; and the price online where it is another.

    In all 2,190 tiles measured the two were the same [E1], and `Price` is then the one that is read. Where both
    are prices and they differ, the shelf's is `InstorePrice`.
    """
    price = _cents(tile.price)
    instore = _cents(tile.instore_price)
    if _is_price(price) and _is_price(instore) and price != instore:
        on_special = tile.instore_is_on_special is True
        return instore, _before(instore, tile.instore_was_price), "special" if on_special else "none", price
    kind: Special = "none"
    if tile.is_half_price is True:
        kind = "half"
    elif tile.is_on_special is True:  # tags such as "Lower shelf price" are no specials
        kind = "special"
    return price, _before(price, tile.was_price), kind, None


def _cents(dollars: object) -> object:
    """Whole cents of a number of dollars; anything else as it is, for `observe` to refuse.

    Never rounded: a shelf has no parts of a cent, so a number that has some is not a price we understand.
    """
    if type(dollars) is int:
        return max(-_BEYOND, min(dollars, _BEYOND)) * 100
    if not isinstance(dollars, Decimal):
        return dollars
    bounded = max(Decimal(-_BEYOND), min(dollars, Decimal(_BEYOND)))
    cents = int((bounded * 100).to_integral_value())
    return cents if Decimal(cents).scaleb(-2) == bounded else dollars


def _is_price(cents: object) -> TypeGuard[int]:
    return type(cents) is int and 0 < cents <= MOST_CENTS


def _before(price: object, was: object) -> int | None:
    """The price before a reduction; every product has one, and where nothing is reduced it is the price itself."""
    before = _cents(was)
    return before if _is_price(before) and _is_price(price) and before > price else None


def _adorning(dollars: object) -> int | None:
    """Cents of an amount that adorns a listing, half cents up; None where it is none."""
    if type(dollars) is not int and not isinstance(dollars, Decimal):
        return None
    try:
        return from_dollars(Decimal(dollars))
    except ValueError:
        return None


def _multibuy(tile: Tile) -> Multibuy | None:
    """So many for so much in all, the single price unchanged; an offer for members alone cannot be told by it."""
    data = _inside(tile.centre_tag, "MultibuyData")
    quantity, total = _inside(data, "Quantity"), _cents(_inside(data, "Price"))
    if _inside(tile.image_tag, "FallbackText") == MEMBERS_ONLY:
        return None
    if type(quantity) is not int or not 2 <= quantity <= _MOST_IN_A_MULTIBUY:
        return None
    return Multibuy(quantity, total) if _is_price(total) else None


def _member_price(tile: Tile) -> int | None:
    """What members of the loyalty scheme pay; null in every tile but those that bear such an offer."""
    return _adorning(_inside(_inside(tile.centre_tag, "MemberPriceData"), "PromotionalPrice"))


def _inside(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _size(tile: Tile) -> object:
    """The size the price is for: goods of the deli say ``per 100g``, and their price is that of a kilogram."""
    size = _plain(tile.package_size)
    if isinstance(size, str) and size.lower().startswith("per ") and tile.unit in ("KG", "Kg", "kg"):
        return "1kg"
    return size


def _measure(measure: object) -> str | None:
    """What the unit price is for, ``100g`` of ``100G``."""
    if not isinstance(measure, str) or len(measure) > LONGEST_SHORT_TEXT:
        return None
    return "".join(measure.split()).lower() or None


def _barcode(tile: Tile) -> object:
    """The barcode with the zeros it lost in front: eleven digits of a twelve-digit format are one short.

    Null, empty, too short or made inside a shop (02…), it is passed on as shown: the fold judges what it names.
    """
    code, digits = tile.barcode, tile.gtin_format
    if isinstance(code, str) and type(digits) is int and 8 <= len(code) < digits <= 14:
        return code.zfill(digits)
    return code or None


def _plain(text: object) -> object:
    """Text without HTML: ``<br>`` is a space, ``&amp;`` an ampersand. What is no text, or too long, as it is."""
    if not isinstance(text, str) or len(text) > 2 * LONGEST_NAME or not ("<" in text or "&" in text):
        return text
    return html.unescape(_BREAK.sub(" ", text))


def _path(tile: Tile, walked: tuple[str, ...]) -> tuple[str, ...]:
    """Department, category, sub-category by the tile's own word where it has one of each, else what is walked.

    A product that is in several departments names them all, and nothing says which category is whose.
    """
    levels = [_names(_inside(tile.additional_attributes, level)) for level in _LEVELS]
    if not levels[0] or any(len(names) > 1 for names in levels):
        return walked
    return tuple(names[0] for names in levels if names)


def _names(listed: object) -> list[str]:
    """The names in a list that is JSON within JSON: ``["Pasta"]``."""
    if not isinstance(listed, str) or len(listed) > _LONGEST_LIST:
        return []
    try:
        names = msgspec.json.decode(listed, type=list[str])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []
    cleaned = [clean_text(name) for name in names]
    return [name for name in dict.fromkeys(cleaned) if 0 < len(name) <= LONGEST_SHORT_TEXT]
