"""`listing-described` and `requests`: which product a listing is, and an operator's word that it is not.

One process decides at a time (identity/standby.py), and in one transaction at a time, as it has one connection
for it. So the catalogue in memory is right as long as the transaction that wrote the tables last is the one that
left it.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from aiokafka import TopicPartition

from splitcart_common import ids, outbox
from splitcart_common.admission import time_problem
from splitcart_common.envelope import Envelope
from splitcart_common.events import CatalogueEvent, Event, ListingDescribed, ListingLinked, UnmergeRequested
from splitcart_common.lanes import Message
from splitcart_common.outcomes import DeadLetter, Ok, Outcome, Reason, Skip
from splitcart_common.postgres import Connection
from splitcart_common.telemetry import CATALOGUE_LISTINGS, DECISIONS
from splitcart_ingest.domain.catalogue import Catalogue, evolve
from splitcart_ingest.domain.identity import decide, unmerge
from splitcart_ingest.domain.reconcile import reconcile
from splitcart_ingest.identity.tables import apply, left_by, load

KEY: Final = "-"
"""Of every message: the topic has one order, and the outbox keeps it by topic and key."""
BREATH: Final = 20
"""So many decisions, and the rest of the process has its turn."""


class IdentityHandler:
    """Decides, and writes tables, events and outbox rows in the batch's transaction.

    All that was ever decided has to be in the tables by then: nothing of it is to be decided anew.
    """

    def __init__(self, *, prefix: str, producer: str) -> None:
        self._prefix = prefix
        self._producer = producer
        self._held: tuple[str, Catalogue] | None = None

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
        """Decide message by message, then reconcile what they brought together."""
        catalogue = await self._take(connection)
        outcomes: list[Outcome] = []
        said: list[tuple[CatalogueEvent, Message]] = []
        for number, message in enumerate(messages):
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            found = problem_of(message) or _judge(catalogue, message)
            if isinstance(found, DeadLetter | Skip):
                outcomes.append(found)
                continue
            outcomes.append(Ok() if found else Skip("nothing-new"))
            said += _evolved(catalogue, found, message)
        if said:
            said += _evolved(catalogue, reconcile(catalogue), messages[-1])
            events = [event for event, _ in said]
            await apply(connection, events)
            await outbox.append(connection, self._rows(said))
            _count(events)
        self._held = (await left_by(connection), catalogue)
        CATALOGUE_LISTINGS.set(len(catalogue))
        return outcomes

    def forget(self, where: TopicPartition) -> None:  # noqa: ARG002 - Handler's
        """Load the catalogue again before the next decision."""
        self._held = None

    async def _take(self, connection: Connection) -> Catalogue:
        """What is held if it is what stands; it is held no more until the batch is through it.

        A transaction that is rolled back after that has left the tables to another than the catalogue says.
        """
        (left, catalogue), self._held = self._held or (None, None), None
        if catalogue is None or left != await left_by(connection):
            return await load(connection)
        return catalogue

    def _rows(self, said: Sequence[tuple[CatalogueEvent, Message]]) -> list[outbox.OutboxRow]:
        """The messages, each with an id computed from its cause and its place among what that led to."""
        numbers: Counter[int] = Counter()
        rows = []
        for event, cause in said:
            number = numbers[cause.offset]
            numbers[cause.offset] += 1
            rows.append(
                outbox.to_row(
                    self._prefix,
                    KEY,
                    event,
                    event_id=ids.derived_id(cause.envelope.event_id, f"{event.TYPE} {number}"),
                    occurred_at=cause.envelope.occurred_at,
                    correlation_id=cause.envelope.correlation_id,
                    causation_id=cause.envelope.event_id,
                    producer=self._producer,
                )
            )
        return rows


def problem_of(message: Message) -> DeadLetter | Skip | None:
    """What makes a message impossible to judge, or none of identity's; None for one that can be."""
    match message.event:
        case ListingDescribed(company=company, sku=sku, described_at=at):
            return _wrong_key(message, f"{company}/{sku}") or time_problem(
                message.envelope, at, message.published_at
            )
        case UnmergeRequested(subject=subject):
            return _wrong_key(message, subject) or time_problem(message.envelope, None, message.published_at)
        case _:
            return Skip("not-ours")


def _wrong_key(message: Message, named: str) -> DeadLetter | None:
    if message.key == named:
        return None
    return DeadLetter(Reason.WRONG_KEY, f"the key is {message.key}, but the event speaks of {named}")


def _judge(catalogue: Catalogue, message: Message) -> Sequence[CatalogueEvent] | DeadLetter:
    if isinstance(message.event, ListingDescribed):
        return decide(catalogue, message.event)
    assert isinstance(message.event, UnmergeRequested)  # noqa: S101 - problem_of lets nothing else through
    try:
        return unmerge(catalogue, message.event)
    except ValueError as error:
        return DeadLetter(Reason.INVALID, str(error))


def _evolved(
    catalogue: Catalogue, events: Sequence[CatalogueEvent], cause: Message
) -> list[tuple[CatalogueEvent, Message]]:
    for event in events:
        evolve(catalogue, event)
    return [(event, cause) for event in events]


def _count(events: Sequence[CatalogueEvent]) -> None:
    """By rule where a listing was linked, by what happened where not; a batch that fails is counted again."""
    for event in events:
        DECISIONS.labels(event.rule if isinstance(event, ListingLinked) else event.TYPE).inc()
