"""What every retailer's module reads by: JSON that may be anything, and the lines of an address."""

from hashlib import blake2b
from typing import TypeVar

import msgspec

from splitcart_scraper.domain.listing import LONGEST_SHORT_TEXT, Refusal, clean_text, refused_unread
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


def _sku_of(raw: bytes) -> object:
    try:
        tile = msgspec.json.decode(raw)
    except _UNREADABLE:
        return None
    return tile.get("sku") if isinstance(tile, dict) else None


def raw_hash(raw: bytes) -> str:
    """The fingerprint of a tile as the retailer sent it."""
    return blake2b(raw, digest_size=16).hexdigest()


def line(text: str | None) -> str:
    """One clean line of an address, empty where there is none."""
    return clean_text((text or "")[: 2 * LONGEST_SHORT_TEXT])[:LONGEST_SHORT_TEXT]


def degrees(value: str | float | None, most: int) -> float | None:
    """A coordinate of at most so many degrees either way, None where it is none."""
    try:
        found = float(value) if value is not None else None
    except ValueError:
        return None
    return found if found is not None and -most <= found <= most else None
