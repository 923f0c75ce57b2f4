"""A barcode believed: digits with the right check digit, spelt in one way, and the only one that was offered."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stdnum import ean

LONGEST: Final = 14
SHORTEST: Final = 8
"""Digits without leading zeros: what is shorter is a number of the till (PLU), and means nothing elsewhere."""
_LONGEST_TEXT: Final = 40
_LONGEST_DETAIL: Final = 200


class Finding(StrEnum):
    """What came of looking for one product's barcode."""

    FOUND = "found"
    NONE = "none"
    """The page bears none: loose goods, and what a shop makes itself."""
    INVALID = "invalid"
    """What it bears is none: a wrong check digit, a number of the till, no number."""
    SEVERAL = "several"
    """It bears two that are valid and differ: neither is taken."""
    GONE = "gone"
    """There is no such page, or it is about another product."""
    UNREADABLE = "unreadable"
    """No answer that could be read, however often it was asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A product whose barcode is wanted. `again`: it was asked for before, and rested since."""

    sku: str
    name: str
    brand: str | None = None
    size: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found; `barcode` is set where the finding is FOUND and nowhere else."""

    finding: Finding
    barcode: str | None = None
    detail: str = ""


def checked(value: object) -> str | None:
    """A GTIN as 8, 13 or 14 digits if its check digit is right, else None.

    It may be text or a number, with leading zeros or without: the check digit is counted from the right, so they
    change nothing. An 8 stays an 8, a UPC-12 becomes the 13 it stands for. Codes that a shop makes itself (02…,
    2…) pass: whether they name a product is for the fold to judge.
    """
    text = str(value) if type(value) is int and 0 < value < 10**LONGEST else value
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal()):
        return None
    digits = digits.lstrip("0")
    if not SHORTEST <= len(digits) <= LONGEST:
        return None
    code = digits if len(digits) in (SHORTEST, LONGEST) else digits.zfill(13)
    return code if ean.is_valid(code) else None


def judge(offered: Iterable[object]) -> Reading:
    """The one barcode among those a page offers; a field that is empty, 0 or null offers none."""
    values = [value for value in offered if value not in (None, "", 0)]
    codes = sorted({code for code in map(checked, values) if code is not None})
    if len(codes) == 1:
        return Reading(Finding.FOUND, codes[0])
    if codes:
        return Reading(Finding.SEVERAL, detail=", ".join(codes)[:_LONGEST_DETAIL])
    if values:
        return Reading(Finding.INVALID, detail=_shown(values[0]))
    return Reading(Finding.NONE)


def _shown(value: object) -> str:
    """Text as it stands, a number that has an end; of anything else only what kind of thing it is."""
    plain = isinstance(value, str) or (isinstance(value, int) and abs(value) < 10**_LONGEST_TEXT)
    return repr(value)[:_LONGEST_DETAIL] if plain else type(value).__name__
