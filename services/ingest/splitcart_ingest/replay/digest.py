"""What a generation comes to, in numbers that can be compared: a digest of each part, company and store.

A digest covers the pure tables by natural keys, and the prices served at fixed moments (protocol.md, last
paragraph). It is the count of the rows and the sum of their 64-bit hashes: any order of rows is the same, one row
more or less, or another value in one, is not. The hashes are the server's own: two generations of one server can
be compared, and nothing else.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from importlib.resources import files
from typing import Final

from splitcart_common.ids import company_of
from splitcart_common.postgres import Connection, load_queries
from splitcart_common.turns import Turns

_TABLES: Final = load_queries("splitcart_ingest", "sql/replay_parts.sql")
_KEYS: Final = {
    "stores": 0,
    "heads": 0,
    "scrapes": 1,
    "open batches": 1,
    "history": 2,
    "markers": 1,
    "exceptions": 1,
    "listings": 1,
    "read barcodes": 1,
    "served alone": 1,
    "products": 1,
    "links": 1,
    "variations": 2,
    "bars": 2,
    "brands": 1,
}
AHEAD: Final = ("listings", "read barcodes", "links")
"""Parts that are written ahead of the positions, as they are folds of their own (book.py)."""
OF_CATALOGUE: Final = ("products", "links", "variations", "bars", "brands")
"""Parts that hold what ingest itself decides, before it is in the log."""
_OF_COMPANIES: Final = frozenset({*AHEAD, *OF_CATALOGUE})
"""Parts that are not kept by store."""
_LATER: Final = (timedelta(0), timedelta(hours=73), timedelta(days=8))
"""How long after the last event served prices are asked for: at once, and after each of the times that end what is
served (protocol.md, rule 8)."""

_SERVED = """
SELECT company, store, sku, price, seen_at, seen_store, seen_scrape, changed_at, was_price, special, source, anchor
FROM prices($3, $4) WHERE store = ANY($5)
"""
_DIGEST = """
SELECT company, store, count(*) AS rows, sum(hash_record_extended(part, 0)) AS hashes
FROM ({part}) AS part
WHERE ($1::text IS NULL OR company = $1) AND ($2::text[] IS NULL OR store = ANY($2))
GROUP BY company, store
"""
_ROWS = """
SELECT * FROM ({part}) AS part WHERE company IS NOT DISTINCT FROM $1::text AND store IS NOT DISTINCT FROM $2::text
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A question to a generation: its rows begin with company, store, and `keys` columns that tell them apart."""

    name: str
    query: str
    keys: int
    arguments: tuple[object, ...] = ()


TABLES: Final = tuple(Part(name, query, _KEYS[name]) for name, query in _TABLES.items())


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """What a digest is of: a part, of a company ("": of none) and its store ("": of the company as a whole)."""

    company: str
    store: str
    part: str


Digests = Mapping[Place, tuple[int, Decimal]]
"""Rows and the sum of their hashes; no rows, no digest."""


@asynccontextmanager
async def as_it_stands(connection: Connection, schema: str) -> AsyncIterator[None]:
    """See a generation as it is when the body begins, served prices included; nothing of it stays.

    The views and the function that serve prices are made for the generation in a transaction that is rolled back.
    """
    transaction = connection.transaction(isolation="repeatable_read")
    await transaction.start()
    try:
        text = files("splitcart_ingest").joinpath("sql/prices.sql").read_text()
        await connection.execute(text.replace("read.", f"{schema}.").replace("{schema}", schema))
        yield
    finally:
        if not connection.is_closed():
            await transaction.rollback()


def served_parts(stores: Sequence[str], at: datetime | None, turns: Turns) -> tuple[Part, ...]:
    """Questions for the prices served to these stores some times after `at`; none where nothing has happened."""
    if at is None or not stores:
        return ()
    companies = sorted({company_of(store) for store in stores})
    parts = []
    for later in _LATER:
        moment = at + later
        turned = json.dumps({company: turns.last(company, moment).isoformat() for company in companies})
        parts.append(Part(f"served {moment:%Y-%m-%d %H:%M}", _SERVED, 1, (moment, turned, list(stores))))
    return tuple(parts)


async def digests(
    connection: Connection, parts: Sequence[Part], company: str | None, stores: Sequence[str] | None
) -> dict[Place, tuple[int, Decimal]]:
    """The digests of one company, or of some stores, or (None) of all."""
    found: dict[Place, tuple[int, Decimal]] = {}
    for part in parts:
        of_stores = None if part.name in _OF_COMPANIES else stores
        query = _DIGEST.format(part=part.query)
        for row in await connection.fetch(query, company, of_stores, *part.arguments):
            found[Place(row["company"] or "", row["store"] or "", part.name)] = (row["rows"], row["hashes"])
    return found


async def rows_of(connection: Connection, part: Part, place: Place) -> list[dict[str, object]]:
    """The rows that a digest is of."""
    query = _ROWS.format(part=part.query)
    rows = await connection.fetch(query, place.company or None, place.store or None, *part.arguments)
    return [dict(row) for row in rows]


def together(found: Digests) -> dict[str, str]:
    """One digest a company, in hex."""
    made: dict[str, str] = {}
    for company in sorted({place.company for place in found}):
        digest = blake2b(digest_size=16)
        for place in sorted(place for place in found if place.company == company):
            rows, hashes = found[place]
            digest.update(f"{place.part}|{place.store}|{rows}|{hashes}\n".encode())
        made[company] = digest.hexdigest()
    return made


def differing(live: Digests, made: Digests) -> list[Place]:
    """Where two generations differ, in order."""
    return sorted(place for place in live.keys() | made.keys() if live.get(place) != made.get(place))
