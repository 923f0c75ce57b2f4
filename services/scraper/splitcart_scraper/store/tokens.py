"""The tokens of the retailers' hosts, in Postgres: `pace.HostTokens` for processes on any machine."""

from datetime import datetime, timedelta
from typing import Final

from splitcart_common.postgres import Pool
from splitcart_scraper.pace import Held
from splitcart_scraper.store import Q

FORGET_AFTER: Final = timedelta(seconds=3)
"""Wall; a waiter that has not asked again for so long waits no more."""


class PostgresTokens:
    """One row a host, and one a waiter."""

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
        return Held(row["last_request_at"], waited_for=False)

    async def renew(
        self, host: str, owner: str, last: datetime | None, now: datetime, until: datetime
    ) -> Held | None:
        """Hold on longer; None if the token was lost."""
        row = await self._pool.fetchrow(Q["renew_host"], host, owner, last, until, now - FORGET_AFTER)
        return None if row is None else Held(row["last_request_at"], row["waited_for"])

    async def give_back(self, host: str, owner: str, last: datetime | None) -> None:
        """Let go of the token, if it is held."""
        await self._pool.execute(Q["give_back_host"], host, owner, last)
