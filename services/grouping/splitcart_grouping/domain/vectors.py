"""The price vectors of a company: a row a store, a column a listing, as arrays in memory.

A cell is a price code, the second it was last attested, and the second its price is known to have moved last:
10 bytes, so 4,000 stores of 20,000 listings are 876 MB, all told (measured). Rows and columns only grow, by an
eighth.

A code stands for one amount of cents in the whole company, so two cells bear the same price exactly if their codes
are equal. Codes have 16 bits until a company has borne 65,535 different prices, and 32 from then on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from splitcart_grouping.domain.kernels import BLOCK, Codes, Ints, Lanes, Words

Cents = NDArray[np.int32]
NOT_SOLD: Final = -1
"""What stands for "not sold" where prices are cents."""


def _lanes(bits: int) -> Lanes:
    """For words cut into lanes of so many bits: all but the top bits, the top bits, and how to sum the lanes."""
    ones = sum(1 << place for place in range(0, 64, bits))
    high = ones << (bits - 1)
    low = high - ones
    return np.uint64(low), np.uint64(high), np.uint64(bits - 1), np.uint64(ones), np.uint64(64 - bits)


LANES: Final[dict[int, Lanes]] = {2: _lanes(16), 4: _lanes(32)}
"""By the bytes of a code."""


@dataclass(frozen=True, slots=True)
class Moves:
    """Prices that moved within a week, side by side: of a listing, from cents to cents, between two seconds."""

    columns: Ints
    old: Ints
    new: Ints
    since: Ints
    until: Ints

    def later_than(self, second: int) -> "Moves":
        """Those that were found after a second."""
        keep = self.until > second
        return Moves(self.columns[keep], self.old[keep], self.new[keep], self.since[keep], self.until[keep])

    def and_(self, other: "Moves") -> "Moves":
        """These and the others."""
        pairs = zip(self.arrays(), other.arrays(), strict=True)
        return Moves(*(np.concatenate(pair) for pair in pairs))

    def arrays(self) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        """The five columns."""
        return self.columns, self.old, self.new, self.since, self.until


def no_moves() -> Moves:
    """None at all."""
    none = np.zeros(0, np.int64)
    return Moves(none, none, none, none, none)


class Vectors:
    """The cells of all stores of a company. `columns` listings are in use; the arrays have room for more."""

    def __init__(self) -> None:
        self.rows = 0
        self.columns = 0
        self.codes: Codes = np.zeros((0, BLOCK), np.uint16)
        self.attested = np.zeros((0, BLOCK), np.uint32)
        self.moved = np.zeros((0, BLOCK), np.uint32)
        self.sold = np.zeros(0, np.int64)
        """By row: how many listings the store sells."""
        self.cents = np.full(1, NOT_SOLD, np.int32)
        """By code, as far as `_code_of` has any."""
        self._code_of: dict[int, int] = {}

    @property
    def words(self) -> Words:
        """The rows of codes as 64-bit words."""
        return self.codes.view(np.uint64)

    @property
    def lanes(self) -> Lanes:
        """How a word is cut into codes."""
        return LANES[self.codes.itemsize]

    @property
    def blocks(self) -> int:
        """How many blocks of columns are in use."""
        return -(-self.columns // BLOCK)

    def add_row(self) -> int:
        """Room for one more store; its row."""
        if self.rows == len(self.codes):
            rows = self.rows + max(16, self.rows // 8)
            width = self.codes.shape[1]
            # In place: the system moves pages instead of copying a gigabyte. Nothing keeps a view of these.
            for array in (self.codes, self.attested, self.moved):
                array.resize((rows, width), refcheck=False)
            self.sold.resize(rows, refcheck=False)
        self.rows += 1
        return self.rows - 1

    def add_columns(self, count: int) -> None:
        """Room for so many more listings."""
        self.columns += count
        width = self.codes.shape[1]
        if self.columns > width:
            more = max(self.columns, width + width // 8) - width
            wider = ((0, 0), (0, -(-more // BLOCK) * BLOCK))
            self.codes = np.pad(self.codes, wider)
            self.attested = np.pad(self.attested, wider)
            self.moved = np.pad(self.moved, wider)

    def write(self, row: int, columns: Ints, cents: Ints, at: int, turned: int) -> Moves:
        """Set prices a scrape of second `at` found; what moved since the second `turned` at which prices turned.

        Where the old price was seen before the turn, the price counts as moved at the turn, as that is when most
        do; where it was seen after it, as moved when the new one was found. A listing that comes or goes moves no
        price.
        """
        before, codes = self.codes[row, columns].astype(np.int64), self.encode(cents)
        seen = self.attested[row, columns].astype(np.int64)
        moved = (before != codes) & (before > 0) & (codes > 0)
        within = moved & (seen >= turned)
        self.codes[row, columns] = codes
        self.attested[row, columns] = at
        self.moved[row, columns[moved]] = np.where(within, at, turned)[moved]
        self.sold[row] += np.count_nonzero(codes) - np.count_nonzero(before)
        until = np.full(np.count_nonzero(within), at, np.int64)
        return Moves(
            columns[within], self.cents[before[within]].astype(np.int64), cents[within], seen[within], until
        )

    def load(self, row: int, columns: Ints, cents: Ints, attested: Ints, moved: Ints) -> None:
        """Set a row to what was saved of it."""
        for array in (self.codes, self.attested, self.moved):
            array[row] = 0
        self.codes[row, columns] = self.encode(cents)
        self.attested[row, columns] = attested
        self.moved[row, columns] = moved
        self.sold[row] = len(columns)

    def attest(self, row: int, columns: Ints | slice, at: int) -> None:
        """Note that a scrape of second `at` looked at these listings of a store."""
        self.attested[row, columns] = at

    def prices(self, row: int) -> Cents:
        """A store's prices in cents by listing, `NOT_SOLD` where it does not sell it."""
        prices: Cents = np.take(self.cents, self.codes[row, : self.columns])
        return prices

    def encode(self, cents: Ints) -> Ints:
        """The codes of prices; new ones are made where they are needed."""
        amounts, places = np.unique(cents, return_inverse=True)
        codes: Ints = np.fromiter(map(self._code, amounts.tolist()), np.int64, len(amounts))[places]
        return codes

    def _code(self, cents: int) -> int:
        if cents == NOT_SOLD:
            return 0
        code = self._code_of.get(cents)
        if code is None:
            code = self._code_of[cents] = len(self._code_of) + 1
            if code == len(self.cents):
                self.cents = np.pad(self.cents, (0, max(1024, code)), constant_values=NOT_SOLD)
            self.cents[code] = cents
            if code > np.iinfo(self.codes.dtype).max:
                self.codes = self.codes.astype(np.uint32)
        return code


def ints(values: Sequence[int]) -> Ints:
    """Whole numbers as an array."""
    return np.array(values, np.int64)
