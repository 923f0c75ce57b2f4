"""The catalogue's tables: one function writes them, live and in a replay; loading them, and their digest."""

import asyncio
from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import TypeVar
from uuid import UUID

import asyncpg
import msgspec

from splitcart_common.events import CatalogueEvent, ListingLinked
from splitcart_common.postgres import Connection, load_queries
from splitcart_ingest.domain.catalogue import Catalogue, LinkRow, ProductRow, State
from splitcart_ingest.domain.identity import own_product_id
from splitcart_ingest.identity.net import Net, Pointers, mentioned, net

SQL = load_queries("splitcart_ingest", "sql/catalogue.sql")

K = TypeVar("K", UUID, str)


async def apply(connection: Connection, events: Sequence[CatalogueEvent]) -> None:
    """Fold events into the tables, in order, in the caller's transaction; any split of them comes to the same.

    A part of the log that comes again changes nothing, once it has come to its end.
    """
    if not events:
        return
    products, brands = mentioned(events)
    found = net(
        events,
        {row[0]: row[1] for row in await _those(connection, "merged_before", products)},
        {row[0]: row[1] for row in await _those(connection, "brands_before", brands)},
        before := await _bars(connection) if products else frozenset(),
    )
    await _write_products(connection, found)
    await _write_links(connection, found)
    await _write_variations(connection, found)
    if found.bars != before:
        await _write_rows(connection, "drop_bars", before - found.bars)
        await _write_rows(connection, "write_bars", found.bars - before)
    if found.brands.moved:
        await connection.execute(SQL["merge_brand_survivors"], *_columns(found.brands))
        await connection.execute(SQL["merge_brands"], *_columns(found.brands))
    await connection.execute(SQL["leave"])


async def stand_alone(connection: Connection, company: str, skus: Sequence[str]) -> None:
    """Give listings that are new a product of their own until they are decided on; what is decided already stands.

    All that the fold of descriptions writes here: so every listing has a row, and reading is by key.
    """
    await connection.execute(SQL["stand_alone"], company, skus, [own_product_id(company, sku) for sku in skus])


async def _write_products(connection: Connection, found: Net) -> None:
    if found.products:
        rows = [
            (p.product_id, p.company, p.sku, p.name, p.brand_id, msgspec.json.encode(p.sizes).decode())
            for p in found.products.values()
        ]
        await connection.execute(SQL["write_products"], *zip(*rows, strict=True))
    if found.merged.moved:
        await connection.execute(SQL["merge_survivors"], *_columns(found.merged))
        await connection.execute(SQL["merge_products"], *_columns(found.merged))
        await connection.execute(SQL["move_links"], *_columns(found.merged))


async def _write_links(connection: Connection, found: Net) -> None:
    """After the products, so that a link to one that is merged by now goes to its survivor."""
    linked = [_link(event) for event in found.links.values() if event is not None]
    if linked:
        await connection.execute(SQL["write_links"], *zip(*linked, strict=True))
    alone = [(*key, own_product_id(*key)) for key, event in found.links.items() if event is None]
    await _write_rows(connection, "unlink", alone)


def _link(event: ListingLinked) -> tuple[str | UUID | None, ...]:
    evidence = msgspec.json.encode(event.evidence).decode()
    judged = (event.name, event.brand, event.size, event.barcode)
    return (event.company, event.sku, event.product_id, event.rule, event.rule_version, evidence, *judged)


async def _write_variations(connection: Connection, found: Net) -> None:
    rows = [(event.product_id, event.key, event.company, event.sku) for event in found.learned]
    moved = found.merged.moved
    if moved:
        for product, *learned in await connection.fetch(SQL["take_variations"], list(moved)):
            rows.append((moved[product], *learned))
    await _write_rows(connection, "write_variations", rows)


async def _write_rows(connection: Connection, statement: str, rows: Collection[tuple[str | UUID, ...]]) -> None:
    if rows:
        await connection.execute(SQL[statement], *zip(*rows, strict=True))


async def _those(connection: Connection, statement: str, keys: Collection[K]) -> list[asyncpg.Record]:
    return await connection.fetch(SQL[statement], list(keys)) if keys else []


def _columns(pointers: Pointers[K]) -> tuple[list[K], list[K]]:
    return list(pointers.moved), list(pointers.moved.values())


async def _bars(connection: Connection) -> frozenset[tuple[str, str, UUID]]:
    """All of them: there is one for each time an operator parted a listing from a product."""
    return frozenset(
        (row["company"], row["sku"], row["product_id"]) for row in await connection.fetch(SQL["bars"])
    )


async def stored(connection: Connection) -> State:
    """All that is stored, in order: in a transaction that sees one moment, unless nobody else writes."""
    products = [
        ProductRow(product, company, sku, brand, tuple(sizes), merged_into)
        for product, company, sku, brand, sizes, merged_into in await connection.fetch(SQL["products"])
    ]
    links = [LinkRow(*row) for row in await connection.fetch(SQL["links"])]
    variations = [(row["product_id"], row["key"]) for row in await connection.fetch(SQL["variations"])]
    brands = [(row["brand"], row["survivor"]) for row in await connection.fetch(SQL["brands"])]
    return State(
        tuple(sorted(products, key=lambda row: row.product_id)),
        tuple(sorted(links, key=lambda row: (row.company, row.sku))),
        tuple(sorted(variations)),
        tuple(sorted(await _bars(connection))),
        tuple(sorted(brands)),
    )


async def load(connection: Connection) -> Catalogue:
    """The catalogue as it is stored. The names are read anew beside the loop, for some seconds of a large one."""
    return await asyncio.to_thread(Catalogue.of, *await stored(connection))


async def left_by(connection: Connection) -> str:
    """The transaction that wrote the tables last: as long as it is the same, so are they."""
    found: str = await connection.fetchval(SQL["left_by"])
    return found


def digest(state: State) -> str:
    """All of a catalogue in 32 hex digits, equal in every process and release."""
    return blake2b(msgspec.json.encode(state), digest_size=16).hexdigest()
