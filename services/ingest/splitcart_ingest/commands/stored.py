"""`splitcart count prices` and `splitcart ingest tidy`: what is stored, and less of it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import asyncpg
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from splitcart_common.postgres import create_pool
from splitcart_common.settings import Settings
from splitcart_common.turns import Turns
from splitcart_ingest import generations
from splitcart_ingest.housekeeping import Collected, collect
from splitcart_ingest.settings import IngestSettings

count = typer.Typer(no_args_is_help=True, help="Count what the store of prices holds.")
ingest = typer.Typer(no_args_is_help=True, help="The fold of observations and groups.")

Dsn = Annotated[
    str, typer.Option(envvar="SPLITCART_POSTGRES_DSN", help="The database; any role that may read read.*.")
]
S = TypeVar("S", bound=Settings)

AsJson = Annotated[bool, typer.Option("--json", help="JSON lines instead of a table.")]

_COMPANIES = "SELECT DISTINCT company FROM read.stores"
_PER_STORE = """
SELECT s.store, s.name, s.company, coalesce(stored.n, 0) AS stored, coalesce(served.n, 0) AS served, served.seen_at
FROM read.stores s
LEFT JOIN (
    SELECT x.store, count(*) AS n FROM read.part_prices p JOIN read.part_stores x USING (store_id)
    WHERE p.price IS NOT NULL GROUP BY x.store
) stored USING (store)
LEFT JOIN (
    SELECT store, count(*) AS n, max(seen_at) AS seen_at FROM read.prices($1, $2) GROUP BY store
) served USING (store)
ORDER BY s.store
"""
_PER_COMPANY = f"""
SELECT company, count(*) AS stores, sum(stored)::bigint AS stored, sum(served)::bigint AS served,
       max(seen_at) AS seen_at
FROM ({_PER_STORE}) AS by_store GROUP BY company ORDER BY company
"""  # noqa: S608 - constants


@count.command()
def prices(
    *,
    per_store: Annotated[bool, typer.Option("--per-store", help="A line a store, not a line a company.")] = False,
    at: Annotated[
        datetime | None,
        typer.Option(help="The moment, UTC, not before what is folded; now by SPLITCART_CLOCK unless told."),
    ] = None,
    dsn: Dsn = "postgresql://127.0.0.1:5432/splitcart",
    as_json: AsJson = False,
) -> None:
    """Count the prices stored and the prices served, and say when the latest of these was seen.

    Stored are a store's own rows; served is what a shopper is told, which a member of a group mostly has from its
    anchor. Stores without a price are counted too, so that a store nobody has visited yet is not overlooked.
    """
    settings = _settings(Settings)
    moment = settings.clock.now() if at is None else at.replace(tzinfo=UTC)
    try:
        rows = asyncio.run(_count(dsn, _PER_STORE if per_store else _PER_COMPANY, moment, settings.turns))
    except (OSError, asyncpg.PostgresError) as error:
        typer.echo(f"cannot count at {dsn}: {error}", err=True)
        raise typer.Exit(1) from None
    _show(rows, ["company", "stores", "stored", "served", "seen_at"], as_json=as_json)


@ingest.command()
def tidy(*, as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False) -> None:
    """Drop the price rows that an anchor's make redundant, now: what ingest does every minute by itself.

    Nothing served changes, and the history keeps them: a store's rows are restored when it is scraped again.
    """
    settings = _settings(IngestSettings)
    try:
        done = asyncio.run(_tidy(settings))
    except (OSError, asyncpg.PostgresError) as error:
        typer.echo(f"cannot tidy up at {settings.postgres_dsn}: {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    else:
        typer.echo(f"{done.rows:,} rows of {done.stores:,} stores dropped, {done.looked_at:,} stores looked at")


def _settings(kind: type[S]) -> S:
    try:
        return kind()
    except ValidationError as error:
        typer.echo(f"a setting is wrong: {error}", err=True)
        raise typer.Exit(2) from None


async def _count(dsn: str, query: str, at: datetime, turns: Turns) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        companies = [row["company"] for row in await connection.fetch(_COMPANIES)]
        turned = {company: turns.last(company, at).isoformat() for company in companies}
        return await connection.fetch(query, at, json.dumps(turned))
    finally:
        await connection.close()


async def _tidy(settings: IngestSettings) -> Collected:
    connection = await asyncpg.connect(settings.postgres_dsn)
    try:
        schema = await generations.live_schema(connection) or settings.ingest_schema
    finally:
        await connection.close()
    pool = await create_pool(settings.postgres_dsn, schema=schema, service="ingest-tidy")
    try:
        return await collect(pool)
    finally:
        await pool.close()


def _show(rows: Sequence[asyncpg.Record], columns: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            typer.echo(json.dumps(dict(row), default=str))
        return
    table = Table(*(rows[0].keys() if rows else columns))
    for row in rows:
        table.add_row(
            *(
                "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
                for value in row.values()
            )
        )
    Console().print(table)
