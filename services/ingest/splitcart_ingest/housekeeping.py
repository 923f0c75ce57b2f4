"""Housekeeping (protocol.md, rule 10): rows of members that their anchor's make redundant are dropped.

A store's rows go where their evidence is not above its floor: until the store is scraped again nobody is served
by them. The next ScrapeStarted restores them from the history, in its own transaction (store.py), so that whoever
holds the store's state in memory is right all the while. It is a matter of space alone: served prices are the same
before and after, at every moment.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from splitcart_common.postgres import TRANSIENT, Connection, Pool, load_queries

log = structlog.get_logger()
SQL = load_queries("splitcart_ingest", "sql/housekeeping.sql")


@dataclass(frozen=True, slots=True)
class Collected:
    """What a look through the stores came to: how many were looked at, and how many rows of how many dropped."""

    looked_at: int = 0
    stores: int = 0
    rows: int = 0


async def collect(pool: Pool) -> Collected:
    """Look through the stores that have something new, each in a transaction of its own.

    One that is being folded, or waits for a scrape that a confirmation names, is left for the next time.
    """
    async with pool.acquire() as connection:
        stores = [row["store_id"] for row in await connection.fetch(SQL["candidates"])]
        dropped = []
        for store in stores:
            async with connection.transaction():
                dropped.append(await collect_store(connection, store))
    return Collected(len(stores), sum(rows > 0 for rows in dropped), sum(dropped))


async def collect_store(connection: Connection, store: int) -> int:
    """Drop a store's redundant rows in the caller's transaction, its head locked; how many there were."""
    head = await connection.fetchrow(SQL["lock_head"], store)
    if head is None:
        return 0
    floor = await connection.fetchrow(SQL["floor"], store)
    if floor is None or floor["open"] or floor["waiting"] or floor["version"] is None:
        return 0
    rows: int = await connection.fetchval(SQL["collect"], store, floor["seq"])
    if rows:
        await connection.execute(SQL["mark_collected"], store)
    await connection.execute(SQL["remember"], store, floor["version"], floor["seq"], head["next_seq"])
    return rows


class Housekeeper:
    """Collects every so many wall seconds. Any number may run: a store is looked at by one of them at a time."""

    def __init__(self, pool: Pool, seconds: float) -> None:
        self._pool = pool
        self._seconds = seconds

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep house while the body runs; the body ends if that fails for good."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.run(stop), name="housekeeping")
            try:
                yield
            finally:
                stop.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Collect until `stop` is set; where the server is away, what is due waits for the next time."""
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await stop.wait()
                return
            try:
                done = await collect(self._pool)
            except TRANSIENT as error:
                log.warning("housekeeping interrupted", why=f"{type(error).__name__}: {error}")
            else:
                if done.rows:
                    log.info("collected", stores=done.stores, rows=done.rows)
