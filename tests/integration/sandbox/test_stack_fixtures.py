import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from splitcart_common.kafka import ensure_topics
from splitcart_common.topics import STORES
from splitcart_sandbox.kafka import answers
from tests.support.stack import Server, fresh_database, fresh_prefix

pytestmark = pytest.mark.stack


async def test_a_database_of_its_own_has_the_extensions(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        assert await connection.fetchval("SELECT similarity('milk 1l', 'milk 2l') > 0.3")
        assert await connection.fetchval("SELECT unaccent('crème') = 'creme'")
        assert await connection.fetchval("SELECT earth_distance(ll_to_earth(0, 0), ll_to_earth(0, 1)) > 100000")
        assert await connection.fetchval("SHOW server_version_num") >= "180000"
        assert await connection.fetchval("SHOW fsync") == "on"
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
    finally:
        await connection.close()


async def test_two_databases_share_nothing_and_are_dropped(postgres: Server) -> None:
    async with fresh_database(postgres) as first, fresh_database(postgres) as second:
        for dsn in (first, second):
            connection = await asyncpg.connect(dsn)
            await connection.execute("CREATE TABLE ingest.t (a int)")
            await connection.close()
    connection = await asyncpg.connect(postgres.dsn)
    try:
        left = await connection.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'")
        assert not {dsn.rpartition("/")[2] for dsn in (first, second)} & {row["datname"] for row in left}
    finally:
        await connection.close()


async def test_topics_of_a_prefix_take_messages_and_are_deleted(broker: str) -> None:
    async with fresh_prefix(broker) as prefix:
        made = await ensure_topics(broker, prefix, [STORES])
        assert f"{prefix}.stores.v1" in made
        producer = AIOKafkaProducer(bootstrap_servers=broker)
        await producer.start()
        await producer.send_and_wait(f"{prefix}.stores.v1", b"value", key=b"key")
        await producer.stop()
        consumer = AIOKafkaConsumer(f"{prefix}.stores.v1", bootstrap_servers=broker, auto_offset_reset="earliest")
        await consumer.start()
        assert (await consumer.getone()).value == b"value"
        await consumer.stop()
    async with fresh_prefix(broker) as other:
        assert await ensure_topics(broker, other, [STORES]) == [name.replace(prefix, other) for name in made]


async def test_a_closed_port_is_no_broker() -> None:
    assert not await answers("127.0.0.1:1")
