"""The shell of the fold: load, ask the domain, save, publish. One handler a topic."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from aiokafka import TopicPartition

from splitcart_common import events, ids, outbox
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.ids import split_store_key
from splitcart_common.lanes import FUTURE_LIMIT, Handler, Message
from splitcart_common.outcomes import DeadLetter, Ok, Outcome, Reason, Skip
from splitcart_common.postgres import Connection
from splitcart_common.topics import topic_of
from splitcart_ingest import facts
from splitcart_ingest.book import ListingBook, Sighting
from splitcart_ingest.cache import StateCache
from splitcart_ingest.domain.prices import Abandon, Batch, Complete, Ignored, Input, Start, decide, evolve
from splitcart_ingest.store import (
    StoredStore,
    Writes,
    close_store,
    describe_store,
    known_scrapes,
    load_states,
    write,
)

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing was observed before: an earlier time is a mistake, and not one that every client can handle."""


class ByTopic:
    """Hands each partition to the handler of its topic."""

    def __init__(self, prefix: str, handlers: Mapping[str, Handler]) -> None:
        self._prefix = prefix
        self._handlers = handlers

    def digest(self, key: str, envelope: Envelope, event: Event) -> object:
        """As the handler of the event's topic does."""
        return self._handlers[topic_of(type(event)).on_broker(self._prefix)].digest(key, envelope, event)

    async def prepare(self, where: TopicPartition, messages: Sequence[Message]) -> None:
        """As the topic's handler does."""
        await self._handlers[where.topic].prepare(where, messages)

    async def fold(
        self, connection: Connection, where: TopicPartition, messages: Sequence[Message]
    ) -> Sequence[Outcome]:
        """As the topic's handler does."""
        return await self._handlers[where.topic].fold(connection, where, messages)

    def forget(self, where: TopicPartition) -> None:
        """As the topic's handler does."""
        self._handlers[where.topic].forget(where)


class ObservationHandler:
    """Folds `product-observed`: prices of stores, and through the book the descriptions of listings."""

    def __init__(self, book: ListingBook, *, prefix: str, producer: str, cached_prices: int) -> None:
        self._book = book
        self._prefix = prefix
        self._producer = producer
        self._cache = StateCache(cached_prices)

    def digest(self, key: str, envelope: Envelope, event: Event) -> Sighting | Event:
        """A batch of listings in columns."""
        if not isinstance(event, events.ProductsObserved):
            return event
        return self._book.glance(ids.company_of(key), envelope.occurred_at.date(), event)

    async def prepare(self, where: TopicPartition, messages: Sequence[Message]) -> None:  # noqa: ARG002 - Handler's
        """Describe the listings that are news and look up those that are refused, company by company."""
        unlike: dict[str, list[tuple[Message, Sighting]]] = {}
        refused: dict[str, set[str]] = {}
        for message in messages:
            match message.event:
                case Sighting() as sighting if sighting.news and not _problem(message):
                    unlike.setdefault(ids.company_of(message.key), []).append((message, sighting))
                case events.ScrapeCompleted() as event if event.refused_skus:
                    refused.setdefault(ids.company_of(message.key), set()).update(event.refused_skus)
        for company, sightings in unlike.items():
            # After a start everything is news; what is on record already is no more, at the second look.
            await self._book.look_up(company, {o.sku for _, sighting in sightings for o in sighting.news})
            news = [
                (message, o)
                for message, sighting in sightings
                for o in self._book.look_again(company, message.envelope.occurred_at.date(), sighting)
            ]
            if news:
                await self._book.describe(company, news)
        for company, skus in refused.items():
            await self._book.look_up(company, skus)

    async def fold(
        self, connection: Connection, where: TopicPartition, messages: Sequence[Message]
    ) -> Sequence[Outcome]:
        """Fold a batch: every effect and every derived message, in the caller's transaction."""
        problems = [_problem(message) for message in messages]
        good = [message for message, problem in zip(messages, problems, strict=True) if problem is None]
        states = await self._load(connection, where, good)
        writes = Writes()
        rows: list[outbox.OutboxRow] = []
        outcomes = [
            problem or self._fold_one(states, message, writes, rows)
            for message, problem in zip(messages, problems, strict=True)
        ]
        await write(connection, writes)
        await outbox.append(connection, rows)
        return outcomes

    def forget(self, where: TopicPartition) -> None:
        """Drop the states of a partition's stores."""
        self._cache.forget(where)

    async def _load(
        self, connection: Connection, where: TopicPartition, messages: Sequence[Message]
    ) -> Mapping[str, StoredStore]:
        wanted = {message.key for message in messages if not isinstance(message.event, events.BarcodesObserved)}
        states = self._cache.take(where, wanted)
        missing = wanted - states.keys()
        if missing:
            loaded = await load_states(connection, missing)
            for store, stored in loaded.items():
                await self._book.look_up_numbers(connection, ids.company_of(store), stored.state.prices)
            states |= loaded
        started = [(m.key, m.event.scrape_id) for m in messages if isinstance(m.event, events.ScrapeStarted)]
        for store, scrape_id in await known_scrapes(connection, started) if started else ():
            states[store].state.known.add(scrape_id)
        self._cache.put(where, states)
        return states

    def _fold_one(
        self,
        states: Mapping[str, StoredStore],
        message: Message,
        writes: Writes,
        rows: list[outbox.OutboxRow],
    ) -> Outcome:
        if isinstance(message.event, events.BarcodesObserved):
            return Skip("barcodes")  # the barcode pass brings their fold
        store = states[message.key]
        terms = message.event if isinstance(message.event, Sighting) else None
        for fact in decide(store.state, self._input(message)):
            if isinstance(fact, Ignored):
                return Skip(fact.why)
            evolve(store.state, fact)
            writes.add(store, fact, terms)
            rows += facts.to_rows(
                fact, message, terms, self._book.sku, prefix=self._prefix, producer=self._producer
            )
        return Ok()

    def _input(self, message: Message) -> Input:
        company = ids.company_of(message.key)
        match message.event:
            case Sighting() as sighting:
                numbers = self._book.number(company, sighting)
                return Batch(sighting.scrape_id, sighting.batch, numbers, sighting.prices)
            case events.ScrapeCompleted() as event:
                return complete(event, self._book.numbers(company, set(event.refused_skus)))
            case events.ScrapeStarted() as event:
                return Start(event.scrape_id, event.started_at, event.scope)
            case events.ScrapeAbandoned() as event:
                return Abandon(event.scrape_id, event.finished_at)
        raise TypeError(f"{type(message.event).__name__} is no message of a store's fold")


