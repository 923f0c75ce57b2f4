"""Whether two listings are one product by what they are called: what forbids it, then a weight.

The field knows it as record linkage: what agrees and what differs adds its weight (Fellegi and Sunter). What makes
a shopper call it another product forbids: another size, count, number or brand, a telling word (a flavour, a
colour, `light`) that only one of them bears. docs/identity.md has examples and the measured figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal

from rapidfuzz.distance import OSA

from splitcart_ingest.domain.agreement import Agreement, agreement
from splitcart_ingest.domain.names import Reading
from splitcart_ingest.domain.wordclasses import (
    class_of,
    is_default,
    is_known,
    of_packaging,
    other_form,
    tells_when_unsized,
    weight_of,
)

Reason = Literal[
    "size", "brand", "number", "word", "packaging", "form", "variety", "unsized", "unbranded", "weight"
]
"""Why two listings are not one product."""

_INFLECTIONS: Final = frozenset(
    "e ed en er ers y or ors ing ings ion ions ation ity al ally ly d r n ness ment ised ising ise able".split()  # noqa: SIM905 - a list to read
) | {""}
_BOUND_NUMBERS: Final = ("%", "spf", "gprotein", "in1")
"""Numbers with these endings name a variety: both say them or neither does."""

# Fitted to the pairs that may be looked at and to what one company sells side by side
# (benchmarks/identity_pairs.py), then rounded. Above zero the two are one product.
_START: Final = 3.0
_PER_WORD_WEIGHT: Final = -0.8
_BOTH_SIDES: Final = -2.0
_AGAINST_EACH_OTHER: Final = -0.8
_PER_NUMBER: Final = -1.0
_PER_COMMON: Final = 0.3
_UNSIZED_REST: Final = -1.0
_UNSIZED_PACKAGING: Final = -0.7
_PER_ALIKE: Final = 0.4
_MOST_COMMON: Final = 8.0
_NEVER: Final = float("-inf")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What holding two listings against each other gave.

    `forbids` is None where they are one product. `left` and `right`: the words that only the one has, in order.
    """

    forbids: Reason | None
    weight: float
    left: tuple[str, ...]
    right: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether they are one product."""
        return self.forbids is None


@dataclass(frozen=True, slots=True)
class Alignment:
    """The words of two names laid side by side: those that both have, and what each has alone, in order."""

    common: tuple[str, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]
    alike: int


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left over on each side but for brands, and how much the two have in common beside it."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    common: float

    @property
    def all(self) -> tuple[str, ...]:
        return self.left + self.right


def compare(left: Reading, right: Reading, *, one_brand: bool = False) -> Comparison:
    """Hold two readings against each other; `one_brand`: their brands are known to be one."""
    sizes = agreement(left.sizes, right.sizes)
    if sizes == "differ":
        return Comparison("size", _NEVER, (), ())
    if not one_brand and _other_brand(left, right):
        return Comparison("brand", _NEVER, (), ())
    if left.numbers != right.numbers and _other_numbers(
        left.numbers - right.numbers, right.numbers - left.numbers
    ):
        return Comparison("number", _NEVER, (), ())
    words = align(left.words, right.words)
    of_brand = left.brand_words | right.brand_words
    rest = _Rest(
        tuple(word for word in words.left if word not in of_brand),
        tuple(word for word in words.right if word not in of_brand),
        _in_common(words, of_brand) + len(left.numbers & right.numbers),
    )
    if not words.common and not words.alike:
        return Comparison("weight", _NEVER, rest.left, rest.right)
    reason = _too_little(rest, sizes, branded=bool(of_brand)) or _other_words(rest)
    if reason is not None:
        return Comparison(reason, _NEVER, rest.left, rest.right)
    weight = _weight(sizes, words.alike, rest, len(left.numbers ^ right.numbers))
    return Comparison(None if weight > 0 else "weight", weight, rest.left, rest.right)


def _in_common(words: Alignment, of_brand: frozenset[str]) -> float:
    """How much two names share: a flavour says more than `sauce`, the brand nothing."""
    return (
        sum(min(weight_of(word), 2.0) + 0.3 for word in words.common if word not in of_brand) + 1.4 * words.alike
    )


def _other_words(rest: _Rest) -> Reason | None:
    if any(class_of(word) == "telling" for word in rest.all):
        return "word"
    if other_form(rest.left, rest.right):
        return "form"
    for one, other in ((rest.left, rest.right), (rest.right, rest.left)):
        if any(weight_of(word) >= 1 and not is_default(word) for word in one) and any(map(is_default, other)):
            return "variety"
    return None


def _too_little(rest: _Rest, sizes: Agreement, *, branded: bool) -> Reason | None:
    """Without a size or a brand to go by, packaging tells, and little may be left over next to much in common."""
    if sizes != "unknown" and branded:
        return None
    if sizes == "unknown" and (
        (of_packaging(rest.left) and of_packaging(rest.right)) or tells_when_unsized(rest.all)
    ):
        return "packaging"
    weight = sum(map(weight_of, rest.all))
    enough = weight == 0 if rest.left and rest.right else weight * 4.4 <= rest.common
    if enough:
        return None
    return "unsized" if sizes == "unknown" else "unbranded"


def _other_numbers(left: frozenset[str], right: frozenset[str]) -> bool:
    """Whether each has a number of its own, or one has one that names a variety (`a2`, `70%`, `spf50`)."""
    return bool(left and right) or any(
        number[0].isalpha() or number.endswith(_BOUND_NUMBERS) for number in left | right
    )


def _weight(sizes: Agreement, alike_words: int, rest: _Rest, numbers: int) -> float:
    weight = _START + _PER_COMMON * min(rest.common, _MOST_COMMON)
    weight += _PER_ALIKE * min(alike_words, 2) + _PER_NUMBER * min(numbers, 2)
    weight += _PER_WORD_WEIGHT * sum(map(weight_of, rest.all))
    if rest.left and rest.right:
        weight += _BOTH_SIDES
        weight += _AGAINST_EACH_OTHER * min(max(map(weight_of, rest.left)), max(map(weight_of, rest.right)))
    if sizes == "unknown" and rest.all:
        weight += _UNSIZED_REST + (_UNSIZED_PACKAGING if of_packaging(rest.all) else 0.0)
    return weight


def _other_brand(left: Reading, right: Reading) -> bool:
    """Whether each brand has a word the other listing lacks, or one has and the other names no brand.

    A brand is looked for among all words of the other: companies write it into the name, and some name the maker
    (`Nestle`) where others name the line (`Milo`).
    """
    if left.brand == right.brand:
        return False
    lacks_left = sum(word not in right.words and word not in right.numbers for word in left.brand_words)
    lacks_right = sum(word not in left.words and word not in left.numbers for word in right.brand_words)
    if lacks_left and lacks_right:
        return True
    if lacks_left:
        return right.brand is None
    return bool(lacks_right) and left.brand is None


@lru_cache(maxsize=65_536)
def alike(one: str, other: str) -> bool:
    """Whether two words are one: an inflection (`hydrate`, `hydrating`), or a misspelling of a word not listed."""
    if one[0] != other[0]:
        return False
    shorter, longer = sorted((len(one), len(other)))
    if shorter >= 5:
        same = next((n for n in range(shorter) if one[n] != other[n]), shorter)
        if same >= 5 and one[same:] in _INFLECTIONS and other[same:] in _INFLECTIONS:
            return not (class_of(one) == "telling" and class_of(other) == "telling")
    if is_known(one) and is_known(other):
        return False
    errors = 0 if shorter < 5 else 1 if shorter < 9 else 2
    return errors > 0 and longer - shorter <= errors and OSA.distance(one, other, score_cutoff=errors) <= errors


def align(left: Sequence[str], right: Sequence[str]) -> Alignment:
    """Lay two names' words side by side: equal words, compounds (`stock pot`, `stockpot`), then words alike."""
    in_left, in_right = dict.fromkeys(left), dict.fromkeys(right)
    common = tuple(word for word in in_left if word in in_right)
    only_left = [word for word in in_left if word not in in_right]
    only_right = [word for word in in_right if word not in in_left]
    found = 0
    if only_left and only_right:
        found = _compounds(left, only_left, only_right) + _compounds(right, only_right, only_left)
        for word in tuple(only_left):
            match = next((other for other in only_right if alike(word, other)), None)
            if match is not None:
                only_left.remove(word)
                only_right.remove(match)
                found += 1
    return Alignment(common, tuple(only_left), tuple(only_right), found)


def _compounds(words: Sequence[str], alone: list[str], others: list[str]) -> int:
    """Take neighbours that are one word on the other side out of what is alone; how many there were."""
    found = 0
    for first, second in pairwise(words):
        whole = first + second
        if whole in others:
            others.remove(whole)
            for part in {first, second}.intersection(alone):
                alone.remove(part)
            found += 1
    return found
