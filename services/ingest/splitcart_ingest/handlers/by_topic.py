"""Which handler takes which topic."""

from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.lanes import Handler, Message
from splitcart_common.outcomes import Outcome
from splitcart_common.postgres import Connection
from splitcart_common.topics import topic_of


class ByTopic:
    """Hands each partition to the handler of its topic."""

    def __init__(self, prefix: str, handlers: Mapping[str, Handler]) -> None:
        self._prefix = prefix
        self._handlers = handlers

    def digest(self, key: str, envelope: Envelope, event: Event) -> object:
        """As the handler of the event's topic does."""
        return self._handlers[topic_of(type(event)).on_broker(self._prefix)].digest(key, envelope, event)

    async def prepare(self, where: TopicPartition, messages: Sequence[Message]) -> None:
        """As the topic's handler does."""
        await self._handlers[where.topic].prepare(where, messages)

    async def fold(
        self, connection: Connection, where: TopicPartition, messages: Sequence[Message]
    ) -> Sequence[Outcome]:
        """As the topic's handler does."""
        return await self._handlers[where.topic].fold(connection, where, messages)

    def forget(self, where: TopicPartition) -> None:
        """As the topic's handler does."""
        self._handlers[where.topic].forget(where)
