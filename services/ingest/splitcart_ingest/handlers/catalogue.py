"""`catalogue`: what was decided, folded into the tables without deciding anything."""

from collections.abc import Sequence
from typing import cast

from aiokafka import TopicPartition

from splitcart_common.envelope import Envelope
from splitcart_common.events import CatalogueEvent, Event
from splitcart_common.lanes import Message
from splitcart_common.outcomes import Ok, Outcome, Skip
from splitcart_common.postgres import Connection
from splitcart_ingest.identity.tables import apply


class CatalogueHandler:
    """Folds `catalogue`. A replay folds all of it, so that it repeats decisions and makes none.

    `own_from`: from this offset on stands what this process says itself, and has in the tables by then.
    """

    def __init__(self, own_from: int | None = None) -> None:
        self._own_from = own_from

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
        """Write what was decided, in the caller's transaction."""
        outcomes: list[Outcome] = [
            Skip("own") if self._own_from is not None and message.offset >= self._own_from else Ok()
            for message in messages
        ]
        said = [message.event for message, outcome in zip(messages, outcomes, strict=True) if outcome == Ok()]
        await apply(connection, cast("list[CatalogueEvent]", said))
        return outcomes

    def forget(self, where: TopicPartition) -> None:
        """Nothing is cached."""
