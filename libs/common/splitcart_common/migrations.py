"""Migrations by yoyo: plain SQL, applied once a schema, remembered in that schema.

Every service's schema starts with the tables of `sql/migrations` beside this module (positions, outbox),
then its own. Names are ``NNNN_pre_*`` where the running release can live with the change, ``NNNN_post_*``
where only the next one can.
"""

from collections.abc import Sequence
from contextlib import closing
from importlib.resources import as_file, files
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import sql
from yoyo import get_backend, read_migrations


def migrate(dsn: str, schema: str, packages: Sequence[str]) -> list[str]:
    """Create the schema if need be and bring it up to date; the ids of the migrations applied now.

    Safe to call from several processes, and to be killed in: an advisory lock, which goes with its connection,
    guards it (yoyo's own lock is a row, and would outlive a killed process). psycopg errors pass through.
    """
    applied: list[str] = []
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"splitcart migrate {schema}"])
        # Not IF NOT EXISTS: that asks for the right to create, which a service has no need of.
        if not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]).fetchone():
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        backend = get_backend(_yoyo_dsn(dsn, schema))
        try:
            for package in ("splitcart_common", *packages):
                with as_file(files(package).joinpath("sql/migrations")) as folder:
                    todo = backend.to_apply(read_migrations(str(folder)))
                    backend.apply_migrations(todo)
                applied += [migration.id for migration in todo]
        finally:
            backend.connection.close()
    return applied


def _yoyo_dsn(dsn: str, schema: str) -> str:
    """The same server for yoyo, with `schema` first in the search path, so that its tables live there too."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query)) | {"schema": f"{schema},public"}
    return urlunsplit(("postgresql+psycopg", parts.netloc, parts.path, urlencode(query), ""))
