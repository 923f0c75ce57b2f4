"""What is on record of one listing at a store and at whoever stood for it, as the domain's values.

It reads `read.*` alone, so that any role may ask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from splitcart_common.ids import split_store_key
from splitcart_common.postgres import Connection, load_queries
from splitcart_ingest.domain.exceptions import Delta, Statement, restore
from splitcart_ingest.domain.membership import Confirmed, Ejected, GroupException
from splitcart_ingest.domain.served import HistoryRow, ScrapeRow, StoreRecord

SQL = load_queries("splitcart_ingest", "sql/records.sql")


class NoRecordError(LookupError):
    """There is no such store or listing; the text says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One listing at one store; the numbers are the live generation's."""

    store: str
    company: str
    sku: str
    name: str
    product_id: UUID | None
    store_id: int
    listing_id: int


@dataclass(frozen=True, slots=True)
class Records:
    """`by_store` has the store and every anchor it ever had; `batch` the batch of each change, by store and seq.

    A scrape's `seen` is kept as far as it tells of the listing. A batch of 0: it was the scrape's end.
    """

    by_store: Mapping[str, StoreRecord]
    batch: Mapping[tuple[str, int], int]


async def find(connection: Connection, store: str, sku: str | None, product: UUID | None) -> Asked:
    """The listing that is asked for, by SKU or by product; NoRecordError where there is none."""
    try:
        company, _ = split_store_key(store)
    except ValueError as error:
        raise NoRecordError(str(error)) from None
    at = await connection.fetchrow(SQL["store"], store)
    if at is None:
        raise NoRecordError(
            f"there is no store {store}: `splitcart count prices --per-store` names those there are"
        )
    row = await connection.fetchrow(SQL["listing"], company, sku, product)
    if row is None:
        what = f"SKU {sku}" if sku is not None else f"listing of product {product}"
        raise NoRecordError(f"{company} has no {what} on record")
    return Asked(store, company, row["sku"], row["name"], row["product_id"], at["store_id"], row["listing_id"])


async def load(connection: Connection, asked: Asked) -> Records:
    """All records of the listing at the store and its anchors, as they stand at one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        stores = {row["store_id"]: row["store"] for row in await connection.fetch(SQL["involved"], asked.store_id)}
        numbers = list(stores)
        changes = await connection.fetch(SQL["changes"], numbers, asked.listing_id)
        scrapes = await connection.fetch(SQL["scrapes"], numbers, asked.listing_id)
        markers = await connection.fetch(SQL["markers"], numbers, asked.company, asked.sku)
    records = {
        store: StoreRecord(
            [_change(asked, row) for row in changes if row["store_id"] == number],
            [_scrape(asked, row) for row in scrapes if row["store_id"] == number],
            _markers(asked, store, [row for row in markers if row["store_id"] == number]),
        )
        for number, store in stores.items()
    }
    return Records(records, {(stores[row["store_id"]], row["seq"]): row["batch"] for row in changes})


def _change(asked: Asked, row: asyncpg.Record) -> HistoryRow:
    return HistoryRow(asked.listing_id, row["seq"], row["at"], row["price"])


def _scrape(asked: Asked, row: asyncpg.Record) -> ScrapeRow:
    seen = ((asked.listing_id,) if row["lists"] else ()) if row["kept"] else None
    return ScrapeRow(row["seq"], row["scrape_id"], row["started_at"], row["outcome"], seen)


def _markers(asked: Asked, store: str, latest_first: Sequence[asyncpg.Record]) -> list[Confirmed | Ejected]:
    found: list[Confirmed | Ejected] = []
    stated: Statement = {}
    for row in latest_first:
        said = {asked.listing_id: GroupException(row["price"], row["seen_at"])} if row["states"] else {}
        stated = (
            said if row["whole"] else restore(stated, Delta(said, (asked.listing_id,) if row["absent"] else ()))
        )
        if row["up_to_scrape"] is None:
            found.append(Ejected(row["version"], store, row["decided_at"]))
        else:
            ids = (row["anchor"], row["up_to_scrape"], row["anchor_scrape"])
            found.append(Confirmed(row["version"], store, *ids, stated, row["decided_at"]))
    return found[::-1]
