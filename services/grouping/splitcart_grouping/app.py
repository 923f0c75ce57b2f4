"""Composition root of grouping: the Faust app, the relay, start and stop."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import asyncpg
import faust
import psycopg
import structlog
from aiokafka import AIOKafkaProducer
from faust.tables import TableManager

from splitcart_common.dead_letters import Tolerance
from splitcart_common.kafka import UNAVAILABLE as KAFKA_UNAVAILABLE
from splitcart_common.kafka import ensure_topics, make_consumer, start_producer
from splitcart_common.lanes import Limits
from splitcart_common.migrations import migrate
from splitcart_common.outbox import Relay
from splitcart_common.postgres import TRANSIENT, UNAVAILABLE, Pool, create_pool
from splitcart_common.retry import until_there
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRICE_CHANGED, STORE_GROUPS, STORES
from splitcart_grouping.domain.compare import warm_up
from splitcart_grouping.gate import Gate
from splitcart_grouping.handlers import GroupingHandler
from splitcart_grouping.intake import Consumer, Intake, Transport, Untouched
from splitcart_grouping.settings import GroupingSettings

log = structlog.get_logger()

SERVICE: Final = "grouping"
SCHEMA: Final = "grouping"
TOPICS: Final = (PRICE_CHANGED, STORES, STORE_GROUPS)
"""What grouping consumes; an architecture test holds it to the topic records."""
PUBLISHED: Final = (STORE_GROUPS,)
"""What it publishes."""

LOOK_SECONDS: Final = 1.0
"""Between two looks at how far behind, and whether anything that was read has not come."""
_NEVER: Final = 365 * 86400.0


@dataclass(frozen=True, slots=True)
class Ports:
    """What the Faust app is joined to: where messages go, and what is done every so often."""

    intake: Intake
    maintain: Callable[[], Awaitable[None]]


class _Boot(faust.app.BootStrategy):
    """Only what consumes: what grouping says goes through its outbox."""

    enable_kafka_producer = False
    enable_web = False


class _NoTables(TableManager):
    """Faust starts its streams from here; with no table to wait for it need not sleep a second first."""

    async def on_start(self) -> None:
        """Let the app subscribe, and be ready for the first assignment."""
        await self._update_channels()
        await self.recovery.start()


class GroupingApp(faust.App):
    """A Faust app that keeps nothing in files."""

    BootStrategy = _Boot

    async def on_first_start(self) -> None:
        """Make no folders: Faust's are for tables."""


