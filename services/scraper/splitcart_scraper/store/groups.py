"""What the schedule keeps of groups: who is a member of whom, up to which version of the company's decisions."""

from datetime import datetime

from splitcart_common.postgres import Connection
from splitcart_scraper.store import Q


async def is_news(connection: Connection, company: str, version: int) -> bool:
    """Take a company's version as folded; False where it, or a later one, has been."""
    return await connection.fetchval(Q["next_version"], company, version) is not None


async def confirm(connection: Connection, store: str, anchor: str, at: datetime, version: int) -> None:
    """The store is a member of that anchor, as of a (virtual) moment."""
    await connection.execute(Q["confirm"], store, anchor, at, version)


async def stand_alone(connection: Connection, store: str) -> None:
    """The store is no member any more."""
    await connection.execute(Q["stand_alone"], store)


async def scraped_since(connection: Connection, store: str, at: datetime) -> bool:
    """Whether a complete scrape of the store began, or a full one settled, after a (virtual) moment."""
    return bool(await connection.fetchval(Q["scraped_since"], store, at))
