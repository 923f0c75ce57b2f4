"""What the gateway reads, as functions that return domain values; it writes nothing."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from splitcart_common.ids import company_of
from splitcart_common.postgres import TRANSIENT, Pool, load_queries
from splitcart_gateway.domain.groups import Decision, Evidence, Group, GroupWithMembers, Member
from splitcart_gateway.domain.places import Point
from splitcart_gateway.domain.prices import Observed
from splitcart_gateway.domain.products import Listing, Product, gather
from splitcart_gateway.domain.query import Query, fold, to_tsquery
from splitcart_gateway.domain.stores import Store

SQL: Final = load_queries("splitcart_gateway")

CANDIDATES: Final = 300
"""Listings that a search ranks at most."""

ENOUGH: Final = 5
"""With fewer products than that by exact words, misspelling is assumed."""

KNOWN_PRODUCTS: Final = 20_000
KNOWN_SECONDS: Final = 10.0
"""How many products are remembered, and for how many wall seconds."""

_SESSION: Final = {
    "application_name": "splitcart-gateway",
    "timezone": "UTC",
    "jit": "off",
    "default_transaction_read_only": "on",
    # Planning the view of prices anew takes a hundred times as long as running it.
    "plan_cache_mode": "force_generic_plan",
    "pg_trgm.word_similarity_threshold": "0.4",
}

_NOT_THERE_YET: Final = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
)
"""The server answers, but is not prepared: ingest or an operator will do that."""

UNAVAILABLE: Final = (*TRANSIENT, *_NOT_THERE_YET, asyncpg.QueryCanceledError, asyncpg.TooManyConnectionsError)
"""Errors that say nothing about the request: it may be sent again later."""


class UnavailableError(Exception):
    """The database cannot be read now; the text says why."""


async def connect(dsn: str, *, connections: int, query_seconds: float) -> Pool:
    """A pool on the views that has read each of them once; errors of UNAVAILABLE where they are not there.

    Not the pool of splitcart_common: that of a reader has other settings, and needs no reset between two requests,
    which is a round trip each.
    """
    pool = await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=connections,
        command_timeout=query_seconds,
        timeout=query_seconds,
        server_settings=_SESSION,
        reset=_keep,
    )
    try:
        await pool.fetchval(SQL["probe"])
    except BaseException:
        pool.terminate()
        raise
    return pool


async def _keep(_connection: object) -> None:
    """Sessions are read-only and nothing of one request is left in them."""


class ReadStore:
    """The `read.*` views. Every method raises UnavailableError while they cannot be read."""

    def __init__(self, query_seconds: float) -> None:
        self._seconds = query_seconds
        self._pool: Pool | None = None
        self._products: dict[UUID, tuple[float, Product]] = {}

    def use(self, pool: Pool | None) -> None:
        """Read through this pool from now on; None: there is none."""
        self._pool = pool

    async def _fetch(self, name: str, *values: object) -> list[asyncpg.Record]:
        if self._pool is None:
            raise UnavailableError("the database has not been reached yet")
        try:
            async with self._pool.acquire(timeout=self._seconds) as connection:
                return await connection.fetch(SQL[name], *values)
        except UNAVAILABLE as error:
            raise UnavailableError(": ".join(filter(None, (type(error).__name__, str(error))))) from error

    async def stores_stamp(self) -> tuple[object, ...]:
        """A value that differs once the stores have changed."""
        [row] = await self._fetch("stores_stamp")
        return tuple(row.values())

    async def stores(self) -> list[Store]:
        """Every store there is."""
        return [
            Store(
                key=row["store"],
                company=row["company"],
                name=row["name"],
                division=row["division"],
                address=row["address"],
                suburb=row["suburb"],
                state=row["state"],
                postcode=row["postcode"],
                point=None if row["lat"] is None or row["lon"] is None else Point(row["lat"], row["lon"]),
                sells_online=row["sells_online"],
                seen_at=row["seen_at"],
                closed_at=row["closed_at"],
            )
            for row in await self._fetch("stores")
        ]

    async def last_scraped(self, stores: Sequence[str]) -> dict[str, datetime]:
        """When the last settled scrape of each store began; a store never scraped is left out."""
        return {row["store"]: row["started_at"] for row in await self._fetch("last_scrapes", stores)}

    async def search(self, query: Query, company: str | None) -> list[Listing]:
        """Listings that may answer a query: by code, else by words, and by likeness where those are few."""
        if query.barcodes or query.sku:
            rows = await self._fetch("listings_by_code", query.barcodes, query.sku, company, CANDIDATES)
            if rows:
                return [_listing(row) for row in rows]
        if not query.words:
            return []
        rows = await self._fetch("listings_by_words", to_tsquery(query.words), company, CANDIDATES)
        found = [_listing(row) for row in rows]
        if len({listing.product_id for listing in found}) < ENOUGH:
            text = fold(" ".join(query.words))
            known = {(listing.company, listing.sku) for listing in found}
            rows = await self._fetch("listings_by_likeness", text, company, CANDIDATES)
            found += [_listing(row) for row in rows if (row["company"], row["sku"]) not in known]
        return found

    async def products(self, wanted: Sequence[UUID]) -> dict[UUID, Product]:
        """Those of these products that there are, with all their listings; at most KNOWN_SECONDS old.

        By the ids asked for: a product that was merged into another has that one's own id.
        """
        now = asyncio.get_running_loop().time()
        found = {
            product_id: known[1]
            for product_id in wanted
            if (known := self._products.get(product_id)) and known[0] > now
        }
        missing = [product_id for product_id in wanted if product_id not in found]
        if missing:
            of_asked: dict[UUID, list[Listing]] = {}
            for row in await self._fetch("listings_of_products", missing):
                of_asked.setdefault(row["asked"], []).append(_listing(row))
            fresh = {asked: product for asked, found in of_asked.items() for product in gather(found).values()}
            if len(self._products) + len(fresh) > KNOWN_PRODUCTS:
                self._products.clear()
            self._products |= {product_id: (now + KNOWN_SECONDS, product) for product_id, product in fresh.items()}
            found |= fresh
        return found

    async def prices(
        self, product: UUID, stores: Sequence[str], at: datetime, turned: Mapping[str, datetime]
    ) -> tuple[list[Observed], dict[str, datetime]]:
        """Prices of a product served at these stores at a moment, and when the whole range of each was last seen.

        `turned` has each company's last turn before the moment.
        """
        observed: list[Observed] = []
        range_seen_at: dict[str, datetime] = {}
        for (
            store,
            sku,
            price,
            seen_at,
            seen_store,
            changed_at,
            was_price,
            special,
            source,
            anchor,
        ) in await self._fetch("prices", product, stores, at, orjson.dumps(turned).decode()):
            if sku is None:
                range_seen_at[store] = seen_at
            else:
                tag = None if special == "none" else special
                observed.append(
                    Observed(store, sku, price, seen_at, seen_store, changed_at, was_price, tag, source, anchor)
                )
        return observed, range_seen_at

    async def groups(self, company: str | None, at_least: int, limit: int) -> tuple[int, list[Group]]:
        """How many groups of at least so many stores there are, and the largest of them."""
        rows = await self._fetch("groups", company, at_least, limit)
        return (rows[0]["total"] if rows else 0), [_group(row) for row in rows]

    async def group_of(self, store: str) -> GroupWithMembers | None:
        """The group a store belongs to; None where it is in none."""
        rows = await self._fetch("group", store)
        if not rows:
            return None
        group = _group(rows[0])
        return GroupWithMembers(group, [_member(row) for row in await self._fetch("group_members", group.anchor)])

    async def decisions(self, stores: Collection[str], limit: int) -> list[Decision]:
        """What was decided about any of these stores of one company, newest first."""
        [company] = {company_of(store) for store in stores}
        return [
            Decision(**{**row, "detail": orjson.loads(row["detail"])})
            for row in await self._fetch("group_decisions", company, list(stores), limit)
        ]


def _listing(row: asyncpg.Record) -> Listing:
    return Listing(
        product_id=row["product_id"],
        company=row["company"],
        sku=row["sku"],
        name=row["name"],
        brand=row["brand"],
        size=row["size"],
        barcode=row["barcode"],
        category_path=tuple(row["category_path"]),
        image_url=row["image_url"],
        likeness=row["likeness"],
    )


def _group(row: asyncpg.Record) -> Group:
    return Group(
        company=row["company"],
        anchor=row["anchor"],
        formed_at=row["formed_at"],
        version=row["version"],
        members=row["members"],
        anchor_settled_at=row["anchor_settled_at"],
        stale_since=row["stale_since"],
    )


def _member(row: asyncpg.Record) -> Member:
    store, anchor, version, *evidence = row
    return Member(store, anchor, None if store == anchor else Evidence(version, *evidence))
