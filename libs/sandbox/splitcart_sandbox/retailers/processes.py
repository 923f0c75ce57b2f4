"""Things that happen at random moments, computed instead of ticked.

Time is cut into slots, of the same length but of another phase for each listing; what happens in a slot is drawn
from the slot's number. So the state at any moment needs one look, past and future alike, and the next moment at
which it can change is known. Moments are whole seconds since 1970 (UTC).
"""

from typing import Final, NamedTuple

import numpy as np

from splitcart_sandbox.retailers.noise import I64, U64, Bools, draws_at, scramble

DAY: Final = 86_400
WEEK: Final = 7 * DAY
FOREVER: Final = 1 << 62
"""The moment that never comes."""


class Eras(NamedTuple):
    """Which era each is in (it counts up by one at each change) and when its next one begins."""

    number: I64
    until: I64


class Bursts(NamedTuple):
    """Whether each is inside a burst, a draw that belongs to that burst, and when this can next change."""

    active: Bools
    draw: U64
    until: I64


def eras(of: U64, seconds: int, at: int) -> Eras:
    """One change in each slot of so many seconds, at a random second of it; 0 seconds: never a change."""
    if seconds == 0:
        return Eras(np.zeros(len(of), np.int64), np.full(len(of), FOREVER, np.int64))
    slot, begins = _slot(of, seconds, at)
    change = begins + _offset(of, slot, seconds)
    following = begins + seconds + _offset(of, slot + 1, seconds)
    changed = change <= at
    return Eras(np.where(changed, slot, slot - 1), np.where(changed, following, change))


def bursts(of: U64, slot_seconds: int, chance: float, shortest: int, longest: int, at: int) -> Bursts:
    """In each slot, with that chance, one burst of `shortest` to `longest` seconds that fits into the slot."""
    slot, begins = _slot(of, slot_seconds, at)
    draw = draws_at(of, slot)
    happens, start, end = _burst(draw, begins, slot_seconds, chance, shortest, longest)
    later, later_start, _ = _burst(
        draws_at(of, slot + 1), begins + slot_seconds, slot_seconds, chance, shortest, longest
    )
    until = np.where(later, later_start, begins + 2 * slot_seconds)
    until = np.where(happens & (at < end), end, until)
    until = np.where(happens & (at < start), start, until)
    return Bursts(happens & (start <= at) & (at < end), scramble(draw), until)


def _slot(of: U64, seconds: int, at: int) -> tuple[I64, I64]:
    """The slot each is in and when that slot began."""
    phase = (of % np.uint64(seconds)).astype(np.int64)
    slot = (phase + at) // seconds
    return slot, slot * seconds - phase


def _offset(of: U64, slot: I64, seconds: int) -> I64:
    return (draws_at(of, slot) % np.uint64(seconds)).astype(np.int64)


def _burst(
    draw: U64, begins: I64, slot_seconds: int, chance: float, shortest: int, longest: int
) -> tuple[Bools, I64, I64]:
    """Whether the slot has a burst, its start and its end, from three separate parts of one draw."""
    happens = (draw & np.uint64(0xFFFF)).astype(np.int64) < round(chance * 0x10000)
    length = shortest + (
        ((draw >> np.uint64(16)) & np.uint64(0xFFFF)).astype(np.int64) * (longest - shortest) >> 16
    )
    start = begins + ((draw >> np.uint64(32)).astype(np.int64) * (slot_seconds - length) >> 32)
    return happens, start, start + length
