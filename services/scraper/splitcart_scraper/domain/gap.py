"""How long a host is left alone between two requests: as long as it takes to answer, within bounds.

The reasoning is that of Scrapy's AutoThrottle with a concurrency of one: a client that rests for as long as it was
waited on takes at most half of what one connection of the host can give, whatever that is. The gap follows the
latency half way up at once and an eighth of the way down, so a host that becomes slow is soon left in peace, and
one quick answer proves little. An error is quick to make, so it never shortens the gap; a host that says "enough"
doubles it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

RISE: Final = 1 / 2
FALL: Final = 1 / 8
"""The part of the way to the latency that the gap goes with each answer."""
ENOUGH_SECONDS: Final = 1.0
"""The least gap after an "enough", where doubling what there was would be nothing."""


class Sign(StrEnum):
    """What an answer says about how the host bears us."""

    SERVED = "served"
    ERROR = "error"
    """Something went wrong; that it was quick says nothing."""
    ENOUGH = "enough"
    """429, 503, or a wall for robots."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The shortest and the longest gap, in seconds; the longest is not below the shortest."""

    least: float
    most: float

    def clamp(self, seconds: float) -> float:
        """The nearest gap that is within them."""
        return max(self.least, min(seconds, self.most))


def next_gap(gap: float, latency: float, sign: Sign, bounds: Bounds) -> float:
    """The gap after an answer that took `latency` seconds, where it was `gap` before it; all within the bounds."""
    gap, target = bounds.clamp(gap), bounds.clamp(latency)
    if sign is Sign.ENOUGH:
        return bounds.clamp(max(2 * gap, target, ENOUGH_SECONDS))
    if target >= gap:
        return gap + RISE * (target - gap)
    return gap if sign is Sign.ERROR else gap - FALL * (gap - target)
