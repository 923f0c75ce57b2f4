"""The outbox: what a transaction has to say is a row of it, and a relay publishes the rows in order.

Rows of one topic key are written under the lock of the position (or the store) they derive from, so that they
commit in the order of their ids. The relay reads what is there, sends it, and deletes what is acknowledged;
it remembers no serial, as a row with a smaller id may commit later (protocol.md, rule 12). After a crash
between the two a message is sent again, with the same id: consumers ignore repeats.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from cramjam import DecompressionError, zstd

from splitcart_common.codec import encode
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.postgres import TRANSIENT, Connection, Pool
from splitcart_common.record_batch import LEVEL, RecordBatch, unpacked_size
from splitcart_common.telemetry import OUTBOX_AGE, OUTBOX_ROWS, RELAYED
from splitcart_common.topics import topic_of

log = structlog.get_logger()

RELAY_ROWS = 400
"""Rows held at once; with 200 listings in each that is some 4 MB, as they stay compressed."""
IDLE_SECONDS = (0.002, 0.05)
"""The first and the longest wait for new rows; who writes one often writes another soon."""
LEADER_RETRY_SECONDS = 1.0
WATCH_SECONDS = 5.0
DRAIN_SECONDS = 10.0
"""How long a stopping relay goes on: another process may write faster than it empties."""
SCRATCH_BYTES = 1 << 20
"""Where values are unpacked; a larger one gets room of its own."""
COMPRESS_BYTES = 1024
"""A larger value is kept compressed: 200 listings are 80 kB, and a tenth of that so (benchmarks, `publish`)."""
PASS_ON_BYTES = 16 << 10
"""A larger value goes to the broker as it is compressed here; a smaller one is worth compressing beside others."""
BATCH_BYTES = 2 << 20
"""The most that goes in one batch, before compression; a larger value goes alone. A partition's batches wait for
one another's acknowledgement, so few and large ones are faster; but a consumer unpacks one of each partition."""
_PARTITIONER: Final = DefaultPartitioner()
_COLUMNS = ("topic", "key", "value", "compressed", "header_names", "header_values")

_OLDEST = "SELECT id, " + ", ".join(_COLUMNS) + " FROM outbox ORDER BY id LIMIT $1"  # noqa: S608 - constants


_WAITING = "SELECT min(id) AS oldest, count(*) AS rows FROM outbox"


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message to be: topic name on the broker, key, value and headers as bytes."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def to_row(
    prefix: str,
    key: str,
    event: Event,
    *,
    event_id: UUID,
    occurred_at: datetime,
    correlation_id: UUID,
    producer: str,
    causation_id: UUID | None = None,
) -> OutboxRow:
    """The row of an event; the topic follows from its type."""
    envelope = Envelope(
        event_id=event_id,
        event_type=event.TYPE,
        event_version=event.VERSION,
        occurred_at=occurred_at,
        correlation_id=correlation_id,
        producer=producer,
        causation_id=causation_id,
    )
    topic = topic_of(type(event)).on_broker(prefix)
    return OutboxRow(topic, key.encode(), encode(event), envelope.to_headers())


async def append(connection: Connection, rows: Iterable[OutboxRow]) -> int:
    """Write rows in order within the caller's transaction; how many."""
    records = [_record(row) for row in rows]
    if records:
        await connection.copy_records_to_table("outbox", records=records, columns=_COLUMNS)
    return len(records)


def _record(row: OutboxRow) -> tuple[object, ...]:
    value, compressed = row.value, row.value is not None and len(row.value) > COMPRESS_BYTES
    if value is not None and compressed:
        value = bytes(zstd.compress(value, LEVEL))
    names, values = [name.encode() for name, _ in row.headers], [content for _, content in row.headers]
    return row.topic, row.key, value, compressed, names, values


