"""Ingest is killed, and killed again: nothing lost, nothing twice (design.md, promise 1)."""

import asyncio
from contextlib import asynccontextmanager
from itertools import chain
from uuid import UUID

import asyncpg
import pytest

from splitcart_common.kafka import ensure_topics
from tests.support.bus import publish, say
from tests.support.forking import ended, exit_code, killed
from tests.support.ingest import START, caught_up, confirmed, scrape, settings
from tests.support.killing import (
    POINTS,
    RELAYED,
    TAKING_OVER,
    USED,
    killed_again_and_again,
    long_log,
    said_once,
    same_as_the_logs,
    start,
)

SHORT = (None, POINTS[3], None, POINTS[6], None, RELAYED, None, TAKING_OVER, None, POINTS[8])
EVERYWHERE = tuple(chain.from_iterable((None, point) for point in POINTS))


@pytest.mark.parametrize(
    ("points", "visits"),
    [
        (SHORT, 8),
        pytest.param(EVERYWHERE * 5, 16, marks=[pytest.mark.long, pytest.mark.timeout(1800)]),
    ],
    ids=["10 times", "110 times"],
)
async def test_killed_again_and_again_it_still_equals_the_fold_of_both_logs(
    database, broker, topic_prefix, points, visits
):
    await ensure_topics(broker, topic_prefix, USED)
    given = settings(
        database, broker, topic_prefix, ingest_batch_messages=2, instance="1", ingest_housekeep_seconds=0.1
    )
    log = long_log(seed=3, stores=24, visits=visits, range_size=80, decided=300)
    await killed_again_and_again(given, database, log, points, seed=3)
    service = start(given)
    await caught_up(database, broker, topic_prefix)
    await ended(service)
    expected = await same_as_the_logs(database, broker, topic_prefix, visits)
    assert len(expected.history) > 3000
    assert len(expected.markers) == 300
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("SELECT count(*) FROM ingest_g1.store_heads WHERE collected") > 0
    await connection.close()
    said_once(broker, topic_prefix, expected)


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
    service = start(given)
    await caught_up(database, broker, prefix)
    await ended(service)
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
    process = start(given, *words)
    async with asyncio.timeout(30):
        waiting = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass"
        while not await connection.fetchval(waiting):  # noqa: ASYNC110 - another process's lock
            await asyncio.sleep(0.01)
    await killed(process)
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
        again = start(given, "splitcart_cli", "ingest", "tidy")
        assert await exit_code(again) == 0
        assert await connection.fetchval("SELECT count(*) FROM latest_prices") == 60
        assert await connection.fetchval("SELECT count(*) FROM store_heads WHERE collected") == len(MEMBERS)
        await same_as_the_logs(database, broker, topic_prefix)


async def test_killed_in_the_middle_of_restoring(database, broker, topic_prefix):
    async with members(database, broker, topic_prefix) as (given, connection):
        tidied = start(given, "splitcart_cli", "ingest", "tidy")
        assert await exit_code(tidied) == 0
        more = {f"{n:06d}": 100 + n + n % 2 for n in range(5, 65)}
        await publish(broker, topic_prefix, chain.from_iterable(scrape(store, 2, more) for store in MEMBERS))
        # It has brought the rows back and cleared the mark, and comes to write down that a scrape began.
        async with killed_at(connection, "scrapes", given):
            pass
        assert await connection.fetchval("SELECT count(*) FROM latest_prices") == 60
        assert await connection.fetchval("SELECT count(*) FROM store_heads WHERE collected") == len(MEMBERS)
        service = start(given)
        await caught_up(database, broker, topic_prefix)
        await ended(service)
        assert await connection.fetchval("SELECT count(*) FROM store_heads WHERE collected") == 0
        expected = await same_as_the_logs(database, broker, topic_prefix)
        assert len([row for row in expected.latest if row[0] in MEMBERS]) == 65 * len(MEMBERS)
