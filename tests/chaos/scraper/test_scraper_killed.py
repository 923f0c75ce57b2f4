"""kill -9 of the scraper in the middle of its scrapes: nothing lost, nothing said twice in two ways."""

import asyncio
import signal
import sys
from collections import defaultdict

import pytest
from aiokafka import AIOKafkaConsumer

from splitcart_common.codec import decode
from splitcart_common.events import ProductsObserved, ScrapeCompleted, ScrapeStarted
from splitcart_common.kafka import ensure_topics
from splitcart_common.topics import PRODUCT_OBSERVED
from splitcart_sandbox.database import service_dsn
from tests.support.bus import read_topic
from tests.support.loopback import without_network
from tests.support.scraper.http import Server, serving
from tests.support.scraper.tiny_aldi import TinyAldi, tile

pytestmark = pytest.mark.stack

SHELVES = {str(n): [tile(n * 1000 + m, 100 + m) for m in range(70)] for n in range(6)}


async def start(environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "splitcart_scraper",
        env={**without_network(), **environment},
        stderr=asyncio.subprocess.DEVNULL,
    )


async def killed_after(requests: int, server: Server, environment: dict[str, str]) -> None:
    """A scraper that is killed once it has made so many requests."""
    end = len(server.asked) + requests
    process = await start(environment)
    async with asyncio.timeout(20):
        while len(server.asked) < end:  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def until_completed(broker: str, prefix: str, scrapes: int) -> None:
    """Wait for so many different scrapes to be completed on the topic."""
    consumer = AIOKafkaConsumer(
        PRODUCT_OBSERVED.on_broker(prefix), bootstrap_servers=broker, auto_offset_reset="earliest"
    )
    await consumer.start()
    done = set()
    try:
        while len(done) < scrapes:
            record = await consumer.getone()
            if ("event-type", b"scrape-completed") in record.headers:
                done.add(record.key)
    finally:
        await consumer.stop()


@pytest.mark.parametrize(
    ("outlets", "kills"),
    [(8, (45, 50)), pytest.param(32, (25,) * 20, marks=[pytest.mark.long, pytest.mark.timeout(900)])],
    ids=["2 kills", "20 kills"],
)
async def test_killed_scrapers_lose_nothing(
    database: str, broker: str, topic_prefix: str, outlets: int, kills: tuple[int, ...]
) -> None:
    stores = list(range(1, outlets + 1))
    await ensure_topics(broker, topic_prefix, [PRODUCT_OBSERVED])
    async with serving(TinyAldi(stores=stores, outlets_page=100, shelves=SHELVES), delay=0.002) as server:
        environment = {
            "SPLITCART_POSTGRES_DSN": service_dsn(database, "scraper"),
            "SPLITCART_KAFKA_BOOTSTRAP": broker,
            "SPLITCART_TOPIC_PREFIX": topic_prefix,
            "SPLITCART_SCRAPER_COMPANIES": "aldi",
            "SPLITCART_SCRAPER_BASE_URL_ALDI": f"{server.url}/aldi",
            "SPLITCART_SCRAPER_GAP_SECONDS": "0",
            "SPLITCART_SCRAPER_LEASE_SECONDS": "1",
        }
        discovery = 139
        for number, requests in enumerate(kills):
            await killed_after(requests if number else discovery + requests, server, environment)
        last = await start(environment)
        try:
            async with asyncio.timeout(60):
                await until_completed(broker, topic_prefix, len(stores))
        finally:
            last.terminate()
            await last.wait()
        assert last.returncode == 0
        assert server.most_in_hand == 1
    said: dict[str, dict[object, object]] = defaultdict(dict)
    name, partitions = PRODUCT_OBSERVED.on_broker(topic_prefix), PRODUCT_OBSERVED.partitions
    for raw in await asyncio.to_thread(read_topic, broker, name, partitions):
        envelope, event = decode(PRODUCT_OBSERVED, raw.headers, raw.value)
        before = said[(raw.key or b"").decode()].setdefault(envelope.event_id, event)
        assert before == event, "a repeat bears the same id and says the same"
    for stream in said.values():
        events = list(stream.values())
        assert [type(event) for event in events] == [ScrapeStarted] + [ProductsObserved] * 3 + [ScrapeCompleted]
        skus = [listing.sku for event in events[1:-1] for listing in event.listings]  # type: ignore[attr-defined] # by their type above
        assert len(skus) == len(set(skus)) == 420
        assert events[-1].categories_finished == 6  # type: ignore[attr-defined] # by its type above
