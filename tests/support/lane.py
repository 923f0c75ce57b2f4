"""A consumer's lane without a broker: what it is given is folded as it would be, and what became of it is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiokafka import ConsumerRecord, TopicPartition

from splitcart_common.clock import FrozenClock
from splitcart_common.dead_letters import Tolerance
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.lanes import Handler, Lane, Limits, Message
from splitcart_common.outbox import OutboxRow
from splitcart_common.outcomes import DeadLetter, Outcome, Skip
from splitcart_common.positions import claim
from splitcart_common.postgres import Connection, Pool
from splitcart_common.telemetry import Health
from splitcart_common.topics import Topic

NOW = datetime(2026, 10, 1, tzinfo=UTC)
"""When the broker had every message that does not say otherwise."""


@dataclass
class Watching:
    """A handler, and what it says became of each message."""

    handler: Handler
    became: dict[int, str] = field(default_factory=dict)

    def digest(self, key: str, envelope: Envelope, event: Event) -> object:
        return self.handler.digest(key, envelope, event)

    async def prepare(self, where: TopicPartition, messages: Sequence[Message]) -> None:
        await self.handler.prepare(where, messages)

    async def fold(
        self, connection: Connection, where: TopicPartition, messages: Sequence[Message]
    ) -> Sequence[Outcome]:
        outcomes = await self.handler.fold(connection, where, messages)
        for message, outcome in zip(messages, outcomes, strict=True):
            self.became[message.offset] = outcome.why if isinstance(outcome, Skip) else "folded"
        return outcomes

    def forget(self, where: TopicPartition) -> None:
        self.handler.forget(where)


class ToldLane(Lane):
    """A lane that notes the reasons of its dead letters."""

    def _dead_letter(self, record: ConsumerRecord, why: DeadLetter) -> OutboxRow:
        assert isinstance(self.handler, Watching)
        self.handler.became[record.offset] = str(why.reason)
        return super()._dead_letter(record, why)


@dataclass
class Folding:
    """A partition that is folded by hand: messages in, what became of them out."""

    lane: ToldLane
    watching: Watching
    next_offset: int = 0

    async def fold(
        self, *messages: tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]], at: datetime = NOW
    ) -> list[str]:
        """Fold messages (key, value, headers) as one batch; `folded`, why it was ignored, or its reason."""
        stamp = int(at.timestamp() * 1000)
        records = [
            ConsumerRecord(*self.lane.where, offset, stamp, 0, key, value, None, 0, 0, tuple(headers))
            for offset, (key, value, headers) in enumerate(messages, self.next_offset)
        ]
        await self.lane._fold(records)
        self.next_offset += len(records)
        return [self.watching.became[record.offset] for record in records]


async def folding(
    pool: Pool, topic: Topic, handler: Handler, partition: int = 0, dead: Tolerance | None = None
) -> Folding:
    """A lane of a topic's partition, which nobody has folded anything of."""
    where = TopicPartition(topic.on_broker("byhand"), partition)
    epoch, position = await claim(pool, where)
    watching = Watching(handler)
    lane = ToldLane(
        service="ingest",
        topic=topic,
        where=where,
        prefix="byhand",
        epoch=epoch,
        next_offset=position,
        handler=watching,
        pool=pool,
        clock=FrozenClock(NOW + timedelta(days=1)),
        health=Health(),
        limits=Limits(dead=dead or Tolerance()),
    )
    return Folding(lane, watching)
