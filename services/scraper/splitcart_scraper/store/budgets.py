"""What each company was sent on each day, counted by all workers of all machines."""

from collections import Counter
from datetime import date, datetime

from splitcart_common.clock import Clock
from splitcart_common.postgres import Pool
from splitcart_scraper.domain.budgets import Spent, day_of
from splitcart_scraper.store import Q


class Account:
    """What this process sends a company, whatever for and to whichever of its hosts.

    It is put on record from time to time (`book`), as a statement for each request would cost more than it. So
    what a killed process had not booked yet, the requests of some seconds at most, is on no day's account.
    """

    def __init__(self, company: str, pool: Pool, clock: Clock, limit: int | None) -> None:
        self._company, self._pool, self._clock, self._limit = company, pool, clock, limit
        self._made: Counter[date] = Counter()

    def sent(self) -> None:
        """A request goes out now; each try is one, and so is that of a robots.txt."""
        self._made[day_of(self._clock.now())] += 1

    async def book(self) -> None:
        """Put on record what was sent since the last time; no statement where that is nothing."""
        made, self._made = self._made, Counter()
        try:
            for day in sorted(made):
                await self._pool.execute(Q["spend"], self._company, day, made[day])
                del made[day]
        finally:
            self._made += made  # what could not be written is tried again

    async def today(self) -> Spent:
        """What all processes have sent on the (virtual) day, against its limit."""
        await self.book()
        return await spent(self._pool, self._company, self._clock.now(), self._limit)


async def spent(pool: Pool, company: str, at: datetime, limit: int | None) -> Spent:
    """What was made on the day of a (virtual) moment, against its limit."""
    day = day_of(at)
    return Spent(day, await pool.fetchval(Q["spent"], company, day) or 0, limit)
