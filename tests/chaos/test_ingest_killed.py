"""Ingest is killed, and killed again: nothing lost, nothing twice (design.md, promise 1)."""

import asyncio
import os
import random
import signal
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import chain, zip_longest

import asyncpg

from splitcart_common.kafka import ensure_topics
from splitcart_common.topics import LISTING_DESCRIBED, PRICE_CHANGED, PRODUCT_OBSERVED, STORE_GROUPS, STORES
from tests.support.bus import publish, read_events, say
from tests.support.ingest import (
    START,
    UUID,
    caught_up,
    confirmed,
    country,
    decisions,
    environment,
    fold_in,
    folded,
    reference,
    scrape,
    served_in,
    settings,
)

KILLS = 10
USED = (PRODUCT_OBSERVED, STORES, STORE_GROUPS, PRICE_CHANGED, LISTING_DESCRIBED)
ASKED = tuple(
    (START + timedelta(days=days), None if turn is None else START + timedelta(days=turn))
    for days, turn in ((8.5, None), (8.5, 7), (11, None), (11, 9), (30, 29))
)
"""Moments after all that was seen, and the last turn before each."""


async def start(given, *words):
    """A process of its own: the service, or a verb."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *(words or ("splitcart_ingest",)),
        env={**os.environ, **environment(given)}, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def same_as_the_logs(database, broker, prefix):
    """The tables and every price served are those of both recorded logs."""
    expected = reference(broker, prefix)
    assert await fold_in(database) == expected.fold()
    for at, turn in ASKED:
        assert await served_in(database, at, turn) == expected.served(at, turn)
    return expected.fold()


async def test_killed_ten_times_it_still_equals_the_fold_of_both_logs(database, broker, topic_prefix):
    await ensure_topics(broker, topic_prefix, USED)
    given = settings(
        database, broker, topic_prefix, ingest_batch_messages=2, instance="1", ingest_housekeep_seconds=0.1
    )
    scrapes = [message for said in country(seed=3, stores=24, visits=8, range_size=80) for message in said]
    groups = decisions(seed=3, stores=24, visits=8, range_size=80, count=300)
    every = len(scrapes) // len(groups)
    parts = zip_longest(groups, (scrapes[n : n + every] for n in range(0, len(scrapes), every)))
    log = [message for group, part in parts for message in (*([group] if group else ()), *(part or ()))]
    await publish(broker, topic_prefix, log)
    rng = random.Random(3)
    for kill in range(KILLS + 1):
        service = await start(given)
        if kill < KILLS:
            # Somewhere in the middle of the work: after a random share of it, and a random moment more.
            await folded(
                database, rng.randrange(kill * len(log) // (KILLS + 1) + 1, (kill + 1) * len(log) // (KILLS + 1))
            )
            await asyncio.sleep(rng.uniform(0, 0.05))
            service.send_signal(signal.SIGKILL)
            await service.wait()
    await caught_up(database, broker, topic_prefix)
    service.terminate()
    assert await service.wait() == 0
    expected = await same_as_the_logs(database, broker, topic_prefix)
    assert len(expected.history) > 3000
    assert len(expected.markers) == 300
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("SELECT count(*) FROM ingest_g1.store_heads WHERE collected") > 0
    await connection.close()
    # What was relayed twice bears the same id and says the same.
    said = {}
    for _, envelope, event in read_events(broker, topic_prefix, PRICE_CHANGED):
        assert said.setdefault(envelope.event_id, event) == event
    changed = sum(len(getattr(event, "changes", ())) + len(getattr(event, "skus", ())) for event in said.values())
    assert changed == len(expected.history)


ITS_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'splitcart-%'
"""
MEMBERS = [f"aldi:M{number}" for number in range(4)]


@asynccontextmanager
async def members(database, broker, prefix):
    """Four members, folded and confirmed, and nothing collected yet; their settings and a connection."""
    await ensure_topics(broker, prefix, USED)
    given = settings(database, broker, prefix, ingest_housekeep_seconds=3600, instance="1")
    prices = {f"{n:06d}": 100 + n for n in range(60)}
    log = list(chain.from_iterable(scrape(store, 1, prices) for store in ("aldi:A", *MEMBERS)))
    for version, store in enumerate(MEMBERS, 1):
        event = confirmed(version, store, "aldi:A", up_to=1, anchor_at=1, exceptions={"000007": 99})
        ident = UUID(int=version)
        log.append(say("aldi", event, event_id=ident, correlation_id=ident, at=START))
    await publish(broker, prefix, log)
    service = await start(given)
    await caught_up(database, broker, prefix)
    service.terminate()
    assert await service.wait() == 0
    connection = await asyncpg.connect(database, server_settings={"search_path": "ingest_g1, public"})
    try:
        yield given, connection
    finally:
        await connection.close()


@asynccontextmanager
async def killed_at(connection, table, given, *words):
    """A process that comes to wait for a table, killed there; its transaction is gone at the end of the body."""
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
    process = await start(given, *words)
    async with asyncio.timeout(30):
        waiting = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass"
        while not await connection.fetchval(waiting):  # noqa: ASYNC110 - another process's lock
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    yield
    await transaction.rollback()
    async with asyncio.timeout(30):
        while await connection.fetchval(ITS_CONNECTIONS):  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.01)


async def test_killed_in_the_middle_of_housekeeping(database, broker, topic_prefix):
    async with members(database, broker, topic_prefix) as (given, connection):
        # It has dropped the first store's rows and marked its head, and comes to write down how far it looked.
        async with killed_at(connection, "floors", given, "splitcart_cli", "ingest", "tidy"):
            pass
        assert await connection.fetchval("SELECT count(*) FROM latest_prices") == 5 * 60
        assert await connection.fetchval("SELECT count(*) FROM store_heads WHERE collected") == 0
        await same_as_the_logs(database, broker, topic_prefix)
        again = await start(given, "splitcart_cli", "ingest", "tidy")
        assert await again.wait() == 0
        assert await connection.fetchval("SELECT count(*) FROM latest_prices") == 60
        assert await connection.fetchval("SELECT count(*) FROM store_heads WHERE collected") == len(MEMBERS)
        await same_as_the_logs(database, broker, topic_prefix)


async def test_killed_in_the_middle_of_restoring(database, broker, topic_prefix):
    async with members(database, broker, topic_prefix) as (given, connection):
        tidied = await start(given, "splitcart_cli", "ingest", "tidy")
        assert await tidied.wait() == 0
        more = {f"{n:06d}": 100 + n + n % 2 for n in range(5, 65)}
        await publish(broker, topic_prefix, chain.from_iterable(scrape(store, 2, more) for store in MEMBERS))
        # It has brought the rows back and cleared the mark, and comes to write down that a scrape began.
        async with killed_at(connection, "scrapes", given):
            pass
        assert await connection.fetchval("SELECT count(*) FROM latest_prices") == 60
        assert await connection.fetchval("SELECT count(*) FROM store_heads WHERE collected") == len(MEMBERS)
        service = await start(given)
        await caught_up(database, broker, topic_prefix)
        service.terminate()
        assert await service.wait() == 0
        assert await connection.fetchval("SELECT count(*) FROM store_heads WHERE collected") == 0
        expected = await same_as_the_logs(database, broker, topic_prefix)
        assert len([row for row in expected.latest if row[0] in MEMBERS]) == 65 * len(MEMBERS)
