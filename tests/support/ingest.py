"""Running ingest on the real broker and server, and holding it to the fold of the recorded log."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
from confluent_kafka import Consumer, TopicPartition

from splitcart_common import events, ids
from splitcart_common.clock import ScaledClock
from splitcart_common.codec import DecodeError, decode
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRODUCT_OBSERVED
from splitcart_ingest.app import TOPICS, main
from splitcart_ingest.domain.prices import (
    Abandon,
    Batch,
    BatchFolded,
    Input,
    Opened,
    Settled,
    Start,
    StoreState,
    decide,
    evolve,
)
from splitcart_ingest.handlers import complete
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import service_dsn
from tests.support.bus import Raw, Said, read_topic, say_scrape

# Some years ahead, so that the events of the tests, dated 2026, are never from the future.
CLOCK = ScaledClock(datetime(2030, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), 1.0)
START = datetime(2026, 9, 1, tzinfo=UTC)


def settings(database: str, broker: str, prefix: str, **more: object) -> IngestSettings:
    """Ingest's settings on a test's own database and topics."""
    return IngestSettings(
        kafka_bootstrap=broker,
        postgres_dsn=service_dsn(database, "ingest"),
        topic_prefix=prefix,
        clock=CLOCK,
        **more,
    )


@asynccontextmanager
async def running(given: IngestSettings) -> AsyncIterator[None]:
    """Ingest in this process; if it fails, so does the body, at once."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(main(given, Health(), stop))
        yield
        stop.set()


async def caught_up(
    database: str, broker: str, prefix: str, schema: str = "ingest_g1", timeout: float = 60
) -> None:
    """Wait until every message is folded and every outbox row is published."""
    ends = {}
    for topic in TOPICS:
        name = topic.on_broker(prefix)
        ends |= {(name, p): n for p, n in end_offsets(broker, name, topic.partitions).items() if n}
    connection = await asyncpg.connect(database)
    try:
        async with asyncio.timeout(timeout):
            while True:
                rows = await _fetch_if_there(
                    connection, f"SELECT topic, partition, next_offset FROM {schema}.positions"
                )
                at = {(row["topic"], row["partition"]): row["next_offset"] for row in rows or ()}
                folded = rows is not None and all(at.get(where, 0) >= end for where, end in ends.items())
                if folded and not await connection.fetchval(f"SELECT count(*) FROM {schema}.outbox"):
                    return
                await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def folded(database: str, messages: int, schema: str = "ingest_g1", timeout: float = 60) -> None:
    """Wait until at least so many messages are folded."""
    connection = await asyncpg.connect(database)
    try:
        async with asyncio.timeout(timeout):
            while True:
                rows = await _fetch_if_there(connection, f"SELECT sum(next_offset) AS n FROM {schema}.positions")
                if rows and (rows[0]["n"] or 0) >= messages:
                    return
                await asyncio.sleep(0.01)
    finally:
        await connection.close()


async def _fetch_if_there(connection: asyncpg.Connection, query: str) -> list[asyncpg.Record] | None:
    try:
        return await connection.fetch(query)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return None


def end_offsets(broker: str, name: str, partitions: int) -> dict[int, int]:
    """The end of each partition."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "ends"})
    try:
        return {
            p: consumer.get_watermark_offsets(TopicPartition(name, p), timeout=10)[1] for p in range(partitions)
        }
    finally:
        consumer.close()


@dataclass(frozen=True)
class Fold:
    """What a store of prices comes to, by natural keys: what a digest is made of."""

    history: frozenset[tuple[object, ...]]
    scrapes: frozenset[tuple[object, ...]]
    latest: frozenset[tuple[object, ...]]


def fold_of_log(broker: str, prefix: str) -> Fold:
    """The fold of the recorded log by the pure rules alone, with SKUs for listing numbers."""
    topic = PRODUCT_OBSERVED
    return fold_of(read_topic(broker, topic.on_broker(prefix), topic.partitions))


def fold_of(raws: list[Raw]) -> Fold:
    """The fold of messages given partition by partition."""
    numbers: dict[str, int] = {}
    skus: list[str] = []
    states: dict[str, StoreState] = {}
    history: set[tuple[object, ...]] = set()
    scrapes: dict[tuple[str, int], tuple[object, ...]] = {}
    for raw in raws:
        event = _readable(raw)
        if event is None:
            continue
        store = (raw.key or b"").decode()
        listings = event.listings if isinstance(event, events.ProductsObserved) else ()
        for listing in listings:
            if listing.sku not in numbers:
                numbers[listing.sku] = len(skus)
                skus.append(listing.sku)
        state = states.setdefault(store, StoreState(clock=datetime(1970, 1, 1, tzinfo=UTC)))
        for fact in decide(state, _input(event, numbers)):
            evolve(state, fact)
            match fact:
                case Opened():
                    scrapes[store, fact.seq] = (store, fact.seq, fact.scrape_id, fact.at, None, None, None)
                case BatchFolded():
                    for number, place, price in zip(
                        fact.changes.listings, fact.changes.places, fact.changes.new, strict=True
                    ):
                        terms = (listings[place].was_price, listings[place].special)
                        history.add((store, skus[number], fact.seq, fact.batch, fact.at, price, *terms))
                case Settled():
                    seen = None if fact.seen is None else tuple(sorted(skus[n] for n in fact.seen))
                    end = (fact.started_at, fact.settled_at, fact.outcome, seen)
                    scrapes[store, fact.seq] = (store, fact.seq, fact.scrape_id, *end)
                    for number in fact.withdrawn:
                        history.add((store, skus[number], fact.seq, 0, fact.started_at, None, None, "none"))
    latest = {(store, skus[n], price) for store, state in states.items() for n, price in state.prices.items()}
    return Fold(frozenset(history), frozenset(scrapes.values()), frozenset(latest))


def _input(event: events.Event, numbers: dict[str, int]) -> Input:
    match event:
        case events.ScrapeStarted():
            return Start(event.scrape_id, event.started_at, event.scope)
        case events.ProductsObserved():
            listings = [numbers[seen.sku] for seen in event.listings]
            return Batch(event.scrape_id, event.batch, listings, [seen.price for seen in event.listings])
        case events.ScrapeCompleted():
            return complete(event, [numbers[sku] for sku in set(event.refused_skus) if sku in numbers])
        case events.ScrapeAbandoned():
            return Abandon(event.scrape_id, event.finished_at)
    raise TypeError(event)


def _readable(raw: Raw) -> events.Event | None:
    """The event of a message, None for a dead letter: a replay skips exactly these."""
    try:
        _, event = decode(PRODUCT_OBSERVED, raw.headers, raw.value)
        store = (raw.key or b"").decode()
        ids.split_store_key(store)
    except (DecodeError, ValueError):
        return None
    return event if getattr(event, "store", store) == store else None


async def fold_in(database: str, schema: str = "ingest_g1") -> Fold:
    """The fold as it stands in the database."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(f"SET search_path = {schema}, public")
        history = await connection.fetch(
            "SELECT store, sku, seq, batch, at, price, was_price, special FROM read.price_history"
        )
        scrapes = await connection.fetch(
            "SELECT store, seq, scrape_id, started_at, settled_at, outcome, "
            "CASE WHEN seen IS NULL THEN NULL ELSE ARRAY(SELECT sku FROM listings WHERE listing_id = ANY(seen) "
            'ORDER BY sku COLLATE "C") END FROM scrapes JOIN stores USING (store_id)'
        )
        latest = await connection.fetch(
            "SELECT store, sku, price FROM latest_prices "
            "JOIN stores USING (store_id) JOIN listings USING (listing_id)"
        )
    finally:
        await connection.close()
    rows = [(*row[:6], None if row[6] is None else tuple(row[6])) for row in map(tuple, scrapes)]
    return Fold(frozenset(map(tuple, history)), frozenset(rows), frozenset(map(tuple, latest)))


