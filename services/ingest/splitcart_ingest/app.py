"""Composition root of ingest: the table of topics and handlers, the relay, start and stop."""

import asyncio
from importlib.resources import files

import asyncpg
import psycopg
from aiokafka import AIOKafkaProducer

from splitcart_common.consumer import ConsumerLoop
from splitcart_common.kafka import UNAVAILABLE as KAFKA_UNAVAILABLE
from splitcart_common.kafka import ensure_topics, start_producer
from splitcart_common.lanes import Handler, Limits
from splitcart_common.migrations import migrate
from splitcart_common.outbox import Relay
from splitcart_common.postgres import UNAVAILABLE, Pool, create_pool
from splitcart_common.retry import until_there
from splitcart_common.telemetry import Health
from splitcart_common.topics import LISTING_DESCRIBED, PRICE_CHANGED, PRODUCT_OBSERVED, STORE_GROUPS, STORES
from splitcart_ingest.book import ListingBook
from splitcart_ingest.handlers.by_topic import ByTopic
from splitcart_ingest.handlers.groups import GroupHandler
from splitcart_ingest.handlers.observations import ObservationHandler
from splitcart_ingest.handlers.stores import StoreHandler
from splitcart_ingest.housekeeping import Housekeeper
from splitcart_ingest.settings import IngestSettings
from splitcart_ingest.store import set_up

SERVICE = "ingest"
TOPICS = (PRODUCT_OBSERVED, STORES, STORE_GROUPS)
"""What ingest consumes; an architecture test holds it to the topic records."""
PUBLISHED = (PRICE_CHANGED, LISTING_DESCRIBED)
"""What it publishes."""


async def main(settings: IngestSettings, health: Health, stop: asyncio.Event) -> None:
    """Fold until `stop` is set. Waits for the server and the broker; other errors pass through."""
    await until_there("postgres", lambda: prepare(settings), unavailable=_NO_DATABASE, health=health)
    pool = await until_there("postgres", lambda: open_pool(settings), unavailable=UNAVAILABLE, health=health)
    try:
        producer = await until_there(
            "kafka",
            lambda: _connect(settings),
            unavailable=KAFKA_UNAVAILABLE,
            health=health,
        )
        try:
            health.has("start")
            async with relay(settings, pool, producer).running(), housekeeper(settings, pool).running():
                await consumer(settings, pool, health).run(stop)
        finally:
            await producer.stop()
    finally:
        await pool.close()


def consumer(settings: IngestSettings, pool: Pool, health: Health) -> ConsumerLoop:
    """The fold, wired."""
    book = ListingBook(pool, settings.topic_prefix, SERVICE)
    handlers: dict[str, Handler] = {
        PRODUCT_OBSERVED.on_broker(settings.topic_prefix): ObservationHandler(
            book,
            prefix=settings.topic_prefix,
            producer=SERVICE,
            cached_prices=settings.ingest_cached_prices,
        ),
        STORES.on_broker(settings.topic_prefix): StoreHandler(),
        STORE_GROUPS.on_broker(settings.topic_prefix): GroupHandler(),
    }
    return ConsumerLoop(
        service=SERVICE,
        purpose="fold",
        topics=TOPICS,
        handler=ByTopic(settings.topic_prefix, handlers),
        pool=pool,
        bootstrap=settings.kafka_bootstrap,
        prefix=settings.topic_prefix,
        clock=settings.clock,
        health=health,
        instance=settings.instance,
        limits=Limits(messages=settings.ingest_batch_messages, held=settings.ingest_held_messages),
    )


def relay(settings: IngestSettings, pool: Pool, producer: AIOKafkaProducer) -> Relay:
    """The outbox of this generation, wired."""
    return Relay(SERVICE, settings.ingest_schema, pool, producer)


def housekeeper(settings: IngestSettings, pool: Pool) -> Housekeeper:
    """Housekeeping of this generation, wired."""
    return Housekeeper(pool, settings.ingest_housekeep_seconds)


async def prepare(settings: IngestSettings) -> None:
    """Bring the schema up to date and let the read views show it."""
    await asyncio.to_thread(migrate, settings.postgres_dsn, settings.ingest_schema, ["splitcart_ingest"])
    texts = [files("splitcart_ingest").joinpath(f"sql/{name}.sql").read_text() for name in ("views", "prices")]
    pool = await open_pool(settings)
    try:
        async with pool.acquire() as connection, connection.transaction():
            # Two processes that start at once would replace a view at once; and no reader is waited for long.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('splitcart read views', 0))")
            await connection.execute("SET LOCAL lock_timeout = '10s'")
            for text in texts:
                await connection.execute(text.replace("{schema}", settings.ingest_schema))
    finally:
        await pool.close()


async def _connect(settings: IngestSettings) -> AIOKafkaProducer:
    await ensure_topics(settings.kafka_bootstrap, settings.topic_prefix, (*TOPICS, *PUBLISHED))
    return await start_producer(settings.kafka_bootstrap, "splitcart-ingest")


async def open_pool(settings: IngestSettings) -> Pool:
    """Connections of ingest's role to the generation it folds."""
    return await create_pool(
        settings.postgres_dsn,
        schema=settings.ingest_schema,
        service=SERVICE,
        max_size=settings.ingest_connections,
        set_up=set_up,
    )


_NO_DATABASE = (*UNAVAILABLE, psycopg.OperationalError, asyncpg.LockNotAvailableError)
