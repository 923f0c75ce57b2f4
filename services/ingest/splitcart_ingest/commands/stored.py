"""`splitcart count prices|scrapes` and `splitcart ingest tidy`: what is stored, how it came, and less of it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeVar

import asyncpg
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from splitcart_common.postgres import create_pool, load_queries
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
SQL = load_queries("splitcart_ingest", "sql/past.sql")
_COMPANY: Final = ("company", "stores", "stored", "served", "seen_at")


@count.command()
def prices(
    *,
    per_store: Annotated[bool, typer.Option("--per-store", help="A line a store, not a line a company.")] = False,
    at: Annotated[
        datetime | None,
        typer.Option(help="As of this moment, UTC, also one of the past; now by SPLITCART_CLOCK unless told."),
    ] = None,
    dsn: Dsn = "postgresql://127.0.0.1:5432/splitcart",
    as_json: AsJson = False,
) -> None:
    """Count the prices stored and the prices served, and say when the latest of these was seen.

    Stored are a store's own rows; served is what a shopper is told, which a member of a group mostly has from its
    anchor. Stores without a price are counted too, so that a store nobody has visited yet is not overlooked.

    As of a moment of the past: what was served by what had been seen by then, and what the store's own record came
    to (rows that housekeeping had dropped by then are counted). It asks the whole history, and takes longer.
    """
    settings = _settings(Settings)
    moment = settings.clock.now() if at is None else at.replace(tzinfo=UTC)
    try:
        by_store = asyncio.run(_count(dsn, moment, settings.turns))
    except (OSError, asyncpg.PostgresError) as error:
        typer.echo(f"cannot count at {dsn}: {error}", err=True)
        raise typer.Exit(1) from None
    rows = by_store if per_store else _by_company(by_store)
    _show(rows, ["store", "name", "company", "stored"] if per_store else _COMPANY, as_json=as_json)


@count.command()
def scrapes(
    *,
    store: Annotated[str | None, typer.Option(help="Only of this store, like aldi:G452.")] = None,
    company: Annotated[str | None, typer.Option(help="Only of this company.")] = None,
    outcome: Annotated[
        Literal["full", "partial", "abandoned", "superseded", "open"] | None,
        typer.Option(help="Only those that ended so, or are still open."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Not more than so many, the latest.")] = 20,
    dsn: Dsn = "postgresql://127.0.0.1:5432/splitcart",
    as_json: AsJson = False,
) -> None:
    """Show what each scrape came to: prices created, updated, unchanged and withdrawn; the latest scrape first.

    Created are listings that had no price here before, or none any more. A partial scrape saw less than 90 % of
    what the last full one did, or was cut short: what it saw counts, nothing is withdrawn because of it, and it is
    red.

    Example: `splitcart count scrapes --company coles --outcome partial`.
    """
    try:
        rows = asyncio.run(_scrapes(dsn, store, company, outcome, limit))
    except (OSError, asyncpg.PostgresError) as error:
        typer.echo(f"cannot count at {dsn}: {error}", err=True)
        raise typer.Exit(1) from None
    _show(rows, ["store", "started_at", "outcome"], as_json=as_json)


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


async def _count(dsn: str, at: datetime, turns: Turns) -> list[dict[str, Any]]:
    """A row a store, by the latest prices where the moment is none of the past."""
    connection = await asyncpg.connect(dsn)
    try:
        companies = [row["company"] for row in await connection.fetch(SQL["companies"])]
        turned = {company: turns.last(company, at).isoformat() for company in companies}
        folded_to = await connection.fetchval(SQL["folded_to"])
        past = folded_to is not None and at < folded_to
        rows = await connection.fetch(SQL["counts_as_of" if past else "counts"], at, json.dumps(turned))
        return [dict(row) for row in rows]
    finally:
        await connection.close()


def _by_company(by_store: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in by_store:
        one = found.setdefault(row["company"], dict(zip(_COMPANY, (row["company"], 0, 0, 0, None), strict=True)))
        one["stores"] += 1
        one["stored"] += row["stored"]
        one["served"] += row["served"]
        one["seen_at"] = max(filter(None, (one["seen_at"], row["seen_at"])), default=None)
    return [found[company] for company in sorted(found)]


async def _scrapes(
    dsn: str, store: str | None, company: str | None, outcome: str | None, limit: int
) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(SQL["scrapes"], store, company, outcome, limit)
        return [dict(row) for row in rows]
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


def _show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, default=str))
        return
    table = Table(*(rows[0].keys() if rows else columns))
    for row in rows:
        style = "red" if row.get("outcome") == "partial" else None
        table.add_row(*(_text(value) for value in row.values()), style=style)
    Console().print(table)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:,}" if isinstance(value, int) else str(value)