def create_app(settings: GroupingSettings, ports: Ports) -> faust.App:
    """The Faust app: one stream of untouched messages, two timers, and no tables."""
    app = GroupingApp(
        f"{settings.topic_prefix}-grouping-v1",
        broker=[f"aiokafka://{address}" for address in settings.kafka_bootstrap.split(",")],
        autodiscover=False,
        topic_allow_declare=False,  # topics are made from their records
        topic_disable_leader=True,
        TableManager=_NoTables,
        broker_commit_interval=_NEVER,  # nothing is acknowledged, so there is nothing to commit
    )
    instance = settings.instance and f"{SERVICE}-{settings.instance}"
    app.transport = Transport(
        app,
        ports.intake,
        lambda: make_consumer(settings.kafka_bootstrap, app.conf.id, f"splitcart-{SERVICE}", instance),
    )
    topics = [topic.on_broker(settings.topic_prefix) for topic in TOPICS]

    @app.agent(app.topic(*topics, schema=Untouched(), acks=False), name="fold")
    async def fold(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            await ports.intake.put(event.message.fetched)

    async def look() -> None:
        ports.intake.measure_lag(app.consumer.highwater)
        await ports.intake.look_back()

    app.timer(settings.grouping_maintain_seconds, name="maintain")(ports.maintain)
    app.timer(LOOK_SECONDS, name="look")(look)
    return app


async def main(settings: GroupingSettings, health: Health, stop: asyncio.Event) -> None:
    """Group until `stop` is set. Waits for the server and the broker; other errors pass through."""
    compiled = asyncio.create_task(asyncio.to_thread(warm_up), name="warm up")
    await until_there("postgres", lambda: prepare(settings), unavailable=_NO_DATABASE, health=health)
    pool = await until_there("postgres", lambda: open_pool(settings), unavailable=UNAVAILABLE, health=health)
    try:
        producer = await until_there(
            "kafka", lambda: _connect(settings), unavailable=KAFKA_UNAVAILABLE, health=health
        )
        try:
            await compiled
            health.has("start")
            async with Relay(SERVICE, SCHEMA, pool, producer).running():
                await consume(settings, pool, health, stop)
        finally:
            await producer.stop()
    finally:
        await pool.close()


async def consume(settings: GroupingSettings, pool: Pool, health: Health, stop: asyncio.Event) -> None:
    """Run the Faust app within this loop until `stop`; what fails in it or in a lane passes through."""
    gate = Gate(pool, settings.topic_prefix, health)
    handler = GroupingHandler(
        gate, clock=settings.clock, turns=settings.turns, prefix=settings.topic_prefix, service=SERVICE
    )

    async def before(consumer: Consumer) -> None:
        gate.close(await consumer.highwaters(*gate.partitions))

    intake = Intake(
        service=SERVICE,
        topics=TOPICS,
        handler=handler,
        pool=pool,
        prefix=settings.topic_prefix,
        clock=settings.clock,
        health=health,
        limits=Limits(
            messages=settings.grouping_batch_messages,
            held=settings.grouping_held_messages,
            dead=Tolerance.of(settings),
        ),
        before=before,
    )

    async def maintain() -> None:
        try:
            await handler.maintain(pool, intake.owned(PRICE_CHANGED))
        except TRANSIENT as error:
            log.warning("maintenance put off", why=f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - handed on to who waits for the first failure
            intake.fail(error)

    await _run(create_app(settings, Ports(intake, maintain)), intake, stop)


async def _run(app: faust.App, intake: Intake, stop: asyncio.Event) -> None:
    failed = intake.begin()
    starting = asyncio.create_task(app.start(), name="start")
    ends: set[asyncio.Future[Any]] = {
        failed,
        asyncio.create_task(stop.wait(), name="stop"),
        asyncio.create_task(app.wait_until_stopped(), name="end of the app"),
    }
    try:
        # A start ends with the first assignment, or with an error that is the service's.
        await asyncio.wait({starting, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
        if app.crash_reason is not None:
            raise app.crash_reason
    finally:
        await intake.give_up()  # before the group hears of it, so that nobody has to be fenced
        await app.stop()
        await intake.give_up()  # what a rebalance has assigned meanwhile
        for task in (starting, *ends):
            task.cancel()
        await asyncio.gather(starting, *ends, return_exceptions=True)


async def prepare(settings: GroupingSettings) -> None:
    """Bring the schema up to date and let the read views show it."""
    await asyncio.to_thread(migrate, settings.postgres_dsn, SCHEMA, ["splitcart_grouping"])
    views = files("splitcart_grouping").joinpath("sql/views.sql").read_text()
    pool = await open_pool(settings)
    try:
        async with pool.acquire() as connection, connection.transaction():
            # Two processes that start at once would replace a view at once; and no reader is waited for long.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('splitcart read views', 0))")
            await connection.execute("SET LOCAL lock_timeout = '10s'")
            await connection.execute(views.replace("{schema}", SCHEMA))
    finally:
        await pool.close()


async def _connect(settings: GroupingSettings) -> AIOKafkaProducer:
    await ensure_topics(settings.kafka_bootstrap, settings.topic_prefix, TOPICS)
    return await start_producer(settings.kafka_bootstrap, f"splitcart-{SERVICE}")


async def open_pool(settings: GroupingSettings) -> Pool:
    """Connections of grouping's role to its schema."""
    return await create_pool(
        settings.postgres_dsn, schema=SCHEMA, service=SERVICE, max_size=settings.grouping_connections
    )


_NO_DATABASE = (*UNAVAILABLE, psycopg.OperationalError, asyncpg.LockNotAvailableError)
