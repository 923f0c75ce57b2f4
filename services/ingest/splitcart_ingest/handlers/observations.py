"""`product-observed`: the store fold, and through the book the descriptions of listings."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import chain

import structlog
from aiokafka import TopicPartition

from splitcart_common import events, ids, outbox
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.lanes import Message
from splitcart_common.outcomes import Ok, Outcome, Skip
from splitcart_common.postgres import Connection
from splitcart_ingest import facts
from splitcart_ingest.book import ListingBook, Sighting
from splitcart_ingest.cache import StateCache
from splitcart_ingest.domain.prices import (
    Abandon,
    Batch,
    Complete,
    Ignored,
    Input,
    Settled,
    Start,
    decide,
    evolve,
)
from splitcart_ingest.domain.read_barcodes import believable
from splitcart_ingest.handlers.counts import count_settled
from splitcart_ingest.handlers.problems import problem_of
from splitcart_ingest.store import StoredStore, Writes, known_scrapes, load_states, write

log = structlog.get_logger()


class ObservationHandler:
    """Folds `product-observed`: prices of stores, and through the book the descriptions of listings.

    One that does not publish is a replay's: what follows from the messages has been said before.
    """

    def __init__(
        self, book: ListingBook, *, prefix: str, producer: str, cached_prices: int, publishes: bool = True
    ) -> None:
        self._book = book
        self._prefix = prefix
        self._producer = producer
        self._publishes = publishes
        self._cache = StateCache(cached_prices)

    def digest(self, key: str, envelope: Envelope, event: Event) -> Sighting | Event:
        """A batch of listings in columns."""
        if not isinstance(event, events.ProductsObserved):
            return event
        return self._book.glance(ids.company_of(key), envelope.occurred_at.date(), event)

    async def prepare(self, where: TopicPartition, messages: Sequence[Message]) -> None:  # noqa: ARG002 - Handler's
        """Note barcodes, describe listings that are news, look up those that are refused: company by company."""
        barcodes: dict[str, list[tuple[Message, events.BarcodesObserved]]] = {}
        unlike: dict[str, list[tuple[Message, Sighting]]] = {}
        refused: dict[str, set[str]] = {}
        for message in messages:
            match message.event:
                case Sighting() as sighting if sighting.news and not problem_of(message):
                    unlike.setdefault(ids.company_of(message.key), []).append((message, sighting))
                case events.BarcodesObserved() as event if event.items and not problem_of(message):
                    barcodes.setdefault(event.company, []).append((message, event))
                case events.ScrapeCompleted() as event if event.refused_skus:
                    refused.setdefault(ids.company_of(message.key), set()).update(event.refused_skus)
        for company, read in barcodes.items():
            await self._book.note_barcodes(company, read)
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
        problems = [problem_of(message) for message in messages]
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
                # What the open scrape saw may have no price, and is named all the same where it is not full.
                seen = stored.state.open.seen if stored.state.open else ()
                named = chain(stored.state.prices, seen)
                await self._book.look_up_numbers(connection, ids.company_of(store), named)
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
            return _noted(message.event)
        store, committed = states[message.key], None
        terms = message.event if isinstance(message.event, Sighting) else None
        for fact in decide(store.state, self._input(message)):
            if isinstance(fact, Ignored):
                return Skip(fact.why)
            if isinstance(fact, Settled):
                committed = partial(count_settled, ids.company_of(message.key), fact)
            evolve(store.state, fact)
            writes.add(store, fact, terms)
            if self._publishes:
                rows += facts.to_rows(
                    fact, message, terms, self._book.sku, prefix=self._prefix, producer=self._producer
                )
        return Ok(committed)

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


def _noted(event: events.BarcodesObserved) -> Outcome:
    """The outcome of barcodes, which are the book's and noted ahead: they belong to no scrape."""
    wrong = [item.sku for item in event.items if not believable(item.barcode)]
    if wrong:
        log.warning("barcodes not noted", why="wrong check digit", company=event.company, skus=wrong)
    return Skip("check-digit") if wrong and len(wrong) == len(event.items) else Ok()


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
