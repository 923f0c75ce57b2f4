"""The verbs of ingest."""

import asyncio
import json
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True)
count = typer.Typer(no_args_is_help=True, help="Count what the store of prices holds.")
app.add_typer(count, name="count")

_PER_COMPANY = """
SELECT s.company, count(DISTINCT s.store) AS stores, count(p.store) AS prices, max(p.seen_at) AS seen_at
FROM read.stores s LEFT JOIN read.prices p USING (store) GROUP BY s.company ORDER BY s.company
"""
_PER_STORE = """
SELECT s.store, s.name, s.company, count(p.store) AS prices, max(p.seen_at) AS seen_at
FROM read.stores s LEFT JOIN read.prices p USING (store) GROUP BY s.store, s.name, s.company ORDER BY s.store
"""


@count.command()
def prices(
    *,
    per_store: Annotated[bool, typer.Option("--per-store", help="A line a store, not a line a company.")] = False,
    dsn: Annotated[
        str, typer.Option(envvar="SPLITCART_POSTGRES_DSN", help="The database; any role that may read read.*.")
    ] = "postgresql://127.0.0.1:5432/splitcart",
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines instead of a table.")] = False,
) -> None:
    """Count the served prices, and say when the latest of them was seen.

    Stores without a price are counted too, so that a store nobody has visited yet is not overlooked.
    """
    try:
        rows = asyncio.run(_fetch(dsn, _PER_STORE if per_store else _PER_COMPANY))
    except (OSError, asyncpg.PostgresError) as error:
        typer.echo(f"cannot count at {dsn}: {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        for row in rows:
            typer.echo(json.dumps(dict(row), default=str))
        return
    columns = list(rows[0].keys()) if rows else ["company", "stores", "prices", "seen_at"]
    table = Table(*columns)
    for row in rows:
        table.add_row(
            *("" if value is None else f"{value:,}" if isinstance(value, int) else str(value) for value in row)
        )
    Console().print(table)


async def _fetch(dsn: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()
