"""A small, exactly known catalogue in ingest's own tables, for tests of the gateway: plain SQL, no fold.

Stores lie around the postcodes 3000 (Melbourne) and 2000 (Sydney). `Shelf` writes what a fold would have left
behind; what it means is read back through the `read.*` views, as the gateway's role may see nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import asyncpg

from splitcart_common import events
from splitcart_common.events.groups import GroupEvent
from splitcart_common.ids import company_of
from splitcart_grouping.app import prepare as prepare_grouping
from splitcart_grouping.domain.groups import Groups
from splitcart_grouping.settings import GroupingSettings
from splitcart_grouping.store import save_decisions
from splitcart_ingest.app import prepare
from splitcart_ingest.domain.membership import Confirmed, GroupException
from splitcart_ingest.members import sku_numbers, write_markers
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import service_dsn

NOW = datetime(2026, 9, 2, 12, 0, tzinfo=UTC)
"""The virtual moment the tests ask at."""

NAMESPACE = UUID("5b6c4c52-9a44-4b0a-8f53-0d6a5b0f1a11")
SCHEMA = "ingest_g1"
SPECIALS = ("none", "special", "half", "down", "new", "clearance")
"""As ingest numbers them."""


def product(name: str) -> UUID:
    """The id of a product of these tests, by a name for it."""
    return uuid5(NAMESPACE, name)


@dataclass(frozen=True)
class Outlet:
    """A store; `closed` and undescribed stores (no coordinates) are part of life."""

    key: str
    name: str | None
    postcode: str | None = None
    lat: float | None = None
    lon: float | None = None
    state: str | None = "VIC"
    closed: bool = False


@dataclass(frozen=True)
class Article:
    """A listing."""

    company: str
    sku: str
    name: str
    product: UUID
    brand: str | None = None
    size: str | None = None
    barcode: str | None = None


@dataclass(frozen=True)
class Visit:
    """A settled scrape of a store, so many hours before NOW; prices in cents, None withdraws."""

    store: str
    hours_ago: float
    prices: Mapping[str, int | None] = field(default_factory=dict)
    outcome: str = "full"
    seen: Sequence[str] = ()
    was: Mapping[str, int] = field(default_factory=dict)
    special: Mapping[str, str] = field(default_factory=dict)


async def install(dsn: str) -> None:
    """The tables and views of ingest and grouping in an empty, prepared database, made by their own roles."""
    await prepare(IngestSettings(postgres_dsn=service_dsn(dsn, "ingest"), ingest_schema=SCHEMA))
    await prepare_grouping(GroupingSettings(postgres_dsn=service_dsn(dsn, "grouping")))


class Shelf:
    """Writes stores, listings and scrapes as ingest's role. Use it as an async context manager."""

    def __init__(self, dsn: str) -> None:
        self._dsn = service_dsn(dsn, "ingest")
        self._connection: asyncpg.Connection[asyncpg.Record]

    async def __aenter__(self) -> "Shelf":
        self._connection = await asyncpg.connect(self._dsn, server_settings={"search_path": f"{SCHEMA},public"})
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def add_stores(self, *outlets: Outlet) -> None:
        """Add stores."""
        await self._connection.executemany(
            "INSERT INTO stores (store, company, name, address, suburb, state, postcode, lat, lon, sells_online,"
            " seen_at, closed_at) VALUES ($1, $2, $3, '1 High Street', $3, $4, $5, $6, $7, true, $8, $9)",
            [
                (
                    o.key,
                    company_of(o.key),
                    o.name,
                    o.state,
                    o.postcode,
                    o.lat,
                    o.lon,
                    NOW,
                    NOW if o.closed else None,
                )
                for o in outlets
            ],
        )

    async def add_listings(self, *articles: Article) -> None:
        """Add listings."""
        await self._connection.executemany(
            "INSERT INTO listings (company, sku, name, brand, size, barcode, category_path, described_on,"
            " content_hash) VALUES ($1, $2, $3, $4, $5, $6, '{Pantry}', '2026-09-01', 0)",
            [(a.company, a.sku, a.name, a.brand, a.size, a.barcode) for a in articles],
        )
        await self._connection.executemany(
            "INSERT INTO links (company, sku, product_id) VALUES ($1, $2, $3)",
            [(a.company, a.sku, a.product) for a in articles],
        )

    async def merge(self, merged: UUID, survivor: UUID) -> None:
        """Add two products, one of them merged into the other."""
        await self._connection.executemany(
            "INSERT INTO products (product_id, company, sku, name, sizes, merged_into)"
            " VALUES ($1, 'coles', $2, 'Milk', '{}', $3)",
            [(survivor, str(survivor), None), (merged, str(merged), survivor)],
        )

    async def visit(self, visit: Visit) -> None:
        """Add a settled scrape with the changes it found."""
        db = self._connection
        store_id = await db.fetchval("SELECT store_id FROM stores WHERE store = $1", visit.store)
        company = company_of(visit.store)
        listing_ids = dict(await db.fetch("SELECT sku, listing_id FROM listings WHERE company = $1", company))
        seq = 1 + await db.fetchval("SELECT coalesce(max(seq), 0) FROM scrapes WHERE store_id = $1", store_id)
        at = NOW - timedelta(hours=visit.hours_ago)
        seen = None if visit.outcome == "full" else sorted(listing_ids[sku] for sku in visit.seen)
        await db.execute(
            "INSERT INTO scrapes (store_id, seq, scrape_id, scope, started_at, settled_at, outcome, listings,"
            " seen) VALUES ($1, $2, $3, 'full', $4, $4, $5, $6, $7)",
            *(store_id, seq, uuid5(NAMESPACE, f"{visit.store}/{seq}"), at, visit.outcome, len(visit.prices), seen),
        )
        await db.execute(
            "INSERT INTO store_heads (store_id, clock, next_seq, full_seq, partial_run)"
            " VALUES ($1, $2, $3, $4, '{}') ON CONFLICT (store_id) DO UPDATE SET clock = $2, next_seq = $3,"
            " full_seq = greatest(store_heads.full_seq, $4)",
            *(store_id, at, seq + 1, seq if visit.outcome == "full" else 0),
        )
        for sku, price in visit.prices.items():
            special = SPECIALS.index(visit.special.get(sku, "none"))
            row = (store_id, listing_ids[sku], seq, at, price, visit.was.get(sku))
            await db.execute(
                "INSERT INTO price_history (store_id, listing_id, seq, batch, at, price, was_price, special)"
                " VALUES ($1, $2, $3, 1, $4, $5, $6, $7)",
                *(*row, special),
            )
            await db.execute(
                "INSERT INTO latest_prices VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (store_id, listing_id) DO UPDATE SET price = $3, changed_seq = $4",
                *(store_id, listing_ids[sku], price, seq),
            )

    async def confirm(self, said: events.MemberConfirmed) -> None:
        """Fold a confirmation."""
        company = company_of(said.store)
        numbers = await sku_numbers(self._connection, company, [exception.sku for exception in said.exceptions])
        stated = {numbers[e.sku]: GroupException(e.price, e.seen_at) for e in said.exceptions}
        marker = Confirmed(
            said.version, said.store, said.anchor, said.up_to_scrape, said.anchor_scrape, stated, said.at
        )
        await write_markers(self._connection, company, [marker])


