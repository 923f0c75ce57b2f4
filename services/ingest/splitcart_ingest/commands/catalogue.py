"""The verbs about products: ask, show."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from splitcart_common.reading import LogReader, reading
from splitcart_ingest.commands.shell import Watching, execute, settings_for
from splitcart_ingest.domain.catalogue import ListingId
from splitcart_ingest.identity import checking, showing
from splitcart_ingest.identity import redecide as redeciding
from splitcart_ingest.identity.recorded import RecordError
from splitcart_ingest.replay.errors import RefusedError
from splitcart_ingest.replay.run import live_connection
from splitcart_ingest.settings import IngestSettings

NOTHING: Final[tuple[object, ...]] = (None, "", (), [], {})
"""What is not worth a word."""


@asynccontextmanager
async def _log(settings: IngestSettings) -> AsyncIterator[LogReader]:
    """The log; what cannot be answered from it is refused by name."""
    try:
        async with reading(settings.kafka_bootstrap, settings.topic_prefix) as reader:
            yield reader
    except RecordError as error:
        raise RefusedError(str(error)) from None


def show(what: Sequence[str], last: int, *, dev: bool, as_json: bool) -> None:
    """The verb `products show`."""
    if len(what) > 2:
        raise typer.BadParameter("a company and a SKU, or the id of a product: not more")

    async def main() -> bool:
        settings = settings_for(dev=dev)
        async with live_connection(settings) as (_, connection):
            try:
                shown = await showing.show(connection, what)
            except RecordError as error:
                raise RefusedError(str(error)) from None
        decisions: list[showing.Decision] = []
        if last:
            with Watching(as_json=as_json) as watching:
                async with _log(settings) as reader:
                    watch = _nothing if as_json else watching.folded
                    decisions = (await showing.history(reader, settings.topic_prefix, shown, watch))[-last:]
        if as_json:
            typer.echo(json.dumps(_content(shown, decisions), default=_plain))
        else:
            _print(shown, decisions)
        return True

    execute(main(), as_json=as_json)


def check(limit: int, *, dev: bool, as_json: bool) -> None:
    """The verb `products check`."""

    async def main() -> bool:
        settings = settings_for(dev=dev)
        with Watching(as_json=as_json) as watching:
            async with live_connection(settings) as (_, connection), _log(settings) as reader:
                watch = _nothing if as_json else watching.folded
                found = await checking.check(connection, reader, settings.topic_prefix, watch)
        if as_json:
            rows = [{"table": r.table, "in_tables": r.in_tables, "row": r.row} for r in found.differing[:limit]]
            content = {"equal": found.equal, "messages": found.messages, "listings": found.listings}
            digests = {"tables": found.tables, "log": found.log, "differing": len(found.differing), "rows": rows}
            typer.echo(json.dumps(content | digests, default=_plain))
        else:
            words = "are the fold of" if found.equal else "are NOT the fold of"
            typer.echo(
                f"the tables ({found.listings:,} listings) {words} the log ({found.messages:,} decisions): "
                f"{found.tables} {'=' if found.equal else '≠'} {found.log}"
            )
            for row in found.differing[:limit]:
                where = "tables" if row.in_tables else "log"
                typer.echo(f"only in the {where}, {row.table}: {', '.join(map(str, row.row))}")
        return found.equal

    execute(main(), as_json=as_json)


def redecide(limit: int, *, dev: bool, as_json: bool) -> None:
    """The verb `replay redecide`."""

    async def main() -> bool:
        settings = settings_for(dev=dev)
        with Watching(as_json=as_json) as watching:
            async with _log(settings) as reader:
                watch = _nothing if as_json else watching.folded
                found = await redeciding.redecide(reader, settings.topic_prefix, watch)
        if as_json:
            content = {**msgspec.to_builtins(found), "moved": len(found.moves), "rule_version": found.rule_version}
            typer.echo(json.dumps(content | {"moves": content["moves"][:limit]}, default=_plain))
        else:
            _print_difference(found, limit)
        return True

    execute(main(), as_json=as_json)


def _print_difference(found: redeciding.Redecided, limit: int) -> None:
    before, after = found.products
    typer.echo(
        f"{found.messages:,} decisions on record, by rules {', '.join(found.rule_versions) or 'of none'}; made "
        f"anew by rules {found.rule_version}: {len(found.moves):,} of {found.listings:,} listings would move, "
        f"{before:,} products would be {after:,}. Nothing was changed."
    )
    table = Table("decisions", "on record", "anew")
    for kind, (was, now) in found.decisions.items():
        table.add_row(kind, f"{was:,}", f"{now:,}")
    Console().print(table)
    for move in found.moves[:limit]:
        left, found_there = _names(move.was_with), _names(move.would_be_with)
        typer.echo(
            f"{_names([move.listing])} ({move.name}): with {left}; would be with {found_there}, by {move.rule}"
        )
        if move.evidence:
            typer.echo(f"    {_evidence(move.evidence)}")
    if len(found.moves) > limit:
        typer.echo(f"… and {len(found.moves) - limit:,} more: --limit shows more of them")
    if found.unheeded:
        typer.echo(
            f"an operator parted these from a product that they would not be in any more: {_names(found.unheeded)}"
        )


def _names(listings: Sequence[ListingId]) -> str:
    return ", ".join(f"{company} {sku}" for company, sku in listings) or "nothing else"


def _evidence(evidence: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in evidence.items() if value not in NOTHING)


def _content(shown: showing.Shown, decisions: Sequence[showing.Decision]) -> dict[str, Any]:
    """As JSON, `decisions` in the order they were made."""
    return {
        **msgspec.to_builtins(shown),
        "decisions": [
            {"offset": d.offset, "at": d.at.isoformat(), "kind": d.kind, **msgspec.to_builtins(d.said)}
            for d in decisions
        ],
    }


def _print(shown: showing.Shown, decisions: Sequence[showing.Decision]) -> None:
    product = shown.product
    typer.echo(f"{product['product_id']}  {_called(product, *product['sizes'])}")
    if shown.asked not in (None, product["product_id"]):
        typer.echo(f"{shown.asked} was merged into it, or its listings moved there.")
    if len(shown.ids) > 1:
        typer.echo(f"merged into it: {', '.join(map(str, shown.ids[1:]))}")
    for row in shown.listings:
        rule = f"{row['rule']} (rules {row['rule_version']})" if row["rule"] else "not decided yet"
        typer.echo(f"  {row['company']} {row['sku']}  {_called(row, row['size'], row['barcode'])}")
        typer.echo(f"      {rule}{': ' + _evidence(row['evidence']) if row['evidence'] else ''}")
    for row in shown.keys:
        typer.echo(f"  also called {row['key']!r}, as {row['company']} {row['sku']} has taught")
    for row in shown.barred:
        typer.echo(f"  never {row['company']} {row['sku']}: an operator parted it from this")
    if decisions:
        typer.echo("What was decided, the latest last:")
    for one in decisions:
        said = ", ".join(f"{name} {_short(value)}" for name, value in one.said.items() if value not in NOTHING)
        typer.echo(f"{one.offset:>8}  {one.at:%Y-%m-%d %H:%M}  {one.kind}: {said}")


def _called(row: Mapping[str, Any], *more: str | None) -> str:
    """Brand, name and what more there is; the brand only where the name does not begin with it."""
    brand, name = row["brand"] or "", row["name"] or ""
    named = name.casefold().startswith(brand.casefold())
    return " ".join(filter(None, [None if named else brand, name, *more]))


def _short(value: object) -> str:
    if isinstance(value, dict):
        return _evidence(value)
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _nothing(done: int, total: int) -> None:
    """No progress where a script listens: one object is all it wants."""
