"""`splitcart replay abandon`: a generation that nobody is served from is dropped."""

from splitcart_ingest.generations import SQL as REGISTRY
from splitcart_ingest.replay.building import SQL
from splitcart_ingest.replay.errors import RefusedError
from splitcart_ingest.replay.registry import alone, connected, generation, of, run_lock
from splitcart_ingest.settings import IngestSettings


async def abandon(settings: IngestSettings, number: int) -> int:
    """Drop a generation, all or nothing; the bytes it took.

    RefusedError where it is live, where a run is at it, and where a view that is not of ingest reads it.
    """
    async with connected(settings) as connection:
        made = await generation(connection, number)
    async with (
        connected(of(settings, made)) as connection,
        alone(connection, run_lock(made.schema), f"at work on generation {number}"),
        connection.transaction(),
    ):
        if (await generation(connection, number)).state == "live":
            raise RefusedError(f"generation {number} is live: swap to another one first")
        readers = [row["name"] for row in await connection.fetch(SQL["dependents"], made.schema)]
        if readers:
            raise RefusedError(
                f"{', '.join(readers)} read generation {number}: make them anew on the live one first"
            )
        size: int = await connection.fetchval(SQL["size"], made.schema)
        await connection.execute(f"DROP SCHEMA IF EXISTS {made.schema} CASCADE")
        await connection.execute(REGISTRY["abandon"], number)
    return size
