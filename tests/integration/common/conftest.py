"""A schema with the tables every service has, a small topic, and a fold that records what it was given."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from aiokafka import TopicPartition

from splitcart_common import events
from splitcart_common.clock import ScaledClock
from splitcart_common.consumer import ConsumerLoop
from splitcart_common.envelope import Envelope
from splitcart_common.kafka import ensure_topics
from splitcart_common.lanes import Limits, Message
from splitcart_common.migrations import migrate
from splitcart_common.outcomes import Ok, Outcome
from splitcart_common.postgres import Connection, Pool, create_pool
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRODUCT_OBSERVED, Topic
from tests.support.bus import Said, publish, say

SCHEMA = "loop_tests"
AT = datetime(2026, 9, 1, tzinfo=UTC)
QUICK = Limits(messages=5, first_retry_seconds=0.05, longest_retry_seconds=0.1)


async def eventually(true: Callable[[], Awaitable[object]], seconds: float = 15) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(seconds):
        while True:
            if await true():
                return
            await asyncio.sleep(0.01)


def abandoned(number: int, key: str = "aldi:G1") -> Said:
    """A small message whose number can be told from it."""
    event = events.ScrapeAbandoned(
        scrape_id=UUID(int=number), finished_at=AT, reason="network", detail=str(number), batches=0
    )
    return say(key, event, event_id=UUID(int=number), correlation_id=UUID(int=number), at=AT)


def garbage(key: str = "aldi:G1") -> Said:
    """A message nobody can read."""
    return replace(abandoned(0, key), value=b"{")


@dataclass
class Recorder:
    """A handler that writes down each message in the batch's transaction.

    `before_fold` and `in_fold` are called where their names say, with the number of the try.
    """

    before_fold: Callable[[int], Awaitable[None]] | None = None
    in_fold: Callable[[int, Connection], Awaitable[None]] | None = None
    tries: int = 0
    forgotten: int = 0
    batches: list[int] = field(default_factory=list)

    def digest(self, _key: str, _envelope: Envelope, event: events.Event) -> object:
        return event

    async def prepare(self, _where: TopicPartition, _messages: Sequence[Message]) -> None:
        self.tries += 1
        if self.before_fold:
            await self.before_fold(self.tries)

    async def fold(
        self, connection: Connection, where: TopicPartition, messages: Sequence[Message]
    ) -> Sequence[Outcome]:
        rows = [(where.partition, message.offset, int(message.event.detail)) for message in messages]
        await connection.executemany("INSERT INTO seen VALUES ($1, $2, $3)", rows)
        if self.in_fold:
            await self.in_fold(self.tries, connection)
        self.batches.append(len(messages))
        return [Ok() for _ in messages]

    def forget(self, _where: TopicPartition) -> None:
        self.forgotten += 1


@dataclass
class Bench:
    """Where a loop runs: broker, topic, schema."""

    broker: str
    prefix: str
    topic: Topic
    dsn: str
    pool: Pool

    def where(self, partition: int = 0) -> TopicPartition:
        return TopicPartition(self.topic.on_broker(self.prefix), partition)

    async def topics(self, partitions: int = 1) -> None:
        """Make the topic and its dead letters."""
        self.topic = replace(PRODUCT_OBSERVED, partitions=partitions)
        await ensure_topics(self.broker, self.prefix, [self.topic])

    async def publish(self, messages: Sequence[Said]) -> None:
        await publish(self.broker, self.prefix, messages)

    async def seen(self) -> list[int]:
        """The numbers that were folded, in the order of their offsets."""
        rows = await self.pool.fetch('SELECT number FROM seen ORDER BY partition, "offset"')
        return [row["number"] for row in rows]

    async def position(self, partition: int = 0) -> tuple[int, int] | None:
        """Epoch and next offset."""
        row = await self.pool.fetchrow(
            "SELECT epoch, next_offset FROM positions WHERE topic = $1 AND partition = $2",
            *self.where(partition),
        )
        return row and (row["epoch"], row["next_offset"])

    async def at(self, offset: int, partition: int = 0) -> None:
        """Wait until the position is there."""

        async def there() -> bool:
            found = await self.position(partition)
            return found is not None and found[1] == offset

        await eventually(there)

    async def set_position(self, offset: int, partition: int = 0) -> None:
        await self.pool.execute("INSERT INTO positions VALUES ($1, $2, 1, $3)", *self.where(partition), offset)

    def loop(self, handler: Recorder, *, limits: Limits = QUICK, pool: Pool | None = None) -> ConsumerLoop:
        return ConsumerLoop(
            service="ingest",
            purpose="tests",
            topics=[self.topic],
            handler=handler,
            pool=pool or self.pool,
            bootstrap=self.broker,
            prefix=self.prefix,
            clock=ScaledClock.real(),
            health=Health(),
            limits=limits,
        )

    @asynccontextmanager
    async def running(self, loop: ConsumerLoop) -> AsyncIterator[None]:
        """The loop while the body runs; if it fails, so does the body."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.run(stop))
            yield
            stop.set()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Connections to a schema that has positions, an outbox and the recorder's table."""
    await asyncio.to_thread(migrate, database, SCHEMA, [])
    made = await create_pool(database, schema=SCHEMA, service="tests", max_size=6)
    try:
        await made.execute('CREATE TABLE seen (partition int, "offset" bigint, number int)')
        yield made
    finally:
        await made.close()


@pytest.fixture
def bench(broker: str, topic_prefix: str, database: str, pool: Pool) -> Bench:
    """Everything a loop needs; its topic is made by `topics`."""
    return Bench(broker, topic_prefix, PRODUCT_OBSERVED, database, pool)
