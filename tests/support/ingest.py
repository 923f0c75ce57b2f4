"""Running ingest on the real broker and server, and holding it to the fold of the recorded log."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from aiokafka import TopicPartition
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as Place

from splitcart_common import events, ids
from splitcart_common.clock import ScaledClock
from splitcart_common.codec import DecodeError, decode
from splitcart_common.envelope import Envelope
from splitcart_common.kafka import ensure_topics
from splitcart_common.lanes import Handler, Message
from splitcart_common.outcomes import Outcome
from splitcart_common.postgres import Pool
from splitcart_common.telemetry import Health
from splitcart_common.topics import CATALOGUE, LISTING_DESCRIBED, PRODUCT_OBSERVED, STORE_GROUPS, Topic
from splitcart_ingest.app import TOPICS, main
from splitcart_ingest.book import ListingBook
from splitcart_ingest.domain.catalogue import Catalogue, State
from splitcart_ingest.domain.catalogue import evolve as evolve_catalogue
from splitcart_ingest.domain.exceptions import Delta, restore
from splitcart_ingest.domain.listings import Description, fields_of, join
from splitcart_ingest.domain.membership import Confirmed, Ejected, GroupException, Membership, fold
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
from splitcart_ingest.domain.read_barcodes import ReadBarcode, believable, effective, join_barcode
from splitcart_ingest.domain.served import HistoryRow, ScrapeRow, StoreRecord, served
from splitcart_ingest.domain.sync import parted
from splitcart_ingest.handlers.groups import GroupHandler
from splitcart_ingest.handlers.observations import ObservationHandler, complete
from splitcart_ingest.identity.tables import stored
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import service_dsn
from tests.support.bus import Raw, Said, read_events, read_topic, say, say_scrape
from tests.support.scraper.tiny_coles import code_of

# Some years ahead, so that the events of the tests, dated 2026, are never from the future.
CLOCK = ScaledClock(datetime(2030, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), 1.0)
START = datetime(2026, 9, 1, tzinfo=UTC)
SAID_BY_OTHERS = tuple(topic for topic in TOPICS if "ingest" not in topic.producers)
"""Of what ingest consumes: the rest is its own word."""


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
    """Wait until every message is folded, what it led to as well, and every outbox row is published."""
    await ensure_topics(broker, prefix, TOPICS)
    connection = await asyncpg.connect(database)
    try:
        async with asyncio.timeout(timeout):
            # Step by step: what comes of one topic is in the next once it is folded and published.
            for topics in (SAID_BY_OTHERS, (LISTING_DESCRIBED,), (CATALOGUE,)):
                await _folded_to_the_end(connection, broker, prefix, schema, topics)
    finally:
        await connection.close()


async def _folded_to_the_end(
    connection: asyncpg.Connection, broker: str, prefix: str, schema: str, topics: Sequence[Topic]
) -> None:
    ends = {}
    for topic in topics:
        name = topic.on_broker(prefix)
        ends |= {(name, p): n for p, n in end_offsets(broker, name, topic.partitions).items() if n}
    while True:
        rows = await _fetch_if_there(connection, f"SELECT topic, partition, next_offset FROM {schema}.positions")
        at = {(row["topic"], row["partition"]): row["next_offset"] for row in rows or ()}
        folded = rows is not None and all(at.get(where, 0) >= end for where, end in ends.items())
        if folded and not await connection.fetchval(f"SELECT count(*) FROM {schema}.outbox"):
            return
        await asyncio.sleep(0.05)


async def folded(database: str, messages: int, schema: str = "ingest_g1", timeout: float = 60) -> None:
    """Wait until at least so many messages of others are folded."""
    connection = await asyncpg.connect(database)
    names = "|".join(topic.name for topic in SAID_BY_OTHERS)
    count = f"SELECT sum(next_offset) AS n FROM {schema}.positions WHERE topic ~ '[.]({names})[.]'"
    try:
        async with asyncio.timeout(timeout):
            while True:
                rows = await _fetch_if_there(connection, count)
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
        return {p: consumer.get_watermark_offsets(Place(name, p), timeout=10)[1] for p in range(partitions)}
    finally:
        consumer.close()


@dataclass(frozen=True)
class Fold:
    """What a store of prices comes to, by natural keys: what a digest is made of."""

    history: frozenset[tuple[object, ...]]
    scrapes: frozenset[tuple[object, ...]]
    latest: frozenset[tuple[object, ...]]
    markers: frozenset[tuple[object, ...]] = frozenset()
    listings: frozenset[tuple[object, ...]] = frozenset()
    catalogue: State | None = None


@dataclass
class Reference:
    """The fold of the recorded logs by the pure rules alone; listings are numbered as they come."""

    numbers: dict[str, int] = field(default_factory=dict)
    states: dict[str, StoreState] = field(default_factory=dict)
    rows: dict[str, list[HistoryRow]] = field(default_factory=dict)
    visits: dict[str, dict[int, ScrapeRow]] = field(default_factory=dict)
    history: set[tuple[object, ...]] = field(default_factory=set)
    scrapes: dict[tuple[str, int], tuple[object, ...]] = field(default_factory=dict)
    companies: dict[str, Membership] = field(default_factory=dict)
    described: dict[tuple[str, str], Description] = field(default_factory=dict)
    read: dict[tuple[str, str], ReadBarcode] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=Catalogue)

    def number(self, sku: str) -> int:
        return self.numbers.setdefault(sku, len(self.numbers))

    def describe(self, company: str, at: datetime, event: events.Event) -> None:
        """A message of `product-observed`, as far as it says what listings are."""
        match event:
            case events.ProductsObserved():
                for seen in event.listings:
                    key = company, seen.sku
                    self.described[key] = join(self.described.get(key), Description(at.date(), fields_of(seen)))
            case events.BarcodesObserved():
                for item in filter(lambda item: believable(item.barcode), event.items):
                    key = company, item.sku
                    self.read[key] = join_barcode(self.read.get(key), ReadBarcode(item.seen_at, item.barcode))

    def listings(self) -> frozenset[tuple[object, ...]]:
        """Every listing with the barcode it has, by its company or as it was read."""
        found: set[tuple[object, ...]] = set()
        for (company, sku), description in self.described.items():
            name, brand, size, _, path, image = description.fields
            code = effective(description, self.read.get((company, sku)))
            found.add((company, sku, name, brand, size, code, path, image))
        return frozenset(found)

    def observe(self, store: str, event: events.Event) -> None:
        """A message of `product-observed` that is of a scrape."""
        listings, _ = parted(event.listings) if isinstance(event, events.ProductsObserved) else ((), ())
        for seen in listings:
            self.number(seen.sku)
        skus = list(self.numbers)
        state = self.states.setdefault(store, StoreState(clock=datetime(1970, 1, 1, tzinfo=UTC)))
        rows, visits = self.rows.setdefault(store, []), self.visits.setdefault(store, {})
        for fact in decide(state, _input(event, self.numbers)):
            evolve(state, fact)
            match fact:
                case Opened():
                    visits[fact.seq] = ScrapeRow(fact.seq, fact.scrape_id, fact.at, None, None)
                    self.scrapes[store, fact.seq] = (store, fact.seq, fact.scrape_id, fact.at, None, None, None)
                case BatchFolded():
                    for number, place, price in zip(
                        fact.changes.listings, fact.changes.places, fact.changes.new, strict=True
                    ):
                        rows.append(HistoryRow(number, fact.seq, fact.at, price))
                        terms = (listings[place].was_price, listings[place].special)
                        self.history.add((store, skus[number], fact.seq, fact.batch, fact.at, price, *terms))
                case Settled():
                    visits[fact.seq] = ScrapeRow(
                        fact.seq, fact.scrape_id, fact.started_at, fact.outcome, fact.seen
                    )
                    seen = None if fact.seen is None else tuple(sorted(skus[n] for n in fact.seen))
                    end = (fact.started_at, fact.settled_at, fact.outcome, seen)
                    self.scrapes[store, fact.seq] = (store, fact.seq, fact.scrape_id, *end)
                    for number in fact.withdrawn:
                        rows.append(HistoryRow(number, fact.seq, fact.started_at, None))
                        self.history.add((store, skus[number], fact.seq, 0, fact.started_at, None, None, "none"))

    def group(self, company: str, event: events.Event) -> None:
        """A message of `store-groups`."""
        state = self.companies.setdefault(company, Membership())
        match event:
            case events.MemberEjected():
                fold(state, Ejected(event.version, event.store, event.at))
            case events.MemberConfirmed():
                stated = {self.number(x.sku): GroupException(x.price, x.seen_at) for x in event.exceptions}
                ids = (event.store, event.anchor, event.up_to_scrape, event.anchor_scrape)
                fold(state, Confirmed(event.version, *ids, stated, event.at))

    def fold(self) -> Fold:
        """By natural keys."""
        skus = list(self.numbers)
        latest = {(store, skus[n], p) for store, state in self.states.items() for n, p in state.prices.items()}
        markers = set()
        for company, state in self.companies.items():
            for marker in (marker for of_store in state.markers.values() for marker in of_store):
                said: tuple[object, ...] = (marker.store, None, None, frozenset())
                if isinstance(marker, Confirmed):
                    stated = frozenset((skus[x], e.price, e.seen_at) for x, e in marker.exceptions.items())
                    said = (marker.anchor, marker.up_to_scrape, marker.anchor_scrape, stated)
                markers.add((company, marker.version, marker.store, marker.at, *said))
        return Fold(
            frozenset(self.history),
            frozenset(self.scrapes.values()),
            frozenset(latest),
            frozenset(markers),
            self.listings(),
            self.catalogue.state(),
        )

    def served(self, at: datetime, last_turn: datetime | None) -> frozenset[tuple[object, ...]]:
        """Every price served at a moment."""
        markers = {store: of for state in self.companies.values() for store, of in state.markers.items()}
        stores = self.states.keys() | markers.keys()
        visits = {store: list(self.visits.get(store, {}).values()) for store in stores}
        rows: dict[int, dict[str, list[HistoryRow]]] = {}
        for store, of_store in self.rows.items():
            for row in of_store:
                rows.setdefault(row.listing, {}).setdefault(store, []).append(row)
        found = set()
        for sku, number in self.numbers.items():
            # Of a store's history only what is of the listing is looked at: the rest need not be handed over.
            of_listing = rows.get(number, {})
            records = {s: StoreRecord(of_listing.get(s, ()), visits[s], markers.get(s, ())) for s in stores}
            for store in stores:
                answer = served(store, number, at, records, last_turn)
                if answer is not None:
                    found.add((store, sku, answer.price, answer.store, answer.seen_at))
        return frozenset(found)


def reference(broker: str, prefix: str) -> Reference:
    """The fold of the recorded logs."""
    found = Reference()
    for raw in read_topic(broker, PRODUCT_OBSERVED.on_broker(prefix), PRODUCT_OBSERVED.partitions):
        readable = _readable(raw)
        if readable is not None:
            store, (envelope, event) = (raw.key or b"").decode(), readable
            found.describe(ids.company_of(store), envelope.occurred_at, event)
            if not isinstance(event, events.BarcodesObserved):
                found.observe(store, event)
    for company, _, event in read_events(broker, prefix, STORE_GROUPS):
        found.group(company, event)
    for _, _, event in read_events(broker, prefix, CATALOGUE):
        evolve_catalogue(found.catalogue, event)
    return found


def fold_of_log(broker: str, prefix: str) -> Fold:
    """What both logs come to, with SKUs for listing numbers."""
    return reference(broker, prefix).fold()


def _input(event: events.Event, numbers: dict[str, int]) -> Input:
    match event:
        case events.ScrapeStarted():
            return Start(event.scrape_id, event.started_at, event.scope)
        case events.ProductsObserved():
            sold, _ = parted(event.listings)
            listings = [numbers[seen.sku] for seen in sold]
            return Batch(event.scrape_id, event.batch, listings, [seen.price for seen in sold])
        case events.ScrapeCompleted():
            return complete(event, [numbers[sku] for sku in set(event.refused_skus) if sku in numbers])
        case events.ScrapeAbandoned():
            return Abandon(event.scrape_id, event.finished_at)
    raise TypeError(event)


def _readable(raw: Raw) -> tuple[Envelope, events.Event] | None:
    """The envelope and event of a message, None for a dead letter: a replay skips exactly these."""
    try:
        envelope, event = decode(PRODUCT_OBSERVED, raw.headers, raw.value)
        store = (raw.key or b"").decode()
        ids.split_store_key(store)
    except (DecodeError, ValueError):
        return None
    return (envelope, event) if getattr(event, "store", store) == store else None


async def fold_in(database: str, schema: str = "ingest_g1") -> Fold:
    """The fold as it stands in the database; what housekeeping has dropped is where it is kept, in the history."""
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
        rows = [(*row[:6], None if row[6] is None else tuple(row[6])) for row in map(tuple, scrapes)]
        latest = await _latest_in(connection)
        markers, listings = await _markers_in(connection), await listings_in(connection)
        catalogue = await stored(connection)
        return Fold(frozenset(map(tuple, history)), frozenset(rows), latest, markers, listings, catalogue)
    finally:
        await connection.close()


async def listings_in(connection: asyncpg.Connection | Pool) -> frozenset[tuple[object, ...]]:
    """Every listing as its company describes it, with the barcode that was read where it says none."""
    rows = await connection.fetch(
        "SELECT company, sku, name, brand, size, coalesce(barcode, read_barcode), category_path, image_url "
        "FROM listings"
    )
    return frozenset((*row[:6], tuple(row[6]), row[7]) for row in map(tuple, rows))


async def _latest_in(connection: asyncpg.Connection) -> frozenset[tuple[object, ...]]:
    latest = await connection.fetch(
        "SELECT store, sku, price, collected FROM latest_prices "
        "JOIN stores USING (store_id) JOIN store_heads USING (store_id) JOIN listings USING (listing_id)"
    )
    last = await connection.fetch(
        "SELECT DISTINCT ON (store, sku) store, sku, price FROM price_history "
        "JOIN stores USING (store_id) JOIN store_heads USING (store_id) JOIN listings USING (listing_id) "
        "WHERE collected ORDER BY store, sku, seq DESC"
    )
    collected = frozenset(map(tuple, last))
    left = {tuple(row)[:3] for row in latest if row["collected"]}
    assert left <= collected, "a row that is no last row of the history"
    return collected | {tuple(row)[:3] for row in latest if not row["collected"]}


async def _markers_in(connection: asyncpg.Connection) -> frozenset[tuple[object, ...]]:
    rows = await connection.fetch(
        "SELECT m.company, m.version, s.store, m.decided_at, a.store AS anchor, m.up_to_scrape, m.anchor_scrape, "
        "e.numbers, e.prices, e.seen_at, e.absent FROM group_markers m JOIN stores s USING (store_id) "
        "JOIN stores a ON a.store_id = m.anchor_id "
        "JOIN group_exceptions e ON e.store_id = m.store_id AND e.version = m.version "
        "ORDER BY s.store, m.version DESC"
    )
    skus = {row["number"]: row["sku"] for row in await connection.fetch("SELECT number, sku FROM group_skus")}
    found, stated = set(), {}
    for row in rows:
        columns = dict(zip(row["numbers"], map(GroupException, row["prices"], row["seen_at"]), strict=True))
        stated = columns if row["absent"] is None else restore(stated, Delta(columns, tuple(row["absent"])))
        exceptions = frozenset((skus[x], e.price, e.seen_at) for x, e in stated.items())
        found.add((*tuple(row)[:7], exceptions))
    return frozenset(found)


async def served_in(database: str, at: datetime, last_turn: datetime | None) -> frozenset[tuple[object, ...]]:
    """Every price that `read.prices` serves at a moment; `last_turn` is that of every company."""
    connection = await asyncpg.connect(database)
    try:
        companies = await connection.fetch("SELECT DISTINCT company FROM read.stores")
        turned = {row["company"]: last_turn.isoformat() for row in companies} if last_turn else {}
        rows = await connection.fetch(
            "SELECT store, sku, price, seen_store, seen_at FROM read.prices($1, $2)", at, json.dumps(turned)
        )
    finally:
        await connection.close()
    return frozenset(map(tuple, rows))


def listing(sku: str, price: int | None, **more: object) -> events.ObservedListing:
    """One observed listing with a name of its own."""
    return events.ObservedListing(sku=sku, name=f"Thing {sku}", price=price, page=1, raw_hash="00", **more)


def readings(store: str, read: dict[str, tuple[str, datetime]]) -> events.BarcodesObserved:
    """Barcodes read as a customer of a store: of each SKU the barcode, and when it was read."""
    items = tuple(events.BarcodeReading(sku, code, seen_at, "page") for sku, (code, seen_at) in read.items())
    return events.BarcodesObserved(company=ids.company_of(store), store=store, items=items)


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
    gone: Collection[str] = (),
) -> list[Said]:
    """One scrape of a store as its scraper publishes it; what is `gone` is shown as not to be had."""
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
            listing(
                sku,
                prices[sku],
                available=sku not in gone,
                **({"brand": names[sku]} if names and sku in names else {}),
            )
            for sku in part
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
    """Random scrapes of many stores, round by round: changes, gaps, ends of every kind, repeats; and barcodes.

    Some tiles have no price, and some of those cannot be had.
    """
    rng, codes, tiles = random.Random(seed), random.Random(seed), random.Random(seed)
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
            bare = tiles.sample(sorted(seen), min(len(seen), tiles.randrange(4)))
            shown: dict[str, int | None] = seen | dict.fromkeys(bare)
            finished = rng.random() > 0.1
            said = scrape(
                store, number, shown, batch_size=20, end=end, finished=finished, gone=bare[: tiles.randrange(4)]
            )
            for _ in range(rng.choice((0, 0, 1, 3))):
                said.insert(at := rng.randrange(1, len(said) + 1), said[rng.randrange(at)])
            if codes.random() < 0.5:
                said.insert(codes.randrange(len(said) + 1), _some_barcodes(codes, store, number, range_size))
            yield said


def _some_barcodes(rng: random.Random, store: str, number: int, range_size: int) -> Said:
    at = START + timedelta(days=number, minutes=rng.randrange(5))
    skus = rng.sample(range(range_size + 3), 3)  # some are of listings that are never seen
    read = {f"{k:06d}": (code_of(rng.randrange(range_size)), at + timedelta(minutes=k % 4)) for k in skus}
    ident = UUID(int=rng.getrandbits(128))
    return say(store, readings(store, read), event_id=ident, correlation_id=ident, at=at)


def decisions(seed: int, stores: int, visits: int, range_size: int, count: int) -> list[Said]:
    """Random decisions about the stores of `country`: ejections, repeats, confirmations (of scrapes to come)."""
    rng = random.Random(seed)
    said: list[Said] = []
    for version in range(1, count + 1):
        store, anchor = (f"aldi:S{n:03d}" for n in rng.sample(range(stores), 2))
        number = rng.randrange(visits)
        event: events.Event = ejected(version, store, START + timedelta(days=number))
        if rng.random() < 0.85:
            own = rng.sample(range(range_size), rng.randrange(0, range_size // 8))
            exceptions = {f"{k:06d}": rng.choice((None, rng.randrange(50, 5000))) for k in own}
            event = confirmed(
                version, store, anchor, up_to=number, anchor_at=rng.randrange(visits), exceptions=exceptions
            )
        ident = UUID(int=version)
        said.append(say("aldi", event, event_id=ident, correlation_id=ident, at=START))
        if rng.random() < 0.1:
            said.append(rng.choice(said))
    return said


def environment(given: IngestSettings) -> dict[str, str]:
    """Settings as a process of its own reads them."""
    return {
        f"SPLITCART_{name.upper()}": str(value) for name, value in given.model_dump().items() if value is not None
    }


class ByHand:
    """Ingest's handlers without a broker: what they are given is one batch, and one transaction."""

    def __init__(self, pool: Pool, prefix: str = "byhand") -> None:
        self.pool = pool
        self.observed = TopicPartition(PRODUCT_OBSERVED.on_broker(prefix), 0)
        self.grouped = TopicPartition(STORE_GROUPS.on_broker(prefix), 0)
        book = ListingBook(pool, prefix, "ingest")
        self.observations = ObservationHandler(book, prefix=prefix, producer="ingest", cached_prices=1_000_000)
        self.groups = GroupHandler()

    async def observe(self, *said: tuple[str, events.Event], at: datetime = START) -> Sequence[Outcome]:
        """Fold a batch of `product-observed` that was said at a moment."""
        return await self._fold(self.observations, self.observed, said, at)

    async def group(self, *said: tuple[str, events.Event]) -> Sequence[Outcome]:
        """Fold a batch of `store-groups`."""
        return await self._fold(self.groups, self.grouped, said, START)

    async def _fold(
        self, handler: Handler, where: TopicPartition, said: Sequence[tuple[str, events.Event]], at: datetime
    ) -> Sequence[Outcome]:
        messages = [by_hand(handler, offset, key, event, at) for offset, (key, event) in enumerate(said)]
        await handler.prepare(where, messages)
        try:
            async with self.pool.acquire() as connection, connection.transaction():
                return await handler.fold(connection, where, messages)
        except BaseException:
            handler.forget(where)
            raise