MILK, VEGEMITE, COKE, TEA, EVIL = (product(name) for name in ("milk", "vegemite", "coke", "tea", "evil"))
OLD_MILK = product("old milk")
"""It was merged into MILK."""
HOSTILE = '<script>alert("x")</script> O\'Brien & \u202eSons; DROP TABLE listings; --'

OUTLETS = (
    Outlet("aldi:G001", "Melbourne Central", "3000", -37.8102, 144.9628),
    Outlet("aldi:G002", "Carlton", "3053", -37.8001, 144.9667),
    Outlet("coles:0001", "Melbourne City", "3000", -37.8150, 144.9660),
    Outlet("coles:0002", "Richmond", "3121", -37.8230, 144.9980),
    Outlet("woolworths:3001", "QV Melbourne", "3000", -37.8105, 144.9655),
    Outlet("iga:100", "Never Scraped", "3000", -37.8130, 144.9600),
    Outlet("aldi:G900", "Closed For Ever", "3000", -37.8120, 144.9640, closed=True),
    Outlet("aldi:G901", None),
    Outlet("aldi:G300", "Sydney", "2000", -33.8688, 151.2093, state="NSW"),
    Outlet("aldi:HOB1", "Hobart", "7000", -42.8821, 147.3272, state="TAS"),
    Outlet("aldi:HOB2", "Sandy Bay", "7005", -42.8960, 147.3260, state="TAS"),
)

