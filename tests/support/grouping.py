"""Running grouping on the real broker and server, and holding it to the fold of the log it has published."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from uuid import UUID

import asyncpg

from splitcart_common import events, ids
from splitcart_common.clock import ScaledClock
from splitcart_common.codec import decode
from splitcart_common.events import Event
from splitcart_common.kafka import ensure_topics
from splitcart_common.telemetry import Health
from splitcart_common.topics import STORE_GROUPS
from splitcart_grouping.app import TOPICS, main
from splitcart_grouping.domain.groups import Groups
from splitcart_grouping.domain.market import Market
from splitcart_grouping.domain.vectors import NOT_SOLD
from splitcart_grouping.settings import GroupingSettings
from splitcart_grouping.store import SQL, load_decisions, load_listings, load_stores
from splitcart_sandbox.database import service_dsn
from tests.support.bus import Said, read_topic, say
from tests.support.forking import start_program
from tests.support.ingest import end_offsets

CLOCK = ScaledClock(datetime(2026, 9, 3, tzinfo=UTC), datetime.now(UTC), 1.0)
"""A Thursday: what was seen since START is after the turn, and not too old."""
START = datetime(2026, 9, 2, tzinfo=UTC)
LISTINGS = 220
"""A few more than two stores must share."""


def settings(database: str, broker: str, prefix: str, **more: object) -> GroupingSettings:
    """Grouping's settings on a test's own database and topics; nothing is maintained unless a test says so."""
    return GroupingSettings(
        kafka_bootstrap=broker,
        postgres_dsn=service_dsn(database, "grouping"),
        topic_prefix=prefix,
        clock=CLOCK,
        **{"grouping_maintain_seconds": 3600, **more},
    )


@asynccontextmanager
async def running(given: GroupingSettings, health: Health | None = None) -> AsyncIterator[None]:
    """Grouping in this process; if it fails, so does the body, at once."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(main(given, health or Health(), stop))
        yield
        stop.set()


async def topics(broker: str, prefix: str) -> None:
    """Make what grouping reads."""
    await ensure_topics(broker, prefix, TOPICS)


async def caught_up(database: str, broker: str, prefix: str, timeout: float = 60) -> None:
    """Wait until every message is folded, its own too, and every outbox row is published."""
    await eventually(database, "SELECT to_regclass('grouping.outbox') IS NOT NULL")
    connection = await asyncpg.connect(database)
    try:
        async with asyncio.timeout(timeout):
            while True:
                empty = await connection.fetchval("SELECT NOT EXISTS (SELECT FROM grouping.outbox)")
                ends = await asyncio.to_thread(_ends, broker, prefix)
                rows = await connection.fetch("SELECT topic, partition, next_offset FROM grouping.positions")
                at = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
                if empty and all(at.get(where, 0) >= end for where, end in ends.items()):
                    return
                await asyncio.sleep(0.05)
    finally:
        await connection.close()


def _ends(broker: str, prefix: str) -> dict[tuple[str, int], int]:
    return {
        (name, partition): end
        for topic in TOPICS
        for name in [topic.on_broker(prefix)]
        for partition, end in end_offsets(broker, name, topic.partitions).items()
        if end
    }


async def eventually(database: str, question: str, answer: object = True, timeout: float = 30) -> None:
    """Wait until the database answers a question so; a table that is not there yet answers nothing."""
    connection = await asyncpg.connect(database)
    try:
        found: object = None
        async with asyncio.timeout(timeout):
            while found != answer:
                try:
                    found = await connection.fetchval(question)
                except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
                    found = None
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def formed(database: str, stores: int) -> None:
    """Wait until so many stores are in a group: what is settled from then on is decided at once."""
    await eventually(database, f"SELECT count(*) >= {stores} FROM grouping.members")


