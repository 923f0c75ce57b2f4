"""The verbs `price` and `history`: ask, show; and what a question about one listing is made of."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from splitcart_common.money import to_dollars
from splitcart_common.postgres import Connection, load_queries
from splitcart_common.turns import Turns
from splitcart_ingest.commands.shell import execute, settings_for
from splitcart_ingest.records import Asked, NoRecordError, find
from splitcart_ingest.replay.errors import RefusedError
from splitcart_ingest.settings import IngestSettings

SQL = load_queries("splitcart_ingest", "sql/past.sql")
USUAL_SPAN: Final = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Question:
    """The options: a store, its listing by SKU or by product, and a moment (None: now)."""

    store: str
    sku: str | None
    product: UUID | None
    at: datetime | None

    def moment(self, settings: IngestSettings) -> datetime:
        """The moment that is asked about, aware UTC."""
        return settings.clock.now() if self.at is None else self.at.replace(tzinfo=UTC)


@asynccontextmanager
async def asked(question: Question, settings: IngestSettings) -> AsyncIterator[tuple[Connection, Asked]]:
    """A connection, and the listing that is asked about; RefusedError where there is none."""
    if (question.sku is None) == (question.product is None):
        raise RefusedError("say which listing: either --sku or --product")
    connection = await asyncpg.connect(settings.postgres_dsn, server_settings={"timezone": "UTC", "jit": "off"})
    try:
        yield connection, await find(connection, question.store, question.sku, question.product)
    except NoRecordError as error:
        raise RefusedError(str(error)) from None
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError) as error:
        raise RefusedError(f"the views of this release are not there ({error}): start ingest once") from None
    finally:
        await connection.close()


def price(question: Question, *, dev: bool, as_json: bool) -> None:
    """The verb `price`."""

    async def main() -> bool:
        content = await told(settings_for(dev=dev), question)
        if as_json:
            typer.echo(json.dumps(content, default=plain))
        else:
            typer.echo(_sentence(content))
        return True

    execute(main(), as_json=as_json)


async def told(settings: IngestSettings, question: Question) -> dict[str, Any]:
    """What was served at a moment; a price of None where it was not sold or nothing was known."""
    at = question.moment(settings)
    async with asked(question, settings) as (connection, one):
        turned = json.dumps({one.company: settings.turns.last(one.company, at).isoformat()})
        row = await connection.fetchrow(SQL["served"], at, turned, one.store, one.sku)
    return {**_named(one), "at": at, **(dict(row) if row is not None else {"price": None})}


def history(question: Question, since: datetime | None, *, dev: bool, as_json: bool) -> None:
    """The verb `history`; the question's moment is the last one."""

    async def main() -> bool:
        content = await past(settings_for(dev=dev), question, since)
        if as_json:
            typer.echo(json.dumps(content, default=plain))
            return True
        console = Console()
        console.print(f"{content['store']}  {content['sku']}  {content['name']}", highlight=False)
        _table(console, "served", content["served"])
        _table(console, "stood for by", content["groups"])
        _table(console, "seen at the store itself", content["own"])
        return True

    execute(main(), as_json=as_json)


async def past(settings: IngestSettings, question: Question, since: datetime | None) -> dict[str, Any]:
    """What was served, who stood for the store, and what was seen there, from a moment to the question's."""
    until = question.moment(settings)
    start = until - USUAL_SPAN if since is None else since.replace(tzinfo=UTC)
    if start >= until:
        raise RefusedError(f"--from {start} is not before --to {until}")
    async with asked(question, settings) as (connection, one):
        turns = turns_between(settings.turns, one.company, start, until)
        rows = {
            "served": await connection.fetch(SQL["history"], one.store, one.sku, start, until, turns),
            "groups": await connection.fetch(SQL["memberships"], one.store, start, until),
            "own": await connection.fetch(SQL["own"], one.store, one.sku, start, until),
        }
    return {**_named(one), "from": start, "to": until, **{k: [dict(row) for row in v] for k, v in rows.items()}}


def turns_between(turns: Turns, company: str, start: datetime, end: datetime) -> list[datetime]:
    """The turns of a company from the last one before `start` to `end`, in order."""
    found = [turns.last(company, end)]
    while found[-1] > start:
        found.append(turns.last(company, found[-1] - timedelta(microseconds=1)))
    return found[::-1]


def plain(value: object) -> str:
    """A moment or an id as JSON has it."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def shown(name: str, value: object) -> str:
    """A value for people; those of prices are cents."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if name in ("price", "was_price") and isinstance(value, int):
        return to_dollars(value)
    return str(value)


def _named(one: Asked) -> dict[str, Any]:
    return {"store": one.store, "sku": one.sku, "name": one.name, "product_id": one.product_id}


def _sentence(row: Mapping[str, Any]) -> str:
    what = f"{row['name']} ({row['sku']}) at {row['store']}, {shown('at', row['at'])}:"
    if row["price"] is None:
        return f"{what} not sold, or nothing is known"
    source = {"own": "its own price", "exception": "an exception of its group"}.get(
        row["source"], f"the price of its anchor {row['anchor']}"
    )
    return f"{what} {to_dollars(row['price'])}, {source}, seen {shown('at', row['seen_at'])}"


def _table(console: Console, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        console.print(f"{title}: nothing", highlight=False)
        return
    names = list(rows[0])
    table = Table(*names, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(shown(name, row[name]) for name in names))
    console.print(table)
