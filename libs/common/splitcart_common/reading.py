"""Looking at the log without being a consumer of it: no group, no commit, and an end that is known beforehand."""

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaTimeoutError
from aiokafka.partitioner import DefaultPartitioner

FETCH_BYTES: Final = 512 << 10
"""Held of each partition at once, compressed; a larger batch comes alone."""
FETCH_RECORDS: Final = 200
WAIT_MILLISECONDS: Final = 200
STALLED_SECONDS: Final = 30.0
"""After which a broker that gives nothing more, though there is more, is given up."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of one partition: the offsets from `start` to before `end`. A compacted one has gaps."""

    where: TopicPartition
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many offsets: as many messages, or fewer."""
        return max(0, self.end - self.start)


def partition_of(key: str, partitions: int) -> int:
    """Where our producers put a key."""
    places = list(range(partitions))
    number: int = DefaultPartitioner()(key.encode(), places, places)
    return number


class LogReader:
    """Reads parts of partitions. `passed` counts the offsets read over since it was made."""

    def __init__(self, consumer: AIOKafkaConsumer, partitions: Mapping[str, int]) -> None:
        self._consumer = consumer
        self.partitions = partitions
        """The topics there are, by their names on the broker, and how many partitions each has."""
        self.passed = 0
        self._moved_at = 0.0

    async def spans(self, where: Iterable[TopicPartition], since: datetime | None = None) -> list[Span]:
        """All that stands in these partitions now, or what the broker was given at a (wall) moment and later.

        Messages bear their sender's times, which may run backwards: a part begins where the first one stands that
        is not before the moment, and earlier ones may follow it.
        """
        places = sorted(set(where))
        if not places:
            return []
        starts = await self._consumer.beginning_offsets(places)
        ends = await self._consumer.end_offsets(places)
        if since is not None:
            moments = dict.fromkeys(places, int(since.timestamp() * 1000))
            for place, found in (await self._consumer.offsets_for_times(moments)).items():
                starts[place] = max(starts[place], ends[place] if found is None else found.offset)
        return [Span(place, starts[place], ends[place]) for place in places]

    async def batches(self, spans: Sequence[Span]) -> AsyncIterator[list[ConsumerRecord]]:
        """The messages of the parts, some of one partition at a time, in the order of each partition."""
        left = await self._begin(spans)
        while left:
            for records in await self._fetch(left, list(left)):
                yield records

    async def in_time_order(self, spans: Sequence[Span]) -> AsyncIterator[ConsumerRecord]:
        """The messages of the parts, merged by the broker's times; those of one partition stay in their order."""
        left = await self._begin(spans)
        waiting: dict[TopicPartition, deque[ConsumerRecord]] = {place: deque() for place in left}
        heads: list[tuple[int, TopicPartition]] = []
        while left or heads:
            # A partition's next message must be known before another's can be the oldest.
            behind = [place for place in left if not waiting[place]]
            if behind:
                for records in await self._fetch(left, behind):
                    place = TopicPartition(records[0].topic, records[0].partition)
                    heapq.heappush(heads, (records[0].timestamp, place))
                    waiting[place] += records
                continue
            _, place = heapq.heappop(heads)
            queue = waiting[place]
            yield queue.popleft()
            if queue:
                heapq.heappush(heads, (queue[0].timestamp, place))

    async def follow(self, starts: Mapping[TopicPartition, int]) -> AsyncIterator[ConsumerRecord]:
        """What stands from these offsets on and whatever comes, without end; what comes together, by time."""
        self._consumer.assign(list(starts))
        for place, offset in starts.items():
            self._consumer.seek(place, offset)
        while starts:
            got = await self._consumer.getmany(timeout_ms=WAIT_MILLISECONDS, max_records=FETCH_RECORDS)
            for record in heapq.merge(*got.values(), key=lambda record: record.timestamp):
                yield record

    async def one(self, where: TopicPartition, offset: int) -> ConsumerRecord | None:
        """The message at an offset; None where there is none (any more, or yet)."""
        for span in await self.spans([where]):
            if span.start <= offset < span.end:
                async for records in self.batches([Span(where, offset, offset + 1)]):
                    return records[0]
        return None

    async def _begin(self, spans: Sequence[Span]) -> dict[TopicPartition, Span]:
        left = {span.where: span for span in spans if span.size}
        self._moved_at = asyncio.get_running_loop().time()
        if left:
            self._consumer.assign(list(left))
        for span in left.values():
            self._consumer.seek(span.where, span.start)
        return left

    async def _fetch(
        self, left: dict[TopicPartition, Span], places: Sequence[TopicPartition]
    ) -> list[list[ConsumerRecord]]:
        """Some messages of these partitions; those that are read to their end are taken out of `left`."""
        before = {place: await self._consumer.position(place) for place in places}
        passed, now_at = self.passed, asyncio.get_running_loop().time()
        got = await self._consumer.getmany(*places, timeout_ms=WAIT_MILLISECONDS, max_records=FETCH_RECORDS)
        for place in places:
            # The position passes over what compaction took out, the last message too.
            end, now = left[place].end, await self._consumer.position(place)
            self.passed += min(now, end) - min(before[place], end)
            if now >= end:
                del left[place]
                self._consumer.pause(place)
            got[place] = [record for record in got.get(place, ()) if record.offset < end]
        if self.passed > passed:
            self._moved_at = now_at
        elif now_at - self._moved_at > STALLED_SECONDS:
            raise KafkaTimeoutError(f"nothing came of {places[0].topic} for {STALLED_SECONDS:g} s")
        return [records for records in got.values() if records]


@asynccontextmanager
async def reading(bootstrap: str, prefix: str) -> AsyncIterator[LogReader]:
    """A reader of the topics of a prefix; errors of `kafka.UNAVAILABLE` where there is no broker."""
    partitions = await _partitions(bootstrap, prefix)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        client_id="splitcart-reader",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=WAIT_MILLISECONDS,
    )
    try:
        await consumer.start()
        yield LogReader(consumer, partitions)
    finally:
        await asyncio.shield(consumer.stop())


async def _partitions(bootstrap: str, prefix: str) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="splitcart-reader")
    try:
        await admin.start()
        names = sorted(name for name in await admin.list_topics() if name.startswith(f"{prefix}."))
        found = await admin.describe_topics(names) if names else []
        return {topic["topic"]: len(topic["partitions"]) for topic in found}
    finally:
        await admin.close()
