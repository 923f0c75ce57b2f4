"""What `splitcart groups show` says: read from the views, put into words, tables only on a terminal."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NoReturn

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from splitcart_common.ids import company_of
from splitcart_common.postgres import load_queries

_Q = load_queries("splitcart_grouping", "sql/showing.sql")

Row = Mapping[str, Any]

_WORDS: Final = {
    "group-formed": "{store} became a group of its own",
    "member-confirmed": "{store} was confirmed under {anchor}: {equal} of {shared} shared listings equal",
    "member-ejected": "{store} left {anchor}: only {equal} of {shared} shared listings equal",
    "groups-merged": "the group of {other} was merged into that of {anchor}: {equal} of {shared} equal",
    "anchor-went-stale": "{anchor} was found too old to judge its group by",
    "anchor-handed-over": "{other} handed its group over to {anchor}: {reason}",
    "rescrape-needed": "a full scrape of {store} was asked for: {why}",
}


class NotThereError(Exception):
    """What was asked for is not on record; the text says what can be done."""


def show(dsn: str, what: str | None, history: int, *, as_json: bool) -> None:
    """Print it, or end with the reason why not."""
    try:
        found = asyncio.run(_find(dsn, what, history))
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InvalidCatalogNameError) as error:
        _end(
            1,
            f"the database at {dsn} cannot be read: {error}. `splitcart up` starts one here; --dsn names another",
        )
    except asyncpg.UndefinedTableError:
        _end(
            2, "there are no groups yet: the grouping service has not run on this database. `splitcart up` runs it"
        )
    except asyncpg.InsufficientPrivilegeError as error:
        _end(1, f"this role may not see the groups: {error}. Use one that may read the schema read")
    except NotThereError as error:
        _end(2, str(error))
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _end(1, f"the database at {dsn} does not answer as it should: {error}")
    if as_json:
        sys.stdout.write(json.dumps(found, default=_plain) + "\n")
        return
    {"companies": _print_companies, "groups": _print_groups, "members": _print_group}[_shape(found)](found)


def _end(code: int, why: str) -> NoReturn:
    typer.echo(f"splitcart: {why}", err=True)
    raise typer.Exit(code)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _shape(found: Row) -> str:
    return next(part for part in ("companies", "groups", "members") if part in found)


async def _find(dsn: str, what: str | None, history: int) -> dict[str, Any]:
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):  # all of one moment
            if what is None:
                return await _all(connection)
            if ":" in what:
                return await _one(connection, what, history)
            return await _company(connection, what, history)
    finally:
        await connection.close()


async def _all(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, Any]:
    rows = await connection.fetch(_Q["companies"])
    if not rows:
        raise NotThereError(
            "there are no groups yet: a store gets one as soon as it is discovered. `splitcart stores discover "
            "aldi --dev` discovers them, `splitcart status` shows whether the grouping service runs"
        )
    return {"companies": [dict(row) for row in rows]}


async def _company(connection: "asyncpg.Connection[asyncpg.Record]", company: str, history: int) -> dict[str, Any]:
    rows = await connection.fetch(_Q["groups"], company)
    if not rows:
        there = [row["company"] for row in await connection.fetch(_Q["companies"])]
        raise NotThereError(
            f"no group of a company {company!r}; there are groups of {', '.join(there) or 'nobody yet'}. "
            "A store is named with its company, as in aldi:G452"
        )
    decisions = await connection.fetch(_Q["company_history"], company, history)
    return {"company": company, "groups": [dict(row) for row in rows], "decisions": _decisions(decisions)}


async def _one(connection: "asyncpg.Connection[asyncpg.Record]", store: str, history: int) -> dict[str, Any]:
    group = await connection.fetchrow(_Q["group"], store)
    if group is None:
        raise NotThereError(
            f"{store} is in no group: it has not been discovered, or its name is another. "
            f"`splitcart groups show {company_of(store)}` lists the groups there are"
        )
    members = await connection.fetch(_Q["members"], group["company"], group["anchor"])
    decisions = await connection.fetch(_Q["store_history"], group["company"], store, group["anchor"], history)
    (own,) = [dict(row) for row in members if row["store"] == store]
    found = {
        "store": store,
        "why": _why(store, dict(group), own),
        "group": dict(group),
        "members": [dict(row) for row in members],
        "decisions": _decisions(decisions),
    }
    if own["confirmed_at"] is not None:
        statement = json.loads(await connection.fetchval(_Q["statement"], group["company"], own["version"]))
        found["exceptions"] = statement.get("exceptions", [])
    return found


def _decisions(rows: Sequence[asyncpg.Record]) -> list[dict[str, Any]]:
    return [{**row, "detail": json.loads(row["detail"])} for row in reversed(rows)]


def _why(store: str, group: Row, own: Row) -> str:
    if store == group["anchor"]:
        others = group["members"] - 1
        stale = f"; too old to judge by since {_time(group['stale_since'])}" if group["stale_since"] else ""
        led = f"{others} other stores are priced by it" if others else "it matches no other store"
        return f"{store} is its own anchor since {_time(group['formed_at'])}: {led}{stale}"
    compared = (
        f"when scrape {own['up_to_scrape']} of it was compared with scrape {own['anchor_scrape']} of its anchor, "
        f"{own['equal']} of {own['shared']} shared listings bore the same price"
        if own["shared"]
        else "it came with the group it was in, its exceptions composed, and has not been compared with it since"
    )
    return (
        f"{store} is priced by {group['anchor']}, but for {own['exceptions']} exceptions: {compared} "
        f"(last compared {_time(own['confirmed_at'])}, rule {own['rule_version']})"
    )


def _print_companies(found: Row) -> None:
    rows = [
        (row["company"], row["stores"], row["groups"], row["largest"], row["alone"], row["stale"], row["version"])
        for row in found["companies"]
    ]
    _print(("company", "stores", "groups", "largest", "of one store", "anchor stale", "decisions"), rows)


def _print_groups(found: Row) -> None:
    rows = [
        (
            row["anchor"],
            row["members"],
            _time(row["formed_at"]),
            _time(row["anchor_settled_at"]),
            _time(row["stale_since"]),
        )
        for row in found["groups"]
    ]
    _print(("anchor", "stores", "since", "anchor scraped", "stale since"), rows)
    _print_decisions(found)


def _print_group(found: Row) -> None:
    typer.echo(found["why"] + "\n")
    rows = [
        (row["store"], *(_time(row["confirmed_at"]), row["shared"], row["equal"], row["exceptions"]))
        if row["confirmed_at"]
        else (row["store"], "anchor", "", "", "")
        for row in found["members"]
    ]
    _print(("store", "last compared", "shared", "equal", "exceptions"), rows)
    if found.get("exceptions"):
        typer.echo("\nIts exceptions, the first of them:")
        parts = [
            (
                part["sku"],
                "not sold" if part["price"] is None else f"${part['price'] / 100:.2f}",
                part["seen_at"][:16],
            )
            for part in found["exceptions"]
        ]
        _print(("sku", "price", "seen"), parts)
    _print_decisions(found)


def _print_decisions(found: Row) -> None:
    if found["decisions"]:
        typer.echo("\nWhat was decided, the latest last:")
    for row in found["decisions"]:
        words = _WORDS.get(row["kind"], "{kind} of {store}").format(**{**row["detail"], **row})
        typer.echo(f"{row['version']:>7}  {_time(row['at'])}  {words}")


def _print(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on a terminal, lines with tabs for what reads on."""
    texts = [["" if value is None else str(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [list(headings), *texts]:
            typer.echo("\t".join(row))
        return
    table = Table(*headings)
    for row in texts:
        table.add_row(*row)
    Console().print(table)


def _time(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"