class Relay:
    """Publishes one schema's outbox. Any number may run: an advisory lock lets one of them work at a time."""

    def __init__(self, service: str, schema: str, pool: Pool, producer: AIOKafkaProducer) -> None:
        self._service = service
        self._lock_name = f"splitcart outbox {schema}"
        self._pool = pool
        self._producer = producer
        self._scratch = memoryview(bytearray(SCRATCH_BYTES))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Relay while the body runs, and what it has left behind after it; the body ends if relaying fails."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.run(stop), name="relay")
            group.create_task(self.watch(stop), name="outbox")
            try:
                yield
            finally:
                stop.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until `stop` is set, and then what is there, for some seconds; the rest waits for the next start.

        Where broker or server are away by then, everything that is left waits.
        """
        while not stop.is_set():
            try:
                async with self._pool.acquire() as connection:
                    await self._lead(connection, stop)
            except (*TRANSIENT, KafkaError) as error:
                log.warning("relay interrupted", why=f"{type(error).__name__}: {error}")
                await asyncio.sleep(LEADER_RETRY_SECONDS)

    async def watch(self, stop: asyncio.Event) -> None:
        """Keep the gauges of the outbox until `stop` is set, whoever relays: a relay that hangs does not tell.

        A row bears no time: its age is how long the same row has been the oldest.
        """
        oldest, since = None, 0.0
        while not stop.is_set():
            with suppress(*TRANSIENT):  # the server is away: that is said elsewhere
                (row,) = await self._pool.fetch(_WAITING)
                now = time.monotonic()
                if row["oldest"] != oldest:
                    oldest, since = row["oldest"], now
                OUTBOX_ROWS.labels(self._service).set(row["rows"])
                OUTBOX_AGE.labels(self._service).set(0 if oldest is None else now - since)
            await _wait(stop, WATCH_SECONDS)

    async def _lead(self, connection: Connection, stop: asyncio.Event) -> None:
        # A session's lock: it goes with the connection, so a dead relay never keeps the others out.
        if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", self._lock_name):
            await _wait(stop, LEADER_RETRY_SECONDS)
            return
        try:
            # Rows whose deletion a crash of the server takes back are sent again, like those that a crash of ours
            # leaves there.
            await connection.execute("SET synchronous_commit TO off")
            until, (shortest, longest) = None, IDLE_SECONDS
            idle = shortest
            while until is None or asyncio.get_running_loop().time() < until:
                stopping = stop.is_set()  # before the look: what is written after it is not left behind unseen
                if stopping and until is None:
                    until = asyncio.get_running_loop().time() + DRAIN_SECONDS
                if await self.relay_once(connection):
                    idle = shortest
                    continue
                if stopping:
                    return
                await _wait(stop, idle)
                idle = min(2 * idle, longest)
        finally:
            if not connection.is_closed():
                await connection.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", self._lock_name)

    async def relay_once(self, connection: Connection) -> int:
        """Publish the oldest rows and delete the acknowledged ones; how many were deleted.

        Where a batch fails, it and what follows in the same partition stay, and the error passes through.
        """
        rows = await connection.fetch(_OLDEST, RELAY_ROWS)
        if not rows:
            return 0
        batches = await self._batches(rows)
        sends = [await self._producer.send_batch(b.records, b.topic, partition=b.partition) for b in batches]
        results = await asyncio.gather(*sends, return_exceptions=True)
        held: set[tuple[str, int]] = set()
        done: list[int] = []
        failure: BaseException | None = None
        for batch, result in zip(batches, results, strict=True):
            place = (batch.topic, batch.partition)
            if isinstance(result, BaseException):
                failure = failure or result
                held.add(place)
            elif place not in held:
                done += batch.ids
        await connection.execute("DELETE FROM outbox WHERE id = ANY($1)", done)
        RELAYED.labels(self._service).inc(len(done))
        if failure is not None:
            raise failure
        return len(done)

    async def _batches(self, rows: Sequence[asyncpg.Record]) -> list["_Batch"]:
        """The rows in batches of one partition each: in order within a partition, and so under a key."""
        found: list[_Batch] = []
        last: dict[tuple[str, int], _Batch] = {}
        places: dict[tuple[str, bytes | None], int] = {}
        for row in rows:
            topic, key = row["topic"], row["key"]
            partition = places.get((topic, key))
            if partition is None:
                there = sorted(await self._producer.partitions_for(topic))
                partition = places[topic, key] = _PARTITIONER(key, there, there)
            value, unpacked = self._value(row)
            size = unpacked or len(value or b"")
            batch = last.get((topic, partition))
            if batch is None or batch.records.size + size > BATCH_BYTES:
                batch = last[topic, partition] = _Batch(topic, partition)
                found.append(batch)
            batch.records.add(key, value, zip(row["header_names"], row["header_values"], strict=True), unpacked)
            batch.ids.append(row["id"])
        return found

    def _value(self, row: asyncpg.Record) -> tuple[bytes | None, int | None]:
        """A row's value as the batch takes it, and its size where it stays compressed."""
        value: bytes | None = row["value"]
        if value is None or not row["compressed"]:
            return value, None
        unpacked = unpacked_size(value)
        if unpacked is not None and unpacked >= PASS_ON_BYTES:
            return value, unpacked
        try:
            # Three times as fast as unpacking into memory that has to grow.
            return bytes(self._scratch[: zstd.decompress_into(value, self._scratch)]), None
        except DecompressionError:
            return bytes(zstd.decompress(value)), None


@dataclass(slots=True)
class _Batch:
    """What goes to one partition at once, and the rows it is made of."""

    topic: str
    partition: int
    records: RecordBatch = field(default_factory=lambda: RecordBatch(time.time_ns() // 1_000_000))
    ids: list[int] = field(default_factory=list)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
