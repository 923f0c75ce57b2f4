"""Postgres with our defaults: a pool on one schema, named SQL, and what may be tried again."""

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

import asyncpg

# asyncpg's classes take no type arguments at run time; its stubs want them.
if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

UNAVAILABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
)
"""The server is not there, or went away: wait and do the same again."""

TRANSIENT = (
    *UNAVAILABLE,
    # What a connection that is cut in the middle of an answer looks like to the driver's own protocol.
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.TooManyConnectionsError,
)
"""Errors of the moment, not of the data: the transaction is rolled back and done again."""


async def create_pool(
    dsn: str,
    *,
    schema: str,
    service: str,
    min_size: int = 1,
    max_size: int = 4,
    timeout: float = 30,
    set_up: Callable[[Connection], Awaitable[None]] | None = None,
) -> Pool:
    """A pool whose connections see `schema` first, then read.* by name; statements end after `timeout` s.

    `set_up` is run once on every new connection.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        command_timeout=timeout,
        init=set_up,  # type: ignore[arg-type] # its stubs know of no pool's own connection here
        server_settings={
            "search_path": f"{schema},public",
            "application_name": f"splitcart-{service}",
            "timezone": "UTC",
            "jit": "off",  # our statements are short: compiling them costs more than it saves
        },
    )


def load_queries(package: str, file: str = "sql/queries.sql") -> Mapping[str, str]:
    """The SQL texts of a service by name: each starts with a line ``-- name: <name>`` and may be described.

    ValueError where a name is there twice or a text stands before the first name.
    """
    texts: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in files(package).joinpath(file).read_text().splitlines():
        if line.startswith("-- name:"):
            name = line.removeprefix("-- name:").strip()
            if name in texts:
                raise ValueError(f"{package}/{file} names {name} twice")
            current = texts[name] = []
        elif line.strip() and not line.startswith("--"):
            if current is None:
                raise ValueError(f"{package}/{file} has SQL before its first name")
            current.append(line)
    return {name: "\n".join(lines) for name, lines in texts.items()}
