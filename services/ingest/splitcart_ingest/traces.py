"""Where in the log a price comes from: the message of the page it was read on, and the decision of its group."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from aiokafka import ConsumerRecord, TopicPartition

from splitcart_common.admission import FUTURE_LIMIT
from splitcart_common.clock import ScaledClock, earliest_wall
from splitcart_common.codec import DecodeError, decode
from splitcart_common.envelope import Envelope
from splitcart_common.events import (
    Event,
    MemberConfirmed,
    MemberEjected,
    ObservedListing,
    ProductsObserved,
    ScrapeAbandoned,
    ScrapeCompleted,
    ScrapeStarted,
)
from splitcart_common.reading import LogReader, Span, partition_of
from splitcart_common.topics import PRODUCT_OBSERVED, STORE_GROUPS, Topic

Watch = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands: topic, partition and offset, its event's id, and when the broker had it (wall)."""

    topic: str
    partition: int
    offset: int
    event_id: UUID
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """What the log has of one scrape: where it starts, and the batch that shows the listing, as it shows it.

    `start` is None where the scrape is not in the log; `place`, `batch` and `seen` where none of its pages has it.
    """

    start: Place | None = None
    reason: str | None = None
    place: Place | None = None
    batch: int | None = None
    seen: ObservedListing | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A confirmation or an ejection as grouping published it, with its evidence."""

    place: Place
    event: MemberConfirmed | MemberEjected


class Tracer:
    """Looks into the log; `watch` is told how many messages it has looked at, of how many."""

    def __init__(self, reader: LogReader, prefix: str, clock: ScaledClock, watch: Watch) -> None:
        self._reader = reader
        self._prefix = prefix
        self._clock = clock
        self._watch = watch

    async def page(self, store: str, scrape_id: UUID, sku: str) -> Page:
        """The message by which a scrape of a store saw a listing: the first one, as the fold takes it."""
        claimed = None
        if scrape_id.version == 7:  # it bears the (virtual) moment of its claim
            claimed = datetime.fromtimestamp((scrape_id.int >> 80) / 1000, UTC)
        own = ("correlation-id", str(scrape_id).encode())
        found = Page()
        messages = self._messages(PRODUCT_OBSERVED, store, claimed, lambda record: own in record.headers)
        async for place, _, event in messages:
            match event:
                case ScrapeStarted() if found.start is None:
                    found = Page(place, event.reason)
                case ProductsObserved():
                    seen = next((o for o in event.listings if o.sku == sku), None)
                    if seen is not None:
                        return Page(found.start, found.reason, place, event.batch, seen)
                case ScrapeCompleted() | ScrapeAbandoned():
                    return found
        return found

    async def decision(self, company: str, version: int, decided_at: datetime) -> Decision | None:
        """The group's decision of a version; None where it is not in the log."""
        kinds = {("event-type", kind.TYPE.encode()) for kind in (MemberConfirmed, MemberEjected)}
        messages = self._messages(
            STORE_GROUPS, company, decided_at, lambda record: bool(kinds.intersection(record.headers))
        )
        async for place, key, event in messages:
            if not isinstance(event, MemberConfirmed | MemberEjected):
                continue
            if (key, event.version) == (company, version):
                return Decision(place, event)
        return None

    async def _messages(
        self, topic: Topic, key: str, since: datetime | None, wanted: Callable[[ConsumerRecord], bool]
    ) -> AsyncIterator[tuple[Place, str, Event]]:
        """What is wanted of the messages of a key's partition that can have been published since."""
        name = topic.on_broker(self._prefix)
        count = self._reader.partitions.get(name, 0)
        if not count:
            return
        where = TopicPartition(name, partition_of(key, count))
        wall = None if since is None else earliest_wall(self._clock, since - FUTURE_LIMIT)
        spans = await self._reader.spans([where], wall)
        # A restored archive has newer broker times than its events: that leaves out too little, never too much.
        async for record in self._records(spans):
            if not wanted(record):
                continue
            try:
                envelope, event = decode(topic, record.headers, record.value)
            except DecodeError:
                continue
            yield self._place(topic, record, envelope), (record.key or b"").decode(errors="replace"), event

    async def _records(self, spans: list[Span]) -> AsyncIterator[ConsumerRecord]:
        before, total = self._reader.passed, sum(span.size for span in spans)
        async for records in self._reader.batches(spans):
            self._watch(self._reader.passed - before, total)
            for record in records:
                yield record

    @staticmethod
    def _place(topic: Topic, record: ConsumerRecord, envelope: Envelope) -> Place:
        at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        return Place(topic.name, record.partition, record.offset, envelope.event_id, at)
