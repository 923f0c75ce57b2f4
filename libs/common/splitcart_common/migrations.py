"""Migrations by yoyo: plain SQL, applied once a schema, remembered in that schema.

Every service's schema starts with the tables of `sql/migrations` beside this module (positions, outbox),
then its own. Names are ``NNNN_pre_*`` where the running release can live with the change, ``NNNN_post_*``
where only the next one can.
"""

from collections.abc import Sequence
from contextlib import closing
from importlib.resources import as_file, files
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import sql
from yoyo import get_backend, read_migrations


def migrate(dsn: str, schema: str, packages: Sequence[str]) -> list[str]:
    """Create the schema if need be and bring it up to date; the ids of the migrations applied now.

    Each is one transaction with its mark, so a process killed in the middle leaves nothing half done. Safe to call
    from several processes: an advisory lock, which goes with its connection, guards it (yoyo's own lock is a row,
    and outlives a killed process). psycopg errors pass through.
    """
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"splitcart migrate {schema}"])
        _make_ready(connection, schema)
        backend = get_backend(_yoyo_dsn(dsn, schema))
        try:
            backend.ensure_internal_schema_updated()
            applied: list[str] = []
            for package in ("splitcart_common", *packages):
                applied += _apply(backend, package)
            return applied
        finally:
            backend.connection.close()


def _make_ready(connection: psycopg.Connection[tuple[object, ...]], schema: str) -> None:
    # Not IF NOT EXISTS: that asks for the right to create, which a service has no need of.
    if not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]).fetchone():
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    may_create = connection.execute("SELECT has_schema_privilege(%s, 'CREATE')", [schema]).fetchone()
    if may_create != (True,):
        raise psycopg.errors.InsufficientPrivilege(
            f"permission denied for schema {schema}: {connection.info.user} may not create tables in it"
        )
    left = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{schema}.yoyo_lock"]).fetchone()
    if left == (True,):
        # By a process that was killed while yoyo made its own tables: we hold the lock that counts.
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, "yoyo_lock")))


def _apply(backend: Any, package: str) -> list[str]:
    """Apply what is missing of one package, each with its mark in one transaction: yoyo commits them apart."""
    with as_file(files(package).joinpath("sql/migrations")) as folder:
        todo = list(backend.to_apply(read_migrations(str(folder))))
        for migration in todo:
            with backend.transaction():
                migration.process_steps(backend, "apply")
                backend.mark_one(migration)
    return [migration.id for migration in todo]


def _yoyo_dsn(dsn: str, schema: str) -> str:
    """The same server for yoyo, with `schema` first in the search path, so that its tables live there too."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query)) | {"schema": f"{schema},public"}
    return urlunsplit(("postgresql+psycopg", parts.netloc, parts.path, urlencode(query), ""))
