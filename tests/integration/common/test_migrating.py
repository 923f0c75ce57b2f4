"""Migrations on the real server: once, by several at a time, killed in the middle, and without rights."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psycopg
import pytest

from splitcart_common.migrations import migrate
from splitcart_sandbox.database import service_dsn
from tests.integration.common.conftest import eventually

COMMON = "0001_pre_positions_and_outbox"
MIGRATE = (
    "import sys; from splitcart_common.migrations import migrate; print(migrate(sys.argv[1], 's1', sys.argv[2:]))"
)
DIES = "import os, signal, yoyo; dies = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL); "
DIES_AT_ITS_MARK = DIES + "yoyo.backends.base.DatabaseBackend.mark_one = dies; " + MIGRATE
DIES_IN_A_NEW_SCHEMA = DIES + "yoyo.internalmigrations.upgrade = dies; " + MIGRATE

Package = Callable[[dict[str, str]], tuple[str, Path]]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Makes a package of migrations: its name, and the folder it can be imported from."""

    def make(files: dict[str, str]) -> tuple[str, Path]:
        name = "migrations_" + tmp_path.name.replace("-", "_")
        folder = tmp_path / name / "sql" / "migrations"
        folder.mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
        for file, sql in files.items():
            (folder / file).write_text(sql, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        return name, tmp_path

    return make


def process(code: str, dsn: str, *packages: str, path: Path | None = None) -> subprocess.Popen[str]:
    places = [str(path)] if path else []
    inherited = [place for place in (os.environ.get("PYTHONPATH"),) if place]
    return subprocess.Popen(
        [sys.executable, "-c", code, dsn, *packages],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places + inherited)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def tables(dsn: str, schema: str = "s1") -> set[str]:
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", schema)
    finally:
        await connection.close()
    return {row["tablename"] for row in found if "yoyo" not in row["tablename"]}


async def locks(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                "WHERE l.locktype = 'advisory' AND a.datname = current_database()"
            )
        )
    finally:
        await connection.close()


async def test_twice_is_once(database, package):
    name, _ = package(
        {"0001_pre_things.sql": "CREATE TABLE things (n int);", "0002_post_more.sql": "CREATE TABLE more ();"}
    )
    applied = await asyncio.to_thread(migrate, database, "s1", [name])
    assert applied == [COMMON, "0001_pre_things", "0002_post_more"]
    assert await asyncio.to_thread(migrate, database, "s1", [name]) == []
    assert await tables(database) == {"positions", "outbox", "things", "more"}
    assert await locks(database) == 0


async def test_a_migration_that_came_later_is_applied_alone(database, package):
    name, folder = package({"0001_pre_things.sql": "CREATE TABLE things (n int);"})
    await asyncio.to_thread(migrate, database, "s1", [name])
    later = folder / name / "sql" / "migrations" / "0002_pre_more.sql"
    later.write_text("ALTER TABLE things ADD m int;", encoding="utf-8")
    assert await asyncio.to_thread(migrate, database, "s1", [name]) == ["0002_pre_more"]


async def test_every_schema_has_its_own(database):
    assert await asyncio.to_thread(migrate, database, "s1", []) == [COMMON]
    assert await asyncio.to_thread(migrate, database, "s2", []) == [COMMON]
    assert await tables(database, "s2") == {"positions", "outbox"}
    assert not await tables(database, "public") & {"positions", "outbox"}


async def test_two_processes_at_once(database, package):
    slow = "CREATE TABLE things (n int); DO $$BEGIN PERFORM pg_sleep(0.3); END$$;"
    name, folder = package({"0001_pre_things.sql": slow})
    both = [process(MIGRATE, database, name, path=folder) for _ in range(2)]
    said = [await asyncio.to_thread(one.communicate, timeout=30) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert sorted(out.strip() for out, _ in said) == [str([COMMON, "0001_pre_things"]), "[]"]


async def test_a_failure_leaves_nothing_half_done(database, package):
    name, folder = package({"0001_pre_things.sql": "CREATE TABLE things (n int); SELECT 1 / 0;"})
    with pytest.raises(psycopg.errors.DivisionByZero):
        await asyncio.to_thread(migrate, database, "s1", [name])
    assert "things" not in await tables(database)
    file = folder / name / "sql" / "migrations" / "0001_pre_things.sql"
    file.write_text("CREATE TABLE things (n int);", encoding="utf-8")
    assert (await asyncio.to_thread(migrate, database, "s1", [name]))[-1] == "0001_pre_things"
    assert await tables(database) == {"positions", "outbox", "things"}


async def test_killed_within_a_migration_it_leaves_no_lock(database, package):
    slow = "CREATE TABLE things (n int); DO $$BEGIN PERFORM pg_sleep(0.6); END$$;"
    name, folder = package({"0001_pre_things.sql": slow})
    victim = process(MIGRATE, database, name, path=folder)
    connection = await asyncpg.connect(database)

    async def asleep() -> bool:
        query = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        return bool(await connection.fetchval(query))

    try:
        await eventually(asleep)
    finally:
        await connection.close()
        victim.send_signal(signal.SIGKILL)
        await asyncio.to_thread(victim.communicate)
    applied = await asyncio.wait_for(asyncio.to_thread(migrate, database, "s1", [name]), 10)
    assert applied == ["0001_pre_things"]
    assert await tables(database) == {"positions", "outbox", "things"}
    assert await locks(database) == 0


@pytest.mark.parametrize("code", [DIES_AT_ITS_MARK, DIES_IN_A_NEW_SCHEMA], ids=["at its mark", "in a new schema"])
async def test_killed_in_between_the_next_one_can_go_on(database, package, code):
    name, folder = package({"0001_pre_things.sql": "CREATE TABLE things (n int);"})
    victim = process(code, database, name, path=folder)
    await asyncio.to_thread(victim.communicate, timeout=30)
    assert victim.returncode == -signal.SIGKILL
    applied = await asyncio.wait_for(asyncio.to_thread(migrate, database, "s1", [name]), 5)
    assert applied == [COMMON, "0001_pre_things"]
    assert await locks(database) == 0


async def test_a_service_without_create_on_the_database_has_its_own_schema(database):
    dsn = service_dsn(database, "scraper")
    connection = await asyncpg.connect(dsn)
    try:
        query = "SELECT has_database_privilege(current_database(), 'CREATE')"
        assert not await connection.fetchval(query)
    finally:
        await connection.close()
    assert await asyncio.to_thread(migrate, dsn, "scraper", ["splitcart_scraper"])
    assert await asyncio.to_thread(migrate, dsn, "scraper", ["splitcart_scraper"]) == []
    for schema in ("of_its_own", "ingest"):
        with pytest.raises(Exception, match="permission denied"):
            await asyncio.to_thread(migrate, dsn, schema, ["splitcart_scraper"])
    assert await locks(database) == 0
