"""`store-groups`: which stores share prices; `version` counts up per company."""

from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from splitcart_common.events.base import Cents, Count, Event, Moment, ShortText, Sku, StoreKey, Version


class GroupException(Struct, frozen=True):
    """A member's own price of a listing; null: not sold there."""

    sku: Sku
    price: Cents | None
    seen_at: Moment


class GroupFormed(Event, frozen=True):
    """A store became its own anchor."""

    TYPE: ClassVar[str] = "group-formed"

    version: Version
    anchor: StoreKey
    at: Moment


class MemberConfirmed(Event, frozen=True):
    """A member was compared with its anchor and found equal but for the exceptions: a complete statement."""

    TYPE: ClassVar[str] = "member-confirmed"

    version: Version
    store: StoreKey
    anchor: StoreKey
    up_to_scrape: UUID
    anchor_scrape: UUID
    shared: Count
    equal: Count
    exceptions: tuple[GroupException, ...]
    rule_version: ShortText
    at: Moment


class MemberEjected(Event, frozen=True):
    """A member was found to differ: it is its own anchor from now on. `differing` is a sample."""

    TYPE: ClassVar[str] = "member-ejected"

    version: Version
    store: StoreKey
    from_anchor: StoreKey
    shared: Count
    equal: Count
    differing: tuple[Sku, ...]
    at: Moment


class GroupsMerged(Event, frozen=True):
    """Two groups became one; the confirmations of the moved stores follow."""

    TYPE: ClassVar[str] = "groups-merged"

    version: Version
    survivor: StoreKey
    dissolved: StoreKey
    shared: Count
    equal: Count
    at: Moment


class AnchorWentStale(Event, frozen=True):
    """An anchor must be scraped before its group can be judged."""

    TYPE: ClassVar[str] = "anchor-went-stale"

    version: Version
    anchor: StoreKey
    last_settled_at: Moment | None
    at: Moment


class AnchorHandedOver(Event, frozen=True):
    """A group has another anchor, as the old one cannot be scraped any more."""

    TYPE: ClassVar[str] = "anchor-handed-over"

    version: Version
    old: StoreKey
    new: StoreKey
    reason: ShortText
    at: Moment


class RescrapeNeeded(Event, frozen=True):
    """A store must be scraped in full before it can be judged: a cue for the scraper, like AnchorWentStale.

    A member that differs by what is not a full scrape, one that a fresh anchor contradicts, or the heir of an
    anchor that is gone. It changes no group.
    """

    TYPE: ClassVar[str] = "rescrape-needed"

    version: Version
    store: StoreKey
    why: ShortText
    at: Moment


GroupEvent = (
    GroupFormed
    | MemberConfirmed
    | MemberEjected
    | GroupsMerged
    | AnchorWentStale
    | AnchorHandedOver
    | RescrapeNeeded
)
"""Every event of the stream."""
