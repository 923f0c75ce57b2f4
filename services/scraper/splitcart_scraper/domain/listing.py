"""From a tile as a retailer shows it to an observation, or to the reason it was refused; and to batches.

A parser fills a `RawListing` with what it found, whatever its type; `observe` is the one place where text is
cleaned and a price is believed. What identifies and prices a listing (SKU, name, brand, size, price) refuses the
tile when it is not as it should be; what only adorns it (unit price, pictures) falls away.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Final

from splitcart_common.events.observations import MAX_LISTINGS, Multibuy, ObservedListing, PageRead, Special

_SKU: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_BARCODE: Final = re.compile(r"[0-9]{1,14}", re.ASCII)
"""As the retailer gives it: produce bears a short number of the till. What it names is for the fold to judge."""
_PAGE: Final = attrgetter("page")
MOST_CENTS: Final = 10_000_000
LONGEST_NAME: Final = 500
LONGEST_SHORT_TEXT: Final = 200
LONGEST_LONG_TEXT: Final = 2_000


class RefusalReason(StrEnum):
    """Why a tile is not an observation."""

    MALFORMED = "malformed"
    SKU_MISSING = "sku-missing"
    NAME_MISSING = "name-missing"
    TEXT_TOO_LONG = "text-too-long"
    NOT_TEXT = "not-text"
    PRICE_MISSING = "price-missing"
    PRICE_NOT_A_NUMBER = "price-not-a-number"
    PRICE_NEGATIVE = "price-negative"
    PRICE_ZERO = "price-zero"
    PRICE_TOO_HIGH = "price-too-high"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A tile that was not understood. With a SKU it still proves that the listing is sold."""

    reason: RefusalReason
    detail: str
    sku: str | None = None


class _Missing:
    """The type of `MISSING`: unlike null, a price that is not there at all is a shape we do not know."""


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class RawListing:
    """A tile's fields as a parser found them, not yet believed. Prices are cents, or null where it bears none."""

    sku: object
    name: object
    price: object
    raw_hash: str
    brand: object = None
    size: object = None
    barcode: object = None
    category_path: tuple[str, ...] = ()
    was_price: object = None
    unit_price: object = None
    unit: object = None
    multibuy: Multibuy | None = None
    member_price: object = None
    online_price: object = None
    special: Special = "none"
    available: bool = True
    image_url: object = None
    url: object = None


