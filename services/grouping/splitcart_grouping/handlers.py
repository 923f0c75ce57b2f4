"""The shell of grouping: observe, record, learn, maintain. One transaction a batch, under its companies' locks."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from aiokafka import TopicPartition

from splitcart_common import events, outbox
from splitcart_common.admission import FUTURE_LIMIT
from splitcart_common.clock import Clock
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.events.groups import GroupEvent
from splitcart_common.ids import company_of
from splitcart_common.lanes import Lane, Message
from splitcart_common.outcomes import DeadLetter, Ok, Outcome, Reason, Skip
from splitcart_common.postgres import Connection, Pool
from splitcart_common.topics import PRICE_CHANGED, STORE_GROUPS, STORES
from splitcart_common.turns import Turns
from splitcart_grouping.cache import Companies, Company
from splitcart_grouping.decisions import concerned
from splitcart_grouping.domain.decide import on_closed, on_discovered, on_settled, on_tick
from splitcart_grouping.domain.market import Settlement
from splitcart_grouping.gate import Gate, shard_of
from splitcart_grouping.store import Changes, Pending, all_companies, known_versions, lock_position, position
from splitcart_grouping.work import Decide, Work

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing was observed before: an earlier time is a mistake."""

Fold = Callable[[Connection, Sequence[Message]], Awaitable[list[Outcome]]]


class GroupingHandler:
    """Folds the three topics; `maintain` is what needs no message."""

    def __init__(self, gate: Gate, *, clock: Clock, turns: Turns, prefix: str, service: str) -> None:
        self._gate = gate
        self._clock = clock
        self._turns = turns
        self._prefix = prefix
        self._service = service
        self._prices = PRICE_CHANGED.on_broker(prefix)
        self._groups = STORE_GROUPS.on_broker(prefix)
        self._folds: Mapping[str, Fold] = {
            self._prices: self._observe,
            STORES.on_broker(prefix): self._record,
            self._groups: self._learn,
        }
        self._companies = Companies(turns)
        self._opened: dict[TopicPartition, set[str]] = {}

    def digest(self, key: str, envelope: Envelope, event: Event) -> Event:  # noqa: ARG002 - Handler's
        """The event itself."""
        return event

    async def prepare(self, where: TopicPartition, messages: Sequence[Message]) -> None:
        """Decide nothing before what was decided is folded."""
        if where.topic != self._groups:
            for company in {company_of(message.key) for message in messages}:
                await self._gate.passed(company)

    async def fold(
        self, connection: Connection, where: TopicPartition, messages: Sequence[Message]
    ) -> Sequence[Outcome]:
        """Fold a batch: every effect and every decision, in the caller's transaction."""
        problems = [_problem(message) for message in messages]
        good = [message for message, problem in zip(messages, problems, strict=True) if problem is None]
        names = {company_of(message.key) for message in good}
        self._opened.setdefault(where, set()).update(names)
        try:
            outcomes = iter(await self._folds[where.topic](connection, good))
        except BaseException:
            self._companies.forget(names)
            raise
        if where.topic != self._prices:
            self._companies.forget(names - self._at_home())
        return [problem or next(outcomes) for problem in problems]

    def forget(self, where: TopicPartition) -> None:
        """Drop the companies that a partition's messages were about."""
        self._companies.forget(self._opened.pop(where, ()))

    async def maintain(self, pool: Pool, lanes: Sequence[Lane]) -> None:
        """Look after the companies whose prices these lanes fold, whether or not anything arrives."""
        names = await all_companies(pool)
        for lane in lanes:
            for name in names:
                if shard_of(name) == lane.where.partition and await self._gate.is_open(name):
                    await self._maintain(pool, lane, name)

    async def _maintain(self, pool: Pool, lane: Lane, name: str) -> None:
        self._opened.setdefault(lane.where, set()).add(name)
        try:
            async with pool.acquire() as connection, connection.transaction():
                epoch, at = await lock_position(connection, lane.where) or (0, 0)
                if epoch != lane.epoch:
                    return  # another process's by now, and its to look after
                work = (await self._open(connection, [name]))[name]
                if at < work.company.head.history_until:
                    return  # the market is not yet what it was when its groups were decided
                await self._decide(work, lambda c, now: on_tick(c.market, c.groups, now, self._turns), cause=None)
                await self._save(connection, [work])
        except BaseException:
            self._companies.forget([name])
            raise

    async def _observe(self, connection: Connection, messages: Sequence[Message]) -> list[Outcome]:
        works = await self._open(connection, (message.key for message in messages))
        pending = await Pending.of(connection, {_store(message) for message in messages})
        outcomes = [
            await self._observe_one(connection, works[message.key], pending, message) for message in messages
        ]
        await pending.write(connection)
        await self._save(connection, works.values())
        return outcomes

    async def _observe_one(
        self, connection: Connection, work: Work, pending: Pending, message: Message
    ) -> Outcome:
        seen = work.company.market.stores.get(_store(message))
        settled = seen.last.seq if seen is not None and seen.last is not None else -1
        match message.event:
            case events.PricesChanged() as event:
                changes: Changes = [(change.sku, change.new) for change in event.changes]
            case events.PricesWithdrawn() as event:
                changes = [(sku, None) for sku in event.skus]
            case events.StoreSettled() as event:
                if event.seq <= settled:
                    return Skip("settled")
                changes = await pending.settle(connection, event.store, event.scrape_id, event.seq)
                is_news = message.offset >= work.company.head.history_until
                await self._decide(work, self._settling(event, changes, is_news=is_news), message.envelope)
                work.stores.add(event.store)
                return Ok()
            case other:
                raise TypeError(f"{type(other).__name__} is no event of {PRICE_CHANGED.name}")
        if event.seq <= settled:
            return Skip("settled")
        kept = (event.store, event.scrape_id, message.envelope.event_id, event.seq, message.offset, changes)
        return Ok() if pending.add(*kept) else Skip("repeat")

    def _settling(self, event: events.StoreSettled, changes: Changes, *, is_news: bool) -> Decide:
        scrape = Settlement(
            event.store, event.scrape_id, event.seq, event.outcome, event.started_at, event.settled_at, event.seen
        )

        def settle(company: Company, now: datetime) -> Sequence[Event]:
            company.market.settle(scrape, changes)
            return on_settled(company.market, company.groups, event.store, now, self._turns) if is_news else ()

        return settle

    async def _record(self, connection: Connection, messages: Sequence[Message]) -> list[Outcome]:
        works = await self._open(connection, (company_of(message.key) for message in messages))
        outcomes = [
            await self._record_one(connection, works[company_of(message.key)], message) for message in messages
        ]
        await self._save(connection, works.values())
        return outcomes

    async def _record_one(self, connection: Connection, work: Work, message: Message) -> Outcome:
        store = message.key
        seen = work.company.market.stores.get(store)
        match message.event:
            case events.StoreDiscovered(seen_at=at):
                known = seen.discovered_at if seen else None

                def fold(company: Company, now: datetime) -> Sequence[Event]:
                    company.market.discover(store, at)
                    return on_discovered(company.market, company.groups, store, now)

            case events.StoreClosed(at=at):
                known = seen.closed_at if seen else None
                until = work.company.head.history_until
                at_end = await position(connection, self._prices, shard_of(company_of(store))) >= until

                def fold(company: Company, now: datetime) -> Sequence[Event]:
                    company.market.close(store, at)
                    # An heir cannot be chosen yet while history is folded: maintenance does it.
                    return on_closed(company.market, company.groups, store, now, self._turns) if at_end else ()

            case other:
                raise TypeError(f"{type(other).__name__} is no event of {STORES.name}")
        if known is not None and at <= known:
            return Skip("known")
        await self._decide(work, fold, message.envelope)
        work.stores.add(store)
        return Ok()

    async def _learn(self, connection: Connection, messages: Sequence[Message]) -> list[Outcome]:
        versions = await known_versions(connection, {message.key for message in messages})
        news = [m for m in messages if _group_event(m).version > versions.get(m.key, 0)]
        if not news:  # its own, come back
            return [Skip("known") for _ in messages]
        works = await self._open(connection, (message.key for message in news))
        for name, work in works.items():
            work.history_until = self._gate.history_of(name)
        outcomes: list[Outcome] = [
            Ok() if message.key in works and works[message.key].learn(_group_event(message)) else Skip("known")
            for message in messages
        ]
        await self._save(connection, works.values())
        return outcomes

    async def _open(self, connection: Connection, names: Iterable[str]) -> dict[str, Work]:
        return {name: Work(company) for name, company in (await self._companies.open(connection, names)).items()}

    async def _decide(self, work: Work, decide: Decide, cause: Envelope | None) -> None:
        await work.decide(decide, cause, clock=self._clock, prefix=self._prefix, producer=self._service)

    async def _save(self, connection: Connection, works: Iterable[Work]) -> None:
        for work in works:
            await self._companies.save(connection, work.company, work.stores, work.events, work.history_until)
            await outbox.append(connection, work.rows)

    def _at_home(self) -> set[str]:
        """The companies whose prices are folded here; others are only visited, and not held."""
        return {name for where, names in self._opened.items() if where.topic == self._prices for name in names}


