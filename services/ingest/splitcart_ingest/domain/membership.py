"""The membership fold: who stands for whom. It reads `store-groups` and nothing else (protocol.md, rules 6, 7).

It keeps markers; what they mean for a price is decided only when the price is asked for (`served`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class GroupException:
    """A listing whose price at the member is its own; `price` None: not sold there."""

    price: int | None
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Confirmed:
    """MemberConfirmed: a complete statement of a member, its anchor and the exceptions that stand."""

    version: int
    store: str
    anchor: str
    up_to_scrape: UUID
    anchor_scrape: UUID
    exceptions: Mapping[int, GroupException]
    at: datetime


@dataclass(frozen=True, slots=True)
class Ejected:
    """MemberEjected: the store is its own anchor from here on."""

    version: int
    store: str
    at: datetime


@dataclass(slots=True)
class Membership:
    """The markers of one company, in the order of their versions; `clock` clamps their times."""

    version: int = 0
    clock: datetime | None = None
    markers: dict[str, list[Confirmed | Ejected]] = field(default_factory=dict)


def fold(state: Membership, message: Confirmed | Ejected) -> bool:
    """Add a marker in place; False where its version is at or below the last: a repeat, ignored."""
    if message.version <= state.version:
        return False
    state.version = message.version
    at = message.at if state.clock is None else max(message.at, state.clock)
    state.clock = at
    marker: Confirmed | Ejected
    if isinstance(message, Ejected):
        marker = Ejected(message.version, message.store, at)
    else:
        marker = Confirmed(
            message.version,
            message.store,
            message.anchor,
            message.up_to_scrape,
            message.anchor_scrape,
            message.exceptions,
            at,
        )
    state.markers.setdefault(message.store, []).append(marker)
    return True
