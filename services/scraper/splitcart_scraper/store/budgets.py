"""What each company was sent on each day, counted by all workers of all machines."""

from datetime import datetime

from splitcart_common.postgres import Pool
from splitcart_scraper.domain.budgets import Spent, day_of
from splitcart_scraper.store import Q


async def spend(pool: Pool, company: str, at: datetime, requests: int) -> None:
    """Count requests that were made, on the day of a (virtual) moment; no statement where there were none."""
    if requests:
        await pool.execute(Q["spend"], company, day_of(at), requests)


async def spent(pool: Pool, company: str, at: datetime, limit: int | None) -> Spent:
    """What was made on the day of a (virtual) moment, against its limit."""
    day = day_of(at)
    return Spent(day, await pool.fetchval(Q["spent"], company, day) or 0, limit)
