"""Making a generation: its tables, and the indexes that are made once they are filled.

An index that no fold reads costs more while the rows come one by one than it does to make at the end. Which these
are is named here, and their own statements are kept in the registry while they are gone: a run that was killed
goes on to make them.
"""

import asyncio
from typing import Final

from splitcart_common.migrations import migrate
from splitcart_common.postgres import Connection, load_queries
from splitcart_ingest.generations import SQL as REGISTRY
from splitcart_ingest.replay.registry import Generation, connected, generation, of
from splitcart_ingest.settings import IngestSettings

SQL = load_queries("splitcart_ingest", "sql/replay.sql")

LATER: Final = (
    "price_history_pkey",
    "listings_by_sku",
    "listings_by_barcode",
    "listings_by_words",
    "listings_by_likeness",
)
"""Indexes that no fold looks into: of history it reads only what housekeeping has dropped, and that rests."""


async def make_tables(settings: IngestSettings, made: Generation) -> Generation:
    """Its tables, by this release; while nothing is in them, without the indexes that are made later."""
    await asyncio.to_thread(migrate, settings.postgres_dsn, made.schema, ["splitcart_ingest"])
    async with connected(of(settings, made)) as connection:
        empty = not await connection.fetchval(SQL["begun"])
        if made.state == "building" and empty and not made.later:
            async with connection.transaction():
                statements = await _drop_indexes(connection, made.schema)
                await connection.execute(REGISTRY["leave_for_later"], made.number, statements)
        return await generation(connection, made.number)


async def _drop_indexes(connection: Connection, schema: str) -> list[str]:
    """Drop those of `LATER` that are there; the statements that make them again."""
    statements: list[str] = []
    for row in await connection.fetch(SQL["indexes"], schema, list(LATER)):
        if row["constraint"] is None:
            statements.append(row["definition"])
            await connection.execute(f"DROP INDEX {row['name']}")
        else:
            name = f"{row['table']} ADD CONSTRAINT {row['constraint']} {row['definition']}"
            statements.append(f"ALTER TABLE {schema}.{name}")
            await connection.execute(f"ALTER TABLE {row['table']} DROP CONSTRAINT {row['constraint']}")
    return statements


async def make_indexes(settings: IngestSettings, made: Generation) -> None:
    """Make what is left, each with its note in one transaction, and tell the planner what there is."""

    async def one(statement: str) -> None:
        async with connected(of(settings, made)) as connection, connection.transaction():
            await connection.execute(SQL["memory"])
            await connection.execute(statement)
            await connection.execute(REGISTRY["made_one"], made.number, statement)

    await asyncio.gather(*map(one, made.later))
    async with connected(of(settings, made)) as connection:
        for row in await connection.fetch(SQL["tables"], made.schema):
            await connection.execute(f"ANALYZE {row['name']}")
        await connection.execute(REGISTRY["built"], made.number)
