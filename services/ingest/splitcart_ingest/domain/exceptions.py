"""What a confirmation states, kept small: the latest in full, each older one as what differs from the next.

A group is confirmed again and again, and most of what is stated stays. Restoring goes backwards, from the latest.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from splitcart_ingest.domain.membership import GroupException

Statement = Mapping[int, GroupException]
"""The exceptions of one confirmation by listing; none at all for an ejection."""


@dataclass(frozen=True, slots=True)
class Delta:
    """How an older statement differs from the next: what it says besides, and what it leaves out."""

    stated: Statement
    absent: tuple[int, ...]


def difference(older: Statement, newer: Statement) -> Delta:
    """What makes the older statement out of the newer one."""
    stated = {x: exception for x, exception in older.items() if newer.get(x) != exception}
    return Delta(stated, tuple(sorted(newer.keys() - older.keys())))


def restore(newer: Statement, delta: Delta) -> Statement:
    """The older statement, from the newer one and how it differs."""
    left_out = set(delta.absent)
    return {x: exception for x, exception in newer.items() if x not in left_out} | dict(delta.stated)
