"""What was decided of a product: its listings, each with the rule and its evidence, and how it came to be so."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from splitcart_common.events import CatalogueEvent, ListingLinked, ListingUnlinked, ProductsMerged
from splitcart_common.postgres import Connection, load_queries
from splitcart_common.reading import LogReader
from splitcart_ingest.identity.recorded import RecordError, Watcher, recorded

SQL = load_queries("splitcart_ingest", "sql/showing.sql")


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision on record."""

    offset: int
    at: datetime
    kind: str
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """A product. `ids` are all it ever had, its own first; `asked` is None where it was found by a listing."""

    product: Mapping[str, Any]
    asked: UUID | None
    ids: tuple[UUID, ...]
    listings: Sequence[Mapping[str, Any]]
    keys: Sequence[Mapping[str, Any]]
    barred: Sequence[Mapping[str, Any]]


async def show(connection: Connection, what: Sequence[str]) -> Shown:
    """The product of an id, or of a company and a SKU; RecordError where there is none."""
    asked, product = await _find(connection, what)
    found = await connection.fetchrow(SQL["product"], product)
    if found is None:
        raise RecordError(f"no listing is product {product} any more")
    ids = [row["product_id"] for row in await connection.fetch(SQL["ids"], product)]
    return Shown(
        product=dict(found),
        asked=asked,
        ids=tuple(dict.fromkeys((product, *ids))),
        listings=[_listing(row) for row in await connection.fetch(SQL["listings"], product)],
        keys=[dict(row) for row in await connection.fetch(SQL["keys"], product)],
        barred=[dict(row) for row in await connection.fetch(SQL["barred"], product)],
    )


async def _find(connection: Connection, what: Sequence[str]) -> tuple[UUID | None, UUID]:
    if len(what) == 2:
        product = await connection.fetchval(SQL["of_listing"], *what)
        if product is None:
            raise RecordError(
                f"there is no listing {what[1]} of {what[0]}: `splitcart events search` looks for it"
            )
        return None, product
    try:
        asked = UUID(what[0])
    except ValueError:
        raise RecordError(
            f"{what[0]!r} is no product id, which is a UUID; a listing is named by its company and SKU, "
            "as in `splitcart products show coles 8150288`"
        ) from None
    return asked, await connection.fetchval(SQL["survivor"], asked) or asked


def _listing(row: asyncpg.Record) -> Mapping[str, Any]:
    return {**row, "evidence": None if row["evidence"] is None else json.loads(row["evidence"])}


async def history(reader: LogReader, prefix: str, shown: Shown, watch: Watcher) -> list[Decision]:
    """All that was decided of a product, of what was merged into it, and of the listings it has, in order."""
    ids = set(shown.ids)
    listings = {(row["company"], row["sku"]) for row in shown.listings}
    return [
        Decision(one.offset, one.envelope.occurred_at, one.event.TYPE, _said(one.event))
        async for one in recorded(reader, prefix, watch)
        if _concerns(one.event, ids, listings)
    ]


def _concerns(event: CatalogueEvent, ids: set[UUID], listings: set[tuple[str, str]]) -> bool:
    if isinstance(event, ProductsMerged):
        return event.survivor in ids or not ids.isdisjoint(event.merged)
    if getattr(event, "product_id", None) in ids:
        return True
    return isinstance(event, ListingLinked | ListingUnlinked) and (event.company, event.sku) in listings


def _said(event: CatalogueEvent) -> Mapping[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}
