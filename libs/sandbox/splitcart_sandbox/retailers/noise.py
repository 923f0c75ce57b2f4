"""Random numbers that are a function of what they are for: no state, so any process draws the same ones.

A draw is ``scramble(id ^ salt)``: the id says for which listing, the salt (made of the seed and a purpose) for
what. All of it works on whole arrays, as a store's price list is thousands of draws.
"""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def salt(*parts: object) -> int:
    """A 64-bit number for what the parts spell: the same in every process and release."""
    return int.from_bytes(blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest(), "big")


def fraction(*parts: object) -> float:
    """One draw from [0, 1) for what the parts spell."""
    return (salt(*parts) >> 11) / (1 << 53)


def ids(texts: Iterable[str]) -> U64:
    """A 64-bit id for each text, in order."""
    return np.array([salt(text) for text in texts], dtype=np.uint64)


def scramble(x: U64) -> U64:
    """Every input bit to every output bit (the finaliser of splitmix64)."""
    x = x + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * _FIRST
    x = (x ^ (x >> np.uint64(27))) * _SECOND
    return x ^ (x >> np.uint64(31))


def draws(of: U64, purpose: int) -> U64:
    """A 64-bit draw for each id and a purpose."""
    return scramble(of ^ np.uint64(purpose))


def draws_at(of: U64, step: I64) -> U64:
    """A 64-bit draw for each base draw and step: the k-th number of its own sequence."""
    return scramble(of + step.astype(np.uint64) * _GOLDEN)


def below(of: U64, share: float) -> Bools:
    """True for that share of the draws. Looks at the upper 53 bits."""
    return (of >> np.uint64(11)) < np.uint64(round(share * (1 << 53)))


def pick(of: U64, count: int) -> I64:
    """A number in [0, count) for each draw. Looks at bits 8 to 40, so it may follow `below` of a small share."""
    return (((of >> np.uint64(8)) & np.uint64(0xFFFFFFFF)) % np.uint64(count)).astype(np.int64)
