"""A live generation with something of everything in its log, and replays of it beside it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import zip_longest
from uuid import UUID

import asyncpg
from aiokafka import ConsumerRecord
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient

from splitcart_common import events
from splitcart_common.codec import decode
from splitcart_common.dead_letters import to_row
from splitcart_common.kafka import ensure_topics, start_producer
from splitcart_common.lanes import Message
from splitcart_common.outcomes import DeadLetter, Reason
from splitcart_common.topics import LISTING_DESCRIBED, PRICE_CHANGED, PRODUCT_OBSERVED, STORE_GROUPS, STORES
from splitcart_ingest.app import SERVICE, open_pool
from splitcart_ingest.replay.compare import EVERYTHING, Ask, Comparison, compare
from splitcart_ingest.replay.registry import connected, generation
from splitcart_ingest.replay.run import Folded, Wish, run, working_on
from splitcart_ingest.replay.swap import How, Swapped, swap
from splitcart_ingest.settings import IngestSettings
from tests.support.bus import Raw, Said, publish, say
from tests.support.ingest import (
    START,
    ByHand,
    caught_up,
    country,
    decisions,
    end_offsets,
    environment,
    running,
    scrape,
    settings,
)

USED = (PRODUCT_OBSERVED, STORES, STORE_GROUPS, PRICE_CHANGED, LISTING_DESCRIBED)


def nobody(_done: int, _total: int) -> None:
    """Does not watch."""


def outlets(stores: int) -> list[Said]:
    """Discovered stores, and one that closed."""
    said = []
    for number in range(stores):
        found = events.StoreDiscovered(
            store=f"aldi:S{number:03d}", name=f"Number {number}", address="1 Road", suburb="Glebe", state="NSW",
            postcode="2037", lat=-33.88, lon=151.18, sells_online=False, seen_at=START,
        )  # fmt: skip
        ident = UUID(int=number + 1)
        said.append(say(found.store, found, event_id=ident, correlation_id=ident, at=START))
    closed = events.StoreClosed(store="aldi:S001", reason="not listed any more", at=START)
    ident = UUID(int=stores + 1)
    return [*said, say("aldi:S001", closed, event_id=ident, correlation_id=ident, at=START)]


def spoilt(message: Said) -> Said:
    """A message that nobody can read."""
    return Said(message.key, b"\xff\x00{", message.headers, message.topic)


def some_log(seed: int = 4, stores: int = 7, visits: int = 5, range_size: int = 40, count: int = 60) -> list[Said]:
    """Outlets, scrapes of two companies, group decisions, barcodes, repeats, and messages that cannot be read."""
    scrapes = [message for said in country(seed, stores, visits, range_size) for message in said]
    scrapes[len(scrapes) // 3] = spoilt(scrapes[len(scrapes) // 3])
    scrapes[len(scrapes) // 2] = spoilt(scrapes[len(scrapes) // 2])
    for number in range(3):
        scrapes += scrape("coles:C1", number, {f"{k:06d}": 100 + k + number * (k % 3) for k in range(30)})
    groups = decisions(seed, stores, visits, range_size, count)
    every = len(scrapes) // len(groups) + 1
    parts = zip_longest(groups, (scrapes[n : n + every] for n in range(0, len(scrapes), every)))
    mixed = [message for group, part in parts for message in (*([group] if group else ()), *(part or ()))]
    return [*outlets(stores), *mixed]


@dataclass(frozen=True)
class Live:
    """A live generation that has folded a log: `given` are ingest's settings, `dsn` is a superuser's."""

    given: IngestSettings
    dsn: str
    broker: str
    prefix: str

    async def publish(self, messages: Sequence[Said]) -> None:
        """More for the log."""
        await publish(self.broker, self.prefix, messages)

    async def run(self, **wish: object) -> Folded:
        """A replay, in this process."""
        return await run(self.given, Wish(**{"workers": 1, **wish}), nobody)

    async def swap(self, generation: int | None = None, accept: str | None = None) -> Swapped:
        """A swap, in this process."""
        return await swap(self.given, generation, How(accept, 1), nobody, lambda _: None)

    async def ask(self, query: str, *arguments: object) -> object:
        """One value of the database."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetchval(query, *arguments)
        finally:
            await connection.close()

    async def fetch(self, query: str, *arguments: object) -> list[tuple[object, ...]]:
        """Rows of the database."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return [tuple(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    async def caught_up(self, schema: str = "ingest_g1") -> None:
        """Wait until a generation has folded and said everything."""
        await caught_up(self.dsn, self.broker, self.prefix, schema)

    async def folded_to_the_end(self) -> None:
        """Wait until the live generation has folded every observation, said or not."""
        name = PRODUCT_OBSERVED.on_broker(self.prefix)
        ends = end_offsets(self.broker, name, PRODUCT_OBSERVED.partitions)
        behind = """
            SELECT count(*) FROM unnest($2::int[], $3::bigint[]) AS log (partition, ends)
            LEFT JOIN ingest_g1.positions p ON p.topic = $1 AND p.partition = log.partition
            WHERE coalesce(p.next_offset, 0) < ends
        """
        async with asyncio.timeout(60):
            while await self.ask(behind, name, list(ends), list(ends.values())):  # noqa: ASYNC110 - another's work
                await asyncio.sleep(0.05)

    async def send_letter(self, raw: Raw) -> None:
        """A dead letter of a message, whatever it is like."""
        name, key, value = PRODUCT_OBSERVED.on_broker(self.prefix), raw.key, raw.value
        record = ConsumerRecord(name, raw.partition, raw.offset, 0, 0, key, value, None, 0, 0, raw.headers)
        row = to_row(PRODUCT_OBSERVED, self.prefix, SERVICE, record, DeadLetter(Reason.INVALID, "says the test"))
        producer = await start_producer(self.broker, "tests")
        await producer.send_and_wait(row.topic, row.value, row.key, headers=list(row.headers))
        await producer.stop()

    async def pass_over_all(self) -> None:
        """Let the live generation have passed over what it has not folded."""
        name = PRODUCT_OBSERVED.on_broker(self.prefix)
        for partition, end in end_offsets(self.broker, name, PRODUCT_OBSERVED.partitions).items():
            await self.ask(
                "UPDATE ingest_g1.positions SET next_offset = $3 WHERE topic = $1 AND partition = $2",
                name,
                partition,
                end,
            )

    async def prepare_only(self, said: Sequence[Said]) -> None:
        """What the live generation does with messages before the transaction that folds them."""
        pool = await open_pool(self.given)
        try:
            hand = ByHand(pool, self.prefix)
            messages = []
            for offset, message in enumerate(said):
                envelope, event = decode(message.topic, message.headers, message.value)
                key = message.key.decode()
                kept = hand.observations.digest(key, envelope, event)
                messages.append(Message(envelope, kept, key, offset, envelope.occurred_at))
            await hand.observations.prepare(hand.observed, messages)
        finally:
            await pool.close()

    async def delete_beginning(self) -> None:
        """Delete the first five messages of a partition of the log."""
        name = PRODUCT_OBSERVED.on_broker(self.prefix)
        partition = max(end_offsets(self.broker, name, PRODUCT_OBSERVED.partitions).items(), key=lambda x: x[1])[0]
        admin = AdminClient({"bootstrap.servers": self.broker})
        for done in admin.delete_records([Place(name, partition, 5)]).values():
            await asyncio.to_thread(done.result, 30)

    async def starts(self, *words: str) -> asyncio.subprocess.Process:
        """A process of its own: a verb, or (without words) the service."""
        program = ("splitcart_cli", *words) if words else ("splitcart_ingest",)
        env = {**os.environ, **environment(self.given)}
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", *program, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    async def verb(self, *words: str) -> tuple[int, list[dict[str, object]], str]:
        """A verb with --json, run to its end: exit code, lines of JSON, errors."""
        process = await self.starts(*words, "--json")
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, [json.loads(line) for line in out.splitlines()], err.decode()


@asynccontextmanager
async def folded_live(
    database: str, broker: str, prefix: str, log: Sequence[Said], **more: object
) -> AsyncIterator[Live]:
    """A live generation that has folded a log and stopped."""
    await ensure_topics(broker, prefix, USED)
    given = settings(database, broker, prefix, ingest_housekeep_seconds=3600, log_level="warning", **more)
    await publish(broker, prefix, log)
    async with running(given):
        await caught_up(database, broker, prefix)
    yield Live(given, database, broker, prefix)


async def compared(live: Live, number: int | None = None, ask: Ask = EVERYTHING) -> Comparison:
    """A comparison, in this process."""
    async with connected(live.given) as connection:
        made = await generation(connection, number)
    async with working_on(live.given, made) as bench:
        return await compare(bench, 1, nobody, ask)
