"""Where Faust's consumption ends and ours begins: what it fetched goes into lanes, at the positions of Postgres.

Faust joins the group, fetches, runs the stream and the timers, and is trusted with nothing that could lose a
message (docs/decisions/0013-faust-without-tables.md). Where reading goes on is Postgres's to say, what may be
fetched is for the lanes to say; and every message bears the offset it follows, so that one which does not
follow what its lane has is not folded: reading goes back to where the lane is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import faust
import structlog
from aiokafka import ConsumerRecord, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from splitcart_common.consumer import Lanes
from splitcart_common.kafka import UNAVAILABLE
from splitcart_common.lanes import Lane
from splitcart_common.retry import until_there
from splitcart_common.topics import Topic

log = structlog.get_logger()

POLL_SECONDS = 0.1
"""How long a fetch waits for something to come; a lane that has room again, or a stop, waits as long for it."""
_NOWHERE = frozenset({TP("", -1)})
"""Asked for where no lane has room: a member that asks for nothing for minutes is put out of the group."""

AIOKafka = Any
"""The consumer of aiokafka, which ships no types."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record, the offset up to which nothing else stands before it, and the seek since which it was read."""

    record: ConsumerRecord
    follows: int
    seek: int

    @property
    def where(self) -> TopicPartition:
        """The partition it stands in."""
        return TopicPartition(self.record.topic, self.record.partition)


class FetchedMessage(ConsumerMessage):
    """What goes through Faust's stream."""

    __slots__ = ("fetched",)
    fetched: Fetched


