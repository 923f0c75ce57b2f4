"""What processes on any machines share of the retailers' hosts, in Postgres: their tokens and robots.txt."""

from datetime import datetime, timedelta
from typing import Final

import asyncpg

from splitcart_common.postgres import Pool
from splitcart_scraper.pace import Held, Trace
from splitcart_scraper.robots import KeptRobots
from splitcart_scraper.store import Q

FORGET_AFTER: Final = timedelta(seconds=3)
"""Wall; a waiter that has not asked again for so long waits no more."""


class PostgresTokens:
    """`pace.HostTokens`: one row a host, and one a waiter."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def take(self, host: str, owner: str, since: datetime, now: datetime, until: datetime) -> Held | None:
        """The token, or None while it is another's or another has waited longer."""
        stale = now - FORGET_AFTER
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(Q["make_host"], host)
            row = await connection.fetchrow(Q["take_host"], host, owner, since, now, until, stale)
            if row is None:
                await connection.execute(Q["wait_for_host"], host, owner, since, now)
                return None
            await connection.execute(Q["stop_waiting"], host, owner, stale)
        return Held(_trace(row), waited_for=False)

    async def renew(self, host: str, owner: str, trace: Trace, now: datetime, until: datetime) -> Held | None:
        """Hold on longer, and leave a trace; None if the token was lost."""
        row = await self._pool.fetchrow(
            Q["renew_host"],
            host,
            owner,
            trace.last_request_at,
            until,
            now - FORGET_AFTER,
            trace.gap_seconds,
            trace.closed_until,
        )
        return None if row is None else Held(_trace(row), row["waited_for"])

    async def give_back(self, host: str, owner: str, trace: Trace) -> None:
        """Let go of the token, if it is held, and leave a trace with it."""
        await self._pool.execute(
            Q["give_back_host"], host, owner, trace.last_request_at, trace.gap_seconds, trace.closed_until
        )


class PostgresRobots:
    """`robots.RobotsShelf`: one row a host."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def kept(self, host: str) -> KeptRobots | None:
        """The robots.txt of a host that was read last."""
        row = await self._pool.fetchrow(Q["robots_of_host"], host)
        return None if row is None else KeptRobots(row["text"], row["keep_until"])

    async def keep(self, host: str, robots: KeptRobots) -> None:
        """Keep another in its place."""
        await self._pool.execute(Q["keep_robots"], host, robots.text, robots.until)


def _trace(row: asyncpg.Record) -> Trace:
    return Trace(row["last_request_at"], row["gap_seconds"], row["closed_until"])
