"""Whether two listings' sizes can be of one product."""

from itertools import combinations
from typing import Final, Literal

from splitcart_ingest.domain.sizes import Sizes, Total

Agreement = Literal["same", "unknown", "differ"]

_CLOSE: Final = 0.015
"""Rounding: 199.8 g is 200 g."""

_ROUGHLY: Final = 0.1
"""Beyond its own range, for what is sold as about so much."""


def agreement(one: Sizes, other: Sizes) -> Agreement:
    """`same` if some reading of the one is some reading of the other, `differ` if none is.

    `unknown` where either says nothing, or they speak of different things (`4 pack` and `160g`).
    """
    if _other_counts(one, other):
        return "differ"
    if not one or not other or one.loose or other.loose:
        return "unknown"
    totals, others = one.totals, other.totals
    if totals and others:
        about = one.about or other.about
        return "same" if any(_equal(a, b, about=about) for a in totals for b in others) else "differ"
    if one.packs and other.packs:
        return "differ" if _counts(one.packs).isdisjoint(_counts(other.packs)) else "same"
    return "unknown"


def _equal(one: Total, other: Total, *, about: bool) -> bool:
    if one.dimension != other.dimension or (one.times and other.times and one.times != other.times):
        return False
    if about or one.low != one.high or other.low != other.high:
        return one.low <= other.high * (1 + _ROUGHLY) and other.low <= one.high * (1 + _ROUGHLY)
    return abs(one.low - other.low) <= _CLOSE * max(one.low, other.low)


def _counts(packs: tuple[int, ...]) -> set[int]:
    """The counts and their products: 12 packs of 40 are 480."""
    return {*packs, *(a * b for a, b in combinations(packs, 2))}


def _other_counts(one: Sizes, other: Sizes) -> bool:
    """Whether they count a kind of thing differently; servings are a matter of taste."""
    kinds = {kind for kind, _ in one.others} & {kind for kind, _ in other.others} - {"serve"}
    return any(
        {count for k, count in one.others if k == kind}.isdisjoint(count for k, count in other.others if k == kind)
        for kind in kinds
    )
