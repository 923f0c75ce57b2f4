"""The compiled loops. They know arrays and no names; `compare` says what the numbers mean.

A row of price codes is read as 64-bit words, each holding four codes of 16 bits (or two of 32): a few whole-word
operations then count the cells of four listings at once. 0 is a listing that is not sold. All loops release the
GIL, and compile when they are first called.
"""

from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

BLOCK: Final = 256
"""Columns come in blocks of so many; after each the early bound is looked at."""

Codes = NDArray[np.unsignedinteger[Any]]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Chains = tuple[Ints, Ints]
"""The first entry of each listing, -1 for none; the entries (`drift.Drift`)."""
Lanes = tuple[np.uint64, np.uint64, np.uint64, np.uint64, np.uint64]
"""How a word is cut into codes: all but their top bits, the top bits, how to sum the lanes (`vectors.LANES`)."""

Pair = tuple[np.int64, np.int64]

P = ParamSpec("P")
R = TypeVar("R")


def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile at the first call, and keep the result on disk where there is a place to keep it."""
    try:
        kept = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba's answer where neither the package nor the home can be written
        kept = njit(nogil=True)(function)
    return cast("Callable[P, R]", kept)


@_compiled
def _drifted(chains: Chains, column: int, codes: Pair, seen: Pair) -> bool:
    """Whether any store is known to have gone from the first code to the second at some time between the two."""
    head, entries = chains
    entry = head[column]
    while entry >= 0:
        if (
            entries[entry, 0] == codes[0]
            and entries[entry, 1] == codes[1]
            and entries[entry, 2] < seen[1]
            and entries[entry, 3] > seen[0]
        ):
            return True
        entry = entries[entry, 4]
    return False


@_compiled
def _unknown(
    codes: Codes, attested: NDArray[np.uint32], chains: Chains, rows: tuple[int, int], column: int
) -> bool:
    """Whether a cell that differs between two rows may have been the same at one moment."""
    a, b = rows
    seen_a, seen_b = np.int64(attested[a, column]), np.int64(attested[b, column])
    code_a, code_b = np.int64(codes[a, column]), np.int64(codes[b, column])
    if seen_a == seen_b:
        return False
    if seen_a < seen_b:
        return _drifted(chains, column, (code_a, code_b), (seen_a, seen_b))
    return _drifted(chains, column, (code_b, code_a), (seen_b, seen_a))


@_compiled
def sweep(
    cells: tuple[Codes, Words, Words, NDArray[np.uint32]],
    lanes: Lanes,
    chains: Chains,
    row: int,
    rows: Ints,
    caps: Ints,
    blocks: int,
    out: Ints,
) -> None:
    """Compare a row with many: into `out` per row how many cells are shared, of them equal, and how many unknown.

    `cells` are the codes, the same as words, a row of words that is set where a listing is known to have moved in
    any store, and when cells were attested. `caps`: a row with more than so many
    known differences cannot match; it is left as soon as that is seen, and its three numbers are 0.
    """
    codes, words, moved, attested = cells
    low, high, shift, ones, top = lanes
    width = BLOCK * codes.itemsize // 8
    ours = words[row]
    for i in range(rows.size):
        other = rows[i]
        theirs = words[other]
        shared, differing, unknown = 0, 0, 0
        for block in range(blocks):
            both_in, unequal_in, moved_in = np.uint64(0), np.uint64(0), np.uint64(0)
            for word in range(block * width, (block + 1) * width):
                x, y = ours[word], theirs[word]
                z = x ^ y
                both = (((x & low) + low) | x) & (((y & low) + low) | y) & high
                both_in += both >> shift
                unequal = both & (((z & low) + low) | z)
                unequal_in += unequal >> shift
                moved_in |= unequal & moved[word]
            shared += int((both_in * ones) >> top)
            differing += int((unequal_in * ones) >> top)
            if moved_in != 0:
                for column in range(block * BLOCK, (block + 1) * BLOCK):
                    if chains[0][column] >= 0:
                        p, q = codes[row, column], codes[other, column]
                        if p > 0 and q > 0 and p != q and _unknown(codes, attested, chains, (row, other), column):
                            unknown += 1
            if differing - unknown > caps[i]:
                shared, differing, unknown = 0, 0, 0
                break
        out[i, 0] = shared - unknown
        out[i, 1] = shared - differing
        out[i, 2] = unknown


@_compiled
def differing(
    codes: Codes, attested: NDArray[np.uint32], chains: Chains, a: int, b: int, out: NDArray[np.bool_]
) -> None:
    """Whether two rows are known to differ in a cell, into `out`."""
    for column in range(out.size):
        p, q = codes[a, column], codes[b, column]
        if p > 0 and q > 0 and p != q:
            out[column] = not _unknown(codes, attested, chains, (a, b), column)


@_compiled
def link(chains: Chains, used: int, columns: Ints, moves: Ints) -> int:
    """Put price moves into the chains of their columns; how many entries are in use then.

    `moves`: code before, code after, and between which two seconds. A move that others are known to have made
    at about the same time widens their entry: to overlap with the union is to overlap with any of them.
    """
    head, entries = chains
    for i in range(columns.size):
        column = columns[i]
        before, after, since, until = moves[i, 0], moves[i, 1], moves[i, 2], moves[i, 3]
        entry = head[column]
        while entry >= 0:
            if (
                entries[entry, 0] == before
                and entries[entry, 1] == after
                and entries[entry, 2] <= until
                and entries[entry, 3] >= since
            ):
                entries[entry, 2] = min(entries[entry, 2], since)
                entries[entry, 3] = max(entries[entry, 3], until)
                break
            entry = entries[entry, 4]
        if entry < 0:
            entries[used, 0], entries[used, 1], entries[used, 2], entries[used, 3] = before, after, since, until
            entries[used, 4], entries[used, 5] = head[column], column
            head[column] = used
            used += 1
    return used
