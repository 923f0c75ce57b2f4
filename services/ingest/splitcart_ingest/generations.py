"""Generations: which schema is live, and who folds it (design.md, promise 3).

`ingest.generations` lies outside the generations and says which of them is live. Whoever folds one holds it by a
lock that goes with its connection, shared with the other processes of the service; a swap waits until it has it
alone, then says that another one is live. So a service that was killed holds nothing up, and a swap that was
killed leaves everything as it was.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import structlog

from splitcart_common.postgres import TRANSIENT, Connection, load_queries
from splitcart_common.telemetry import Health

log = structlog.get_logger()
SQL = load_queries("splitcart_ingest", "sql/generations.sql")

SCHEMA = "ingest_g"
LOOK_SECONDS = 0.5
"""How soon a service notices that its generation is to be swapped, and that it has been."""


def schema_of(number: int) -> str:
    """The schema of a generation."""
    return f"{SCHEMA}{number}"


def number_of(schema: str) -> int:
    """The generation of a schema."""
    return int(schema.removeprefix(SCHEMA))


def folded_by(schema: str) -> str:
    """The lock of those who fold a generation."""
    return f"splitcart folds {schema}"


async def register(connection: Connection, first: str, at: datetime) -> str:
    """The live schema; where a database has none yet, `first` becomes it. In the caller's transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('splitcart generations', 0))")
    await connection.execute(SQL["registry"])
    live = await connection.fetchval(SQL["live"])
    if live is None:
        live = number_of(first)
        await connection.execute(SQL["begin"], live, at)
    return schema_of(live)


async def live_schema(connection: Connection) -> str | None:
    """The live schema; None where ingest has not run on this database."""
    if not await connection.fetchval(SQL["there"]):
        return None
    live = await connection.fetchval(SQL["live"])
    return None if live is None else schema_of(live)


@asynccontextmanager
async def folding(
    connection: Connection, schema: str, stop: asyncio.Event, health: Health
) -> AsyncIterator[asyncio.Event]:
    """Hold a generation by a connection while the body folds it; the event is set when the body is to end.

    That is when `stop` is set, when a swap waits for it, when another generation is live, and when the connection
    is lost. Where a swap is at it already, the body begins after it, and with the event set.
    """
    over = asyncio.Event()
    try:
        while not stop.is_set() and not await connection.fetchval(SQL["share"], folded_by(schema)):
            health.wait_for("generation", f"{schema} is being swapped")
            await _wait(stop)
        if stop.is_set() or not await _stands(connection, schema):
            over.set()
    except TRANSIENT as error:
        log.warning("generation not held", schema=schema, why=f"{type(error).__name__}: {error}")
        over.set()
    health.has("generation")
    watching = asyncio.create_task(_watch(connection, schema, stop, over), name="generation")
    try:
        yield over
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _stands(connection: Connection, schema: str) -> bool:
    """Whether a generation is live and nobody waits to have it alone."""
    return bool(await connection.fetchval(SQL["stands"], number_of(schema), folded_by(schema)))


async def _watch(connection: Connection, schema: str, stop: asyncio.Event, over: asyncio.Event) -> None:
    try:
        while not over.is_set() and not stop.is_set() and await _stands(connection, schema):
            await _wait(stop)
    except TRANSIENT as error:
        log.warning("generation let go", schema=schema, why=f"{type(error).__name__}: {error}")
    finally:
        over.set()


async def _wait(stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS):
            await stop.wait()