@dataclass
class Shop:
    """A store and what it charges, saying on price-changed what ingest would."""

    store: str
    prices: dict[str, int] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)
    seq: int = 0

    def discovered(self, at: datetime = START) -> Said:
        """Its entry in the list of stores."""
        event = events.StoreDiscovered(
            store=self.store, name=self.store, address="1 Road", suburb="Glebe", state="NSW", postcode="2037",
            lat=None, lon=None, sells_online=False, seen_at=at,
        )  # fmt: skip
        return self.say(event, at, key=self.store)

    def closed(self, at: datetime) -> Said:
        """The same, when it is gone."""
        return self.say(events.StoreClosed(store=self.store, reason="gone", at=at), at, key=self.store)

    def visit(self, at: datetime, *, outcome: str = "full", seen: Iterable[str] | None = None) -> list[Said]:
        """One scrape of it, as ingest publishes what has changed: a batch or two, withdrawals, and the end."""
        self.seq += 1
        scrape = ids.scrape_id(at, self.store.encode().ljust(10, b"-")[:10])
        looked_at = set(self.prices) | set(self.said) if seen is None else set(seen)
        changed = sorted(sku for sku in looked_at if sku in self.prices and self.prices[sku] != self.said.get(sku))
        gone = sorted(sku for sku in looked_at if sku in self.said and sku not in self.prices)
        out: list[Event] = []
        for batch, start in enumerate(range(0, len(changed), 150), 1):
            part = changed[start : start + 150]
            changes = tuple(events.PriceChange(sku, self.prices[sku], self.said.get(sku)) for sku in part)
            out.append(
                events.PricesChanged(
                    store=self.store, scrape_id=scrape, seq=self.seq, batch=batch, at=at, changes=changes
                )
            )
        if gone and outcome == "full":
            out.append(
                events.PricesWithdrawn(store=self.store, scrape_id=scrape, seq=self.seq, at=at, skus=tuple(gone))
            )
            self.said = {sku: price for sku, price in self.said.items() if sku not in gone}
        self.said |= {sku: self.prices[sku] for sku in changed}
        settled = events.StoreSettled(
            store=self.store, scrape_id=scrape, seq=self.seq, outcome=outcome, started_at=at,
            settled_at=at + timedelta(minutes=5), created=0, updated=len(changed), unchanged=0,
            withdrawn=len(gone), listings=len(looked_at),
            seen=() if outcome == "full" else tuple(sorted(looked_at)),
        )  # fmt: skip
        out.append(settled)
        return [self.say(event, at) for event in out]

    def say(self, event: Event, at: datetime, key: str | None = None) -> Said:
        """A message of it, with an id computed from what it says."""
        scrape: UUID = getattr(event, "scrape_id", ids.scrape_id(at, self.store.encode().ljust(10, b"-")[:10]))
        ident = ids.derived_id(scrape, f"{event.TYPE} {getattr(event, 'batch', '')} {at.isoformat()}")
        key = key or ids.company_of(self.store)
        return say(key, event, event_id=ident, correlation_id=scrape, at=at)


def shops(company: str, zones: Sequence[int], seed: int = 1, listings: int = LISTINGS) -> list[Shop]:
    """Stores of a company: of each zone so many, with the prices of their zone."""
    rng = random.Random(seed)
    out = []
    for zone, count in enumerate(zones):
        prices = {f"{number:05d}": rng.randrange(100, 5000) for number in range(listings)}
        out += [Shop(f"{company}:Z{zone}S{n}", dict(prices)) for n in range(count)]
    return out


def country(
    seed: int, zones: Sequence[int], rounds: int, companies: Sequence[str] = ("aldi",)
) -> list[list[Said]]:
    """A day of some companies, store by store and hour by hour: prices drift, some move zone, scrapes fail."""
    rng = random.Random(seed)
    towns = {company: shops(company, zones, seed) for company in companies}
    out: list[list[Said]] = [[shop.discovered()] for town in towns.values() for shop in town]
    for number in range(rounds):
        at = START + timedelta(hours=1 + 22 * number / rounds)
        for place, town in enumerate(towns.values()):
            for index, shop in enumerate(town):
                if rng.random() < 0.1:
                    shop.prices = dict(rng.choice(town).prices)
                for sku in rng.sample(sorted(shop.prices), 1):
                    shop.prices[sku] = rng.randrange(100, 5000)
                when = at + timedelta(seconds=10 * index + place)
                kind = rng.choice(("full",) * 6 + ("partial", "abandoned", "superseded"))
                seen = None if kind == "full" else rng.sample(sorted(shop.prices), 150)
                said = shop.visit(when, outcome=kind, seen=seen)
                if rng.random() < 0.2:
                    said.insert(rng.randrange(1, len(said) + 1), said[0])
                out.append(said)
    return out


