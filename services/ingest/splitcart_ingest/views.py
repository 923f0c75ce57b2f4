"""What others see of the live generation: the views and functions of schema `read`.

They bind to tables and not to names, so a swap makes them anew. That takes a lock on each that no reader bears, and
a reader that has some of them and wants others would wait for us while we wait for it. So we wait for less time than
the server takes to see such a circle (a second) and end one of the two: we give way, and try again, each time with
more patience. A reader never waits for longer than that.
"""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from importlib.resources import files
from typing import Final, TypeVar

import asyncpg

from splitcart_common.postgres import Connection
from splitcart_ingest.generations import SQL, live_schema, number_of

T = TypeVar("T")

READ_VIEWS: Final = ("views", "prices")
"""The texts of `sql/` that show a generation, in this order."""
PATIENCE_MILLISECONDS: Final = (50, 800)
REST_SECONDS: Final = 0.1


async def past_readers(connection: Connection, change: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Do a change of the views in a transaction of its own, again and again until no reader is in its way.

    Raises asyncpg.LockNotAvailableError where one is for so many seconds.
    """
    until = asyncio.get_running_loop().time() + seconds
    patience, longest = PATIENCE_MILLISECONDS
    while True:
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{patience}ms'")
                return await change()
        except asyncpg.LockNotAvailableError:
            if asyncio.get_running_loop().time() > until:
                raise
        await asyncio.sleep(REST_SECONDS)
        patience = min(2 * patience, longest)


async def show(connection: Connection, schema: str) -> None:
    """Let the views show a generation, in the caller's transaction, unless they do or it is live no more."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('splitcart read views', 0))")
    if await live_schema(connection) != schema:
        return
    texts = [files("splitcart_ingest").joinpath(f"sql/{name}.sql").read_text() for name in READ_VIEWS]
    wanted = blake2b("".join(texts).encode(), digest_size=8).hexdigest()
    # By what is there and not only by what we once made: a former release may have been started since.
    if await connection.fetchval(SQL["shows"], number_of(schema)) == wanted + await _definitions(connection):
        return
    for text in texts:
        await connection.execute(text.replace("{schema}", schema))
    await connection.execute(SQL["now_shows"], number_of(schema), wanted + await _definitions(connection))


async def _definitions(connection: Connection) -> str:
    found: str = await connection.fetchval(SQL["definitions"])
    return found
