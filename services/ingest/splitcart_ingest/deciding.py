"""The consumers of identity, wired: what the process does that holds the lock (identity/standby.py)."""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiokafka import TopicPartition

from splitcart_common.consumer import ConsumerLoop, run_until_first_ends
from splitcart_common.dead_letters import Tolerance
from splitcart_common.lanes import Handler, Limits
from splitcart_common.postgres import Pool
from splitcart_common.reading import reading
from splitcart_common.telemetry import CATALOGUE_LISTINGS, Health
from splitcart_common.topics import CATALOGUE, LISTING_DESCRIBED, REQUESTS, Topic
from splitcart_ingest.handlers.catalogue import CatalogueHandler
from splitcart_ingest.handlers.identity import IdentityHandler
from splitcart_ingest.identity.standby import Standby
from splitcart_ingest.identity.tables import SQL
from splitcart_ingest.settings import IngestSettings

LOOK_SECONDS: Final = 0.05
RECORD_MESSAGES: Final = 5_000
"""Most of what was decided that one transaction folds, or passes over where it is our own."""
WHAT: Final = "catalogue"
"""What the service waits for until all that was decided is folded."""


def identity(settings: IngestSettings, service: str, health: Health) -> Standby:
    """The identity of this generation, wired: leads where no other process does."""

    async def lead(pool: Pool, stop: asyncio.Event) -> None:
        try:
            await _decide(settings, service, pool, health, stop)
        finally:
            health.has(WHAT)
            CATALOGUE_LISTINGS.set(0)

    return Standby(
        settings.postgres_dsn, settings.ingest_schema, settings.ingest_identity_lease_seconds, lead, health
    )


async def _decide(settings: IngestSettings, service: str, pool: Pool, health: Health, stop: asyncio.Event) -> None:
    """First fold what was decided, then decide, until `stop` is set (protocol.md, rule 11)."""
    where = TopicPartition(CATALOGUE.on_broker(settings.topic_prefix), 0)
    end = await _end_of_log(settings, pool, where, health, stop)
    if end is None:
        return

    def loop(topics: Sequence[Topic], handler: Handler, messages: int) -> ConsumerLoop:
        return ConsumerLoop(
            service=service,
            purpose="identity",
            alone=True,
            topics=topics,
            handler=handler,
            pool=pool,
            bootstrap=settings.kafka_bootstrap,
            prefix=settings.topic_prefix,
            clock=settings.clock,
            health=health,
            limits=Limits(messages=messages, held=4 * messages, dead=Tolerance.of(settings)),
        )

    async def then() -> None:
        await _folded(pool, where, end, health)
        handler = IdentityHandler(prefix=settings.topic_prefix, producer=service)
        await loop((LISTING_DESCRIBED, REQUESTS), handler, settings.ingest_identity_messages).run(stop)

    # Two loops: what waits to be decided on must not fill the room that what was decided needs.
    record = loop((CATALOGUE,), CatalogueHandler(own_from=end), RECORD_MESSAGES)
    await run_until_first_ends(record.run(stop), then())


async def _folded(pool: Pool, where: TopicPartition, end: int, health: Health) -> None:
    """Wait until what was decided is folded up to `end`, however it came to be on record."""
    while (at := await pool.fetchval(SQL["position"], where.topic, where.partition) or 0) < end:
        health.wait_for(WHAT, f"{at} of {end} decisions on record are folded")
        await asyncio.sleep(LOOK_SECONDS)
    health.has(WHAT)


async def _end_of_log(
    settings: IngestSettings, pool: Pool, where: TopicPartition, health: Health, stop: asyncio.Event
) -> int | None:
    """Where the log ends once everything is in it that was decided and waited to be sent; None if stopped before.

    What a former holder said may be sent in part. To fold that part again would undo what it said after it.
    """
    while left := await pool.fetchval(SQL["unsent"], where.topic):
        health.wait_for(WHAT, f"{left} decisions wait in the outbox to be published")
        if stop.is_set():
            return None
        await asyncio.sleep(LOOK_SECONDS)
    async with reading(settings.kafka_bootstrap, settings.topic_prefix) as reader:
        (span,) = await reader.spans([where])
    return span.end
