"""Databases on a server: prepared with roles, schemas and extensions, created, dropped, addressed."""

from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from splitcart_sandbox.errors import SandboxError

ROLES_SQL: Final = Path(__file__).resolve().parents[3] / "deploy" / "postgres" / "roles.sql"
"""The same file prepares a production database, so it lives with what deploys one."""

SERVICES: Final = ("scraper", "ingest", "grouping", "substitutions", "gateway")
"""Who has a role in `ROLES_SQL`."""


def with_database(dsn: str, database: str) -> str:
    """The same server, credentials and options, another database."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(path=f"/{quote(database, safe='')}"))


def with_role(dsn: str, role: str) -> str:
    """The same server and database as another role, without a password (see roles.sql on passwords)."""
    parts = urlsplit(dsn)
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role, safe='')}@{address}"))


def service_dsn(dsn: str, service: str) -> str:
    """The address a service connects to: its own role in the database of `dsn`."""
    return with_role(dsn, f"splitcart_{service}")


async def run_sql(dsn: str, sql: str) -> None:
    """Run a text of one or more statements; asyncpg's errors are the caller's."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def create_database(dsn: str, name: str, *, template: str | None = None) -> str:
    """Create a database if it is not there, from `template` if one is named; the address of it."""
    connection = await asyncpg.connect(dsn)
    try:
        clause = f" TEMPLATE {_quoted(template)}" if template else ""
        await connection.execute(f"CREATE DATABASE {_quoted(name)}{clause}")
    except asyncpg.DuplicateDatabaseError:
        pass
    finally:
        await connection.close()
    return with_database(dsn, name)


async def drop_database(dsn: str, name: str) -> None:
    """Drop a database and whoever is connected to it; nothing if it is not there."""
    await run_sql(dsn, f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")


async def prepare_database(dsn: str) -> None:
    """Roles, schemas, grants and extensions in the database of `dsn` (a superuser's); may be repeated.

    SandboxError if the role of `dsn` may not do that, or SplitCart's deploy folder is not there.
    """
    try:
        sql = ROLES_SQL.read_text()
    except FileNotFoundError:
        raise SandboxError(f"{ROLES_SQL} is not there: the sandbox runs from a checkout of SplitCart") from None
    try:
        await run_sql(dsn, sql)
    except asyncpg.InsufficientPrivilegeError as error:
        raise SandboxError(
            f"the role of SPLITCART_POSTGRES_DSN may not prepare the database ({error}): "
            f"use a superuser's address, or have an administrator run {ROLES_SQL.name} in it"
        ) from error


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
