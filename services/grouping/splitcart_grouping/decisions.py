"""Decisions as rows and as messages on `store-groups`.

The id of a decision is computed from the company, its version and its kind: a version is decided once, so a
message that is relayed twice bears the same.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from splitcart_common import outbox
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.events.groups import (
    AnchorHandedOver,
    AnchorWentStale,
    GroupEvent,
    GroupFormed,
    GroupsMerged,
    MemberConfirmed,
    MemberEjected,
    RescrapeNeeded,
)
from splitcart_common.ids import company_of, derived_id
from splitcart_common.topics import EVENT_TYPES
from splitcart_common.upcasts import lift

_NAMESPACE: Final = UUID("0b8a3f62-52d4-5c1e-9d57-6c1f4f0e9a44")


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom a decision is about: `store`; the `anchor` that stands or stood; the `other` one, given up."""

    store: str
    anchor: str | None = None
    other: str | None = None
    shared: int | None = None
    equal: int | None = None


def concerned(event: GroupEvent) -> Concerned:
    """Whom a decision is about."""
    match event:
        case GroupFormed(anchor=anchor) | AnchorWentStale(anchor=anchor):
            return Concerned(anchor, anchor)
        case MemberConfirmed():
            return Concerned(event.store, event.anchor, None, event.shared, event.equal)
        case MemberEjected():
            return Concerned(event.store, event.from_anchor, None, event.shared, event.equal)
        case GroupsMerged():
            return Concerned(event.dissolved, event.survivor, event.dissolved, event.shared, event.equal)
        case AnchorHandedOver():
            return Concerned(event.new, event.new, event.old)
        case RescrapeNeeded():
            return Concerned(event.store)


def event_id(event: GroupEvent) -> UUID:
    """The id of a decision."""
    company = company_of(concerned(event).store)
    return derived_id(_NAMESPACE, f"{company} {event.version} {event.TYPE}")


def to_row(
    event: GroupEvent, cause: Envelope | None, began_with: UUID, *, prefix: str, producer: str
) -> outbox.OutboxRow:
    """The outbox row of a decision; `cause` is what the message that led to it came in, None for maintenance."""
    return outbox.to_row(
        prefix,
        company_of(concerned(event).store),
        event,
        event_id=event_id(event),
        occurred_at=event.at,
        correlation_id=began_with if cause is None else cause.correlation_id,
        causation_id=None if cause is None else cause.event_id,
        producer=producer,
    )


def to_text(event: Event) -> str:
    """The event as it is published, for its row."""
    return msgspec.json.encode(event).decode()


def from_text(kind: str, version: int, text: str) -> Event:
    """An event from its row, lifted to the newest version."""
    newest = EVENT_TYPES[kind]
    if version == newest.VERSION:
        return msgspec.json.decode(text, type=newest)
    raw: dict[str, Any] = msgspec.json.decode(text)
    return msgspec.convert(lift(kind, version, newest.VERSION, raw), newest)
