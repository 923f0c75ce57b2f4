"""The reference and the tables told the same: random logs of both folds, by the real handlers."""

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from splitcart_common import events
from splitcart_common.postgres import Pool
from splitcart_ingest.app import open_pool, prepare
from splitcart_ingest.domain.membership import Confirmed, Ejected
from splitcart_ingest.domain.prices import Abandon, Batch, Complete, Input, Start
from splitcart_ingest.domain.served import served
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import service_dsn
from tests.support.fold_model import EPOCH, LISTINGS, STORES, Message, Model
from tests.support.ingest import ByHand, listing
from tests.support.stack import Server, fresh_database

SPANS = tuple(timedelta(hours=hours, seconds=seconds) for hours in (1, 72, 168) for seconds in (0, 1))
"""On the edges of what is current and of what an exception lasts, and a second later."""
companies = (f"c{number}" for number in itertools.count())
STRAY = UUID(int=9999)


@asynccontextmanager
async def fresh_pool(postgres: Server) -> AsyncIterator[Pool]:
    """Connections of ingest's role to a generation in a database of its own."""
    async with fresh_database(postgres) as dsn:
        settings = IngestSettings(postgres_dsn=service_dsn(dsn, "ingest"))
        await prepare(settings)
        pool = await open_pool(settings)
        try:
            yield pool
        finally:
            await pool.close()


def sku(number: int) -> str:
    return f"{number:04}"


def observation(store: str, message: Input) -> events.Event:
    match message:
        case Start():
            return events.ScrapeStarted(
                scrape_id=message.scrape_id, store=store, reason="scheduled", started_at=message.started_at,
                planned_categories=("all",), parser_version="1", scope=message.scope,
            )  # fmt: skip
        case Batch():
            seen = zip(message.listings, message.prices, strict=True)
            listings = tuple(listing(sku(x), price) for x, price in seen)
            return events.ProductsObserved(scrape_id=message.scrape_id, batch=message.batch, listings=listings)
        case Complete():
            return events.ScrapeCompleted(
                scrape_id=message.scrape_id, finished_at=message.finished_at, batches=message.batches, pages=1,
                requests=1, categories_planned=1, categories_finished=int(message.all_categories), listings=0,
                refused_skus=tuple(map(sku, message.refused)),
                refused_tiles_without_sku=message.refused_without_sku,
            )  # fmt: skip
        case Abandon():
            return events.ScrapeAbandoned(
                scrape_id=message.scrape_id,
                finished_at=message.finished_at,
                reason="network",
                detail="",
                batches=0,
            )


def decision(message: Confirmed | Ejected, company: str) -> events.Event:
    store = of_company(message.store, company)
    if isinstance(message, Ejected):
        return events.MemberEjected(
            version=message.version, store=store, from_anchor=store, shared=0, equal=0, differing=(), at=message.at
        )
    exceptions = tuple(events.GroupException(sku(x), e.price, e.seen_at) for x, e in message.exceptions.items())
    return events.MemberConfirmed(
        version=message.version, store=store, anchor=of_company(message.anchor, company),
        up_to_scrape=message.up_to_scrape, anchor_scrape=message.anchor_scrape, shared=0, equal=0,
        exceptions=exceptions, rule_version="1", at=message.at,
    )  # fmt: skip


def of_company(store: str, company: str) -> str:
    return f"{company}:{store.partition(':')[2]}"


@dataclass
class Example:
    """Both the reference and the tables, told the same."""

    pool: Pool
    company: str = field(default_factory=lambda: next(companies))
    model: Model = field(default_factory=Model)
    hand: ByHand = field(init=False)

    def __post_init__(self) -> None:
        self.hand = ByHand(self.pool)

    async def describe_all(self) -> None:
        """What is no listing has no product and is not shown; the reference knows of no such thing."""
        store = f"{self.company}:stray"
        await self.hand.observe((store, observation(store, Batch(STRAY, 1, LISTINGS, [None] * len(LISTINGS)))))

    async def fold(self, messages: list[Message]) -> None:
        """A batch of one stream."""
        observed = [(m[0], m[1]) for m in messages if isinstance(m, tuple)]
        grouped = [m for m in messages if not isinstance(m, tuple)]
        for store, message in observed:
            self.model.observe(store, message)
        for message in grouped:
            self.model.group(message)
        said = [(of_company(store, self.company), message) for store, message in observed]
        await self.hand.observe(*((store, observation(store, message)) for store, message in said))
        await self.hand.group(*((self.company, decision(message, self.company)) for message in grouped))

    def times(self) -> list[datetime]:
        """Every moment there is something on record of."""
        records = self.model.records().values()
        found = [x.at for record in records for x in (*record.scrapes, *record.markers)]
        seen = [
            e.seen_at
            for r in records
            for m in r.markers
            if isinstance(m, Confirmed)
            for e in m.exceptions.values()
        ]
        return sorted({EPOCH, *found, *seen})

    def latest(self) -> datetime:
        """The moment before which nobody may ask: the fold has come to here."""
        clocks = [state.clock for state in self.model.states.values()]
        return max(EPOCH, *clocks, self.model.members.clock or EPOCH)

    async def compare(self, at: datetime, turn: datetime | None, function: str = "read.prices") -> None:
        """Every price served at a moment, by the function that has to know."""
        turned = {"other": at.isoformat()} | ({} if turn is None else {self.company: turn.isoformat()})
        rows = await self.pool.fetch(
            f"SELECT store, sku, price, seen_store, seen_at, anchor FROM {function}($1, $2) WHERE company = $3",
            at, json.dumps(turned), self.company,
        )  # fmt: skip
        records = self.model.records()
        expected = {}
        for store, x in itertools.product(STORES, LISTINGS):
            if (answer := served(store, x, at, records, turn)) is not None:
                key = (of_company(store, self.company), sku(x))
                expected[key] = (answer.price, of_company(answer.store, self.company), answer.seen_at)
        assert {
            (row["store"], row["sku"]): (row["price"], row["seen_store"], row["seen_at"]) for row in rows
        } == expected
        assert len(rows) == len(expected)
