"""What people type, made into what can be looked up."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LONGEST_QUERY: Final = 200
MOST_WORDS: Final = 12

_WORD = re.compile(r"\d+(?:\.\d+)?[^\W\d_]*|[^\W_]+")
_SKU = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SHORTEST_PLURAL: Final = 4


@dataclass(frozen=True, slots=True)
class Query:
    """A search, cleaned: `words` lower case in the order typed; `codes` are barcodes it may be, `sku` one sku."""

    text: str
    words: tuple[str, ...]
    barcodes: tuple[str, ...]
    sku: str | None


def is_printable(text: str) -> bool:
    """Whether a text is free of control characters: Postgres holds no null byte, and nobody types the rest."""
    return not any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def parse(text: str) -> Query:
    """Read what was typed. Total: a text without any word gives a query that finds nothing."""
    cleaned = " ".join(unicodedata.normalize("NFKC", text).split())[:LONGEST_QUERY]
    words = tuple(dict.fromkeys(match.group().lower() for match in _WORD.finditer(cleaned)))[:MOST_WORDS]
    compact = cleaned.replace(" ", "")
    return Query(
        text=cleaned,
        words=words,
        barcodes=_barcodes(compact),
        sku=cleaned if any(c.isdigit() for c in cleaned) and _SKU.fullmatch(cleaned) else None,
    )


def _barcodes(digits: str) -> tuple[str, ...]:
    # A UPC of 12 digits is the EAN-13 with a leading 0, and both ways of writing it are about.
    if not digits.isascii() or not digits.isdigit() or len(digits) not in {8, 12, 13, 14}:
        return ()
    forms = {digits, digits.lstrip("0").rjust(13, "0")} if len(digits) > 8 else {digits}
    if len(digits) == 13 and digits.startswith("0"):
        forms.add(digits[1:])
    return tuple(sorted(forms))


def fold(text: str) -> str:
    """Lower case, without accents: ``Thé`` and ``the`` are one."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def words_of(text: str) -> list[str]:
    """The words of a listing's text as `parse` would read them, folded."""
    return [fold(match.group()) for match in _WORD.finditer(unicodedata.normalize("NFKC", text))]


def forms(word: str) -> tuple[str, ...]:
    """The ways a word may stand in a name: as typed, without accents, without the s of a plural."""
    found = [word, fold(word)]
    if len(word) > _SHORTEST_PLURAL and word.endswith("s") and not word.endswith("ss"):
        found.append(fold(word)[:-1])
    return tuple(dict.fromkeys(found))


def to_tsquery(words: Sequence[str]) -> str:
    """A text for ``to_tsquery('simple', …)``: every word must begin a word of the name; '' for no words.

    Words hold only letters, digits and a point between digits, so they cannot end the quotes around them.
    """
    return " & ".join("(" + " | ".join(f"'{form}':*" for form in forms(word)) + ")" for word in words)
