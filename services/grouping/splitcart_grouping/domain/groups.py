"""The groups of one company: a fold of `store-groups`, and of nothing else. It decides nothing.

What it holds of a member is the standing statement about it, as MemberConfirmed made it.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from splitcart_common.events.base import Event
from splitcart_common.events.groups import (
    AnchorHandedOver,
    AnchorWentStale,
    GroupEvent,
    GroupException,
    GroupFormed,
    GroupsMerged,
    MemberConfirmed,
    MemberEjected,
    RescrapeNeeded,
)


@dataclass(frozen=True, slots=True)
class Member:
    """The standing statement about a member.

    `confirmed_at` is when it was last compared: a statement made at a merge without looking at the store again
    (shared = 0) carries the time of the one before on.
    """

    anchor: str
    version: int
    confirmed_at: datetime
    stated_at: datetime
    up_to_scrape: UUID
    anchor_scrape: UUID
    shared: int
    equal: int
    exceptions: tuple[GroupException, ...]
    rule_version: str


class Groups:
    """Anchors with the time their group was formed, members, floors, and what was asked for.

    `floors`: by store the scrape its floor was last raised to; it outlives an ejection. `stale`: by anchor the
    settlement it was flagged for. `asked`: by store when a full scrape of it was last asked for.
    """

    def __init__(self) -> None:
        self.version = 0
        self.clock: datetime | None = None
        self.anchors: dict[str, datetime] = {}
        self.members: dict[str, Member] = {}
        self.floors: dict[str, UUID] = {}
        self.stale: dict[str, datetime | None] = {}
        self.asked: dict[str, datetime] = {}
        self._followers: dict[str, frozenset[str]] = {}

    def followers(self, anchor: str) -> frozenset[str]:
        """The members of an anchor, itself not among them."""
        return self._followers.get(anchor, frozenset())

    def anchor_of(self, store: str) -> str | None:
        """The anchor a store is priced by, itself where it is one; None for a store in no group."""
        member = self.members.get(store)
        if member is not None:
            return member.anchor
        return store if store in self.anchors else None

    def evolve(self, event: Event) -> bool:
        """Fold an event; False where its version is at or below the last: a repeat, ignored.

        TypeError for an event that is none of `store-groups`.
        """
        if not isinstance(event, GroupEvent):
            raise TypeError(f"{type(event).__name__} is no event of store-groups")
        if event.version <= self.version:
            return False
        self.version = event.version
        at = self.clock = event.at if self.clock is None else max(self.clock, event.at)
        match event:
            case GroupFormed(anchor=store):
                self._form(store, at)
            case MemberConfirmed():
                self._confirm(event, at)
            case MemberEjected(store=store):
                self._leave(store)
                self.anchors.setdefault(store, at)
            case AnchorHandedOver(old=old, new=new):
                self._hand_over(old, new)
            case AnchorWentStale(anchor=store):
                self.stale[store] = event.last_settled_at
            case RescrapeNeeded(store=store):
                self.asked[store] = at
            case GroupsMerged():
                pass  # the confirmations that follow move the stores
        return True

    def copy(self) -> "Groups":
        """Another fold that has come to the same."""
        other = Groups()
        other.version, other.clock = self.version, self.clock
        other.anchors, other.members = self.anchors.copy(), self.members.copy()
        other.floors, other.stale, other.asked = self.floors.copy(), self.stale.copy(), self.asked.copy()
        other._followers = self._followers.copy()
        return other

    def snapshot(self) -> object:
        """All it has come to, as values that can be compared."""
        held = (self.anchors, self.members, self.floors, self.stale, self.asked, self._followers)
        return (self.version, self.clock, *(dict(part) for part in held))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Groups) and self.snapshot() == other.snapshot()

    __hash__ = None  # type: ignore[assignment] # it changes

    def _form(self, store: str, at: datetime) -> None:
        if store not in self.members:
            self.anchors.setdefault(store, at)

    def _hand_over(self, old: str, new: str) -> None:
        """The group is as old as it was."""
        if old in self.anchors and new in self.anchors:
            self.anchors[new] = self.anchors[old]

    def _confirm(self, event: MemberConfirmed, at: datetime) -> None:
        before = self.members.get(event.store)
        self._leave(event.store)
        self.floors[event.store] = event.up_to_scrape
        if event.anchor == event.store:
            self.anchors.setdefault(event.store, at)
            return
        self.anchors.pop(event.store, None)
        carried = event.shared == 0 and before is not None
        self.members[event.store] = Member(
            anchor=event.anchor,
            version=event.version,
            confirmed_at=before.confirmed_at if before is not None and carried else at,
            stated_at=at,
            up_to_scrape=event.up_to_scrape,
            anchor_scrape=event.anchor_scrape,
            shared=event.shared,
            equal=event.equal,
            exceptions=event.exceptions,
            rule_version=event.rule_version,
        )
        self._followers[event.anchor] = self.followers(event.anchor) | {event.store}

    def _leave(self, store: str) -> None:
        member = self.members.pop(store, None)
        if member is not None:
            left = self.followers(member.anchor) - {store}
            self._followers[member.anchor] = left
            if not left:
                del self._followers[member.anchor]
