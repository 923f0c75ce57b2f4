"""One entry of a Coles listing: a product believed, a product refused, or an advertisement (retailers.md §2)."""

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Final
from urllib.parse import quote

import msgspec

from splitcart_common.events import ObservedListing
from splitcart_common.events.observations import Multibuy, Special
from splitcart_common.money import from_dollars
from splitcart_scraper.domain.listing import (
    LONGEST_SHORT_TEXT,
    MISSING,
    MOST_CENTS,
    RawListing,
    Refusal,
    clean_text,
    observe,
    refused_unread,
)
from splitcart_scraper.retailers.base import PageContext
from splitcart_scraper.retailers.coles_shapes import TILES, Pricing, Tile
from splitcart_scraper.retailers.reading import raw_hash

SITE: Final = "https://www.coles.com.au"
IMAGES: Final = "https://cdn.productimages.coles.com.au/productimages"

ADVERTISEMENTS: Final = frozenset(("SINGLE_TILE", "PRODUCT_ASSOCIATION", "CONTENT_ASSOCIATION"))
"""Entries that are no product of the listing: they bear no price, or one that is not counted in it."""

PROMOTIONS: Final = frozenset(
    ("down down", "specials", "christmas", "big night in", "back to school", "seasonal", "front of store")
) | {"bonus credit products", "bonus entry products"}
"""Departments, in lower case, whose goods are listed elsewhere too, or come and go with a campaign."""

_MOST_DOLLARS: Final = MOST_CENTS // 100
_BEYOND_BELIEF: Final = 10 * MOST_CENTS
_WHOLE_CENTS: Final = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])
_COMPARABLE: Final = re.compile(r"\$([0-9][0-9,]*(?:\.[0-9]+)?) ?(?:per|/) ?(\S.*)", re.ASCII)
_OFFER: Final = re.compile(r"([0-9]{1,4}) for \$([0-9]{1,6}(?:\.[0-9]{1,2})?)(?![0-9.])", re.ASCII)
_IMAGE: Final = re.compile(r"/[A-Za-z0-9/_.-]{1,200}", re.ASCII)
_NOT_IN_SLUGS: Final = re.compile(r"[^\w'&.-]+")


def read_tile(raw: bytes, context: PageContext) -> ObservedListing | Refusal | None:
    """What an entry says; None for an advertisement, also for the paid copy of a product.

    A copy is on top of a page or amid another category; the product is also in its own place, and read there.
    """
    try:
        tile = TILES.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return refused_unread(str(error), _sku_in(raw))
    if tile.kind != "PRODUCT":
        known = isinstance(tile.kind, str) and tile.kind in ADVERTISEMENTS
        return None if known else refused_unread(f"an entry of type {tile.kind!r:.60}", sku_of(tile.id))
    if tile.ad_id or tile.ad_source:
        return None
    pricing = tile.pricing
    priced = pricing if isinstance(pricing, Pricing) else Pricing(now=None if pricing is None else MISSING)
    now = cents(priced.now)
    was = _was(now, priced)
    multibuy = _multibuy(now, priced)
    unit_price, unit = _comparable(priced.comparable)
    sku = sku_of(tile.id)
    return observe(
        RawListing(
            sku=sku,
            name=tile.name,
            price=now,
            raw_hash=raw_hash(raw),
            brand=tile.brand,
            size=tile.size,
            category_path=_path(tile.online_heirs) or context.category.path,
            was_price=was,
            unit_price=unit_price,
            unit=unit,
            multibuy=multibuy,
            special=_special(now, was, multibuy, priced),
            available=tile.availability is not False,
            image_url=_image(tile.image_uris),
            url=_url(tile, sku),
        ),
        context.page,
    )


def sku_of(value: object) -> object:
    """The SKU of an id, a number in listings and text elsewhere; what is neither is left to be refused."""
    return str(value) if type(value) is int and 0 < value < 10**18 else value


def _sku_in(raw: bytes) -> object:
    """The SKU of an entry whose other fields are not what they should be."""
    try:
        tile = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return sku_of(tile.get("id")) if isinstance(tile, dict) else None


def cents(dollars: object) -> object:
    """Exact cents of an amount in dollars; what is no amount in whole cents is left as it is, to be refused.

    Nothing is rounded: a price of 2.505 is one we do not understand.
    """
    if isinstance(dollars, bool) or not isinstance(dollars, int | Decimal):
        return dollars
    if isinstance(dollars, Decimal) and not dollars.is_finite():
        return "no number"
    if not -_MOST_DOLLARS <= dollars <= _MOST_DOLLARS:
        return _BEYOND_BELIEF if dollars > 0 else -_BEYOND_BELIEF
    try:
        return int(_WHOLE_CENTS.to_integral_exact(_WHOLE_CENTS.multiply(Decimal(dollars), Decimal(100))))
    except ArithmeticError:
        return f"{dollars} dollars"


