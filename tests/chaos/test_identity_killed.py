"""Whoever decides is killed, or freezes, at named points: another takes over, and nothing is decided twice."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from itertools import count, groupby

import asyncpg
import httpx
import psutil
import pytest

from splitcart_common.kafka import ensure_topics
from splitcart_common.topics import ALL
from splitcart_ingest.app import prepare
from splitcart_sandbox.ports import choose
from tests.support.bus import publish
from tests.support.identity import decided_once, market, recorded, same_as_its_log
from tests.support.ingest import caught_up, environment, settings

POINTS = ("links", "outbox", "positions")
"""Tables in the order in which a batch comes to write them: decisions, their messages, and the position last."""

HOLDER = """
SELECT a.pid, a.client_port FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('splitcart identity ingest_g1', 0)
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
SESSIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'splitcart-ingest-identity'
"""
WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1 AND relation = $2::regclass"


class Two:
    """Two ingest processes: one decides, one stands by."""

    def __init__(self, given, connection):
        self.given = given
        self.connection = connection
        self._names = count(1)
        self.running = []
        self.ports = {}

    async def start(self):
        name = f"{next(self._names)}"
        port = choose("health", taken=self.ports.values())
        env = {**os.environ, **environment(self.given), "SPLITCART_INSTANCE": name}
        env["SPLITCART_HEALTH_PORT"] = str(port)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "splitcart_ingest", env=env, stderr=asyncio.subprocess.DEVNULL
        )
        self.running.append(process)
        self.ports[process] = port
        return process

    async def all_there(self):
        """Wait until each decides or stands by."""
        async with asyncio.timeout(60):
            while await self.connection.fetchval(SESSIONS) < len(self.running):  # noqa: ASYNC110 - others' sessions
                await asyncio.sleep(0.02)

    async def holder(self, besides=None):
        """Who decides, and by which backend: once somebody does, and it is not `besides`."""
        async with asyncio.timeout(60):
            while True:
                row = await self.connection.fetchrow(HOLDER)
                for process in self.running if row else ():
                    with suppress(psutil.NoSuchProcess):
                        ports = {c.laddr.port for c in psutil.Process(process.pid).net_connections("tcp")}
                        if row["client_port"] in ports and process is not besides:
                            return process, row["pid"]
                await asyncio.sleep(0.02)

    async def comes_to(self, table, backend):
        """Wait until a batch comes to write a table that is locked."""
        async with asyncio.timeout(60):
            while not await self.connection.fetchval(WAITS, backend, table):  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.01)

    async def tells(self, writer):
        """Wait until each says at its health port what its part is, and the writer alone that it decides."""
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            for process in self.running:
                decides = process is writer
                part = "this process decides" if decides else "stands by, another process decides"
                await self._tells(client, process, "readyz", f"identity: {part}\n")
                await self._tells(client, process, "metrics", f"splitcart_identity_deciding {float(decides)}\n")
                queue = 'splitcart_lag_messages{partition="0",service="ingest",topic="listing-described"}'
                if decides:
                    await self._tells(client, process, "metrics", queue)
                else:
                    assert queue not in await self._text(client, process, "metrics"), "the writer's to tell"

    async def _tells(self, client, process, path, words):
        while words not in await self._text(client, process, path):  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.02)

    async def _text(self, client, process, path):
        """What is answered; nothing while nobody listens."""
        try:
            return (await client.get(f"http://127.0.0.1:{self.ports[process]}/{path}")).text
        except httpx.TransportError:
            return ""

    async def kill(self, process):
        process.send_signal(signal.SIGKILL)
        await process.wait()
        self.running.remove(process)


@asynccontextmanager
async def two_processes(database, broker, prefix, **more):
    await ensure_topics(broker, prefix, ALL)
    given = settings(database, broker, prefix, ingest_identity_messages=9, **more)
    connection = await asyncpg.connect(database)
    two = Two(given, connection)
    try:
        await two.start()
        await two.holder()
        await two.start()
        await two.all_there()
        await connection.execute("SET search_path = ingest_g1, public")
        yield two
        await two.all_there()
        for process in two.running:
            process.terminate()
        for process in two.running:
            assert await process.wait() == 0
        two.running = []
    finally:
        for process in list(two.running):
            with suppress(ProcessLookupError):
                await two.kill(process)
        await connection.close()


def in_parts(log, parts):
    size = len(log) // parts + 1
    return [log[start : start + size] for start in range(0, len(log), size)]


@pytest.mark.parametrize(
    ("times", "rounds"), [(1, 4), pytest.param(10, 16, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
async def test_killed_at_every_point_of_a_batch_another_goes_on(database, broker, topic_prefix, times, rounds):
    points = POINTS * times
    parts = in_parts(list(market(seed=11, products=60, rounds=rounds)), len(points) + 1)
    async with two_processes(database, broker, topic_prefix) as two:
        for point, part in zip(points, parts, strict=False):
            process, backend = await two.holder()
            transaction = two.connection.transaction()
            await transaction.start()
            await two.connection.execute(f"LOCK TABLE {point} IN SHARE MODE")
            await publish(broker, topic_prefix, part)
            await two.comes_to(point, backend)
            await two.kill(process)
            await transaction.rollback()
            other, _ = await two.holder(besides=process)
            assert other in two.running
            await two.start()
        await publish(broker, topic_prefix, parts[-1])
        await caught_up(database, broker, topic_prefix)
        await _all_is_well(database, broker, topic_prefix, [m for part in parts for m in part])


async def test_one_that_freezes_in_a_batch_is_cut_off_and_spoils_nothing(database, broker, topic_prefix):
    first, second, third = in_parts(list(market(seed=12, products=30, rounds=2)), 3)
    async with two_processes(database, broker, topic_prefix, ingest_identity_lease_seconds=1) as two:
        frozen, backend = await two.holder()
        transaction = two.connection.transaction()
        await transaction.start()
        await two.connection.execute("LOCK TABLE outbox IN SHARE MODE")
        await publish(broker, topic_prefix, first)
        await two.comes_to("outbox", backend)
        frozen.send_signal(signal.SIGSTOP)
        await transaction.rollback()
        other, _ = await two.holder(besides=frozen)
        await publish(broker, topic_prefix, second)
        await _decided(two, len({message.key for message in first + second}))
        # It wakes, in the middle of what it was at, and has nothing to say any more.
        frozen.send_signal(signal.SIGCONT)
        await publish(broker, topic_prefix, third)
        await caught_up(database, broker, topic_prefix)
        assert (await two.holder())[0] is other
        said = len(recorded(broker, topic_prefix))
        # It stands by, and is fit to go on.
        await two.kill(other)
        assert (await two.holder())[0] is frozen
        more = list(market(seed=13, products=10))
        await publish(broker, topic_prefix, more)
        await caught_up(database, broker, topic_prefix)
        assert len(recorded(broker, topic_prefix)) > said
        await _all_is_well(database, broker, topic_prefix, [*first, *second, *third, *more])


WRITERS = """
CREATE TABLE ingest_g1.writers (n bigint GENERATED ALWAYS AS IDENTITY, pid int NOT NULL);
CREATE FUNCTION ingest_g1.note_writer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN INSERT INTO ingest_g1.writers (pid) VALUES (pg_backend_pid()); RETURN NULL; END $$;
CREATE TRIGGER note_writer AFTER UPDATE ON ingest_g1.catalogue_head
FOR EACH STATEMENT EXECUTE FUNCTION ingest_g1.note_writer();
"""
"""Whose session wrote the catalogue, transaction by transaction: they follow one another, as all write one row."""


async def test_of_those_that_start_at_once_one_alone_ever_writes(database, broker, topic_prefix):
    *parts, last = in_parts(list(market(seed=15, products=60, rounds=4)), 4)
    await ensure_topics(broker, topic_prefix, ALL)
    given = settings(database, broker, topic_prefix, ingest_identity_messages=3)
    await prepare(given)
    connection = await asyncpg.connect(database)
    await connection.execute(WRITERS)
    two = Two(given, connection)
    try:
        for part in parts:
            await publish(broker, topic_prefix, part)
            await asyncio.gather(*(two.start() for _ in range(3 - len(two.running))))
            writer, backend = await two.holder()
            await _has_written(connection, backend)
            await two.tells(writer)
            await two.kill(writer)
        await publish(broker, topic_prefix, last)
        await caught_up(database, broker, topic_prefix)
        await connection.execute("SET search_path = ingest_g1, public")
        await _all_is_well(database, broker, topic_prefix, [m for part in (*parts, last) for m in part])
        pids = [row["pid"] for row in await connection.fetch("SELECT pid FROM writers ORDER BY n")]
        turns = [pid for pid, _ in groupby(pids)]
        assert len(turns) == len(set(turns)) == len(parts) + 1, "each has its turn, and never comes back"
    finally:
        for process in list(two.running):
            await two.kill(process)
        await connection.close()


async def _has_written(connection, backend):
    async with asyncio.timeout(60):
        count = "SELECT count(*) FROM ingest_g1.writers WHERE pid = $1"
        while not await connection.fetchval(count, backend):  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.01)


async def _decided(two, listings):
    async with asyncio.timeout(60):
        count = "SELECT count(*) FROM links WHERE rule IS NOT NULL"
        while await two.connection.fetchval(count) < listings:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.02)


async def _all_is_well(database, broker, prefix, log):
    """The tables are the fold of their own log; every listing is decided on; each decision was made once."""
    state = await same_as_its_log(database, broker, prefix)
    assert {f"{row.company}/{row.sku}".encode() for row in state.links} == {message.key for message in log}
    last = {message.key: message for message in log}
    said = {(e.company, e.sku): e for e in decided_once(broker, prefix) if hasattr(e, "rule")}
    assert len(said) == len(last)


@pytest.mark.parametrize("point", ["products"])
async def test_the_connection_alone_is_lost_and_comes_back(database, broker, topic_prefix, point):
    log = list(market(seed=14, products=30, rounds=2))
    async with two_processes(database, broker, topic_prefix) as two:
        _, backend = await two.holder()
        transaction = two.connection.transaction()
        await transaction.start()
        await two.connection.execute(f"LOCK TABLE {point} IN SHARE MODE")
        await publish(broker, topic_prefix, log)
        await two.comes_to(point, backend)
        await two.connection.fetchval("SELECT pg_terminate_backend($1)", backend)
        await transaction.rollback()
        await caught_up(database, broker, topic_prefix)
        assert (await two.holder())[1] != backend
        await _all_is_well(database, broker, topic_prefix, log)
