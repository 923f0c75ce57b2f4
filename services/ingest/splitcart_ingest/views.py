"""What others see of the live generation: the views and functions of schema `read`.

They bind to tables and not to names, so a swap makes them anew, under a lock on each that no reader bears. A
reader takes its locks in the order its query names the views in: one that has B and wants A, while we have A and
want B, is a circle, which the server ends after a second at the cost of one of the two. So we wait for less than
that, give way and try again, with more patience and another view first: whoever comes while we wait for that view,
and names it first, waits with nothing in its hands. A reader never waits for us for longer than the patience.
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

READ_VIEWS: Final = ("views", "prices", "as_of", "history")
"""The texts of `sql/` that show a generation, in this order."""
PATIENCE_MILLISECONDS: Final = (50, 800)
REST_SECONDS: Final = 0.1


async def past_readers(connection: Connection, change: Callable[[int], Awaitable[T]], seconds: float) -> T:
    """Do a change of the views in a transaction of its own, again and again until no reader is in its way.

    `change` is told how often it was tried. Raises asyncpg.LockNotAvailableError where a reader is in its way for
    so many seconds.
    """
    until = asyncio.get_running_loop().time() + seconds
    patience, longest = PATIENCE_MILLISECONDS
    tried = 0
    while True:
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{patience}ms'")
                return await change(tried)
        except asyncpg.LockNotAvailableError:
            if asyncio.get_running_loop().time() > until:
                raise
        await asyncio.sleep(REST_SECONDS)
        patience, tried = min(2 * patience, longest), tried + 1


async def show(connection: Connection, schema: str, tried: int) -> None:
    """Let the views show a generation, in the caller's transaction, unless they do or it is live no more."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('splitcart read views', 0))")
    if await live_schema(connection) != schema:
        return
    texts = [files("splitcart_ingest").joinpath(f"sql/{name}.sql").read_text() for name in READ_VIEWS]
    wanted = blake2b("".join(texts).encode(), digest_size=8).hexdigest()
    # By what is there and not only by what we once made: a former release may have been started since.
    if await connection.fetchval(SQL["shows"], number_of(schema)) == wanted + await _definitions(connection):
        return
    await _lock(connection, tried)
    for text in texts:
        await connection.execute(text.replace("{schema}", schema))
    await connection.execute(SQL["now_shows"], number_of(schema), wanted + await _definitions(connection))


async def _lock(connection: Connection, first: int) -> None:
    """Lock every view, another one first each time, all in one message so that the rest follow it at once."""
    views = [row["name"] for row in await connection.fetch(SQL["views"])]
    first %= max(1, len(views))
    # It is ours already, so nothing changes: but this takes the lock that a change takes, and nothing else's.
    wanted = [f"ALTER VIEW {name} OWNER TO CURRENT_USER" for name in (*views[first:], *views[:first])]
    if wanted:
        await connection.execute("; ".join(wanted))


async def _definitions(connection: Connection) -> str:
    found: str = await connection.fetchval(SQL["definitions"])
    return found
