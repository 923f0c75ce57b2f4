"""The comparer: takes price vectors and knows no database, no groups and no clock. Exact.

Two stores match when at least 98 % of the known listings that both sell bear the same price, and there are enough
of those. A listing is *unknown*, neither equal nor different, where the prices differ but some store of the
company is known to have gone from the earlier-seen price to the later-seen one at a time that overlaps the time
between the two sightings: as of one moment they may well have been the same (decision 0012).

Laws (tests/property/test_grouping_laws.py): symmetric; equal to a few lines over dictionaries; monotone in
evidence.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from splitcart_grouping.domain import kernels
from splitcart_grouping.domain.drift import Drift
from splitcart_grouping.domain.kernels import Ints
from splitcart_grouping.domain.rules import Rules
from splitcart_grouping.domain.vectors import Vectors, ints


class Verdict(Enum):
    """What a comparison comes to."""

    MATCH = "match"
    DIFFERENT = "different"
    TOO_LITTLE = "too little evidence"


@dataclass(frozen=True, slots=True)
class Compared:
    """How many known listings two stores share, how many of them are equal, and how many are unknown.

    `smaller` is the smaller of the two ranges.
    """

    shared: int
    equal: int
    unknown: int
    smaller: int

    def verdict(self, rules: Rules) -> Verdict:
        """Match, no match, or too little to say."""
        if not is_enough(self.shared, self.smaller, rules):
            return Verdict.TOO_LITTLE
        return Verdict.MATCH if is_equal(self.shared, self.equal, rules) else Verdict.DIFFERENT


Number = TypeVar("Number", int, Ints)


def is_enough(shared: Number, smaller: Number, rules: Rules) -> "bool | np.bool_ | NDArray[np.bool_]":
    """Whether so many known shared listings say anything, the smaller range being so large; for arrays, too."""
    return (shared >= rules.shared_least) & (100 * shared >= rules.shared_percent * smaller)


def is_equal(shared: Number, equal: Number, rules: Rules) -> "bool | np.bool_ | NDArray[np.bool_]":
    """Whether so many of the shared listings are equal as a match needs; for arrays, too."""
    return 100 * equal >= rules.equal_percent * shared


def compare(vectors: Vectors, drift: Drift, a: int, b: int) -> Compared:
    """Compare two rows, looking at every cell."""
    rows = ints([b])
    ((shared, equal, unknown),) = _sweep(vectors, drift, a, rows, ints([vectors.columns])).tolist()
    return Compared(shared, equal, unknown, smaller=int(min(vectors.sold[a], vectors.sold[b])))


def differing(vectors: Vectors, drift: Drift, a: int, b: int) -> Ints:
    """The numbers of the known listings at which two rows differ, in order."""
    out = np.zeros(vectors.columns, np.bool_)
    kernels.differing(vectors.codes, vectors.attested, drift.chains, a, b, out)
    return np.flatnonzero(out)


def matches(vectors: Vectors, drift: Drift, row: int, rows: Ints, rules: Rules) -> list[tuple[int, int, int]]:
    """Those of many rows that match one: (row, shared, equal), in the order given.

    A row is left as soon as it has so many known differences that it cannot match whatever the rest says.
    """
    smaller = np.minimum(vectors.sold[row], vectors.sold[rows])
    out = _sweep(vectors, drift, row, rows, (100 - rules.equal_percent) * smaller // 100)
    shared, equal = out[:, 0], out[:, 1]
    found = is_enough(shared, smaller, rules) & is_equal(shared, equal, rules)
    return [(int(rows[i]), int(shared[i]), int(equal[i])) for i in np.flatnonzero(found)]


def _sweep(vectors: Vectors, drift: Drift, row: int, rows: Ints, caps: Ints) -> Ints:
    out = np.zeros((len(rows), 3), np.int64)
    cells = (vectors.codes, vectors.words, drift.moved_words(vectors), vectors.attested)
    kernels.sweep(cells, vectors.lanes, drift.chains, row, rows, caps, vectors.blocks, out)
    return out


def warm_up() -> None:
    """Compile the loops, or load them where they were kept, so that the first scrape does not wait for it.

    One and a half to three seconds where they must be compiled, half a second where they are kept (measured).
    """
    vectors, drift = Vectors(), Drift()
    vectors.add_columns(1)
    for second in (1, 2):
        row = vectors.add_row()
        vectors.write(row, ints([0]), ints([second]), second, 0)
        drift.add(vectors.write(row, ints([0]), ints([second + 1]), second + 1, 0), vectors)
    differing(vectors, drift, 0, 1)
    matches(vectors, drift, 0, ints([1]), Rules())