def by_hand(handler: Handler, offset: int, key: str, event: events.Event, at: datetime = START) -> Message:
    """A message as a lane hands it over, of an event that came just so."""
    envelope = Envelope(
        event_id=UUID(int=offset),
        event_type=event.TYPE,
        event_version=event.VERSION,
        occurred_at=at,
        correlation_id=UUID(int=offset),
        producer="tests",
    )
    return Message(envelope, handler.digest(key, envelope, event), key, offset, CLOCK.start)


def visit(
    store: str, number: int, prices: dict[str, int | None], **more: object
) -> list[tuple[str, events.Event]]:
    """The events of `scrape`, to be given by hand."""
    return [
        (store, decode(said.topic, said.headers, said.value)[1]) for said in scrape(store, number, prices, **more)
    ]


def scrape_of(store: str, number: int) -> UUID:
    """The id of a store's scrape as `scrape` makes it."""
    return ids.scrape_id(START + timedelta(days=number), store.encode().ljust(10, b"-")[:10])


def confirmed(
    version: int,
    store: str,
    anchor: str,
    *,
    up_to: int,
    anchor_at: int,
    exceptions: dict[str, int | None] | None = None,
    at: datetime | None = None,
) -> events.MemberConfirmed:
    """A confirmation by the numbers of two scrapes; its exceptions were seen at the member's."""
    seen_at = START + timedelta(days=up_to)
    return events.MemberConfirmed(
        version=version,
        store=store,
        anchor=anchor,
        up_to_scrape=scrape_of(store, up_to),
        anchor_scrape=scrape_of(anchor, anchor_at),
        shared=500,
        equal=500,
        exceptions=tuple(events.GroupException(sku, price, seen_at) for sku, price in (exceptions or {}).items()),
        rule_version="1",
        at=at or seen_at + timedelta(hours=1),
    )


def ejected(version: int, store: str, at: datetime) -> events.MemberEjected:
    """An ejection."""
    return events.MemberEjected(
        version=version, store=store, from_anchor=store, shared=500, equal=100, differing=(), at=at
    )
