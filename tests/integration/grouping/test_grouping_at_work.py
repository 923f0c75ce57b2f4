"""Positions, partitions that move, restarts, cut connections: nothing lost, nothing twice, no version missing."""

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import timedelta

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from splitcart_common.positions import PositionError
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRICE_CHANGED, STORE_GROUPS
from splitcart_grouping import handlers
from splitcart_grouping.app import prepare
from splitcart_grouping.gate import shard_of
from splitcart_grouping.intake import Intake
from tests.support.bus import Said, publish, read_topic
from tests.support.grouping import (
    START,
    Shop,
    anchors_in,
    anchors_shown,
    caught_up,
    country,
    eventually,
    fold_in,
    fold_of_log,
    formed,
    log_of_groups,
    prices_in,
    prices_said,
    running,
    settings,
    shops,
    topics,
)
from tests.support.stack import fresh_database


async def test_an_offset_committed_too_far_ahead_skips_nothing(database, broker, topic_prefix, monkeypatch):
    """Neither at the start nor when Faust, as it does after each rebalance, goes to what is committed."""
    consumers, assigned = [], Intake.assigned

    def noted(self, consumer, partitions):
        consumers.append(consumer)
        assigned(self, consumer, partitions)

    monkeypatch.setattr(Intake, "assigned", noted)
    await topics(broker, topic_prefix)
    log = [message for said in country(3, zones=(3,), rounds=1) for message in said]
    await publish(broker, topic_prefix, log)
    place = TopicPartition(PRICE_CHANGED.on_broker(topic_prefix), shard_of("aldi"))
    liar = AIOKafkaConsumer(
        bootstrap_servers=broker, group_id=f"{topic_prefix}-grouping-v1", enable_auto_commit=False
    )
    await liar.start()
    try:
        liar.assign([place])
        end = (await liar.end_offsets([place]))[place]
        await liar.commit({place: end - 1})
    finally:
        await liar.stop()
    async with running(settings(database, broker, topic_prefix)):
        await caught_up(database, broker, topic_prefix)
        (consumer,) = consumers
        assert await consumer.position(place) == end
        await consumer.perform_seek()
        assert await consumer.position(place) == end
    assert await prices_in(database, "aldi") == prices_said(log)


async def test_what_is_lost_on_the_way_to_a_lane_is_read_again(database, broker, topic_prefix, monkeypatch):
    """Faust drops messages where it pauses, stops a fetch, or clears its buffers; here every ninth is dropped."""
    put, count = Intake.put, 0

    async def forgetful(self, fetched):
        nonlocal count
        count += 1
        if count % 9:
            await put(self, fetched)

    monkeypatch.setattr(Intake, "put", forgetful)
    await topics(broker, topic_prefix)
    log = [message for said in country(4, zones=(2, 2), rounds=2) for message in said]
    await publish(broker, topic_prefix, log)
    async with running(settings(database, broker, topic_prefix, grouping_batch_messages=10)):
        await caught_up(database, broker, topic_prefix)
    assert count > len(log) * 1.2
    assert await fold_in(database) == fold_of_log(broker, topic_prefix)
    assert await prices_in(database, "aldi") == prices_said(log)