def _store(message: Message) -> str:
    store: str = message.event.store  # type: ignore[attr-defined] # every event of price-changed has one
    return store


def _group_event(message: Message) -> GroupEvent:
    if not isinstance(message.event, GroupEvent):
        raise TypeError(f"{type(message.event).__name__} is no event of {STORE_GROUPS.name}")
    return message.event


def _problem(message: Message) -> DeadLetter | None:
    """What makes a decoded message impossible to fold: a key that is not its own, or a time that cannot be."""
    match message.event:
        case events.PricesChanged() | events.PricesWithdrawn() as event:
            key, times = company_of(event.store), [event.at]
        case events.StoreSettled() as event:
            key, times = company_of(event.store), [event.started_at, event.settled_at]
        case events.StoreDiscovered() as event:
            key, times = event.store, [event.seen_at]
        case events.StoreClosed() as event:
            key, times = event.store, [event.at]
        case _:
            whom = concerned(_group_event(message))
            companies = {company_of(name) for name in (whom.store, whom.anchor, whom.other) if name}
            key, times = ", ".join(sorted(companies)), []
    if key != message.key:
        return DeadLetter(Reason.WRONG_KEY, f"the key is {message.key!r}, but the event is of {key}")
    times = [*times, message.envelope.occurred_at]
    if min(times) < _EARLIEST:
        return DeadLetter(Reason.INVALID, f"happened at {min(times)}, before {_EARLIEST}")
    if max(times) > message.published_at + FUTURE_LIMIT:
        return DeadLetter(Reason.FROM_THE_FUTURE, f"happened at {max(times)}, published at {message.published_at}")
    return None
