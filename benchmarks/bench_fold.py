"""`fold`: a million observations from Kafka to committed, against the straight loop.

100 stores of 10,000 listings, a tenth of them changed. Ours includes the look-up of every listing and its
description, latest price, history, scrapes, positions, and the outbox with its relay; each round starts a new
process with nothing in memory. The baseline does none of that (benchmarks/straight_loop.py).
"""

import asyncio
import os
import random
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from benchmarks import straight_loop
from benchmarks.data import AT, scrape
from benchmarks.measure import Result, report, say
from splitcart_common import ids
from splitcart_common.clock import ScaledClock
from splitcart_common.codec import encode
from splitcart_common.envelope import Envelope
from splitcart_common.kafka import ensure_topics, start_producer
from splitcart_common.service import run as run_loop
from splitcart_common.service import tune_collector
from splitcart_common.telemetry import Health
from splitcart_common.topics import ALL, PRODUCT_OBSERVED
from splitcart_ingest.app import consumer, open_pool, prepare, relay
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import create_database, prepare_database, service_dsn
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.stack import running_stack

STORES, LISTINGS, CHANGED = 100, 10_000, 0.10
ROUNDS = int(os.environ.get("ROUNDS", "3"))
PREFIX = "bench"


async def publish(bootstrap: str, number: int, prices: list[list[int]]) -> int:
    """One scrape of every store, as the scraper's relay sends it; how many messages."""
    producer = await start_producer(bootstrap, "bench")
    sent = await send(producer, number, prices)
    await producer.stop()
    return len(sent)


async def send(
    producer: AIOKafkaProducer, number: int, prices: list[list[int]], *, first: int = 0
) -> list[RecordMetadata]:
    """One scrape of every store, from the first on, a message a batch; where each went."""
    sends = []
    for store, of_store in enumerate(prices, first):
        key = f"aldi:{store}"
        scrape_id, events = scrape(key, number, of_store)
        for place, event in enumerate(events):
            envelope = Envelope(
                event_id=ids.batch_id(scrape_id, place),
                event_type=event.TYPE,
                event_version=event.VERSION,
                occurred_at=AT,
                correlation_id=scrape_id,
                producer="bench",
            )
            topic = PRODUCT_OBSERVED.on_broker(PREFIX)
            sends.append(await producer.send(topic, encode(event), key.encode(), headers=envelope.to_headers()))
    return await asyncio.gather(*sends)


def first_prices(rng: random.Random) -> list[list[int]]:
    """A price a listing of every store, in cents."""
    return [[rng.randrange(50, 5000) for _ in range(LISTINGS)] for _ in range(STORES)]


def change(rng: random.Random, prices: list[list[int]]) -> None:
    """A tenth of every store's prices, each by a cent, in place."""
    for of_store in prices:
        for k in rng.sample(range(LISTINGS), int(LISTINGS * CHANGED)):
            of_store[k] += 1


async def until_folded(settings: IngestSettings, total: int) -> float:
    """Fold until `total` messages of the topic are in and the outbox is empty; seconds."""
    connection = await asyncpg.connect(settings.postgres_dsn)
    await connection.execute(f"SET search_path = {settings.ingest_schema}")
    stop = asyncio.Event()
    pool = await open_pool(settings)
    producer = await start_producer(settings.kafka_bootstrap, "splitcart-ingest")
    began = time.perf_counter()
    jobs = (consumer(settings, pool, Health()), relay(settings, pool, producer))
    service = asyncio.gather(*(job.run(stop) for job in jobs))
    while not service.done():
        folded = await connection.fetchval(
            "SELECT coalesce(sum(next_offset), 0) FROM positions WHERE topic = $1",
            PRODUCT_OBSERVED.on_broker(settings.topic_prefix),
        )
        if folded >= total and not await connection.fetchval("SELECT count(*) FROM outbox"):
            break
        await asyncio.sleep(0.02)
    seconds = time.perf_counter() - began
    stop.set()
    await service
    await producer.stop()
    await pool.close()
    await connection.close()
    return seconds


def ours(settings: IngestSettings, total: int) -> float:
    """As `until_folded`, in a process of its own, set up as a service is."""
    tune_collector()
    return run_loop(until_folded(settings, total))


async def in_process(function: object, *args: object) -> float:
    """Run a function in a new process: nothing in memory, and a core to itself."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, function, *args)  # type: ignore[arg-type]


async def offsets(settings: IngestSettings) -> dict[int, int]:
    """Where each partition stands."""
    connection = await asyncpg.connect(settings.postgres_dsn)
    rows = await connection.fetch(
        f"SELECT partition, next_offset FROM {settings.ingest_schema}.positions WHERE topic = $1",
        PRODUCT_OBSERVED.on_broker(PREFIX),
    )
    await connection.close()
    return {row["partition"]: row["next_offset"] for row in rows}


async def set_up(bootstrap: str, server: str, database: str) -> tuple[str, IngestSettings]:
    """Topics, a database of the benchmark's own with the fold's tables, and the settings that name them."""
    dsn = await create_database(server, database)
    await prepare_database(dsn)
    await ensure_topics(bootstrap, PREFIX, ALL)
    settings = IngestSettings(
        kafka_bootstrap=bootstrap,
        postgres_dsn=service_dsn(dsn, "ingest"),
        topic_prefix=PREFIX,
        clock=ScaledClock.real(),
        log_level="error",
    )
    await prepare(settings)
    return dsn, settings


async def compare(bootstrap: str, server: str) -> Result:
    """Both, in turn, over the same messages."""
    dsn, settings = await set_up(bootstrap, server, "bench_fold")
    rng = random.Random(5)
    prices = first_prices(rng)
    total = await publish(bootstrap, 0, prices)
    say(f"seeding: {STORES * LISTINGS:,} observations folded in {await in_process(ours, settings, total):.1f} s")
    await straight_loop.prepare(dsn, STORES, prices)
    rates: tuple[list[float], list[float]] = ([], [])
    for number in range(1, ROUNDS + 1):
        change(rng, prices)
        start = await offsets(settings)
        more = await publish(bootstrap, number, prices)
        total += more
        topic = PRODUCT_OBSERVED.on_broker(PREFIX)
        jobs = [
            (rates[0], in_process, (ours, settings, total)),
            (rates[1], in_process, (straight_loop.main, dsn, bootstrap, topic, start, more)),
        ]
        for rate, run, args in jobs if number % 2 else reversed(jobs):
            rate.append(STORES * LISTINGS / await run(*args))
        say(f"round {number}: ours {rates[0][-1]:,.0f}, baseline {rates[1][-1]:,.0f} obs/s")
    return Result("fold", "obs/s", *rates, must_reach=0.8, aim=1.5)


async def measure() -> Result:
    """On a broker and a server of the benchmark's own."""
    with tempfile.TemporaryDirectory(prefix="splitcart-bench-") as folder:
        async with running_stack(Folder.create(Path(folder) / "home")) as stack:
            return await compare(stack.bootstrap, stack.dsn)


def main() -> dict[str, object]:
    """Measure and print."""
    return report(asyncio.run(measure()))


if __name__ == "__main__":
    main()
