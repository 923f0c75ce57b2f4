"""What groups saved: the requests it would have taken to look at every store as often as at its anchor."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from splitcart_common import events
from splitcart_common.events import Event


@dataclass(frozen=True, slots=True)
class Visit:
    """A scrape that ended: when (virtual), and how many requests it took."""

    store: str
    at: datetime
    requests: int


def saved(visits: Iterable[Visit], decisions: Iterable[Event]) -> int:
    """Requests not made, less those made to prove that members still belong; below 0 where the proof cost more.

    A visit to an anchor spares one to each of its members of that moment; a visit to a member was one to prove it.
    `decisions` are the events of store-groups, of any companies.
    """
    anchor_of: dict[str, str] = {}
    members: dict[str, set[str]] = {}
    total = 0
    steps: list[tuple[datetime, int, Visit | Event]] = [(visit.at, 1, visit) for visit in visits]
    # Decisions of a moment come before its visits; those of one moment keep their order.
    steps += [(_at(event), 0, event) for event in decisions]
    for _, _, step in sorted(steps, key=lambda step: step[:2]):
        match step:
            case Visit():
                spared = len(members.get(step.store, ()))
                total += spared * step.requests - (step.requests if step.store in anchor_of else 0)
            case events.MemberConfirmed():
                _leave(step.store, anchor_of, members)
                anchor_of[step.store] = step.anchor
                members.setdefault(step.anchor, set()).add(step.store)
            case events.MemberEjected():
                _leave(step.store, anchor_of, members)
    return total


def _leave(store: str, anchor_of: dict[str, str], members: dict[str, set[str]]) -> None:
    if store in anchor_of:
        members[anchor_of.pop(store)].discard(store)


def _at(event: Event) -> datetime:
    at: datetime = event.at  # type: ignore[attr-defined] # every event of store-groups has it
    return at
