"""Whatever can stand on a broker can become a dead letter, and none of it stops the rest."""

import asyncio
from dataclasses import replace

import pytest
from confluent_kafka import Producer

from splitcart_common.kafka import start_producer
from splitcart_common.outbox import Relay
from tests.integration.common.conftest import SCHEMA, Bench, Recorder, abandoned, eventually
from tests.support.bus import Raw, Said, read_topic

GENUINE = abandoned(7)
Headers = list[tuple[str, bytes | None]]


async def say_odd(bench: Bench, key: bytes | None, value: bytes | None, headers: Headers) -> None:
    """Publish past every rule of ours."""
    name = bench.where().topic
    if key is None and value is None:  # aiokafka sends no such message, librdkafka does
        producer = Producer({"bootstrap.servers": bench.broker})
        producer.produce(name, value=None, key=None, headers=headers)
        assert await asyncio.to_thread(producer.flush, 10) == 0
        return
    sender = await start_producer(bench.broker, "tests")
    try:
        await sender.send_and_wait(name, value, key, headers=headers)
    finally:
        await sender.stop()


async def letters(bench: Bench) -> list[Raw]:
    name = bench.topic.dead_letter_topic(bench.prefix, "ingest")
    return await asyncio.to_thread(read_topic, bench.broker, name, 1)


@pytest.mark.parametrize(
    ("key", "value", "headers", "reason"),
    [
        pytest.param(None, None, [], "no-envelope", id="nothing at all"),
        pytest.param(None, None, GENUINE.headers, "undecodable", id="neither key nor value"),
        pytest.param(b"k", None, GENUINE.headers, "undecodable", id="no value"),
        pytest.param(b"\xff", GENUINE.value, GENUINE.headers, "wrong-key", id="a key that is no text"),
        pytest.param(
            b"k", b"", [("a\0b", b"\0"), ("none", None)], "no-envelope", id="headers Postgres cannot hold as text"
        ),
        pytest.param(b"k", b'{"x":' + b"[" * (1 << 20), GENUINE.headers, "undecodable", id="nested deep"),
        pytest.param(b"k", b"x" * (9 << 20), GENUINE.headers, "undecodable", id="9 MB that compress well"),
        pytest.param(
            b"k",
            GENUINE.value.replace(b'"7"', b'"\\u0000"'),
            GENUINE.headers,
            "invalid",
            id="text Postgres cannot hold",
        ),
    ],
)
async def test_an_odd_message_is_kept_and_the_rest_goes_on(bench: Bench, key, value, headers, reason):
    await bench.topics()
    await bench.publish([abandoned(1)])
    await say_odd(bench, key, value, headers)
    await bench.publish([abandoned(2), replace(GENUINE, value=b"{"), abandoned(3)])
    producer = await start_producer(bench.broker, "tests")
    try:
        async with bench.running(bench.loop(Recorder())), Relay("ingest", SCHEMA, bench.pool, producer).running():
            await bench.at(5)

            async def relayed() -> bool:
                return not await bench.pool.fetchval("SELECT count(*) FROM outbox")

            await eventually(relayed, seconds=6)
    finally:
        await producer.stop()
    assert await bench.seen() == [1, 2, 3]
    odd, other = await letters(bench)
    # librdkafka and aiokafka tell an empty value from none, but not every tool does.
    assert (odd.key or None, odd.value or None) == (key or None, value or None)
    # librdkafka's names end at a NUL; ours do not.
    there = [(name.partition("\0")[0], content) for name, content in headers]
    assert odd.headers[: len(headers)] == there
    said = dict(odd.headers)
    assert (said["dlq-offset"], said["dlq-reason"].decode()) == (b"1", reason)
    assert dict(other.headers)["dlq-offset"] == b"3"


async def test_a_dead_letter_is_exactly_the_message_and_seven_headers_more(bench: Bench):
    await bench.topics()
    bad = Said(
        b"aldi:G1", b"{", [*GENUINE.headers, ("traceparent", b"00-1"), ("traceparent", b"00-2")], bench.topic
    )
    await bench.publish([bad])
    producer = await start_producer(bench.broker, "tests")
    try:
        async with bench.running(bench.loop(Recorder())), Relay("ingest", SCHEMA, bench.pool, producer).running():
            await bench.at(1)
    finally:
        await producer.stop()
    (letter,) = await letters(bench)
    assert (letter.key, letter.value) == (bad.key, bad.value)
    assert letter.headers[: len(bad.headers)] == bad.headers
    assert [name for name, _ in letter.headers[len(bad.headers) :]] == [
        "dlq-topic",
        "dlq-partition",
        "dlq-offset",
        "dlq-reason",
        "dlq-error",
        "dlq-service",
        "dlq-service-version",
    ]