@dataclass(frozen=True, slots=True)
class PageContent:
    """What one page of a listing says: observations and refusals in the page's order.

    `total` is the retailer's own count of the whole category, None where it gives none. `ended` says why the
    category has no page after this one: "" where that is its proper end, else what is wrong with it. `too_long`:
    it ended because the retailer does not serve all of it.
    """

    listings: tuple[ObservedListing, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    total: int | None = None
    ended: str | None = None
    too_long: bool = False

    @property
    def tiles(self) -> int:
        """How many tiles the page bore, understood or not."""
        return len(self.listings) + len(self.refusals)


class _UnfitError(Exception):
    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def observe(raw: RawListing, page: int) -> ObservedListing | Refusal:
    """Believe a tile, or refuse it by name. `page` is the page's number in its scrape, from 1."""
    sku = raw.sku
    if not isinstance(sku, str) or not _SKU.fullmatch(sku):
        return Refusal(RefusalReason.SKU_MISSING, f"the SKU is {_shown(sku)}")
    try:
        name = _text("name", raw.name, LONGEST_NAME)
        if name is None:
            return Refusal(RefusalReason.NAME_MISSING, f"the name is {_shown(raw.name)}", sku)
        return ObservedListing(
            sku=sku,
            name=name,
            price=_price(raw.price),
            page=page,
            raw_hash=raw.raw_hash,
            brand=_text("brand", raw.brand, LONGEST_SHORT_TEXT),
            size=_text("size", raw.size, LONGEST_SHORT_TEXT),
            barcode=_barcode(raw.barcode),
            category_path=raw.category_path,
            was_price=_cents(raw.was_price),
            unit_price=_cents(raw.unit_price),
            unit=_adornment(raw.unit, LONGEST_SHORT_TEXT),
            multibuy=raw.multibuy,
            member_price=_cents(raw.member_price),
            online_price=_cents(raw.online_price),
            special=raw.special,
            available=raw.available,
            image_url=_adornment(raw.image_url, LONGEST_LONG_TEXT),
            url=_adornment(raw.url, LONGEST_LONG_TEXT),
        )
    except _UnfitError as unfit:
        return Refusal(unfit.reason, unfit.detail, sku)


def refused_unread(detail: str, sku: object) -> Refusal:
    """A tile whose shape is not the one expected, with its SKU if it still shows one."""
    known = sku if isinstance(sku, str) and _SKU.fullmatch(sku) else None
    return Refusal(RefusalReason.MALFORMED, detail[:LONGEST_SHORT_TEXT], known)


def clean_text(text: str) -> str:
    """One line of printable text: control and format characters gone, white space single."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)
    return " ".join(text.split())


def _text(field: str, value: object, longest: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise _UnfitError(RefusalReason.NOT_TEXT, f"the {field} is {_shown(value)}")
    if len(value) > longest * 2:
        raise _UnfitError(RefusalReason.TEXT_TOO_LONG, f"the {field} has {len(value)} characters")
    text = clean_text(value)
    if len(text) > longest:
        raise _UnfitError(RefusalReason.TEXT_TOO_LONG, f"the {field} has {len(text)} characters")
    return text or None


def _price(value: object) -> int | None:
    """Cents above 0, None where the tile bears no price. A price of 0 is a place-holder, never a shelf's."""
    if value is None:
        return None
    if value is MISSING:
        raise _UnfitError(RefusalReason.PRICE_MISSING, "there is no price field")
    if type(value) is not int:  # a bool is an int to isinstance, and no price
        raise _UnfitError(RefusalReason.PRICE_NOT_A_NUMBER, f"the price is {_shown(value)}")
    if value < 0:
        raise _UnfitError(RefusalReason.PRICE_NEGATIVE, f"the price is {_shown(value)} cents")
    if value == 0:
        raise _UnfitError(RefusalReason.PRICE_ZERO, "the price is 0")
    if value > MOST_CENTS:
        raise _UnfitError(RefusalReason.PRICE_TOO_HIGH, f"the price is {_shown(value)} cents")
    return value


def _cents(value: object) -> int | None:
    return value if type(value) is int and 0 < value <= MOST_CENTS else None


def _barcode(value: object) -> str | None:
    return value if isinstance(value, str) and _BARCODE.fullmatch(value) else None


def _adornment(value: object, longest: int) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= longest and value.isprintable() else None


def _shown(value: object) -> str:
    return "missing" if value is None or value is MISSING else repr(value)[:60]


def distinct(pages: Iterable[PageContent]) -> dict[str, ObservedListing]:
    """By SKU, in the order of the pages: where a scrape saw one in several categories the first wins."""
    first: dict[str, ObservedListing] = {}
    for page in pages:
        for listing in page.listings:
            first.setdefault(listing.sku, listing)
    return first


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """The listings of one message and when the pages that bear them were read. Numbers count from 1."""

    number: int
    listings: tuple[ObservedListing, ...]
    pages: tuple[PageRead, ...]


def pack(listings: Sequence[ObservedListing], reads: Mapping[int, PageRead]) -> Iterator[PackedBatch]:
    """Batches of at most `MAX_LISTINGS`, in order: the same listings always make the same batches."""
    for start in range(0, len(listings), MAX_LISTINGS):
        batch = tuple(listings[start : start + MAX_LISTINGS])
        pages = tuple(reads[page] for page in dict.fromkeys(map(_PAGE, batch)))
        yield PackedBatch(start // MAX_LISTINGS + 1, batch, pages)
