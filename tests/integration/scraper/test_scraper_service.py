"""The service as a whole on real Kafka and Postgres, and its command."""

import asyncio
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer

from splitcart_common.codec import decode
from splitcart_common.events import ProductsObserved, ScrapeCompleted, ScrapeStarted
from splitcart_common.kafka import ensure_topics
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRODUCT_OBSERVED, STORES
from splitcart_sandbox.database import service_dsn
from splitcart_scraper import app
from tests.support.bus import read_topic
from tests.support.scraper.cli import command
from tests.support.scraper.http import serving
from tests.support.scraper.rig import settings_of
from tests.support.scraper.tiny_aldi import TinyAldi

pytestmark = pytest.mark.stack


async def test_the_service_discovers_scrapes_and_publishes(database: str, broker: str, topic_prefix: str) -> None:
    async with serving(TinyAldi(outlets_page=100)) as server:
        settings = settings_of(database, server.url, kafka_bootstrap=broker, topic_prefix=topic_prefix)
        stop, health = asyncio.Event(), Health()
        service = asyncio.create_task(app.run(settings, health, stop))
        try:
            async with asyncio.timeout(20):
                await completed(broker, topic_prefix, 3)
            assert not health.missing
        finally:
            stop.set()
            await asyncio.gather(service, return_exceptions=True)
        assert service.exception() is None
        assert server.most_in_hand == 1
    streams: dict[str, list[tuple[UUID, object]]] = {}
    for key, event, event_id in await observed(broker, topic_prefix):
        streams.setdefault(key, []).append((event_id, event))
    assert sorted(streams) == ["aldi:G001", "aldi:G002", "aldi:G003"]
    for stream in streams.values():
        assert [type(event) for _, event in stream] == [ScrapeStarted, ProductsObserved, ScrapeCompleted]
        assert len({event_id for event_id, _ in stream}) == 3
    stores = await asyncio.to_thread(read_topic, broker, STORES.on_broker(topic_prefix), STORES.partitions)
    assert sorted((raw.key or b"").decode() for raw in stores) == sorted(streams)


async def completed(broker: str, prefix: str, scrapes: int) -> None:
    await ensure_topics(broker, prefix, [PRODUCT_OBSERVED])
    consumer = AIOKafkaConsumer(
        PRODUCT_OBSERVED.on_broker(prefix), bootstrap_servers=broker, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        while scrapes:
            record = await consumer.getone()
            scrapes -= ("event-type", b"scrape-completed") in record.headers
    finally:
        await consumer.stop()


async def observed(broker: str, prefix: str) -> list[tuple[str, object, UUID]]:
    found = []
    name, partitions = PRODUCT_OBSERVED.on_broker(prefix), PRODUCT_OBSERVED.partitions
    for raw in await asyncio.to_thread(read_topic, broker, name, partitions):
        envelope, event = decode(PRODUCT_OBSERVED, raw.headers, raw.value)
        found.append(((raw.key or b"").decode(), event, envelope.event_id))
    return found


async def test_the_commands(database: str, broker: str, topic_prefix: str) -> None:
    async with serving(TinyAldi(outlets_page=100)) as server:
        environment = {
            "SPLITCART_POSTGRES_DSN": service_dsn(database, "scraper"),
            "SPLITCART_KAFKA_BOOTSTRAP": broker,
            "SPLITCART_TOPIC_PREFIX": topic_prefix,
            "SPLITCART_SCRAPER_BASE_URL_ALDI": f"{server.url}/aldi",
            "SPLITCART_SCRAPER_GAP_SECONDS": "0",
            "SPLITCART_SCRAPER_BACKOFF_SECONDS": "0",
        }
        code, said = await command("stores", "discover", "aldi", **environment)
        assert (code, said["stores"], said["new_or_changed"]) == (0, 3, 3)
        code, said = await command("scrape", "aldi", "--store", "G002", "--max-requests", "3", **environment)
        assert code == 0
        assert [(s["store"], s["ending"], s["requests"]) for s in said["scrapes"]] == [("aldi:G002", "part", 3)]  # type: ignore[attr-defined] # JSON
        nowhere = {**environment, "SPLITCART_SCRAPER_REST_HOURS": "0"}
        code, said = await command("scrape", "aldi", "--base-url", "http://127.0.0.1:9", **nowhere)
        assert code == 3
        assert "network" in str(said["error"])
