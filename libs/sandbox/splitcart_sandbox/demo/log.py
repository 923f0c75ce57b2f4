"""The recorded log, read once more from its beginning: what was seen, in which request, and what was given up."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from splitcart_common import events
from splitcart_common.codec import DecodeError, decode
from splitcart_common.events import Event
from splitcart_common.topics import ALL, PRODUCT_OBSERVED, STORE_GROUPS, Topic
from splitcart_sandbox.demo.savings import Visit

Read = tuple[str, datetime, datetime, int]
"""A price read: SKU, when its page was asked for, when it had come, cents."""


@dataclass(slots=True)
class Shown:
    """What a store has shown so far: `prices`, the last of each SKU, and what its latest scrape has `seen`.

    Seen is what was shown with a price, what only lacked it, and what could not be read: all of that is sold.
    """

    prices: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    @property
    def now(self) -> dict[str, int]:
        """The prices of what the latest scrape has seen: of what lacked its own, the one it had before."""
        return {sku: self.prices[sku] for sku in self.seen & self.prices.keys()}


@dataclass(slots=True)
class Recorded:
    """The log's observations by store, their prices by (scrape, SKU), and the scrapes given up.

    `shown` is by store; `undated` counts prices without the moments they were read at. `visits` are the scrapes
    that were completed, `decisions` the log of groups.
    """

    reads: dict[str, list[Read]] = field(default_factory=dict)
    prices: dict[tuple[UUID, str], int] = field(default_factory=dict)
    shown: dict[str, Shown] = field(default_factory=dict)
    abandoned: list[dict[str, str]] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    decisions: list[Event] = field(default_factory=list)
    undated: int = 0


async def read_log(bootstrap: str, prefix: str, full: Collection[UUID]) -> Recorded:
    """Fold the log into what the checks need; dead letters are left out, as they are everywhere.

    `full` are the scrapes that were judged so: what these did not see is sold no more.
    """
    recorded = Recorded()
    async for store, event in messages(bootstrap, prefix, PRODUCT_OBSERVED):
        observe(recorded, store, event, full)
    recorded.decisions += [event async for _, event in messages(bootstrap, prefix, STORE_GROUPS)]
    return recorded


def observe(recorded: Recorded, store: str, event: Event, full: Collection[UUID]) -> None:
    """Fold one message of a store."""
    shown = recorded.shown.setdefault(store, Shown())
    match event:
        case events.ScrapeStarted():
            shown.seen = set()
        case events.ProductsObserved():
            _add(recorded, shown, store, event)
        case events.ScrapeCompleted():
            shown.seen.update(event.refused_skus)
            if event.scrape_id in full:
                shown.prices = shown.now
            recorded.visits.append(Visit(store, event.finished_at, event.requests))
        case events.ScrapeAbandoned():
            recorded.abandoned.append({"store": store, "reason": event.reason, "detail": event.detail})


def _add(recorded: Recorded, shown: Shown, store: str, event: events.ProductsObserved) -> None:
    pages = {page.page: page for page in event.pages}
    reads = recorded.reads.setdefault(store, [])
    for listing in event.listings:
        first = listing.sku not in shown.seen
        if listing.price is not None or listing.available:
            shown.seen.add(listing.sku)
        if listing.price is None:
            continue
        if first:
            shown.prices[listing.sku] = listing.price
        recorded.prices.setdefault((event.scrape_id, listing.sku), listing.price)
        page = pages.get(listing.page)
        if page is None:
            recorded.undated += 1
        else:
            reads.append((listing.sku, page.requested_at, page.received_at, listing.price))


async def messages(bootstrap: str, prefix: str, topic: Topic) -> AsyncIterator[tuple[str, Event]]:
    """Every readable message of a topic up to its present end: key and event, in order within a partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        where = [TopicPartition(topic.on_broker(prefix), number) for number in range(topic.partitions)]
        consumer.assign(where)
        await consumer.seek_to_beginning(*where)
        ends = await consumer.end_offsets(where)
        behind = {place for place, end in ends.items() if end}
        while behind:
            for place, records in (await consumer.getmany(*behind, timeout_ms=1000)).items():
                for record in records:
                    try:
                        yield record.key.decode(), decode(topic, record.headers, record.value)[1]
                    except (DecodeError, UnicodeDecodeError, AttributeError):
                        continue
                if await consumer.position(place) >= ends[place]:
                    behind.discard(place)
    finally:
        await consumer.stop()


class Ends:
    """How long topics are: one client that stays, for asking every second."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        self._prefix = prefix

    async def __aenter__(self) -> "Ends":
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def of(self, topic: Topic) -> dict[tuple[str, int], int]:
        """The end offset of each of its partitions."""
        name = topic.on_broker(self._prefix)
        return await self._ask([TopicPartition(name, number) for number in range(topic.partitions)])

    async def dead_letters(self) -> int:
        """Messages in all dead-letter topics together."""
        names = [
            topic.dead_letter_topic(self._prefix, service)
            for topic in ALL
            if topic.dead_letters
            for service in topic.consumers
        ]
        return sum((await self._ask([TopicPartition(name, 0) for name in names])).values())

    async def _ask(self, where: list[TopicPartition]) -> dict[tuple[str, int], int]:
        ends = await self._consumer.end_offsets(where)
        return {(place.topic, place.partition): end for place, end in ends.items()}
