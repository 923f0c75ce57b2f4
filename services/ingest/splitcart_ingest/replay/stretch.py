"""Folding a part of one partition into a generation: the live lane and handlers, fed up to an offset."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from aiokafka import ConsumerRecord, TopicPartition
from msgspec import Struct

from splitcart_common.consumer import Lanes
from splitcart_common.dead_letters import Tolerance
from splitcart_common.lanes import Lane, Limits
from splitcart_common.positions import FencedError
from splitcart_common.postgres import Connection, create_pool
from splitcart_common.reading import LogReader, Span, reading
from splitcart_common.telemetry import Health
from splitcart_ingest.app import FOLDED, SERVICE, folds
from splitcart_ingest.handlers.by_topic import ByTopic
from splitcart_ingest.replay.building import SQL
from splitcart_ingest.replay.errors import StoppedError
from splitcart_ingest.replay.selection import Selected, Selection
from splitcart_ingest.settings import IngestSettings

LOOK_SECONDS: Final = 0.002
"""How long to wait for a lane that has no room."""
MESSAGES: Final = 500
"""A transaction's: twice what the live fold takes, as nobody waits for the prices meanwhile."""


class Stretch(Struct, frozen=True):
    """A partition up to an offset, from where it is folded to; `refused` offsets have dead letters."""

    topic: str
    partition: int
    end: int
    refused: tuple[int, ...] = ()

    @property
    def where(self) -> TopicPartition:
        """The partition."""
        return TopicPartition(self.topic, self.partition)


class Recorded:
    """The clock of a replay: whether a message came from the future was judged when it came.

    What failed then has a dead letter; what did not is not judged again, by a clock that may have been set anew.
    """

    _LONG_AFTER: Final = datetime(9999, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """Long after everything that was ever said."""
        return self._LONG_AFTER

    def wall(self) -> datetime:
        """The wall clock's moment."""
        return datetime.now(UTC)

    def virtual_at(self, wall: datetime) -> datetime:  # noqa: ARG002 - Clock's
        """Long after everything that was ever said."""
        return self._LONG_AFTER

    async def sleep(self, seconds: float) -> None:
        """Wall seconds: there are no others."""
        await asyncio.sleep(seconds)


@dataclass(slots=True, kw_only=True)
class Refold(Lanes):
    """Folds stretches into a generation, one after the other."""

    reader: LogReader
    selection: Selection
    _failure: asyncio.Future[None] | None = field(default=None)

    async def fold(self, stretch: Stretch) -> None:
        """Fold a stretch to its end. StoppedError where a message stops it; it goes on there the next time."""
        self._failure = self.begin()
        lane = await self.claim(stretch.where, self._bounds)
        self.open(lane)
        try:
            last = await self._feed(lane, stretch)
            while lane.next_offset <= last:
                await self._wait(lane)
            passed = await self.pool.execute(
                SQL["pass"], stretch.topic, stretch.partition, lane.epoch, max(stretch.end, lane.next_offset)
            )
            if passed != "UPDATE 1":
                raise FencedError(
                    f"another process folds {stretch.topic}/{stretch.partition} into this generation"
                )
        finally:
            await self.drop([stretch.where])

    async def _feed(self, lane: Lane, stretch: Stretch) -> int:
        """Put all that is to be folded into the lane; the last offset of it, -1 for none."""
        refused, last = frozenset(stretch.refused), -1
        held: list[ConsumerRecord] = []
        async for records in self.reader.batches([Span(stretch.where, lane.next_offset, stretch.end)]):
            held += [
                record
                for record in records
                if record.offset not in refused and self.selection.names_key(lane.topic, record.key)
            ]
            if len(held) >= self.limits.messages:
                last = await self._put(lane, held)
                held = []
        return await self._put(lane, held) if held else last

    async def _put(self, lane: Lane, records: list[ConsumerRecord]) -> int:
        while lane.full:
            await self._wait(lane)
        lane.put(records)
        last: int = records[-1].offset
        return last

    async def _wait(self, lane: Lane) -> None:
        if self._failure is not None and self._failure.done():
            self._failure.result()
        why = self.health.missing.get(f"{lane.where.topic}/{lane.where.partition}")
        if why is not None:
            raise StoppedError(f"{lane.topic.name}/{lane.where.partition}: {why}")
        await asyncio.sleep(LOOK_SECONDS)

    async def _bounds(self, where: TopicPartition) -> tuple[int, int]:
        (span,) = await self.reader.spans([where])
        return span.start, span.end


@asynccontextmanager
async def refolding(settings: IngestSettings, selection: Selection) -> AsyncIterator[Refold]:
    """What folds stretches into the generation of `settings`, with the handlers of the live path.

    Nothing follows from what it folds (no message is derived, nothing is tidied away); what it cannot read goes to
    the generation's own outbox, which nobody relays. A server that fails loses the last transactions, whole ones:
    each moved the position too.
    """
    pool = await create_pool(
        settings.postgres_dsn,
        schema=settings.ingest_schema,
        service="ingest-replay",
        max_size=settings.ingest_connections,
        timeout=600,
        set_up=_set_up,
    )
    try:
        handlers = {
            topic.on_broker(settings.topic_prefix): handler
            if selection.whole
            else Selected(topic, handler, selection)
            for topic, handler in folds(settings, pool, publishes=False).items()
        }
        async with reading(settings.kafka_bootstrap, settings.topic_prefix) as reader:
            yield Refold(
                service=SERVICE,
                topics=FOLDED,
                handler=ByTopic(settings.topic_prefix, handlers),
                pool=pool,
                prefix=settings.topic_prefix,
                clock=Recorded(),
                health=Health(),
                limits=Limits(messages=MESSAGES, dead=Tolerance.of(settings)),
                reader=reader,
                selection=selection,
            )
    finally:
        await pool.close()


async def _set_up(connection: Connection) -> None:
    await connection.execute("SET synchronous_commit = off")
