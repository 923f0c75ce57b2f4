"""What every retailer's module reads by: JSON that may be anything, and the lines of an address."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import TypeVar

import msgspec

from splitcart_common.events import ObservedListing
from splitcart_scraper.domain.listing import LONGEST_SHORT_TEXT, PageContent, Refusal, clean_text, refused_unread
from splitcart_scraper.retailers.base import PageError

T = TypeVar("T")

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode(decoder: "msgspec.json.Decoder[T]", body: bytes | str) -> T:
    """Read an answer; PageError where it is not what the decoder reads."""
    try:
        return decoder.decode(body)
    except _UNREADABLE as error:
        raise PageError(f"{error} ({len(body)} bytes)") from None


def decode_tile(decoder: "msgspec.json.Decoder[T]", raw: bytes) -> T | Refusal:
    """Read one tile of a page; a refusal, with its `sku` if that can be read, where its shape is another."""
    try:
        return decoder.decode(raw)
    except _UNREADABLE as error:
        return refused_unread(str(error), _sku_of(raw))


def page_of(tiles: Iterable[ObservedListing | Refusal], total: int | None) -> PageContent:
    """A page with each SKU once, at its first place: repeats would be counted towards the end of the listing.

    A tile without a SKU is like no other. `total` is the retailer's own count of the whole listing.
    """
    first: dict[object, ObservedListing | Refusal] = {}
    for tile in tiles:
        first.setdefault(tile.sku or len(first), tile)
    return PageContent(
        tuple(tile for tile in first.values() if isinstance(tile, ObservedListing)),
        tuple(tile for tile in first.values() if isinstance(tile, Refusal)),
        total,
    )


def counted_out(seen: int, last: int, full: int, total: int | None) -> bool:
    """Whether a listing of `total` products has no page after these: `seen` in all, `last` of them on the last.

    A count that is below what its own pages bear is believed only with a page that is not `full`: else one wrong
    number on one page would end the listing there, and what is behind it would be taken for no longer sold.
    """
    return total is not None and (seen == total or (seen > total and last < full))


def _sku_of(raw: bytes) -> object:
    try:
        tile = msgspec.json.decode(raw)
    except _UNREADABLE:
        return None
    return tile.get("sku") if isinstance(tile, dict) else None


def addressed(key: str) -> str:
    """The key of a category, as it stands; PageError for one that no address can be made of.

    To leave such a category out would have all that is in it taken for no longer sold.
    """
    if not 0 < len(key) <= LONGEST_SHORT_TEXT:
        raise PageError(f"a category cannot be addressed: {key!r:.60}")
    return key


def raw_hash(raw: bytes) -> str:
    """The fingerprint of a tile as the retailer sent it."""
    return blake2b(raw, digest_size=16).hexdigest()


def line(text: str | None) -> str:
    """One clean line of an address, empty where there is none."""
    return clean_text((text or "")[: 2 * LONGEST_SHORT_TEXT])[:LONGEST_SHORT_TEXT]


def degrees(value: object, most: int) -> float | None:
    """A coordinate of at most so many degrees either way, None where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if -most <= found <= most else None
