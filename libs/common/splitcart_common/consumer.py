"""The one consumer loop: positions in Postgres, a fence of epochs, bounded memory, dead letters.

Each assigned partition is a lane with at most one batch in work and one waiting; no more of it is taken until
there is room, while heart-beats go on. A batch is one transaction: position locked and checked,
effect, outbox, new position. Delivery is at least once, and the position makes the effect exactly once.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener

from splitcart_common import positions
from splitcart_common.clock import Clock
from splitcart_common.kafka import make_consumer
from splitcart_common.lanes import Handler, Lane, Limits
from splitcart_common.postgres import TRANSIENT, Pool
from splitcart_common.progress import Progress, counting_dead_letters
from splitcart_common.retry import until_there
from splitcart_common.telemetry import Health
from splitcart_common.topics import Topic

log = structlog.get_logger()

POLL_MILLISECONDS = 100
FULL_MILLISECONDS = 5
"""How long to wait for room where as much is held as may be."""
ASK_SECONDS = 30.0
"""How long nothing is asked for where there is no room; the group bears minutes."""

Bounds = Callable[[TopicPartition], Awaitable[tuple[int, int]]]


@dataclass(slots=True, kw_only=True)
class Lanes:
    """The partitions that are this process's, a lane each, whoever fetches for them."""

    service: str
    topics: Sequence[Topic]
    handler: Handler
    pool: Pool
    prefix: str
    clock: Clock
    health: Health
    limits: Limits = field(default_factory=Limits)
    _lanes: dict[TopicPartition, Lane] = field(default_factory=dict)
    _failed: asyncio.Future[None] | None = None
    _progress: Progress = field(init=False)
    _turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._turns = asyncio.Semaphore(self.limits.working or sys.maxsize)
        self._progress = Progress(self.service, self.health, self.limits.stalled_seconds)

    def begin(self) -> asyncio.Future[None]:
        """What ends with the first error of a lane, but for a systemic stop."""
        self._failed = asyncio.get_running_loop().create_future()
        return self._failed

    @property
    def room(self) -> int:
        """How many messages more may be held."""
        return self.limits.held - sum(lane.held for lane in self._lanes.values())

    @property
    def places(self) -> frozenset[TopicPartition]:
        """The partitions that are this process's at the moment."""
        return frozenset(self._lanes)

    async def claim(self, where: TopicPartition, bounds: Bounds) -> Lane:
        """Take a partition over: a new epoch fences its former owner. The lane stands at the position of Postgres.

        `bounds` asks the broker where the partition begins and ends.
        """
        epoch, position = await until_there(
            "postgres", lambda: positions.claim(self.pool, where), unavailable=TRANSIENT, health=self.health
        )
        positions.check_position(where, position, *await bounds(where))
        return Lane(
            service=self.service,
            topic=next(topic for topic in self.topics if topic.on_broker(self.prefix) == where.topic),
            where=where,
            prefix=self.prefix,
            epoch=epoch,
            next_offset=position,
            handler=self.handler,
            pool=self.pool,
            clock=self.clock,
            health=self.health,
            limits=self.limits,
            turns=self._turns,
        )

    def open(self, lane: Lane) -> None:
        """Begin to fold what is put into a lane."""
        self._lanes[lane.where] = lane
        lane.start(self.fail)

    async def drop(self, partitions: Sequence[TopicPartition]) -> None:
        """Give partitions up: what is in work is rolled back or committed, never half done."""
        for where in partitions:
            lane = self._lanes.pop(where, None)
            if lane is not None:
                await lane.stop()
                self._progress.forget(lane)

    def fail(self, error: BaseException) -> None:
        """End the loop with an error of one of its lanes."""
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

    def measure_lag(self, end_of: Callable[[TopicPartition], int | None]) -> None:
        """Set the gauges, given where each partition ends as far as is known; now and then, if called often."""
        if not self._progress.due():
            return
        for where, lane in self._lanes.items():
            end = end_of(where)
            if end is not None:
                self._progress.look(lane, end)
        self._progress.told()


