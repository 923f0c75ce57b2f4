"""`store-groups`: the membership fold, confirmations and ejections. It reads nothing of the store fold."""

from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

from splitcart_common import events
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.lanes import Message
from splitcart_common.outcomes import Ok, Outcome, Skip
from splitcart_common.postgres import Connection
from splitcart_ingest.domain.membership import Confirmed, Ejected, GroupException, Membership, fold
from splitcart_ingest.handlers.problems import problem_of_marker
from splitcart_ingest.members import load_memberships, sku_numbers, write_markers


class GroupHandler:
    """Folds `store-groups`: which store stands for which, and with which exceptions."""

    def digest(self, key: str, envelope: Envelope, event: Event) -> Event:  # noqa: ARG002 - Handler's
        """The event itself."""
        return event

    async def prepare(self, where: TopicPartition, messages: Sequence[Message]) -> None:
        """Nothing to do ahead."""

    async def fold(
        self,
        connection: Connection,
        where: TopicPartition,  # noqa: ARG002 - Handler's
        messages: Sequence[Message],
    ) -> Sequence[Outcome]:
        """Fold a batch in the caller's transaction; all that is no marker is skipped by name."""
        outcomes: list[Outcome] = [
            problem_of_marker(message) or _no_marker(message) or Ok() for message in messages
        ]
        of_company: dict[str, list[int]] = {}
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, Ok):
                of_company.setdefault(messages[place].key, []).append(place)
        memberships = await load_memberships(connection, of_company)
        for company, places in of_company.items():
            markers = [messages[place].event for place in places]
            for place, new in zip(
                places, await _fold(connection, company, memberships[company], markers), strict=True
            ):
                outcomes[place] = Ok() if new else Skip("old-version")
        return outcomes

    def forget(self, where: TopicPartition) -> None:
        """Nothing is cached."""


async def _fold(
    connection: Connection, company: str, state: Membership, markers: Sequence[object]
) -> Sequence[bool]:
    """Fold the markers of a company and write those that are new; which ones are."""
    named = {x.sku for event in markers if isinstance(event, events.MemberConfirmed) for x in event.exceptions}
    numbers = await sku_numbers(connection, company, named)
    new = [fold(state, _marker(event, numbers)) for event in markers]
    written = [marker for of_store in state.markers.values() for marker in of_store]
    await write_markers(connection, company, sorted(written, key=lambda marker: marker.version))
    return new


def _no_marker(message: Message) -> Skip | None:
    is_marker = isinstance(message.event, events.MemberConfirmed | events.MemberEjected)
    return None if is_marker else Skip("no-marker")


def _marker(event: object, numbers: Mapping[str, int]) -> Confirmed | Ejected:
    match event:
        case events.MemberEjected():
            return Ejected(event.version, event.store, event.at)
        case events.MemberConfirmed():
            return Confirmed(
                event.version,
                event.store,
                event.anchor,
                event.up_to_scrape,
                event.anchor_scrape,
                {numbers[x.sku]: GroupException(x.price, x.seen_at) for x in event.exceptions},
                event.at,
            )
    raise TypeError(f"{type(event).__name__} is no marker")
