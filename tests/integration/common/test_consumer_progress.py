"""What a loop tells of itself: lag, what stands still, how far a long fold is; and the outbox its age."""

import asyncio

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from splitcart_common import outbox, progress
from splitcart_common.kafka import start_producer
from splitcart_common.lanes import Limits
from splitcart_common.outbox import OutboxRow, Relay
from splitcart_common.telemetry import Health
from tests.integration.common.conftest import SCHEMA, Bench, Recorder, abandoned, eventually, garbage

STALLED = Limits(messages=5, first_retry_seconds=0.05, longest_retry_seconds=0.1, stalled_seconds=0.3)


def metric(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"service": "ingest", **labels})


def of_partition(name: str) -> float | None:
    return metric(name, topic="product-observed", partition="0")


async def test_a_wedged_consumer_is_seen_and_one_that_goes_on_again_too(bench: Bench):
    """Its position row is locked by somebody who never ends: time passes, the position does not."""
    await bench.topics()
    loop = bench.loop(Recorder(), limits=STALLED)
    name = f"progress of {bench.where().topic}/0"
    async with bench.running(loop):
        await bench.publish([abandoned(0)])
        await bench.at(1)
        assert name not in loop.health.missing
        async with bench.pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT FROM positions FOR UPDATE")
            await bench.publish([abandoned(n) for n in range(1, 4)])
            await eventually(lambda: _is(name in loop.health.missing))
            assert "stalled: at offset 1 since" in loop.health.missing[name]
            await eventually(
                lambda: _is((of_partition("splitcart_stalled_seconds") or 0) > STALLED.stalled_seconds)
            )
            assert of_partition("splitcart_lag_messages") == 3
            assert (of_partition("splitcart_lag_seconds") or 0) > 0
        await bench.at(4)
        await eventually(lambda: _is(name not in loop.health.missing))
        await eventually(lambda: _is(of_partition("splitcart_stalled_seconds") == 0))
        await eventually(lambda: _is(of_partition("splitcart_lag_seconds") == 0))
        looked = metric("splitcart_consumer_looked_timestamp_seconds")
    assert of_partition("splitcart_lag_messages") is None, "another's to tell"
    assert name not in loop.health.missing
    assert looked is not None


async def _is(true: object) -> bool:
    return bool(true)


async def test_a_loop_that_hangs_does_not_pass_for_a_healthy_one():
    """Nobody renews what is expected: that is judged when it is asked, by another thread."""
    health = Health()
    health.has("start")
    health.expect("progress of a/0", 0.0, "stalled")
    assert health.missing == {"progress of a/0": "stalled"}
    health.expect("progress of a/0", 60.0, "stalled")
    assert health.missing == {}
    health.expect("progress of a/0", 0.0, "stalled")
    health.has("progress of a/0")
    assert health.missing == {}


async def test_a_long_fold_says_how_far_it_is(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress, "LONG_FOLD_MESSAGES", 20)
    monkeypatch.setattr(progress, "SAY_SECONDS", 0.0)
    await bench.topics()
    await bench.publish([abandoned(n) for n in range(40)])
    with capture_logs() as logs:
        async with bench.running(bench.loop(Recorder())):
            await bench.at(40)
            await eventually(lambda: _is(any(line["event"] == "caught up" for line in logs)))
    said = [line for line in logs if line["event"] == "folding"]
    assert said
    assert all(line["folded"] <= line["total"] <= 40 for line in said)
    assert metric("splitcart_catching_up_messages", of="folded") == metric(
        "splitcart_catching_up_messages", of="total"
    )


async def test_dead_letters_are_counted_where_they_are_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress, "LETTERS_SECONDS", 0.05)
    await bench.topics()
    await bench.publish([garbage(), abandoned(1), garbage()])
    producer = await start_producer(bench.broker, "tests")
    try:
        async with bench.running(bench.loop(Recorder())), Relay("ingest", SCHEMA, bench.pool, producer).running():
            letters = {"topic": "product-observed"}
            await eventually(lambda: _is(metric("splitcart_dead_letter_messages", **letters) == 2))
    finally:
        await producer.stop()


async def test_the_age_of_an_outbox_that_nobody_empties_grows(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outbox, "WATCH_SECONDS", 0.02)
    async with bench.pool.acquire() as connection, connection.transaction():
        await outbox.append(connection, [OutboxRow("t", b"k", b"v", ()), OutboxRow("t", b"k", b"w", ())])
    stop = asyncio.Event()
    relay = Relay("ingest", SCHEMA, bench.pool, None)  # type: ignore[arg-type] # it only watches
    watching = asyncio.create_task(relay.watch(stop))
    try:
        await eventually(lambda: _is((metric("splitcart_outbox_age_seconds") or 0) > 0.1))
        assert metric("splitcart_outbox_rows") == 2
        await bench.pool.execute("DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox)")
        await eventually(lambda: _is(metric("splitcart_outbox_rows") == 1))
        await bench.pool.execute("DELETE FROM outbox")
        await eventually(lambda: _is(metric("splitcart_outbox_age_seconds") == 0))
    finally:
        stop.set()
        await watching
