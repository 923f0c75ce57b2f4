"""How far the stack has come, asked of its own records every second or so."""

from typing import Final

import asyncpg

from splitcart_common.clock import ScaledClock
from splitcart_grouping import app as grouping
from splitcart_ingest import app as ingest
from splitcart_sandbox.demo.figures import Snapshot
from splitcart_sandbox.demo.log import Ends
from splitcart_sandbox.demo.truth import Truth

SCHEMA = "ingest_g1"
CONSUMED: Final = {SCHEMA: ingest.TOPICS, "grouping": grouping.TOPICS}
"""What each schema's positions are held against."""

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
_OUTBOXES = " + ".join(f"(SELECT count(*) FROM {schema}.outbox)" for schema in (SCHEMA, "scraper", "grouping"))  # noqa: S608
_GROUPS = """
SELECT company, count(*) AS n FROM read.groups
WHERE anchor_settled_at IS NOT NULL -- a store that shows its prices nowhere is a group of one, and says nothing
GROUP BY company ORDER BY company
"""


async def snapshot(connection: asyncpg.Connection, clock: ScaledClock, ends: Ends, truth: Truth) -> Snapshot:
    """The counts of this moment."""
    counts = await connection.fetchrow(_COUNTS)
    return Snapshot(
        at=clock.now(),
        requests=await truth.requests(),
        prices=await connection.fetchval(_PRICES),
        lag=await lag(connection, ends),
        groups={row["company"]: row["n"] for row in await connection.fetch(_GROUPS)},
        **dict(counts or {}),
    )


async def lag(connection: asyncpg.Connection, ends: Ends) -> int:
    """Messages not folded yet by ingest and grouping, and outbox rows not published yet by any service."""
    behind = int(await connection.fetchval(f"SELECT {_OUTBOXES}"))
    for schema, topics in CONSUMED.items():
        positions = f"SELECT topic, partition, next_offset FROM {schema}.positions"  # noqa: S608 - a constant
        at = {(row["topic"], row["partition"]): row["next_offset"] for row in await connection.fetch(positions)}
        for topic in topics:
            behind += sum(max(0, end - at.get(where, 0)) for where, end in (await ends.of(topic)).items())
    return behind