def prices_said(log: Iterable[Said]) -> dict[str, dict[str, int]]:
    """What each store charges by these messages, all of whose scrapes have settled."""
    out: dict[str, dict[str, int]] = {}
    for message in log:
        _, event = decode(message.topic, message.headers, message.value)
        match event:
            case events.PricesChanged():
                out.setdefault(event.store, {}).update((change.sku, change.new) for change in event.changes)
            case events.PricesWithdrawn():
                for sku in event.skus:
                    out[event.store].pop(sku, None)
            case events.StoreDiscovered():
                out.setdefault(event.store, {})
    return out


def log_of_groups(broker: str, prefix: str) -> dict[str, list[Event]]:
    """What was published, by company, repeats left out; each version once and in order, or the test fails."""
    out: dict[str, list[Event]] = {}
    by_id: dict[UUID, Event] = {}
    for raw in read_topic(broker, STORE_GROUPS.on_broker(prefix), STORE_GROUPS.partitions):
        envelope, event = decode(STORE_GROUPS, raw.headers, raw.value)
        if envelope.event_id in by_id:  # relayed twice
            assert by_id[envelope.event_id] == event
            continue
        by_id[envelope.event_id] = event
        company = out.setdefault((raw.key or b"").decode(), [])
        assert event.version == len(company) + 1, f"{raw.key!r} has a gap at {event.version}"
        assert not company or company[-1].at <= event.at
        company.append(event)
    return out


def fold_of_log(broker: str, prefix: str) -> dict[str, Groups]:
    """What the published log comes to."""
    out = {}
    for company, said in log_of_groups(broker, prefix).items():
        groups = out[company] = Groups()
        for event in said:
            assert groups.evolve(event)
    return out


async def fold_in(database: str) -> dict[str, Groups]:
    """What the table of decisions comes to."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("SET search_path = grouping, public")
        out = {}
        async with connection.transaction():
            for row in await connection.fetch(SQL["companies"]):
                groups = Groups()
                await load_decisions(connection, row["company"], groups)
                if groups.version:
                    out[row["company"]] = groups
        return out
    finally:
        await connection.close()


async def prices_in(database: str, company: str) -> dict[str, dict[str, int]]:
    """What each store of a company charges, as its record says."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("SET search_path = grouping, public")
        async with connection.transaction():
            skus = await load_listings(connection, company)
            market = Market(company, skus, turns=GroupingSettings().turns)
            await load_stores(connection, market, 0)
    finally:
        await connection.close()
    rows = {store: market.vectors.prices(seen.row) for store, seen in market.stores.items()}
    return {
        store: {skus[n]: int(price) for n, price in enumerate(row[: len(skus)]) if price != NOT_SOLD}
        for store, row in rows.items()
    }


async def anchors_shown(database: str) -> dict[str, str]:
    """Which anchor every store has, as the gateway sees it."""
    connection = await asyncpg.connect(service_dsn(database, "gateway"))
    try:
        return dict(await connection.fetch("SELECT store, anchor FROM read.group_members"))
    finally:
        await connection.close()


def anchors_in(folds: dict[str, Groups]) -> dict[str, str]:
    """Which anchor every store has."""
    return {
        store: anchor
        for groups in folds.values()
        for store in {*groups.anchors, *groups.members}
        if (anchor := groups.anchor_of(store))
    }


def start_process(given: GroupingSettings) -> BaseProcess:
    """``python -m splitcart_grouping`` in a process of its own."""
    told = {
        f"SPLITCART_{name.upper()}": str(value) for name, value in given.model_dump().items() if value is not None
    }
    return start_program(told, "splitcart_grouping")
