"""The consumer loop on the real broker and server: fence, positions, back-pressure, stops, retries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.consumer.fetcher import FetchResult

from splitcart_common import consumer as consumer_module
from splitcart_common.dead_letters import Tolerance
from splitcart_common.lanes import Limits
from splitcart_common.positions import PositionError, claim
from splitcart_common.postgres import create_pool
from splitcart_common.telemetry import DEAD_LETTERS, STOPPED_PARTITIONS
from tests.integration.common.conftest import (
    QUICK,
    SCHEMA,
    Bench,
    Recorder,
    abandoned,
    eventually,
    garbage,
)
from tests.support.bus import read_topic


async def test_every_message_is_folded_once_and_in_order(bench: Bench):
    await bench.topics(partitions=3)
    said = [abandoned(n, f"aldi:G{n % 7}") for n in range(60)]
    await bench.publish(said[:30])
    first = bench.loop(Recorder())
    async with bench.running(first):
        await bench.publish(said[30:])
        await eventually(lambda: _count(bench, 60))
    assert "start" in first.health.missing, "readiness is the composition root's to say"
    second = Recorder()
    async with bench.running(bench.loop(second)):
        await bench.publish([abandoned(60)])
        await eventually(lambda: _count(bench, 61))
    assert second.batches == [1], "what was folded is not read again"
    assert sorted(await bench.seen()) == list(range(61))
    rows = await bench.pool.fetch('SELECT partition, array_agg(number ORDER BY "offset") n FROM seen GROUP BY 1')
    assert all(row["n"] == sorted(row["n"]) for row in rows)


async def _count(bench: Bench, wanted: int) -> bool:
    return len(await bench.seen()) >= wanted


async def test_a_zombie_is_fenced_and_its_batch_rolled_back(bench: Bench):
    await bench.topics()
    await bench.publish([abandoned(n) for n in range(3)])
    held, let_go = asyncio.Event(), asyncio.Event()

    async def hang(_: int) -> None:
        held.set()
        await let_go.wait()

    zombie = Recorder(before_fold=hang)
    loop = bench.loop(zombie)
    async with bench.running(loop):
        await asyncio.wait_for(held.wait(), 15)
        assert await bench.position() == (1, 0)
        assert await claim(bench.pool, bench.where()) == (2, 0), "its successor goes on where it was"
        let_go.set()
        await eventually(lambda: _forgot(zombie))
        await asyncio.sleep(0.2)
        assert zombie.tries == 1, "it does not try again"
        assert await bench.position() == (2, 0)
        assert await bench.seen() == []
        said = loop.health.missing.get(f"{bench.where().topic}/0", "")
        assert "epoch 1" in said, "who looks at /readyz sees a partition that nobody here folds"


async def _forgot(handler: Recorder) -> bool:
    return handler.forgotten > 0


@pytest.mark.parametrize(
    ("position", "said"),
    [
        (2, "the stored position is 2, but the log now begins at 4"),
        (99, "stored position is 99, but the log ends at 6"),
    ],
)
async def test_a_position_the_log_does_not_hold_is_refused(bench: Bench, position, said):
    await bench.topics()
    await bench.publish([abandoned(n) for n in range(6)])
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.broker)
    await admin.start()
    try:
        await admin.delete_records({bench.where(): RecordsToDelete(before_offset=4)})
    finally:
        await admin.close()
    await bench.set_position(position)
    with pytest.raises(
        PositionError, match=rf"product-observed\.v1/0: .*{said}.*fresh schema.*nothing was changed"
    ):
        await asyncio.wait_for(bench.loop(Recorder()).run(asyncio.Event()), 15)
    assert (await bench.position())[1] == position
    assert await bench.seen() == []


async def test_a_position_that_is_set_back_under_a_running_loop_skips_nothing(bench: Bench):
    await bench.topics()
    await bench.publish([abandoned(n) for n in range(3)])
    loop = bench.loop(Recorder())
    async with bench.running(loop):
        await bench.at(3)
        await bench.pool.execute("UPDATE positions SET next_offset = 1")
        await bench.publish([abandoned(3)])
        name = f"{bench.where().topic}/0"
        await eventually(lambda: _true(name in loop.health.missing))
        assert (await bench.position())[1] == 1, "what lies between was not jumped over"
        assert await bench.seen() == [0, 1, 2]
    async with bench.running(bench.loop(Recorder())):
        await bench.at(4)
    assert sorted(await bench.seen()) == [0, 1, 1, 2, 2, 3], "a new start reads it again, as it was told"


async def test_what_lies_below_the_position_is_dropped(bench: Bench):
    await bench.topics()
    await bench.publish([abandoned(n) for n in range(10)])
    await bench.set_position(4)
    loop = bench.loop(Recorder(), limits=Limits(messages=100))
    async with bench.running(loop):
        await bench.at(10)
        (lane,) = loop._lanes.values()
        # Redelivery, as after a fetch that overtook the seek: all of it again, and one that is new.
        redelivered = await _fetch(bench)
        await bench.publish([abandoned(10)])
        lane.put(redelivered)
        await bench.at(11)
    assert await bench.seen() == list(range(4, 11))


async def _fetch(bench: Bench) -> list[object]:
    reader = AIOKafkaConsumer(bootstrap_servers=bench.broker, auto_offset_reset="earliest")
    await reader.start()
    try:
        reader.assign([bench.where()])
        records: list[object] = []
        while len(records) < 10:
            records += (await reader.getmany(timeout_ms=500)).get(bench.where(), [])
        return records
    finally:
        await reader.stop()


async def test_what_was_fetched_is_kept_until_there_is_room(bench: Bench, monkeypatch):
    """aiokafka throws away what it has at hand of a paused partition, and fetches it again (decision 0026)."""
    thrown_away = []
    check = FetchResult.check_assignment

    def watched(result: FetchResult, where: TopicPartition) -> bool:
        kept: bool = check(result, where)
        thrown_away.extend([] if kept else [where])
        return kept

    monkeypatch.setattr(FetchResult, "check_assignment", watched)
    await bench.topics(partitions=2)
    said = [abandoned(n, key) for n in range(20) for key in ("aldi:G1", "aldi:G2", "aldi:G3", "aldi:G4")]
    await bench.publish(said)

    async def slow(_: int) -> None:
        await asyncio.sleep(0.01)

    loop = bench.loop(Recorder(before_fold=slow))
    async with bench.running(loop):
        await eventually(lambda: _count(bench, len(said)))
    assert thrown_away == []


async def test_a_slow_fold_holds_two_batches_and_keeps_its_partitions(bench: Bench, monkeypatch):
    """The broker gives a silent consumer up after a second here; the fold of one batch takes longer than that."""

    def impatient(*args: object) -> AIOKafkaConsumer:
        made = consumer_module_make(*args)
        made._session_timeout_ms = 1000
        made._heartbeat_interval_ms = 200
        return made

    consumer_module_make = consumer_module.make_consumer
    monkeypatch.setattr(consumer_module, "make_consumer", impatient)
    await bench.topics(partitions=2)
    # Far more on each partition than two batches of five.
    said = [abandoned(n, key) for n in range(20) for key in ("aldi:G1", "aldi:G2", "aldi:G3", "aldi:G4")]
    await bench.publish(said)
    gate = asyncio.Event()

    async def slow(_: int) -> None:
        await gate.wait()

    handler = Recorder(before_fold=slow)
    loop = bench.loop(handler)
    most = 0
    async with bench.running(loop):
        await eventually(lambda: _true(handler.tries))
        for _ in range(16):
            waiting = [sum(map(len, lane._queue._queue)) for lane in loop._lanes.values()]
            most = max(most, *waiting)
            await asyncio.sleep(0.1)
        assert handler.tries == len(loop._lanes), "one batch in work a partition"
        assert 0 < most <= QUICK.messages, "and one waiting"
        gate.set()
        await eventually(lambda: _count(bench, len(said)))
        epochs = [epoch for n in range(2) if (found := await bench.position(n)) for epoch in found[:1]]
    assert set(epochs) == {1}, "heart-beats went on: no partition was given to anyone anew"
    assert max(handler.batches) <= QUICK.messages
    assert len(await bench.seen()) == len(said)


async def _true(value: object) -> object:
    return value


async def test_too_many_dead_letters_stop_their_partitions_and_no_other(bench: Bench):
    await bench.topics(partitions=3)
    by_partition: dict[int, str] = {}
    for n in range(40):
        key = f"aldi:G{n}"
        by_partition.setdefault(await _partition_of(bench, key), key)
        if len(by_partition) == 3:
            break
    starts = await _ends(bench)
    for sick in (0, 1):
        await bench.set_position(starts[sick], sick)
        await bench.publish([garbage(by_partition[sick]) for _ in range(30)])
    # All that may be held is what two stopped partitions could keep for ever.
    loop = bench.loop(Recorder(), limits=Limits(messages=6, held=24, dead=Tolerance(in_a_row=6)))
    async with bench.running(loop):
        names = [f"{bench.where().topic}/{n}" for n in (0, 1)]
        await eventually(lambda: _true(set(names) <= loop.health.missing.keys()))
        stopped = [(await bench.position(n))[1] for n in (0, 1)]
        for name, at in zip(names, stopped, strict=True):
            assert "dead letters in a row" in loop.health.missing[name]
            assert f"the position stays at {at}, restart to try again" in loop.health.missing[name]
        await asyncio.sleep(0.3)
        await bench.publish([abandoned(100, by_partition[2])])
        await bench.at(starts[2] + 1, 2)
        assert [(await bench.position(n))[1] for n in (0, 1)] == stopped
        # A fetch may end anywhere: what was folded before the sixth is kept, of the batch that stops nothing.
        kept = sum(stopped) - starts[0] - starts[1]
        assert kept <= 2 * 5
        assert await bench.pool.fetchval("SELECT count(*) FROM outbox") == kept
    assert 100 in await bench.seen()
    assert set(loop.health.missing) == {"start"}, "they are not this process's any more"


async def test_an_operator_lets_a_stopped_partition_go_on(bench: Bench):
    """A restart with a greater tolerance: what is dead becomes dead letters, and what follows them is folded."""
    await bench.topics()
    await bench.publish([abandoned(1), *(garbage() for _ in range(60)), abandoned(2)])
    stopped = STOPPED_PARTITIONS.labels("ingest", "product-observed")
    dead = DEAD_LETTERS.labels("ingest", "product-observed", "undecodable")
    before = dead._value.get()
    loop = bench.loop(Recorder(), limits=Limits(messages=100))
    name = f"{bench.where().topic}/0"
    async with bench.running(loop):
        await eventually(lambda: _true(name in loop.health.missing))
        assert "50 dead letters in a row" in loop.health.missing[name]
        assert stopped._value.get() == 1
        at = (await bench.position())[1]
    assert stopped._value.get() == 0
    again = bench.loop(Recorder(), limits=Limits(messages=100))
    async with bench.running(again):
        await eventually(lambda: _true(name in again.health.missing))
        assert (await bench.position())[1] >= at, "a restart alone comes no further than to the same stop"
    patient = bench.loop(Recorder(), limits=Limits(messages=100, dead=Tolerance(in_a_row=10_000, share=1)))
    async with bench.running(patient):
        await bench.at(62)
    assert await bench.seen() == [1, 2]
    assert await bench.pool.fetchval("SELECT count(*) FROM outbox") == 60
    assert dead._value.get() - before == 60


async def _partition_of(bench: Bench, key: str) -> int:
    before = await _ends(bench)
    await bench.publish([abandoned(0, key)])
    after = await _ends(bench)
    return next(n for n in before if after[n] > before[n])


async def _ends(bench: Bench) -> dict[int, int]:
    raws = await asyncio.to_thread(read_topic, bench.broker, bench.where().topic, bench.topic.partitions)
    return {n: sum(raw.partition == n for raw in raws) for n in range(bench.topic.partitions)}


async def test_dead_letters_wait_in_the_outbox_untouched(bench: Bench):
    await bench.topics()
    await bench.publish([abandoned(1), garbage(), abandoned(2)])
    async with bench.running(bench.loop(Recorder())):
        await bench.at(3)
    assert await bench.seen() == [1, 2]
    (row,) = await bench.pool.fetch("SELECT * FROM outbox")
    assert row["topic"] == bench.topic.dead_letter_topic(bench.prefix, "ingest")
    assert (row["key"], row["value"]) == (b"aldi:G1", b"{")


async def test_a_lost_connection_is_tried_again_and_counts_nothing_twice(bench: Bench):
    """Four tries of a batch with two dead letters: two dead letters, not eight in a row."""
    await bench.topics()
    await bench.pool.execute(
        "CREATE SEQUENCE tries; "
        "CREATE FUNCTION cut_off() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        "IF nextval('tries') < 4 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END$$; "
        "CREATE TRIGGER cut_off BEFORE UPDATE ON positions FOR EACH ROW "
        "WHEN (OLD.next_offset < NEW.next_offset) EXECUTE FUNCTION cut_off()"
    )
    await bench.publish([garbage(), garbage()])
    handler = Recorder()
    limits = Limits(dead=Tolerance(in_a_row=5), first_retry_seconds=0.02, longest_retry_seconds=0.05)
    loop = bench.loop(handler, limits=limits)
    async with bench.running(loop):
        await bench.at(2)
        await eventually(lambda: _true(set(loop.health.missing) == {"start"}))
        assert handler.tries >= 4
        assert handler.forgotten >= 3, "what was cached of a batch that was rolled back is dropped"
        await bench.publish([abandoned(1)])
        await bench.at(3)
    assert await bench.seen() == [1]
    assert await bench.pool.fetchval("SELECT count(*) FROM outbox") == 2


async def test_while_the_database_is_away_it_says_so(bench: Bench):
    await bench.topics()
    own = await create_pool(bench.dsn, schema=SCHEMA, service="tests", max_size=2)
    loop = bench.loop(Recorder(), pool=own)
    async with bench.running(loop):
        await eventually(lambda: _true(loop._lanes))
        own.terminate()
        await bench.publish([abandoned(1)])
        what = f"folding {bench.where().topic}/0"
        await eventually(lambda: _true(what in loop.health.missing))
        (lane,) = loop._lanes.values()
        lane.pool = bench.pool
        await bench.at(1)
        await eventually(lambda: _true(what not in loop.health.missing))


@dataclass
class Proxy:
    """Stands between a pool and its server and loses the answer to one COMMIT."""

    dsn: str
    lose: bool = True
    lost: int = 0


@asynccontextmanager
async def commit_losing_proxy(dsn: str) -> AsyncIterator[Proxy]:
    parts = urlsplit(dsn)
    writers: list[asyncio.StreamWriter] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_client: bool) -> None:
        with_answers = True
        while data := await reader.read(1 << 16):
            writer.write(data)
            if is_client and proxy.lose and b"COMMIT;" in data:
                proxy.lose, proxy.lost, with_answers = False, proxy.lost + 1, False
                break
        if not with_answers:
            # The server's half stays open: it commits, and its answer goes nowhere.
            raise ConnectionAbortedError

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(parts.hostname, parts.port)
        writers.extend((writer, up_writer))
        tasks = [
            asyncio.create_task(pipe(reader, up_writer, is_client=True)),
            asyncio.create_task(pipe(up_reader, writer, is_client=False)),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        writer.transport.abort()
        if not any(isinstance(result, ConnectionAbortedError) for result in results):
            up_writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = parts.netloc.rpartition("@")[0]
    address = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}"))
    proxy = Proxy(address)
    try:
        yield proxy
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()


@pytest.mark.parametrize("commit_seconds", [0.0, 0.6], ids=["at once", "after the next try has begun"])
async def test_a_commit_whose_answer_was_lost_is_not_done_again(bench: Bench, commit_seconds):
    await bench.topics()
    await bench.pool.execute(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN PERFORM pg_sleep({commit_seconds}); RETURN NULL; END$$; "
        "CREATE CONSTRAINT TRIGGER slow_commit AFTER UPDATE ON positions DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW WHEN (OLD.next_offset = 0 AND NEW.next_offset > 0) EXECUTE FUNCTION dawdle()"
    )
    await bench.publish([abandoned(1), abandoned(2), garbage()])
    async with commit_losing_proxy(bench.dsn) as proxy:
        pool = await create_pool(proxy.dsn, schema=SCHEMA, service="tests", max_size=3)
        try:
            async with bench.running(bench.loop(Recorder(), pool=pool)):
                await bench.at(3)
                await bench.publish([abandoned(3)])
                await bench.at(4)
        finally:
            await pool.close()
    assert proxy.lost == 1
    assert await bench.seen() == [1, 2, 3]
    assert await bench.pool.fetchval("SELECT count(*) FROM outbox") == 1


async def test_two_loops_share_the_partitions_and_nothing_is_folded_twice(bench: Bench):
    await bench.topics(partitions=4)
    said = [abandoned(n, f"aldi:G{n % 9}") for n in range(120)]
    await bench.publish(said[:40])
    one, other = bench.loop(Recorder()), bench.loop(Recorder())
    async with bench.running(one):
        await eventually(lambda: _count(bench, 10))
        async with bench.running(other):
            await bench.publish(said[40:80])
            await eventually(
                lambda: _true(one._lanes and other._lanes and len(one._lanes) + len(other._lanes) == 4)
            )
            await bench.publish(said[80:])
            await eventually(lambda: _count(bench, 120))
    assert sorted(await bench.seen()) == list(range(120))