class Untouched(faust.Schema):  # type: ignore[type-arg] # takes none at run time
    """Keys and values as they stand in the log, null included: the lane decodes, as it knows what to do then."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002 - Schema's
        """The bytes."""
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002 - Schema's
        """The bytes."""
        return message.value


@dataclass(slots=True, kw_only=True)
class Intake(Lanes):
    """The lanes of this process, filled from a Faust stream.

    `before` is awaited at each assignment, before any partition of it is taken over.
    """

    before: Callable[["Consumer"], Awaitable[None]]
    _ends: dict[TopicPartition, int] = field(default_factory=dict)
    _seeks: dict[TopicPartition, int] = field(default_factory=dict)
    _count: Iterator[int] = field(default_factory=lambda: count(1))
    _late: dict[TopicPartition, int] = field(default_factory=dict)
    _consumer: "Consumer | None" = None
    _task: asyncio.Task[None] | None = None

    def assigned(self, consumer: "Consumer", partitions: Collection[TopicPartition]) -> None:
        """Take partitions over, beside the rebalance: a member that waits within one sends no heart-beats."""
        self._consumer = consumer
        self._task = asyncio.create_task(self._take_over(consumer, partitions), name="take over")

    async def give_up(self) -> None:
        """Stop all lanes: every rebalance begins with it, and the end of the process."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        for held in (self._ends, self._seeks, self._late):
            held.clear()
        await self.drop(list(self._lanes))

    async def put(self, fetched: Fetched) -> None:
        """Hand a message to its lane; drop what is not ours or was put before, go back where one is missing."""
        where = fetched.where
        if self._seeks.get(where) != fetched.seek:
            return  # read before it was ours, or before reading went back
        end = self._ends[where]
        if fetched.follows > end:
            await self._go_back({where: end})
        elif fetched.record.offset >= end:
            self._ends[where] = fetched.record.offset + 1
            self._lanes[where].put([fetched.record])

    async def look_back(self) -> None:
        """Go back where what was read has not come since the last look: it may have been the last for a while."""
        if self._consumer is None:
            return
        late = {where: end for where, end in self._ends.items() if self._consumer.read_until(where) > end}
        lost = {where: end for where, end in late.items() if self._late.get(where) == end}
        self._late = late
        if lost:
            await self._go_back(lost)

    def wanted(self) -> tuple[frozenset[TP], int]:
        """What to fetch: the partitions whose lane has no batch waiting, and how many messages at most."""
        room = min(self.limits.messages, self.room)
        if room <= 0:
            return _NOWHERE, 1
        return frozenset(TP(*where) for where in self._ends if not self._lanes[where].full) or _NOWHERE, room

    def owned(self, topic: Topic) -> list[Lane]:
        """The lanes of a topic's partitions."""
        return [lane for lane in self._lanes.values() if lane.topic is topic]

    async def _take_over(self, consumer: "Consumer", partitions: Collection[TopicPartition]) -> None:
        try:
            await until_there(
                "kafka", lambda: self._claim(consumer, partitions), unavailable=UNAVAILABLE, health=self.health
            )
        except Exception as error:  # noqa: BLE001 - handed on to who waits for the first failure
            self.fail(error)
        else:
            log.info("partitions assigned", partitions=sorted(f"{w.topic}/{w.partition}" for w in partitions))

    async def _claim(self, consumer: "Consumer", partitions: Collection[TopicPartition]) -> None:
        await self.before(consumer)
        # One after the other: a claim left behind by one that failed would fence whoever claims next.
        for where in sorted(set(partitions) - self._lanes.keys()):
            lane = await self.claim(where, consumer.bounds)
            self.open(lane)
            self._ends[lane.where] = lane.next_offset
        await self._go_on(self._ends)

    async def _go_back(self, positions: Mapping[TopicPartition, int]) -> None:
        log.warning("going back", to={f"{w.topic}/{w.partition}": offset for w, offset in positions.items()})
        await self._go_on(positions)

    async def _go_on(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read on at these offsets, and take nothing that was read before."""
        if self._consumer is not None:
            seek = next(self._count)
            self._seeks.update(dict.fromkeys(positions, seek))
            await self._consumer.go_on_at(dict(positions), seek)


class _NothingRead(dict[TP, int | None]):
    """Faust drops what lies below the offset it read last, even if that never reached anyone: so it knows none."""

    def __getitem__(self, partition: TP) -> None:
        return None


class _Thread(driver.AIOKafkaConsumerThread):
    """The thread that aiokafka lives in. All of this class runs there: a fetch and a seek never overlap."""

    transport: "Transport"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.read: dict[TopicPartition, tuple[int, int]] = {}
        """Up to where each partition was read, and since which seek."""

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> AIOKafka:  # noqa: ARG002 - Faust's signature
        # Ours: Faust's own waits 1.5 s in a fetch, during which no other partition is fetched.
        return self.transport.connect()

    async def fetch(self, partitions: Collection[TP], most: int) -> Mapping[TP, list[Fetched]]:
        """Some records, each with what it follows."""
        records = await self._fetch_records(
            self._ensure_consumer(), set(partitions), timeout=POLL_SECONDS, max_records=most
        )
        return {tp: [self._mark(record) for record in batch] for tp, batch in records.items()}

    def _mark(self, record: ConsumerRecord) -> Fetched:
        where = TopicPartition(record.topic, record.partition)
        follows, seek = self.read.get(where, (0, 0))
        self.read[where] = record.offset + 1, seek
        return Fetched(record, follows, seek)

    async def go_on_at(self, positions: Mapping[TopicPartition, int], seek: int) -> None:
        """Read on at these offsets; partitions that were taken away meanwhile are left alone."""
        consumer = self._ensure_consumer()
        for where, offset in positions.items():
            if where in consumer.assignment():
                consumer.seek(where, offset)
                self.read[where] = offset, seek


class Consumer(driver.Consumer):
    """Faust's consumer without its ideas of where to read on, what was read, and when to pause."""

    transport: "Transport"
    _thread: _Thread

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._read_offset = _NothingRead()

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop the lanes before anything else: the broker waits for this before it gives partitions to another."""
        await self.transport.intake.give_up()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Let Faust make itself ready, then take the partitions over."""
        await super().on_partitions_assigned(assigned, generation_id)
        self.transport.intake.assigned(self, [TopicPartition(*where) for where in assigned])

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek nowhere: Faust does so at the end of a rebalance, after or before a partition was taken over."""
        return {}

    async def go_on_at(self, positions: Mapping[TopicPartition, int], seek: int) -> None:
        """Read on at these offsets."""
        await self._thread.call_thread(self._thread.go_on_at, positions, seek)

    def read_until(self, where: TopicPartition) -> int:
        """Up to where a partition was read."""
        return self._thread.read.get(where, (0, 0))[0]

    async def bounds(self, where: TopicPartition) -> tuple[int, int]:
        """Where a partition begins and ends."""
        return (await self.earliest_offsets(where))[where], (await self.highwaters(where))[where]

    def highwater(self, tp: TP) -> int | None:  # type: ignore[override] # Faust's fails for what is not ours
        """Where a partition of ours ends, as of the last fetch."""
        return self._thread.highwater(tp) if tp in self._thread.assignment() else None

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:  # noqa: ARG002 - Faust's signature
        # Faust's own filter is the live set of what is not paused: what is paused while its records are handed
        # out is lost, as aiokafka has moved on past them. Ours does not change while they are.
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type] # an event is waited for, as Faust does
        partitions, most = self.transport.intake.wanted()
        return await self._thread.call_thread(self._thread.fetch, partitions, most), partitions

    def _to_message(self, tp: TP, record: Fetched) -> FetchedMessage:
        message = FetchedMessage(
            tp.topic,
            tp.partition,
            record.record.offset,
            record.record.timestamp / 1000,
            record.record.timestamp_type,
            record.record.headers,
            record.record.key,
            record.record.value,
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,  # without it the stream would throw it away
        )
        message.fetched = record
        return message

    def close(self) -> None:
        """Leave it to the stop that is under way: Faust's own closes the connections on the wrong loop."""


class Transport(driver.Transport):
    """What makes a Faust app read through an intake."""

    Consumer = Consumer

    def __init__(self, app: faust.App, intake: Intake, connect: Callable[[], AIOKafka]) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.intake = intake
        self.connect = connect