def listing(sku: str, price: int | None, **more: object) -> events.ObservedListing:
    """One observed listing with a name of its own."""
    return events.ObservedListing(sku=sku, name=f"Thing {sku}", price=price, page=1, raw_hash="00", **more)


def scrape(
    store: str,
    number: int,
    prices: dict[str, int | None],
    *,
    at: datetime | None = None,
    batch_size: int = 50,
    end: str = "completed",
    finished: bool = True,
    names: dict[str, str] | None = None,
) -> list[Said]:
    """One scrape of a store as its scraper publishes it."""
    at = at or START + timedelta(days=number)
    scrape_id = ids.scrape_id(at, store.encode().ljust(10, b"-")[:10])
    skus = sorted(prices)
    parts = [skus[i : i + batch_size] for i in range(0, len(skus), batch_size)]
    out: list[events.Event] = [
        events.ScrapeStarted(
            scrape_id=scrape_id,
            store=store,
            reason="scheduled",
            started_at=at,
            planned_categories=("all",),
            parser_version="1",
            scope="full",
        )
    ]
    for batch, part in enumerate(parts, 1):
        listings = tuple(
            listing(sku, prices[sku], **({"brand": names[sku]} if names and sku in names else {})) for sku in part
        )
        out.append(events.ProductsObserved(scrape_id=scrape_id, batch=batch, listings=listings))
    if end == "completed":
        out.append(
            events.ScrapeCompleted(
                scrape_id=scrape_id,
                finished_at=at + timedelta(minutes=5),
                batches=len(parts),
                pages=len(parts),
                requests=len(parts),
                categories_planned=1,
                categories_finished=int(finished),
                listings=len(skus),
            )
        )
    elif end == "abandoned":
        out.append(
            events.ScrapeAbandoned(
                scrape_id=scrape_id,
                finished_at=at + timedelta(minutes=5),
                reason="network",
                detail="gone",
                batches=len(parts),
            )
        )
    return say_scrape(store, out, at)


def country(seed: int, stores: int, visits: int, range_size: int) -> Iterator[list[Said]]:
    """Random scrapes of many stores, round by round: changes, gaps, ends of every kind, repeats."""
    rng = random.Random(seed)
    held = {
        f"aldi:S{n:03d}": {f"{k:06d}": rng.randrange(50, 5000) for k in range(range_size)} for n in range(stores)
    }
    for number in range(visits):
        for store, prices in held.items():
            for sku in rng.sample(sorted(prices), max(1, range_size // 10)):
                prices[sku] = rng.randrange(50, 5000)
            share = rng.choice((1.0, 1.0, 0.97, 0.6))
            seen = {sku: price for sku, price in prices.items() if rng.random() < share}
            end = rng.choice(("completed",) * 6 + ("abandoned", "lost"))
            said = scrape(store, number, seen, batch_size=20, end=end, finished=rng.random() > 0.1)
            for _ in range(rng.choice((0, 0, 1, 3))):
                said.insert(at := rng.randrange(1, len(said) + 1), said[rng.randrange(at)])
            yield said


def environment(given: IngestSettings) -> dict[str, str]:
    """Settings as a process of its own reads them."""
    return {
        f"SPLITCART_{name.upper()}": str(value) for name, value in given.model_dump().items() if value is not None
    }