def _was(now: object, pricing: Pricing) -> int | None:
    """The price before in cents: 0, absent or no more than the price now where there was none."""
    was = cents(pricing.was)
    return was if type(was) is int and type(now) is int and was > now else None


def _special(now: object, was: int | None, multibuy: Multibuy | None, pricing: Pricing) -> Special:
    """What kind of price it is. A was-price alone is none: a long-term cut (DOWNDOWN) has one too.

    A multi-buy leaves the price of one as it was. Of FLYBUYS and CONTINUITYREDEEMABLE it is not known that they
    touch the shelf's price; in listings they bear no price of their own.
    """
    kind = pricing.promotion_type
    if kind == "DOWNDOWN":
        return "down"
    if kind == "NEW":
        return "new"
    if pricing.special_type == "WHILE_STOCKS_LAST":
        return "clearance"
    if kind != "SPECIAL" or (was is None and (multibuy is not None or pricing.special_type == "MULTI_SAVE")):
        return "none"
    return "half" if was is not None and isinstance(now, int) and 2 * now <= was else "special"


def _multibuy(now: object, pricing: Pricing) -> Multibuy | None:
    """So many for so much: `reward` is the price of each, and rounded; the offer's own words are exact.

    None where words and numbers disagree, or where it would save nothing: then `reward` means something else.
    """
    offer = pricing.multi_buy_promotion
    if not isinstance(offer, dict) or type(now) is not int:
        return None
    quantity, reward = offer.get("minQuantity"), offer.get("reward")
    if type(quantity) is not int or not 2 <= quantity <= 1_000 or isinstance(reward, bool):
        return None
    if not isinstance(reward, int | Decimal) or (isinstance(reward, Decimal) and not reward.is_finite()):
        return None
    if not 0 < reward <= _MOST_DOLLARS:
        return None
    total = int((Decimal(reward) * quantity * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    words = pricing.offer_description
    said = _OFFER.search(words) if isinstance(words, str) and len(words) <= LONGEST_SHORT_TEXT else None
    if said is not None:
        told = from_dollars(said[2])
        if int(said[1]) != quantity or abs(told - total) > quantity:
            return None
        total = told
    return Multibuy(quantity, total) if 0 < total < quantity * now and total <= MOST_CENTS else None


def _comparable(text: object) -> tuple[int | None, str | None]:
    """The unit price in cents and what it is for, of `$40.00 per 1kg` or `$1.65/ 100g`.

    Not of `pricing.unit`, whose price and measure are of different units for weighed goods.
    """
    found = _COMPARABLE.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= 60 else None
    if found is None:
        return None, None
    return from_dollars(found[1]), "".join(found[2].split()).lower()


def _path(heirs: object) -> tuple[str, ...]:
    """Department, middle and leaf of the first heir that is no promotion; empty where there is none.

    Their names stand upside down: `subCategory` is the department, `aisle` the leaf.
    """
    if not isinstance(heirs, list):
        return ()
    for heir in heirs:
        if isinstance(heir, dict):
            path = tuple(_names(heir.get("subCategory"), heir.get("category"), heir.get("aisle")))
            if path and path[0].casefold() not in PROMOTIONS:
                return path
    return ()


def _names(*values: object) -> Iterator[str]:
    for value in values:
        if isinstance(value, str) and (name := clean_text(value[: 2 * LONGEST_SHORT_TEXT])[:LONGEST_SHORT_TEXT]):
            yield name


def _image(images: object) -> str | None:
    """The default picture, else the first."""
    found = [image for image in images if isinstance(image, dict)] if isinstance(images, list) else []
    found.sort(key=lambda image: image.get("type") != "default")
    uri = found[0].get("uri") if found else None
    return IMAGES + uri if isinstance(uri, str) and _IMAGE.fullmatch(uri) else None


def _url(tile: Tile, sku: object) -> str | None:
    """The product's page, `{brand}-{name}-{size}-{id}`; it is found by the id, the words are decoration."""
    if not isinstance(sku, str):
        return None
    slug = "-".join((*_names(tile.brand, tile.name, tile.size), sku)).lower().replace(" ", "-")
    return f"{SITE}/product/" + quote(_NOT_IN_SLUGS.sub("", slug), safe="'&.-")