ARTICLES = (
    Article("aldi", "000000000000000101", "Full Cream Milk 2L", MILK, "Farmdale", "2l", "9300601000010"),
    Article("coles", "8150288", "Full Cream Milk 2L", MILK, "Farmdale", "2l", "9300601000010"),
    Article("woolworths", "888137", "Farmdale Full Cream Milk", MILK, "Farmdale", "2l", "9300601000010"),
    Article("coles", "332510", "Vegemite Spread", VEGEMITE, "Vegemite", "380g", "9300650658615"),
    Article("woolworths", "37352", "Vegemite Yeast Spread 380g", VEGEMITE, "Vegemite", "380g", "9300650658615"),
    Article("coles", "5555", "Coca-Cola Zero Sugar Cans 24 x 375ml", COKE, "Coca-Cola", "24 x 375ml"),
    Article("aldi", "000000000000000202", "Thé Vert Green Tea Bags 100 pack", TEA, "Diplomat", "100 pk"),
    Article("aldi", "000000000000000666", HOSTILE, EVIL, "Robert'); --", None),
)

VISITS = (
    Visit("aldi:G001", 100, {"000000000000000101": 319, "000000000000000202": 299, "000000000000000666": 100}),
    Visit("aldi:G001", 3, {"000000000000000101": 299}, was={"000000000000000101": 319},
          special={"000000000000000101": "special"}),
    Visit("aldi:G002", 30, {"000000000000000101": 329, "000000000000000202": 299}),
    Visit("coles:0001", 5, {"8150288": 310, "332510": 450, "5555": 2400}, was={"332510": 900},
          special={"332510": "half"}),
    Visit("coles:0001", 2, {"332510": 460}, outcome="partial", seen=["332510", "8150288"]),
    Visit("coles:0002", 50, {"8150288": 310, "332510": 900}),
    Visit("coles:0002", 26, {"332510": None}),
    Visit("woolworths:3001", 7, {"37352": 750}, outcome="partial", seen=["37352"]),
    Visit("aldi:G300", 9, {"000000000000000101": 305}),
    Visit("aldi:HOB1", 4, {"000000000000000101": 305, "000000000000000202": 285, "000000000000000666": 100}),
    Visit("aldi:HOB2", 10, {"000000000000000101": 305, "000000000000000202": 255}),
)  # fmt: skip


CONFIRMED = events.MemberConfirmed(
    version=4, store="aldi:HOB2", anchor="aldi:HOB1", up_to_scrape=uuid5(NAMESPACE, "aldi:HOB2/1"),
    anchor_scrape=uuid5(NAMESPACE, "aldi:HOB1/1"), shared=400, equal=398, rule_version="1",
    exceptions=(
        events.GroupException("000000000000000202", 255, NOW - timedelta(hours=10)),
        events.GroupException("000000000000000666", None, NOW - timedelta(hours=10)),
    ),
    at=NOW - timedelta(hours=3),
)  # fmt: skip
"""Two stores in Hobart are a group: tea is cheaper at the member, and the hostile one is not sold there."""

DECISIONS = (
    events.GroupFormed(1, "aldi:HOB1", NOW - timedelta(days=2)),
    events.GroupFormed(2, "aldi:HOB2", NOW - timedelta(days=1)),
    events.GroupsMerged(3, "aldi:HOB1", "aldi:HOB2", 400, 398, NOW - timedelta(hours=3)),
    CONFIRMED,
)


async def fill(dsn: str) -> None:
    """The catalogue of the tests."""
    async with Shelf(dsn) as shelf:
        await shelf.add_stores(*OUTLETS)
        await shelf.add_listings(*ARTICLES)
        await shelf.merge(OLD_MILK, MILK)
        for visit in VISITS:
            await shelf.visit(visit)
        await shelf.confirm(CONFIRMED)
    await decide(dsn, "aldi", *DECISIONS)


async def decide(dsn: str, company: str, *decisions: GroupEvent) -> None:
    """Put decisions on grouping's record, as its own role."""
    schema = {"search_path": "grouping,public"}
    connection = await asyncpg.connect(service_dsn(dsn, "grouping"), server_settings=schema)
    try:
        groups = Groups()
        for decision in decisions:
            groups.evolve(decision)
        async with connection.transaction():
            await save_decisions(connection, company, groups, decisions)
    finally:
        await connection.close()
