"""The outbox and its relay on the real broker and server: order, late commits, a dead leader, a dead broker."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from splitcart_common import outbox
from splitcart_common.kafka import ensure_topics, start_producer
from splitcart_common.outbox import BATCH_BYTES, COMPRESS_BYTES, PASS_ON_BYTES, SCRATCH_BYTES, OutboxRow, Relay
from splitcart_common.postgres import Pool, create_pool
from splitcart_common.topics import MAX_BATCH_BYTES, PRODUCT_OBSERVED
from splitcart_sandbox.stack import Stack
from tests.integration.common.conftest import SCHEMA, eventually
from tests.support.bus import Raw, read_topic

PARTITIONS = 3
TOPIC = replace(PRODUCT_OBSERVED, partitions=PARTITIONS, consumers=())


@pytest.fixture
async def topic(broker: str, topic_prefix: str) -> str:
    """A topic's full name."""
    await ensure_topics(broker, topic_prefix, [TOPIC])
    return TOPIC.on_broker(topic_prefix)


@pytest.fixture
async def producer(broker: str) -> AsyncIterator[AIOKafkaProducer]:
    made = await start_producer(broker, "tests")
    try:
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def relaying(pool: Pool, producer: AIOKafkaProducer) -> AsyncIterator[asyncio.Task[None]]:
    """A relay at work while the body runs."""
    stop = asyncio.Event()
    task = asyncio.create_task(Relay("tests", SCHEMA, pool, producer).run(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.gather(task, return_exceptions=True)


def row(topic: str, number: int, key: str | None = "k", value: bytes | None = b"") -> OutboxRow:
    value = b"%d" % number if value == b"" else value
    return OutboxRow(topic, key and key.encode(), value, [("number", b"%d" % number)])


async def append(pool: Pool, rows: Sequence[OutboxRow]) -> None:
    async with pool.acquire() as connection, connection.transaction():
        assert await outbox.append(connection, rows) == len(rows)


async def empty(pool: Pool, seconds: float = 40) -> None:
    """Wait until everything is acknowledged."""

    async def none_left() -> bool:
        return not await pool.fetchval("SELECT count(*) FROM outbox")

    await eventually(none_left, seconds)


async def published(broker: str, topic: str) -> list[Raw]:
    return await asyncio.to_thread(read_topic, broker, topic, PARTITIONS)


def numbers(raws: Sequence[Raw], key: str | None = None) -> list[int]:
    return [int(dict(raw.headers)["number"]) for raw in raws if key is None or raw.key == key.encode()]


async def test_rows_are_published_in_order_per_key_and_deleted(broker, topic, pool, producer):
    await append(pool, [row(topic, n, f"k{n % 5}") for n in range(350)])
    async with relaying(pool, producer):
        await append(pool, [row(topic, n, f"k{n % 5}") for n in range(350, 500)])
        await empty(pool)
    raws = await published(broker, topic)
    assert len(raws) == 500
    for k in range(5):
        assert numbers(raws, f"k{k}") == list(range(k, 500, 5))


async def test_values_of_every_kind_arrive_as_they_were(broker, topic, pool, producer):
    large, larger = bytes(range(256)) * 40, bytes(range(250)) * 8_000
    assert COMPRESS_BYTES < len(large) < PASS_ON_BYTES < SCRATCH_BYTES < len(larger) < BATCH_BYTES
    rows = [
        row(topic, 0, "k", large),
        row(topic, 1, "k", None),
        row(topic, 2, "k", b"x" * COMPRESS_BYTES),
        OutboxRow(
            topic,
            b"k",
            b"\x28\xb5\x2f\xfd looks compressed",
            [("number", b"3"), ("number", b"twice"), ("é", b"\xff")],
        ),
        OutboxRow(topic, None, b"no key", [("number", b"4")]),
        OutboxRow(topic, b"k", b"", [("number", b"5"), ("nothing", None)]),
        *(row(topic, n, key, larger[n:]) for n in range(6, 12) for key in ("k", "l", None)),
        row(topic, 12, "k", larger * 2),
    ]
    await append(pool, rows)
    compressed = [r["compressed"] for r in await pool.fetch("SELECT compressed FROM outbox ORDER BY id")]
    assert compressed == [True, *[False] * 5, *[True] * 19]
    async with relaying(pool, producer):
        await empty(pool)
    raws = await published(broker, topic)
    wanted = {(r.key, r.value, tuple(map(tuple, r.headers))) for r in rows}
    assert {(raw.key, raw.value, tuple(raw.headers)) for raw in raws} == wanted
    assert len(raws) == len(rows)
    assert numbers(raws, "l") == list(range(6, 12))
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=broker, auto_offset_reset="earliest")
    await consumer.start()
    try:
        again = [await anext(consumer) for _ in rows]
    finally:
        await consumer.stop()
    found = {(r.key, r.value, tuple((name, value) for name, value in r.headers)) for r in again}
    assert found == wanted


async def test_a_key_is_where_any_producer_puts_it(broker, topic, pool, producer):
    keys = [b"aldi:%d" % n for n in range(12)]
    sent = {key: (await producer.send_and_wait(topic, b"0", key)).partition for key in keys}
    await append(pool, [row(topic, 1, key.decode()) for key in keys])
    async with relaying(pool, producer):
        await empty(pool)
    assert {(raw.key, raw.partition) for raw in await published(broker, topic)} == set(sent.items())
    assert len(set(sent.values())) == PARTITIONS


async def test_a_batch_the_broker_refuses_holds_up_what_follows_in_its_partition_only(
    broker, topic, pool, producer
):
    keys = ["k0", "k1", "k2", "k3"]
    huge = random.Random(7).randbytes(2 * MAX_BATCH_BYTES)
    await append(
        pool,
        [
            *(row(topic, n, key) for n, key in enumerate(keys)),
            row(topic, 4, "k0", huge),
            *(row(topic, n, key) for n, key in enumerate(keys, 5)),
        ],
    )
    async with pool.acquire() as connection:
        relay = Relay("tests", SCHEMA, pool, producer)
        with pytest.raises(MessageSizeTooLargeError):
            await relay.relay_once(connection)
    sent = await published(broker, topic)
    (held_up,) = {raw.partition for raw in sent if raw.key == b"k0"}
    waiting = [
        (r["key"].decode(), r["header_values"]) for r in await pool.fetch("SELECT * FROM outbox ORDER BY id")
    ]
    assert waiting[:2] == [("k0", [b"4"]), ("k0", [b"5"])]
    beside = {raw.key for raw in sent if raw.partition == held_up}
    assert {key.encode() for key, _ in waiting} <= beside
    assert {raw.key for raw in sent if raw.partition != held_up}.isdisjoint(key.encode() for key, _ in waiting)
    await pool.execute("DELETE FROM outbox WHERE header_values = $1", [b"4"])
    # Another session: aiokafka has counted what was refused.
    fresh = await start_producer(broker, "tests")
    try:
        async with relaying(pool, fresh):
            await empty(pool)
    finally:
        await fresh.stop()
    raws = await published(broker, topic)
    for n, key in enumerate(keys):
        assert unique(numbers(raws, key)) == [n, n + 5]


async def test_rows_of_a_transaction_that_is_rolled_back_are_never_published(broker, topic, pool, producer):
    async def failing() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await outbox.append(connection, [row(topic, 1)])
            raise LookupError

    async with relaying(pool, producer):
        with pytest.raises(LookupError):
            await failing()
        await append(pool, [row(topic, 2)])
        await empty(pool)
    assert numbers(await published(broker, topic)) == [2]


async def test_a_row_that_commits_late_with_a_smaller_id_is_not_lost(broker, topic, pool, producer):
    late = await pool.acquire()
    try:
        transaction = late.transaction()
        await transaction.start()
        await outbox.append(late, [row(topic, n, "late") for n in range(3)])
        await append(pool, [row(topic, n, "early") for n in range(100, 110)])
        async with relaying(pool, producer):
            await empty(pool)
            assert numbers(await published(broker, topic)) == list(range(100, 110))
            await transaction.commit()

            async def there() -> bool:
                return len(await published(broker, topic)) == 13

            await eventually(there)
    finally:
        await pool.release(late)
    raws = await published(broker, topic)
    assert numbers(raws, "late") == [0, 1, 2]
    assert numbers(raws, "early") == list(range(100, 110))


LEADERS = (
    "SELECT a.pid, a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()"
)


async def test_of_two_relays_one_leads_and_the_other_takes_over(
    broker, topic, database, pool, producer, monkeypatch
):
    monkeypatch.setattr(outbox, "LEADER_RETRY_SECONDS", 0.1)
    one = await create_pool(database, schema=SCHEMA, service="one")
    other = await create_pool(database, schema=SCHEMA, service="other")
    try:
        async with relaying(one, producer) as first, relaying(other, producer) as second:
            await append(pool, [row(topic, n, f"k{n % 3}") for n in range(300)])
            await empty(pool)
            await asyncio.sleep(0.3)
            assert sorted(numbers(await published(broker, topic))) == list(range(300)), "none was sent by both"
            (leader,) = await pool.fetch(LEADERS)
            dying, heir = (first, "other") if leader["name"].endswith("one") else (second, "one")
            # Killed: its task is gone and its connection cut, without a word to the server.
            dying.cancel()
            await pool.execute("SELECT pg_terminate_backend($1)", leader["pid"])
            await append(pool, [row(topic, n, f"k{n % 3}") for n in range(300, 400)])
            await empty(pool)
            (now,) = await pool.fetch(LEADERS)
            assert now["name"] == f"splitcart-{heir}"
    finally:
        one.terminate()
        other.terminate()
    raws = await published(broker, topic)
    for k in range(3):
        assert unique(numbers(raws, f"k{k}")) == list(range(k, 400, 3))


def unique(found: Sequence[int]) -> list[int]:
    """In the order of their first appearance: a message sent twice bears the same id and is ignored."""
    return list(dict.fromkeys(found))


async def test_a_leader_that_loses_its_connection_leads_again(broker, topic, pool, producer, monkeypatch):
    monkeypatch.setattr(outbox, "LEADER_RETRY_SECONDS", 0.1)
    async with relaying(pool, producer):
        for n in range(3):
            await append(pool, [row(topic, n)])
            await empty(pool)
            for leader in await pool.fetch(LEADERS):
                await pool.execute("SELECT pg_terminate_backend($1)", leader["pid"])
    assert unique(numbers(await published(broker, topic))) == [0, 1, 2]


async def test_what_is_there_when_it_is_told_to_stop_still_goes_out(broker, topic, pool, producer):
    stop = asyncio.Event()
    await append(pool, [row(topic, n) for n in range(450)])
    stop.set()
    relay = Relay("tests", SCHEMA, pool, producer)
    task = asyncio.create_task(relay.run(asyncio.Event()))
    await empty(pool)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with relay.running():
        await append(pool, [row(topic, n) for n in range(450, 460)])
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 0
    assert numbers(await published(broker, topic)) == list(range(460))


async def test_a_broker_that_is_killed_and_comes_back_loses_nothing(stack: Stack, broker, topic, pool, producer):
    """Killed in the middle of the work, with rows written all the while; it is back within seconds."""

    async def writing() -> None:
        for n in range(0, 3000, 30):
            await append(pool, [row(topic, m, f"k{m % 4}", b"%d" % m * 50) for m in range(n, n + 30)])
            await asyncio.sleep(0.005)

    async with relaying(pool, producer) as task:
        writer = asyncio.create_task(writing())

        async def some() -> bool:
            return bool(await pool.fetchval("SELECT coalesce(max(id), 0) > 600 FROM outbox"))

        await eventually(some)
        if stack.supervisor.status():  # an existing broker, named by the environment, is not ours to kill
            await stack.supervisor.restart("kafka", kill=True)
        await writer
        await empty(pool)
        assert not task.done()
    raws = await published(broker, topic)
    for k in range(4):
        assert unique(numbers(raws, f"k{k}")) == list(range(k, 3000, 4))


async def test_the_lock_goes_with_the_relay(database, pool, producer, monkeypatch):
    monkeypatch.setattr(outbox, "LEADER_RETRY_SECONDS", 0.1)

    async def leaders(count: int) -> bool:
        return len(await pool.fetch(LEADERS)) == count

    async with relaying(pool, producer):
        await eventually(lambda: leaders(1))
    assert await leaders(0)
    connection = await asyncpg.connect(database)
    await connection.close()
