"""How a consumer's partitions get on: their lag, what stands still, and how far a long fold has come."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from splitcart_common.lanes import Lane
from splitcart_common.reading import reading
from splitcart_common.telemetry import (
    CATCHING_UP,
    DEAD_LETTER_MESSAGES,
    LAG_MESSAGES,
    LAG_SECONDS,
    LOOKED_AT,
    STALLED_SECONDS,
    Health,
)
from splitcart_common.topics import Topic

log = structlog.get_logger()

LONG_FOLD_MESSAGES: Final = 1_000
"""From so many messages behind on, it is said how far the fold has come."""
SAY_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.2
LETTERS_SECONDS: Final = 30.0
LONGEST_LOOK_SECONDS: Final = 2.0


@dataclass(slots=True)
class _Mark:
    """Where a lane stood when it moved last, or had nothing left to fold; `since` by the monotonic clock."""

    offset: int
    since: float
    first: int


@dataclass(slots=True)
class _Long:
    """A fold that was far behind when it was seen: since when, and how many messages were folded before."""

    since: float
    before: int
    said: float


@dataclass(slots=True)
class Progress:
    """Of one loop. Whoever consumes asks whether it is `due`, then calls `look` for each lane, and `told`.

    What does not move for `stalled_seconds` though there is more to fold makes the service not ready. That is
    judged when somebody asks, so that a process whose event loop hangs does not pass for a healthy one.
    """

    service: str
    health: Health
    stalled_seconds: float
    _marks: dict[TopicPartition, _Mark] = field(default_factory=dict)
    _left: dict[TopicPartition, int] = field(default_factory=dict)
    _long: _Long | None = None
    _next: float = 0.0

    def due(self) -> bool:
        """Whether it is time to look again; a loop that is busy comes by much more often than that is worth."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + LOOK_SECONDS
        return True

    def look(self, lane: Lane, end: int) -> None:
        """Note where a lane stands, of a log that goes to `end`."""
        now, where, lag = time.monotonic(), lane.where, max(0, end - lane.next_offset)
        mark = self._marks.get(where)
        if mark is None or not lag or mark.offset != lane.next_offset:
            first = lane.next_offset if mark is None else mark.first
            mark = self._marks[where] = _Mark(lane.next_offset, now, first)
            at = f"{datetime.now(UTC):%H:%M:%S} UTC"
            why = f"stalled: at offset {lane.next_offset} since {at}, and there is more"
            self.health.expect(_name(where), self.stalled_seconds, why)
        stalled, oldest = now - mark.since, lane.oldest_at
        labels = (self.service, lane.topic.name, where.partition)
        LAG_MESSAGES.labels(*labels).set(lag)
        STALLED_SECONDS.labels(*labels).set(stalled if lag else 0)
        # What is not fetched yet is as old at least as what was folded last.
        LAG_SECONDS.labels(*labels).set(0 if not lag else stalled if oldest is None else time.time() - oldest)
        self._left[where] = lag

    def forget(self, lane: Lane) -> None:
        """It is another process's to tell from now on."""
        self._marks.pop(lane.where, None)
        self._left.pop(lane.where, None)
        self.health.has(_name(lane.where))
        for gauge in (LAG_MESSAGES, LAG_SECONDS, STALLED_SECONDS):
            with suppress(KeyError):  # not measured yet
                gauge.remove(self.service, lane.topic.name, lane.where.partition)

    def told(self) -> None:
        """Say how far a long fold is, every now and then; a fold that keeps up is not worth a line."""
        now, left = time.monotonic(), sum(self._left.values())
        LOOKED_AT.labels(self.service).set(time.time())
        folded = sum(mark.offset - mark.first for mark in self._marks.values())
        if self._long is None:
            if left < LONG_FOLD_MESSAGES:
                return
            self._long = _Long(now, folded, now - SAY_SECONDS)
        seconds, done = now - self._long.since, folded - self._long.before
        for of, messages in (("folded", done), ("total", done + left)):
            CATCHING_UP.labels(self.service, of).set(messages)
        if not left:
            self._long = None
            log.info("caught up", folded=done, seconds=round(seconds, 1))
        elif now - self._long.said >= SAY_SECONDS:
            self._long.said = now
            rate = done / seconds if seconds else 0.0
            left_seconds = round(left / rate) if rate else None
            log.info("folding", folded=done, total=done + left, per_second=round(rate), seconds_left=left_seconds)


@asynccontextmanager
async def counting_dead_letters(
    bootstrap: str, prefix: str, service: str, topics: Sequence[Topic]
) -> AsyncIterator[None]:
    """Keep the gauge of how many dead letters there are while the body runs.

    They are counted where they are kept, so that a restart does not make them forgotten.
    """
    over = asyncio.Event()
    names = {topic.dead_letter_topic(prefix, service): topic.name for topic in topics if topic.dead_letters}
    task = asyncio.create_task(_count_dead_letters(bootstrap, prefix, service, names, over), name="dead letters")
    try:
        yield
    finally:
        over.set()
        # A look that is cancelled leaves a connection half open: it is given the time to end.
        with suppress(TimeoutError):
            await asyncio.wait_for(task, LONGEST_LOOK_SECONDS)


async def _count_dead_letters(
    bootstrap: str, prefix: str, service: str, names: Mapping[str, str], over: asyncio.Event
) -> None:
    while names:
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), LETTERS_SECONDS)
            return
        with suppress(KafkaError, OSError):  # the broker is away: that is said elsewhere
            async with reading(bootstrap, prefix) as reader:
                there = [TopicPartition(name, 0) for name in names if name in reader.partitions]
                for span in await reader.spans(there):
                    DEAD_LETTER_MESSAGES.labels(service, names[span.where.topic]).set(span.size)


def _name(where: TopicPartition) -> str:
    return f"progress of {where.topic}/{where.partition}"
