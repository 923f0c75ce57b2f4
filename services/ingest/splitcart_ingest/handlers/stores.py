"""`stores`: the outlets as they are now."""

from collections.abc import Sequence

from aiokafka import TopicPartition

from splitcart_common import events
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.lanes import Message
from splitcart_common.outcomes import Ok, Outcome
from splitcart_common.postgres import Connection
from splitcart_ingest.handlers.problems import problem_of
from splitcart_ingest.store import close_store, describe_store


class StoreHandler:
    """Folds `stores`: the outlets as they are now."""

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
        """Write each outlet's latest state."""
        outcomes: list[Outcome] = []
        for message in messages:
            problem = problem_of(message)
            if problem is None:
                match message.event:
                    case events.StoreDiscovered() as event:
                        await describe_store(connection, event)
                    case events.StoreClosed() as event:
                        await close_store(connection, event)
            outcomes.append(problem or Ok())
        return outcomes

    def forget(self, where: TopicPartition) -> None:
        """Nothing is cached."""
