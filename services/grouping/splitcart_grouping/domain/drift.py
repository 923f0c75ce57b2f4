"""Which prices are known to have moved lately, and between which two moments: what makes a listing unknown.

The entries of a listing are a chain through one array, newest first: (code before, code after, since,
until, next, listing).
"""

from typing import Final

import numpy as np

from splitcart_grouping.domain import kernels
from splitcart_grouping.domain.kernels import Ints
from splitcart_grouping.domain.vectors import Moves, Vectors

KEPT_SECONDS: Final = 4 * 24 * 3600
"""A move is kept so long: two current stores were seen in the last 72 hours, and a clock may be a little off."""


class Drift:
    """The moves of a whole company. Losing an entry older than `KEPT_SECONDS` changes no comparison."""

    def __init__(self) -> None:
        self.head = np.full(kernels.BLOCK, -1, np.int64)
        self.chain = np.zeros((1024, 6), np.int64)
        self.used = 0

    @property
    def chains(self) -> kernels.Chains:
        """As the compiled loops take them."""
        return self.head, self.chain

    def widen(self, columns: int) -> None:
        """Room for so many listings."""
        if columns > len(self.head):
            self.head = np.pad(self.head, (0, columns - len(self.head)), constant_values=-1)

    def moved_words(self, vectors: Vectors) -> kernels.Words:
        """A row of words with all bits set where a listing has an entry, none where it has not."""
        kind = vectors.codes.dtype
        codes = np.where(self.head >= 0, np.iinfo(kind).max, 0).astype(kind)
        return codes.view(np.uint64)

    def add(self, moves: Moves, vectors: Vectors) -> None:
        """Note what one scrape found to have moved."""
        if len(moves.columns) == 0:
            return
        codes = [vectors.encode(cents) for cents in (moves.old, moves.new)]
        self._link(moves.columns, np.stack([*codes, moves.since, moves.until], axis=1))

    def _link(self, columns: Ints, entries: Ints) -> None:
        if self.used + len(columns) > len(self.chain):
            self._make_room(len(columns), int(entries[:, 3].max()))
        self.used = kernels.link(self.chains, self.used, columns, entries)

    def _make_room(self, more: int, newest: int) -> None:
        """Drop what is old; double if that does not give back half."""
        entries = self.chain[: self.used]
        kept = entries[entries[:, 3] > newest - KEPT_SECONDS]
        size = len(self.chain)
        while 2 * (len(kept) + more) > size:
            size *= 2
        self.head[:] = -1
        self.chain = np.zeros((size, 6), np.int64)
        self.used = kernels.link(self.chains, 0, kept[:, 5].copy(), kept)
