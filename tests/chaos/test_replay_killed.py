"""A replay is killed, and a swap is: what is live is whole, and the same command goes on."""

import asyncio
import random
import signal
from contextlib import asynccontextmanager

import asyncpg
import psutil
import pytest

from splitcart_ingest.generations import folded_by
from tests.support.ingest import fold_in, fold_of_log, running, scrape
from tests.support.replay import compared, folded_live, some_log

WAITS_TO_INDEX = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'ShareLock')"
ITS_CONNECTIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
STATES = "SELECT number, state FROM ingest.generations ORDER BY number"


@pytest.fixture
async def live(database, broker, topic_prefix):
    async with folded_live(database, broker, topic_prefix, some_log(seed=9, stores=12, visits=6)) as made:
        yield made


@asynccontextmanager
async def asking(live):
    connection = await asyncpg.connect(live.dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def until(connection, query, *arguments):
    async with asyncio.timeout(120):
        while not await connection.fetchval(query, *arguments):  # noqa: ASYNC110 - another process's work
            await asyncio.sleep(0.01)


async def killed(process):
    """Killed, and nothing of it left: what it had started ends with it."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, children, 30)
    assert not alive, [child.cmdline() for child in alive]
    return len(gone)


async def test_a_run_killed_again_and_again_goes_on_where_it_was(live):
    rng, workers, words = random.Random(5), 0, ()
    total = await live.ask("SELECT sum(next_offset)::int FROM ingest_g1.positions")
    async with asking(live) as connection:
        for kill in range(3):
            process = await live.starts("replay", "run", "--workers", "2", *words)
            await until(connection, "SELECT to_regclass('ingest_g2.positions') IS NOT NULL")
            most = rng.randrange(kill * total // 4, (kill + 1) * total // 4)
            await until(connection, "SELECT coalesce(sum(next_offset), 0) >= $1 FROM ingest_g2.positions", most)
            workers += await killed(process)
            await until(connection, f"SELECT ({ITS_CONNECTIONS}) = 0")
            assert await live.fetch(STATES) == [(1, "live"), (2, "building")]
            words = ("--to-generation", "2")
    assert workers >= 2
    # And once more while the indexes are made, when all is folded.
    async with asking(live) as holder, asking(live) as connection:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("LOCK TABLE ingest_g2.listings IN ROW EXCLUSIVE MODE")
        process = await live.starts("replay", "run", *words)
        await until(connection, WAITS_TO_INDEX)
        await killed(process)
        await transaction.rollback()
        await until(connection, f"SELECT ({ITS_CONNECTIONS}) <= 1")
    assert await live.fetch(STATES) == [(1, "live"), (2, "building")]
    code, lines, err = await live.verb("replay", "run", *words)
    assert (code, lines[-1]["state"]) == (0, "built"), err
    assert (await compared(live)).equal
    missing = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'ingest_g1'"
    assert await live.ask(missing) == await live.ask(missing.replace("g1", "g2"))


WAITS_FOR_INGEST = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
WAITS_FOR_READERS = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock')"


@pytest.mark.parametrize(
    ("lock", "waiting"),
    [
        (f"SELECT pg_advisory_lock_shared(hashtextextended('{folded_by('ingest_g1')}', 0))", WAITS_FOR_INGEST),
        ("SELECT count(*) FROM read.stores", WAITS_FOR_READERS),
    ],
    ids=["before live stops", "in the moment itself"],
)
async def test_a_swap_killed_leaves_the_old_generation_live_and_whole(live, lock, waiting):
    await live.run()
    async with asking(live) as holder:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute(lock)
        process = await live.starts("replay", "swap")
        async with asking(live) as connection:
            await until(connection, waiting)
        await killed(process)
        await transaction.rollback()
    assert await live.fetch(STATES) == [(1, "live"), (2, "built")]
    more = scrape("aldi:S002", 80, {f"{k:06d}": 80 for k in range(40)})
    async with running(live.given):
        await live.publish(more)
        await live.caught_up("ingest_g1")
        assert await fold_in(live.dsn) == fold_of_log(live.broker, live.prefix)
        code, lines, err = await live.verb("replay", "swap")
        assert (code, lines[-1]["now"]) == (0, 2), err
        await live.caught_up("ingest_g2")
    assert await fold_in(live.dsn, "ingest_g2") == fold_of_log(live.broker, live.prefix)
