"""`fold_scale`: two processes of ingest over the 12 partitions against one, over the messages of `fold`.

Each round starts new processes of one consumer group and waits until every partition is somebody's. Then a million
observations become visible at once, as the transaction that they were sent in commits, and the time is taken until
all of it is folded and the outbox is empty. Joining the group is not in it, nor is sending.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from os import cpu_count
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from prometheus_client import REGISTRY

from benchmarks.bench_fold import LISTINGS, ROUNDS, STORES, change, first_prices, send, set_up
from benchmarks.measure import Result, report, say
from splitcart_common.kafka import start_producer
from splitcart_common.postgres import Connection
from splitcart_common.service import run as run_loop
from splitcart_common.service import tune_collector
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRODUCT_OBSERVED
from splitcart_ingest.app import consumer, open_pool, relay
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.stack import running_stack

PROCESSES = 2
_NEW = get_context("spawn")
LOOK_SECONDS = 0.02


async def fold(settings: IngestSettings, held: Any, folded: Any, over: Any) -> None:
    """A process of ingest until `over`; it says how many partitions it has, and how many messages it folded."""
    stop = asyncio.Event()
    pool = await open_pool(settings)
    producer = await start_producer(settings.kafka_bootstrap, "splitcart-ingest")
    loop = consumer(settings, pool, Health())
    service = asyncio.gather(loop.run(stop), relay(settings, pool, producer).run(stop))
    topic = PRODUCT_OBSERVED.on_broker(settings.topic_prefix)
    name = {"service": "ingest", "topic": PRODUCT_OBSERVED.name, "outcome": "folded"}
    while not over.value and not service.done():
        held.value = sum(where.topic == topic for where in loop.places)
        folded.value = int(REGISTRY.get_sample_value("splitcart_messages_total", name) or 0)
        await asyncio.sleep(LOOK_SECONDS)
    stop.set()
    await service
    await producer.stop()
    await pool.close()


def process(settings: IngestSettings, held: Any, folded: Any, over: Any) -> None:
    """The same, set up as a service is."""
    tune_collector()
    run_loop(fold(settings, held, folded, over))


@asynccontextmanager
async def processes(settings: IngestSettings, count: int):
    """So many of them, each with its share of the partitions; gives the counters of what they folded."""
    over, counters = _NEW.Value("b", 0), [(_NEW.Value("i", 0), _NEW.Value("i", 0)) for _ in range(count)]
    started: list[BaseProcess] = [_NEW.Process(target=process, args=(settings, *pair, over)) for pair in counters]
    for one in started:
        one.start()
    try:
        shared = PRODUCT_OBSERVED.partitions // count
        while not all(held.value == shared for held, _ in counters):
            if any(one.exitcode is not None for one in started):
                raise RuntimeError("a process of ingest has ended")
            await asyncio.sleep(LOOK_SECONDS)
        yield [folded for _, folded in counters]
    finally:
        over.value = 1
        for one in started:
            await asyncio.to_thread(one.join)


async def timed(
    settings: IngestSettings, producer: AIOKafkaProducer, count: int, number: int, prices: list[list[int]]
) -> tuple[float, list[float]]:
    """Observations a second with so many processes, and the share of the messages each folded."""
    connection = await asyncpg.connect(settings.postgres_dsn)
    await connection.execute(f"SET search_path = {settings.ingest_schema}")
    async with processes(settings, count) as folded:
        await producer.begin_transaction()
        ends: dict[int, int] = {}
        for at in await send(producer, number, prices):
            ends[at.partition] = max(at.offset + 1, ends.get(at.partition, 0))
        before = [counter.value for counter in folded]
        began = time.perf_counter()
        await producer.commit_transaction()

        while not await done(connection, settings, ends):  # noqa: ASYNC110 - others fold
            await asyncio.sleep(LOOK_SECONDS)
        seconds = time.perf_counter() - began
        await asyncio.sleep(5 * LOOK_SECONDS)  # the counters' own look
        counts = [counter.value - was for counter, was in zip(folded, before, strict=True)]
    await connection.close()
    return STORES * LISTINGS / seconds, [n / sum(counts) for n in counts]


async def done(connection: Connection, settings: IngestSettings, ends: Mapping[int, int]) -> bool:
    """Every partition is folded to its end, and what follows from it is published."""
    rows = await connection.fetch(
        "SELECT partition, next_offset FROM positions WHERE topic = $1",
        PRODUCT_OBSERVED.on_broker(settings.topic_prefix),
    )
    there = {row["partition"]: row["next_offset"] for row in rows}
    return all(there[partition] >= end for partition, end in ends.items()) and not await connection.fetchval(
        "SELECT EXISTS (SELECT FROM outbox)"
    )


async def compare(bootstrap: str, server: str) -> Result:
    """Both, in turn; what is folded first, of empty tables, does not count."""
    _, settings = await set_up(bootstrap, server, "bench_fold_scale")
    rng = random.Random(5)
    prices = first_prices(rng)
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        transactional_id="bench",
        transaction_timeout_ms=600_000,
        compression_type="zstd",
        max_batch_size=512 << 10,
        max_request_size=64 << 20,
        linger_ms=2,
    )
    await producer.start()
    rates: Mapping[int, list[float]] = {PROCESSES: [], 1: []}
    shares: list[list[float]] = []
    await timed(settings, producer, 1, 0, prices)
    for number in range(2 * ROUNDS):
        count = (1, PROCESSES, PROCESSES, 1)[number % 4]
        change(rng, prices)
        rate, share = await timed(settings, producer, count, number + 1, prices)
        rates[count].append(rate)
        if count == PROCESSES:
            shares.append(sorted(share))
        shown = " and ".join(f"{part:.0%}" for part in share)
        say(f"{count} process(es): {rate:,.0f} obs/s, {shown} of the messages")
    await producer.stop()
    cores = cpu_count() or 1
    must_reach, aim = (1.4, 1.8) if cores >= 4 else (1.0, 1.3)
    more = {
        "cores": cores,
        "least_share": round(min(share[0] for share in shares), 3),
        "median_least_share": round(statistics.median(share[0] for share in shares), 3),
        "share_must_reach": 0.35,
    }
    return Result("fold_scale", "obs/s", rates[PROCESSES], rates[1], must_reach=must_reach, aim=aim, more=more)


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
