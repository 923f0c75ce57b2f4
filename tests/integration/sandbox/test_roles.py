"""Each service writes its own schema, sees `read`, and nothing else: shown with its own role."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from splitcart_sandbox.database import (
    SERVICES,
    create_database,
    drop_database,
    prepare_database,
    service_dsn,
)
from tests.support.stack import Server

pytestmark = pytest.mark.stack


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_owns_its_schema_and_writes_no_other(database: str, service: str) -> None:
    others = [*(s for s in SERVICES if s != service), "public"]
    async with connected(service_dsn(database, service)) as mine:
        await mine.execute(f"CREATE TABLE {service}.notes (a int); INSERT INTO {service}.notes VALUES (1)")
        for other in others:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await mine.execute(f"CREATE TABLE {other}.notes (a int)")
    for other in SERVICES:
        if other != service:
            async with connected(service_dsn(database, other)) as theirs:
                for attempt in (
                    "SELECT * FROM {}.notes",
                    "INSERT INTO {}.notes VALUES (2)",
                    "DROP TABLE {}.notes",
                ):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await theirs.execute(attempt.format(service))


async def test_a_generation_of_ingest_is_seen_through_views_only(database: str) -> None:
    async with connected(service_dsn(database, "ingest")) as ingest:
        await ingest.execute(
            "CREATE SCHEMA ingest_g1; CREATE TABLE ingest_g1.prices (cents int);"
            "INSERT INTO ingest_g1.prices VALUES (350);"
            "CREATE VIEW read.prices AS SELECT cents FROM ingest_g1.prices"
        )
        for service in SERVICES:
            if service == "ingest":
                continue
            refused = [
                "SELECT * FROM ingest_g1.prices",
                "INSERT INTO read.prices VALUES (1)",
                "DELETE FROM read.prices",
                "DROP VIEW read.prices",
                "CREATE OR REPLACE VIEW read.prices AS SELECT 1 AS cents",
                "CREATE SCHEMA mine",
            ]
            if service != "grouping":  # which shows groups there
                refused.append("CREATE VIEW read.mine AS SELECT 1 AS one")
            async with connected(service_dsn(database, service)) as reader:
                assert await reader.fetchval("SELECT cents FROM read.prices") == 350
                for attempt in refused:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await reader.execute(attempt)
        # A swap: the views are made again on the next generation, and are seen as before.
        await ingest.execute(
            "CREATE SCHEMA ingest_g2; CREATE TABLE ingest_g2.prices (cents int);"
            "DROP VIEW read.prices; CREATE VIEW read.prices AS SELECT cents FROM ingest_g2.prices;"
            "DROP SCHEMA ingest_g1 CASCADE"
        )
        async with connected(service_dsn(database, "gateway")) as gateway:
            assert await gateway.fetchval("SELECT count(*) FROM read.prices") == 0


async def test_groups_are_seen_by_all_and_made_by_grouping(database: str) -> None:
    async with connected(service_dsn(database, "grouping")) as grouping:
        await grouping.execute(
            "CREATE TABLE grouping.members (store text); INSERT INTO grouping.members VALUES ('aldi:G1');"
            "CREATE VIEW read.group_members AS SELECT store FROM grouping.members"
        )
    for service in SERVICES:
        async with connected(service_dsn(database, service)) as reader:
            assert await reader.fetchval("SELECT store FROM read.group_members") == "aldi:G1"
            if service != "grouping":
                for attempt in ("SELECT * FROM grouping.members", "DELETE FROM read.group_members"):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await reader.execute(attempt)


async def test_extensions_serve_every_role_even_with_an_own_schema_first(database: str) -> None:
    async with connected(service_dsn(database, "gateway")) as gateway:
        await gateway.execute("SET search_path = gateway, public")
        assert await gateway.fetchval("SELECT 'milk' % 'milk 1l' AND unaccent('é') = 'e'")
        assert await gateway.fetchval(
            "SELECT ll_to_earth(-33.9, 151.2) <@ earth_box(ll_to_earth(-33.9, 151.2), 1)"
        )


async def test_a_role_without_a_grant_cannot_connect(database: str) -> None:
    async with connected(database) as superuser:
        await superuser.execute(
            "DO $$ BEGIN CREATE ROLE splitcart_stranger LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(database.replace("//postgres@", "//splitcart_stranger@"))


async def test_preparing_again_and_at_once_changes_nothing(postgres: Server) -> None:
    names = ["prepare_a", "prepare_b"]
    addresses = [await create_database(postgres.dsn, name) for name in names]
    try:
        await asyncio.gather(*(prepare_database(dsn) for dsn in (*addresses, *addresses)))
        async with connected(addresses[0]) as superuser:
            owners = await superuser.fetch(
                "SELECT nspname, nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = ANY($1)",
                [*SERVICES, "read"],
            )
        assert {row["nspname"]: row["owner"] for row in owners} == {
            **{service: f"splitcart_{service}" for service in SERVICES},
            "read": "splitcart_ingest",
        }
    finally:
        for name in names:
            await drop_database(postgres.dsn, name)
