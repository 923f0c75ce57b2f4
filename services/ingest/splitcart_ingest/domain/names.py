"""What a listing's name, brand and size say, in a form that another listing's can be held against."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from splitcart_ingest.domain.brands import brand_of
from splitcart_ingest.domain.lexicon import SAME_WORDS
from splitcart_ingest.domain.normalise import plain, words
from splitcart_ingest.domain.sizes import Sizes, parse, take
from splitcart_ingest.domain.wordclasses import class_of, is_known

_GLUE: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), glued)
    for pattern, glued in (
        (r"\b(\d+|all)\s*-?\s*in\s*-?\s*(\d+)\b", r" \1in\2 "),
        (r"\b(\d+)\s*-?\s*ply\b", r" \1ply "),
        (r"\b(\d+)\s*-?\s*(?:hrs?|hours?|h)\b", r" \1hr "),
        (r"\b([\d.,]+)\s*-?\s*(mg|mcg|iu)\b", r" \1\2 "),
        (r"\bspf\s*-?\s*(\d+)\+?|(?<![\w.])(\d+)\+?\s*spf\b", r" \1\2spf "),
        (r"(?<![\w.])([\d.]+)\s*(?:%|per ?cent\b|percent\b)", r" \1% "),
        (r"\b(\d+)\s*(?:-|to)\s*(\d+)\s*(month|mth|m|year|yr|y|week|wk)s?\b(?!\s*x)", r" \1to\2\3 "),
        (r"\b(\d+)\s*\+?\s*(?:months?|mths?|m)\+|\+?(\d+)\+?\s*(?:months?|mths?)\b", r" \1\2mth "),
        (r"\b(\d+)\s*\+\s*(?:years?|yrs?)\b|\b(\d+)\s*years?\b", r" \1\2yr "),
        (r"\(\s*(\d+)\s*-\s*(\d+)\s*kgs?\s*\)", r" \1to\2kgchild "),
        (r"\(?\b(\d+)\s*(?:kgs?\s*\+|\+\s*kgs?)\s*\)?", r" \1kgchild "),
        (r"\b(\d+)\s*g\s+((?:high\s+)?protein)\b", r" \1gprotein \2 "),
        (r"\bno\.?\s*(\d+)", r" \1 "),
        (r"(?<=[\d])\s*\+(?!\s*\d)", " "),
    )
)
_PHRASES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"\b(gluten|lactose|dairy|sugar|fat|alcohol|fragrance|caffeine|pulp|meat)[ -]free\b"), r"\1free"),
    (re.compile(r"\bfree[ -]range\b"), "freerange"),
    (re.compile(r"\bplant[ -]based\b"), "plantbased"),
    (re.compile(r"\bice[ -]?cream\b|\bfrozen dessert\b"), "icecream"),
    (re.compile(r"\banti[ -](?=[a-z]{4})"), "anti"),
    (re.compile(r"\bno (?:added )?(sugar|salt|fat|alcohol|caffeine)(?: added)?\b"), r"no \1free"),
    (re.compile(r"\b(?:reduced|less|lower|low in)\b"), "reduced"),
)
_HAS_DIGIT: Final = re.compile(r"\d")
_LEAST_PART: Final = 3
_SPELLED: Final = frozenset(SAME_WORDS.values())


@dataclass(frozen=True, slots=True)
class Reading:
    """A listing, read.

    `words`: of the brand, then of the name, in order, each in its plain form, sizes and numbers taken out.
    `numbers`: words with a digit that are no size (70%, 2in1, a2). `brand`: its normal form, if the company names
    one. `brand_words`: the words of the brand. `variety`: the words that tell a variety, sorted
    (wordclasses.py). `sizes`: from the size field and the name. `key`: the name key.
    """

    words: tuple[str, ...]
    numbers: frozenset[str]
    brand: str | None
    brand_words: frozenset[str]
    variety: str
    sizes: Sizes
    key: str


def singular(word: str) -> str:
    """A word without the ending of its plural; crude, and the same for both sides."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("shes", "ches", "xes", "sses", "toes", "goes")):
        return word[:-2]
    return word[:-1]


@lru_cache(maxsize=65_536)
def plain_word(word: str) -> tuple[str, ...]:
    """A word as it is compared: singular, abbreviations and spellings made one; may be two words, or none."""
    known = SAME_WORDS.get(word)
    if known is None:
        word = singular(word)
        known = SAME_WORDS.get(word) or _apart(word) or word
    return tuple(known.split())


def _apart(word: str) -> str | None:
    """A compound as its two words, if it is not listed and both of them are: `freshmint`, `bodywash`."""
    if is_known(word) or word in _SPELLED or not word.isalpha():
        return None
    for at in range(_LEAST_PART, len(word) - _LEAST_PART + 1):
        parts = " ".join(SAME_WORDS.get(part, part) for part in (word[:at], word[at:]))
        if len(parts.split()) == 2 and all(map(is_known, parts.split())):
            return parts
    return None


def read(name: str, brand: str | None, size: str | None) -> Reading:
    """Read a listing by its name, brand and size, as its company wrote them."""
    text = plain(name)
    for pattern, phrase in _PHRASES:
        text = pattern.sub(phrase, text)
    if _HAS_DIGIT.search(text):
        for pattern, glued in _GLUE:
            text = pattern.sub(glued, text)
    named, text = take(text)
    sizes = parse(size) + named
    brand_key, brand_text = brand_of(brand)
    of_brand = [part for word in words(brand_text) for part in plain_word(word)]
    if brand_key is not None and not of_brand:
        of_brand = [brand_key]  # such as S&W, of which no word says anything
    of_name = [part for word in words(text) if word != brand_key for part in plain_word(word)]
    spelled = [word for word in of_brand if word not in of_name] + of_name
    numbers = frozenset(word for word in spelled if _HAS_DIGIT.search(word))
    plain_words = tuple(word for word in spelled if word not in numbers)
    key = " ".join(sorted({*plain_words, *numbers, *sizes.normal_forms}))
    variety = " ".join(sorted({word for word in plain_words if class_of(word) == "telling"}))
    return Reading(plain_words, numbers, brand_key, frozenset(of_brand), variety, sizes, key)