async def test_partitions_move_from_one_process_to_another(database, broker, topic_prefix):
    await topics(broker, topic_prefix)
    log = country(5, zones=(3, 3), rounds=4, companies=("aldi", "coles", "iga"))
    given = settings(database, broker, topic_prefix, grouping_batch_messages=3, grouping_maintain_seconds=0.3)
    parts = [[m for said in log[i * len(log) // 4 : (i + 1) * len(log) // 4] for m in said] for i in range(4)]
    first, second = AsyncExitStack(), AsyncExitStack()
    await first.enter_async_context(running(given))
    await publish(broker, topic_prefix, parts[0])
    await formed(database, 4)
    await second.enter_async_context(running(given))
    await publish(broker, topic_prefix, parts[1])
    await eventually(database, "SELECT count(*) > 4 FROM grouping.positions WHERE epoch > 1")
    await publish(broker, topic_prefix, parts[2])
    await first.aclose()
    await publish(broker, topic_prefix, parts[3])
    await caught_up(database, broker, topic_prefix)
    await second.aclose()
    folded = fold_of_log(broker, topic_prefix)
    assert folded.keys() == {"aldi", "coles", "iga"}
    assert await fold_in(database) == folded
    assert await anchors_shown(database) == anchors_in(folded)


async def test_cut_connections_lose_nothing(database, broker, topic_prefix):
    """Every fifth transaction that changes a company loses its connection after all else is written."""
    await topics(broker, topic_prefix)
    given = settings(database, broker, topic_prefix, grouping_batch_messages=4, grouping_maintain_seconds=0.3)
    await prepare(given)
    server = await asyncpg.connect(database)
    try:
        await server.execute(
            "SET search_path = grouping; CREATE SEQUENCE tries; "
            "CREATE FUNCTION cut_off() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN "
            "IF nextval('grouping.tries') % 5 = 0 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; "
            "RETURN NEW; END$$; "
            "CREATE TRIGGER cut_off BEFORE UPDATE ON companies FOR EACH ROW EXECUTE FUNCTION cut_off()"
        )
        log = [message for said in country(6, zones=(3, 2), rounds=3) for message in said]
        async with running(given):
            await publish(broker, topic_prefix, log)
            await caught_up(database, broker, topic_prefix)
        assert await server.fetchval("SELECT last_value FROM tries") >= 15
    finally:
        await server.close()
    assert await fold_in(database) == fold_of_log(broker, topic_prefix)
    assert await prices_in(database, "aldi") == prices_said(log)


async def test_an_empty_schema_learns_from_the_log_and_decides_nothing_again(
    database, broker, topic_prefix, postgres
):
    await topics(broker, topic_prefix)
    log = country(7, zones=(4, 3), rounds=3)
    stores, visits = [m for said in log[:7] for m in said], [m for said in log[7:] for m in said]
    async with running(settings(database, broker, topic_prefix)):
        await publish(broker, topic_prefix, stores)
        await formed(database, 7)
        await publish(broker, topic_prefix, visits)
        await caught_up(database, broker, topic_prefix)
    before = log_of_groups(broker, topic_prefix)
    assert len(before["aldi"]) > 15
    async with fresh_database(postgres) as other:
        given = settings(other, broker, topic_prefix, grouping_maintain_seconds=0.2, grouping_batch_messages=5)
        async with running(given):
            await caught_up(other, broker, topic_prefix)
            assert await prices_in(other, "aldi") == await prices_in(database, "aldi")
            learnt = await fold_in(other)
        assert learnt["aldi"].version >= len(before["aldi"])
        after = log_of_groups(broker, topic_prefix)
        assert after["aldi"][: len(before["aldi"])] == before["aldi"]
        # Maintenance may find something once all is folded; the history itself led to nothing.
        assert {event.TYPE for event in after["aldi"][len(before["aldi"]) :]} <= {
            "groups-merged",
            "member-confirmed",
        }
        # And it goes on where the log ended.
        shop = Shop("aldi:NEW", {})
        async with running(given):
            await publish(broker, topic_prefix, [shop.discovered(START + timedelta(hours=23))])
            await formed(other, 8)
            await caught_up(other, broker, topic_prefix)
        assert await fold_in(other) == fold_of_log(broker, topic_prefix)


async def missing(health: Health, what: str) -> None:
    async with asyncio.timeout(10):
        while what not in health.missing:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)


async def test_a_decision_that_cannot_be_read_stops_its_company_and_no_other(database, broker, topic_prefix):
    await topics(broker, topic_prefix)
    assert shard_of("aldi") != shard_of("coles")
    health = Health()
    name = f"{STORE_GROUPS.on_broker(topic_prefix)}/{shard_of('aldi')}"
    one, two = shops("aldi", zones=(2,))
    three = shops("coles", zones=(1,))[0]
    async with running(settings(database, broker, topic_prefix), health):
        await publish(broker, topic_prefix, [one.discovered()])
        await formed(database, 1)
        await caught_up(database, broker, topic_prefix)
        await publish(broker, topic_prefix, [Said(b"aldi", b"{", one.discovered().headers, STORE_GROUPS)])
        await missing(health, name)
        assert "has no dead letters" in health.missing[name]
    health = Health()
    async with running(settings(database, broker, topic_prefix), health):
        await publish(broker, topic_prefix, [two.discovered(), three.discovered()])
        await eventually(database, "SELECT count(*) FROM grouping.members WHERE company = 'coles'", 1)
        await missing(health, name)
        await missing(health, f"{name} to be folded")
        await eventually(database, "SELECT count(*) FROM grouping.members WHERE company = 'aldi'", 1)
    assert len(read_topic(broker, STORE_GROUPS.on_broker(topic_prefix), 12)) == 3


async def test_maintenance_needs_no_message(database, broker, topic_prefix):
    """Stores whose scrapes settled before anyone had discovered them match: the next look finds it."""
    await topics(broker, topic_prefix)
    town = shops("aldi", zones=(3,))
    async with running(settings(database, broker, topic_prefix)):
        for minute, shop in enumerate(town):
            await publish(broker, topic_prefix, shop.visit(START + timedelta(minutes=minute)))
        await caught_up(database, broker, topic_prefix)
        await publish(broker, topic_prefix, [shop.discovered() for shop in town])
        await formed(database, 3)
        await caught_up(database, broker, topic_prefix)
    assert len(fold_of_log(broker, topic_prefix)["aldi"].anchors) == 3
    async with running(settings(database, broker, topic_prefix, grouping_maintain_seconds=0.1)):
        await eventually(database, "SELECT count(DISTINCT anchor) FROM grouping.members", 1)
        await caught_up(database, broker, topic_prefix)
    (raw, *_) = [r for r in read_topic(broker, STORE_GROUPS.on_broker(topic_prefix), 12) if b"survivor" in r.value]
    assert "causation-id" not in dict(raw.headers)
    assert await fold_in(database) == fold_of_log(broker, topic_prefix)


async def test_others_are_served_while_a_decision_is_made(database, broker, topic_prefix, monkeypatch):
    """The decision takes its time in a thread: the loop beats on."""
    decide, beats, during = handlers.on_settled, 0, []

    def slow(*args):
        before = beats
        time.sleep(0.5)
        during.append(beats - before)
        return decide(*args)

    async def beat():
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.01)

    monkeypatch.setattr(handlers, "on_settled", slow)
    await topics(broker, topic_prefix)
    shop = shops("aldi", zones=(1,), listings=20_000)[0]
    heart = asyncio.create_task(beat())
    async with running(settings(database, broker, topic_prefix)):
        await publish(broker, topic_prefix, [shop.discovered(), *shop.visit(START)])
        await caught_up(database, broker, topic_prefix)
    heart.cancel()
    assert during
    assert min(during) >= 5


async def test_a_position_beyond_the_log_ends_the_service(database, broker, topic_prefix):
    await topics(broker, topic_prefix)
    async with running(settings(database, broker, topic_prefix)):
        await eventually(database, "SELECT count(*) FROM grouping.positions", 28)
    server = await asyncpg.connect(database)
    try:
        await server.execute(
            "UPDATE grouping.positions SET next_offset = 7 WHERE topic = $1 AND partition = 1",
            PRICE_CHANGED.on_broker(topic_prefix),
        )
    finally:
        await server.close()
    with pytest.raises(ExceptionGroup) as caught:
        async with running(settings(database, broker, topic_prefix)):
            await asyncio.sleep(30)
    assert caught.group_contains(PositionError, match="stored position is 7, but the log ends at 0")
