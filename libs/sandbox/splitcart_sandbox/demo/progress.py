"""How far the stack has come, asked of its own records every second or so."""

import asyncpg

from splitcart_common.clock import ScaledClock
from splitcart_common.topics import PRODUCT_OBSERVED, STORES
from splitcart_sandbox.demo.figures import Snapshot
from splitcart_sandbox.demo.log import Ends
from splitcart_sandbox.demo.truth import Truth

SCHEMA = "ingest_g1"

_COUNTS = f"""
SELECT (SELECT count(*) FROM read.stores WHERE name IS NOT NULL) AS stores,
       count(DISTINCT store_id) FILTER (WHERE outcome = 'full') AS scraped_stores,
       count(*) FILTER (WHERE outcome IS NOT NULL) AS scrapes,
       count(*) FILTER (WHERE outcome = 'partial') AS partial,
       count(*) FILTER (WHERE outcome = 'abandoned') AS abandoned,
       coalesce(sum(created + updated + unchanged), 0) AS observations,
       coalesce(sum(created + updated + withdrawn), 0) AS changes
FROM {SCHEMA}.scrapes
"""  # noqa: S608 - a constant
_PRICES = f"SELECT count(*) FROM {SCHEMA}.latest_prices WHERE price IS NOT NULL"  # noqa: S608
_POSITIONS = f"SELECT topic, partition, next_offset FROM {SCHEMA}.positions"  # noqa: S608
_OUTBOXES = f"SELECT (SELECT count(*) FROM {SCHEMA}.outbox) + (SELECT count(*) FROM scraper.outbox)"  # noqa: S608


async def snapshot(connection: asyncpg.Connection, clock: ScaledClock, ends: Ends, truth: Truth) -> Snapshot:
    """The counts of this moment."""
    counts = await connection.fetchrow(_COUNTS)
    return Snapshot(
        at=clock.now(),
        requests=await truth.requests(),
        prices=await connection.fetchval(_PRICES),
        lag=await lag(connection, ends),
        **dict(counts or {}),
    )


async def lag(connection: asyncpg.Connection, ends: Ends) -> int:
    """Messages not folded yet, and outbox rows not published yet."""
    at = {(row["topic"], row["partition"]): row["next_offset"] for row in await connection.fetch(_POSITIONS)}
    behind = 0
    for topic in (PRODUCT_OBSERVED, STORES):
        for where, end in (await ends.of(topic)).items():
            behind += max(0, end - at.get(where, 0))
    return behind + int(await connection.fetchval(_OUTBOXES))
