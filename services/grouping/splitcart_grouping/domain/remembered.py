"""Which pairs of stores were compared since either changed, and did not match: they need not be compared again.

A memory, not a state: it is in no record, and after a restart the pairs are compared once more.
"""

import numpy as np

from splitcart_grouping.domain.kernels import Ints


class Remembered:
    """By the rows of the two stores, both ways round; one byte a pair."""

    def __init__(self) -> None:
        self._apart = np.zeros((0, 0), np.bool_)

    def forget(self, row: int) -> None:
        """A store has changed: nothing is remembered of it."""
        if row < len(self._apart):
            self._apart[row, :] = False
            self._apart[:, row] = False

    def differ(self, row: int, others: Ints) -> None:
        """A store was compared with others and matched none of them."""
        needed = int(max(row, others.max(initial=0))) + 1
        if needed > len(self._apart):
            more = max(needed, len(self._apart) * 5 // 4) - len(self._apart)
            self._apart = np.pad(self._apart, ((0, more), (0, more)))
        self._apart[row, others] = True
        self._apart[others, row] = True

    def unknown(self, row: int, others: Ints) -> Ints:
        """Those of the others of which it is not remembered that they differ from a store."""
        if row >= len(self._apart):
            return others
        known = np.zeros(len(others), np.bool_)
        within = others < len(self._apart)
        known[within] = self._apart[row, others[within]]
        return others[~known]
