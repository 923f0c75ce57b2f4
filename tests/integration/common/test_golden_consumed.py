"""Every service that consumes a topic still takes every golden message of it, in its real schema."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiokafka import TopicPartition

from splitcart_common.lanes import Handler, Message
from splitcart_common.migrations import migrate
from splitcart_common.outcomes import DeadLetter, Ok, Outcome, Skip
from splitcart_common.postgres import Pool, create_pool
from splitcart_common.topics import LISTING_DESCRIBED, REQUESTS, Topic
from splitcart_ingest import app as ingest
from splitcart_ingest.handlers.by_topic import ByTopic
from splitcart_ingest.handlers.identity import IdentityHandler
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import service_dsn
from splitcart_scraper.handlers import messages as scraper
from splitcart_scraper.store import SCHEMA as SCRAPER_SCHEMA
from tests.golden import GOLDEN, Golden

PREFIX = "golden"


@asynccontextmanager
async def of_ingest(database: str) -> AsyncIterator[tuple[Handler, Pool]]:
    settings = IngestSettings(postgres_dsn=service_dsn(database, "ingest"), topic_prefix=PREFIX)
    await ingest.prepare(settings)
    pool = await ingest.open_pool(settings)
    try:
        deciding = IdentityHandler(prefix=PREFIX, producer=ingest.SERVICE)
        handlers = dict(ingest.folds(settings, pool)) | dict.fromkeys((LISTING_DESCRIBED, REQUESTS), deciding)
        yield ByTopic(PREFIX, {topic.on_broker(PREFIX): handler for topic, handler in handlers.items()}), pool
    finally:
        await pool.close()


@asynccontextmanager
async def of_scraper(database: str) -> AsyncIterator[tuple[Handler, Pool]]:
    dsn = service_dsn(database, "scraper")
    await asyncio.to_thread(migrate, dsn, SCRAPER_SCHEMA, ["splitcart_scraper"])
    pool = await create_pool(dsn, schema=SCRAPER_SCHEMA, service="scraper")
    try:
        yield scraper.ScraperHandler(), pool
    finally:
        await pool.close()


SERVICES = {"ingest": (of_ingest, ingest.TOPICS), "scraper": (of_scraper, scraper.TOPICS)}


async def take(handler: Handler, pool: Pool, topic: Topic, corpus: Sequence[Golden]) -> list[Outcome]:
    """The outcomes of golden messages, as one batch of one partition."""
    where = TopicPartition(topic.on_broker(PREFIX), 0)
    batch = []
    for offset, golden in enumerate(corpus):
        envelope, event = golden.decoded()
        kept = handler.digest(golden.key, envelope, event)
        # Published late enough that none of it is from the future.
        published_at = envelope.occurred_at + timedelta(days=30)
        batch.append(Message(envelope, kept, golden.key, offset, published_at))
    await handler.prepare(where, batch)
    async with pool.acquire() as connection, connection.transaction():
        return list(await handler.fold(connection, where, batch))


@pytest.mark.parametrize(("service", "topic"), [(s, t) for s, (_, ts) in SERVICES.items() for t in ts], ids=str)
async def test_every_golden_message_is_taken(database, service, topic):
    corpus = [golden for golden in GOLDEN if golden.topic is topic]
    assert corpus
    async with SERVICES[service][0](database) as (handler, pool):
        outcomes = await take(handler, pool, topic, corpus)
        assert len(outcomes) == len(corpus)
        refused = {str(g): o for g, o in zip(corpus, outcomes, strict=True) if isinstance(o, DeadLetter)}
        assert refused == {}
        assert {type(outcome) for outcome in outcomes} <= {Ok, Skip}
        # And each alone, as the first its reader ever sees.
        for golden in corpus:
            handler.forget(TopicPartition(topic.on_broker(PREFIX), 0))
            (outcome,) = await take(handler, pool, topic, [golden])
            assert not isinstance(outcome, DeadLetter), golden


async def test_the_golden_scrape_is_folded(database):
    """The corpus holds one whole scrape: its prices are there afterwards, the old shapes of messages included."""
    names = (
        "scrape-started/v1/scheduled",
        "products-observed/v1/aldi-page",
        "products-observed/v1/only-what-is-required",
        "products-observed/v1/no-listings",
        "products-observed/v1/field-of-a-later-release",
        "scrape-completed/v1/all-categories",
    )
    corpus = [next(golden for golden in GOLDEN if str(golden) == name) for name in names]
    async with of_ingest(database) as (handler, pool):
        outcomes = await take(handler, pool, corpus[0].topic, corpus)
        assert outcomes == [Ok()] * 6
        prices = await pool.fetch("SELECT sku, price FROM latest_prices JOIN listings USING (listing_id)")
        outcome = await pool.fetchval("SELECT outcome FROM scrapes")
    assert {(row["sku"], row["price"]) for row in prices} == {
        ("000000000000386120", 319),
        ("000000000000512003", 249),
        ("000000000000700001", 600),
        ("000000000000000001", 0),
        ("🍌-1", 99),
    }
    assert outcome == "full"
