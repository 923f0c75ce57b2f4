"""Which stores share prices, on what evidence, and what was decided when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Group:
    """Stores of one company priced by their anchor; `members` counts the anchor too.

    `anchor_settled_at` is when the anchor's last scrape was folded; `stale_since` when it was found to be too old
    to judge by, None where it is not.
    """

    company: str
    anchor: str
    formed_at: datetime
    version: int
    members: int
    anchor_settled_at: datetime | None
    stale_since: datetime | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a member belongs: of `shared` listings that both sell, `equal` bore the same price.

    A member that came with its former anchor, by a merge or a handover, was not compared itself: 0 of 0.
    The two scrapes compared are named; `exceptions` counts the listings it sells otherwise than its anchor, or
    that only one of the two sells.
    """

    version: int
    confirmed_at: datetime
    up_to_scrape: UUID
    anchor_scrape: UUID
    shared: int
    equal: int
    exceptions: int
    rule_version: str

    @property
    def share(self) -> float | None:
        """Equal ones as a share of the shared, to four places; None where nothing was compared."""
        return round(self.equal / self.shared, 4) if self.shared else None


@dataclass(frozen=True, slots=True)
class Member:
    """A store of a group; the anchor itself has no evidence."""

    store: str
    anchor: str
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Decision:
    """One event of the log of groups. `detail` is the event, of many exceptions the first few."""

    version: int
    at: datetime
    kind: str
    store: str
    anchor: str | None
    other: str | None
    shared: int | None
    equal: int | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GroupWithMembers:
    """A group and its stores, the anchor first."""

    group: Group
    members: Sequence[Member]