@dataclass(slots=True, kw_only=True)
class ConsumerLoop(Lanes):
    """Consumes topics for one service and purpose; the group is ``<prefix>.<service>.<purpose>``.

    `alone`: it joins no group and has every partition from the start. Whoever runs it knows that nobody else does.
    """

    purpose: str
    bootstrap: str
    instance: str | None = None
    alone: bool = False
    _asked_at: float = field(default_factory=time.monotonic)

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`; an error that is neither transient nor a message's own passes through.

        Raises positions.PositionError where the log no longer holds, or does not yet reach, a stored position.
        """
        failed = self.begin()
        group = None if self.alone else f"{self.prefix}.{self.service}.{self.purpose}"
        instance = self.instance and f"{self.service}-{self.purpose}-{self.instance}"
        consumer = make_consumer(self.bootstrap, group, f"splitcart-{self.service}", instance)
        if not self.alone:
            names = [topic.on_broker(self.prefix) for topic in self.topics]
            consumer.subscribe(names, listener=_Assignments(self, consumer))
        await consumer.start()
        try:
            async with counting_dead_letters(self.bootstrap, self.prefix, self.service, self.topics):
                if self.alone:
                    await self._take_all(consumer)
                while not stop.is_set() and not failed.done():
                    await self._poll(consumer)
                if failed.done():
                    failed.result()
        finally:
            await self.drop(list(self._lanes))
            await consumer.stop()

    async def _take_all(self, consumer: AIOKafkaConsumer) -> None:
        places = [TopicPartition(t.on_broker(self.prefix), n) for t in self.topics for n in range(t.partitions)]
        consumer.assign(places)
        await asyncio.gather(*(self.add(consumer, where) for where in places))

    async def add(self, consumer: AIOKafkaConsumer, where: TopicPartition) -> None:
        """Claim a partition and go on at its position."""

        async def bounds(_: TopicPartition) -> tuple[int, int]:
            start = (await consumer.beginning_offsets([where]))[where]
            return start, (await consumer.end_offsets([where]))[where]

        lane = await self.claim(where, bounds)
        consumer.seek(where, lane.next_offset)
        self.open(lane)

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        room = self.room
        ready = [where for where, lane in self._lanes.items() if not lane.full] if room > 0 else []
        if ready:
            # One that is full now may have room in a moment, and something at hand already.
            wait = POLL_MILLISECONDS if len(ready) == len(self._lanes) else FULL_MILLISECONDS
            most = min(self.limits.messages, room)
            for where, records in (await consumer.getmany(*ready, timeout_ms=wait, max_records=most)).items():
                if where in self._lanes:  # else taken away since: its next owner reads it again
                    self._lanes[where].put(records)
            self._asked_at = time.monotonic()
        else:
            await asyncio.sleep((FULL_MILLISECONDS if self._lanes else POLL_MILLISECONDS) / 1000)
            await self._keep_place(consumer)
        self.measure_lag(consumer.highwater)

    async def _keep_place(self, consumer: AIOKafkaConsumer) -> None:
        """Ask although nothing can be taken: a member that asks for nothing for minutes is put out of its group.

        Only then are partitions paused: aiokafka throws away what it has at hand of one that is.
        """
        if time.monotonic() - self._asked_at < ASK_SECONDS:
            return
        places = list(self._lanes)
        consumer.pause(*places)
        await consumer.getmany(timeout_ms=0)
        consumer.resume(*(where for where in places if where in self._lanes))
        self._asked_at = time.monotonic()


class _Assignments(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    def __init__(self, loop: ConsumerLoop, consumer: AIOKafkaConsumer) -> None:
        self._loop = loop
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._loop.drop(list(revoked))

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        # aiokafka logs and forgets what a listener raises: the loop has to be told.
        try:
            await asyncio.gather(*(self._loop.add(self._consumer, where) for where in assigned))
        except Exception as error:  # noqa: BLE001 - handed on, not swallowed
            self._loop.fail(error)
        log.info("partitions assigned", partitions=sorted(f"{w.topic}/{w.partition}" for w in assigned))


async def run_until_first_ends(*jobs: Any) -> None:
    """Run coroutines together: when one ends or fails, the rest are cancelled; the failure passes through."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task