class StoreHandler:
    """Folds `stores`: the outlets as they are now."""

    def digest(self, key: str, envelope: Envelope, event: Event) -> Event:  # noqa: ARG002 - Handler's
        """The event itself."""
        return event

    async def prepare(self, where: TopicPartition, messages: Sequence[Message]) -> None:
        """Nothing to do ahead."""

    async def fold(
        self,
        connection: Connection,
        where: TopicPartition,  # noqa: ARG002 - Handler's
        messages: Sequence[Message],
    ) -> Sequence[Outcome]:
        """Write each outlet's latest state."""
        outcomes: list[Outcome] = []
        for message in messages:
            problem = _problem(message)
            if problem is None:
                match message.event:
                    case events.StoreDiscovered() as event:
                        await describe_store(connection, event)
                    case events.StoreClosed() as event:
                        await close_store(connection, event)
            outcomes.append(problem or Ok())
        return outcomes

    def forget(self, where: TopicPartition) -> None:
        """Nothing is cached."""


def _problem(message: Message) -> DeadLetter | None:
    """What makes a decoded message impossible to fold: the wrong key, or a time that cannot be."""
    event = message.event
    try:
        split_store_key(message.key)
    except ValueError as error:
        return DeadLetter(Reason.WRONG_KEY, str(error))
    named = getattr(event, "store", message.key)
    if named != message.key and not isinstance(event, events.BarcodesObserved):
        return DeadLetter(Reason.WRONG_KEY, f"the key is {message.key}, but the event speaks of {named}")
    at = _event_time(event)
    if min(message.envelope.occurred_at, at or _EARLIEST) < _EARLIEST:
        return DeadLetter(Reason.INVALID, f"happened at {at or message.envelope.occurred_at}, before {_EARLIEST}")
    if at is not None and at > message.published_at + FUTURE_LIMIT:
        return DeadLetter(Reason.FROM_THE_FUTURE, f"happened at {at}, published at {message.published_at}")
    return None


def _event_time(event: object) -> datetime | None:
    match event:
        case events.ScrapeStarted():
            return event.started_at
        case events.ScrapeCompleted() | events.ScrapeAbandoned():
            return event.finished_at
        case events.StoreDiscovered():
            return event.seen_at
        case events.StoreClosed():
            return event.at
    return None


def complete(event: events.ScrapeCompleted, refused: Collection[int]) -> Complete:
    """The end of a scrape as the fold takes it; `refused` are those of its refused SKUs that are on record."""
    return Complete(
        scrape_id=event.scrape_id,
        finished_at=event.finished_at,
        batches=event.batches,
        all_categories=event.categories_finished >= event.categories_planned,
        refused=refused,
        refused_unknown=len(set(event.refused_skus)) - len(refused),
        refused_without_sku=event.refused_tiles_without_sku,
    )
