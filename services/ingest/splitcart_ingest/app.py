"""Composition root of ingest: the table of topics and handlers, the relay, start and stop."""

import asyncio
from collections.abc import Mapping

import asyncpg
import psycopg
from aiokafka import AIOKafkaProducer

from splitcart_common.consumer import ConsumerLoop
from splitcart_common.dead_letters import Tolerance
from splitcart_common.kafka import UNAVAILABLE as KAFKA_UNAVAILABLE
from splitcart_common.kafka import ensure_topics, start_producer
from splitcart_common.lanes import Handler, Limits
from splitcart_common.migrations import migrate
from splitcart_common.outbox import Relay
from splitcart_common.postgres import UNAVAILABLE, Connection, Pool, create_pool
from splitcart_common.retry import until_there
from splitcart_common.telemetry import Health
from splitcart_common.topics import (
    CATALOGUE,
    LISTING_DESCRIBED,
    PRICE_CHANGED,
    PRODUCT_OBSERVED,
    REQUESTS,
    STORE_GROUPS,
    STORES,
    Topic,
)
from splitcart_ingest import generations
from splitcart_ingest.book import ListingBook
from splitcart_ingest.deciding import identity
from splitcart_ingest.handlers.by_topic import ByTopic
from splitcart_ingest.handlers.catalogue import CatalogueHandler
from splitcart_ingest.handlers.groups import GroupHandler
from splitcart_ingest.handlers.observations import ObservationHandler
from splitcart_ingest.handlers.stores import StoreHandler
from splitcart_ingest.housekeeping import Housekeeper
from splitcart_ingest.settings import IngestSettings
from splitcart_ingest.views import past_readers, show

SERVICE = "ingest"
FOLDED = (PRODUCT_OBSERVED, STORES, STORE_GROUPS, CATALOGUE)
"""What a generation is the fold of: the topics of `folds`. A replay folds them all."""
SHARED = (PRODUCT_OBSERVED, STORES, STORE_GROUPS)
"""Of these, what the processes of ingest share out; `catalogue` is for whoever decides what is said there."""
TOPICS = (*FOLDED, LISTING_DESCRIBED, REQUESTS)
"""What ingest consumes; an architecture test holds it to the topic records."""
PUBLISHED = (PRICE_CHANGED, LISTING_DESCRIBED, CATALOGUE)
"""What it publishes."""
WORKING = 2
"""So many partitions have a batch decoded at a time: one folds, one waits for the database (decision 0026)."""
VIEWS_SECONDS = 10.0
"""How long a start tries to show what it folds, before it says what it waits for."""


async def main(settings: IngestSettings, health: Health, stop: asyncio.Event) -> None:
    """Fold the live generation until `stop` is set; after a swap, the one that is live by then.

    Waits for the server and the broker; other errors pass through.
    """
    while not stop.is_set():
        live = await until_there("postgres", lambda: prepare(settings), unavailable=_NO_DATABASE, health=health)
        await _hold_and_fold(live, health, stop)


async def _hold_and_fold(settings: IngestSettings, health: Health, stop: asyncio.Event) -> None:
    """Fold one generation until `stop` is set or it is let go: for a swap, or as its lock is lost."""
    holder = await until_there("postgres", lambda: connect(settings), unavailable=UNAVAILABLE, health=health)
    try:
        async with generations.folding(holder, settings.ingest_schema, stop, health) as over:
            if not over.is_set():
                await _fold(settings, health, over)
    finally:
        holder.terminate()


async def _fold(settings: IngestSettings, health: Health, stop: asyncio.Event) -> None:
    """Fold one generation until `stop` is set."""
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
            async with (
                relay(settings, pool, producer).running(),
                housekeeper(settings, pool).running(),
                identity(settings, SERVICE, health).running(),
            ):
                await consumer(settings, pool, health).run(stop)
        finally:
            await producer.stop()
    finally:
        await pool.close()


def folds(settings: IngestSettings, pool: Pool, *, publishes: bool = True) -> Mapping[Topic, Handler]:
    """What folds each topic of FOLDED into a generation: live, and in a replay, which has nothing to publish."""
    book = ListingBook(pool, settings.topic_prefix, SERVICE, publishes=publishes)
    return {
        PRODUCT_OBSERVED: ObservationHandler(
            book,
            prefix=settings.topic_prefix,
            producer=SERVICE,
            cached_prices=settings.ingest_cached_prices,
            publishes=publishes,
        ),
        STORES: StoreHandler(),
        STORE_GROUPS: GroupHandler(),
        CATALOGUE: CatalogueHandler(),
    }


def consumer(settings: IngestSettings, pool: Pool, health: Health) -> ConsumerLoop:
    """The fold, wired."""
    handlers = {topic.on_broker(settings.topic_prefix): fold for topic, fold in folds(settings, pool).items()}
    return ConsumerLoop(
        service=SERVICE,
        purpose="fold",
        topics=SHARED,
        handler=ByTopic(settings.topic_prefix, handlers),
        pool=pool,
        bootstrap=settings.kafka_bootstrap,
        prefix=settings.topic_prefix,
        clock=settings.clock,
        health=health,
        instance=settings.instance,
        limits=Limits(
            messages=settings.ingest_batch_messages,
            held=settings.ingest_held_messages,
            working=WORKING,
            dead=Tolerance.of(settings),
        ),
    )


def relay(settings: IngestSettings, pool: Pool, producer: AIOKafkaProducer) -> Relay:
    """The outbox of this generation, wired."""
    return Relay(SERVICE, settings.ingest_schema, pool, producer)


def housekeeper(settings: IngestSettings, pool: Pool) -> Housekeeper:
    """Housekeeping of this generation, wired."""
    return Housekeeper(pool, settings.ingest_housekeep_seconds)


async def prepare(settings: IngestSettings) -> IngestSettings:
    """Bring the live generation up to date and let the read views show it; the settings, naming it.

    A database that has none yet gets the one that `settings` names.
    """
    connection = await connect(settings)
    try:
        async with connection.transaction():
            live = await generations.register(connection, settings.ingest_schema, settings.clock.wall())
        await asyncio.to_thread(migrate, settings.postgres_dsn, live, ["splitcart_ingest"])
        await past_readers(connection, lambda tried: show(connection, live, tried), VIEWS_SECONDS)
    finally:
        connection.terminate()
    return settings.model_copy(update={"ingest_schema": live})


async def connect(settings: IngestSettings) -> Connection:
    """A connection of ingest's role outside the pool: no statement of it ends by a time-out."""
    return await asyncpg.connect(
        settings.postgres_dsn,
        server_settings={
            "search_path": f"{settings.ingest_schema},public",
            "application_name": f"splitcart-{SERVICE}",
            "timezone": "UTC",
        },
    )


async def _connect(settings: IngestSettings) -> AIOKafkaProducer:
    topics = dict.fromkeys((*TOPICS, *PUBLISHED))
    await ensure_topics(settings.kafka_bootstrap, settings.topic_prefix, topics)
    return await start_producer(settings.kafka_bootstrap, "splitcart-ingest")


async def open_pool(settings: IngestSettings) -> Pool:
    """Connections of ingest's role to the generation it folds."""
    return await create_pool(
        settings.postgres_dsn,
        schema=settings.ingest_schema,
        service=SERVICE,
        max_size=settings.ingest_connections,
    )


_NO_DATABASE = (*UNAVAILABLE, psycopg.OperationalError, asyncpg.LockNotAvailableError)
