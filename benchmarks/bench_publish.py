"""`publish`: the scraper's hand-off, from parsed listings to acknowledged messages.

Ours: as many workers as there are companies (one's scrapes end one after another, as it is asked for one page at a
time) assemble a scrape's messages from its pages and write them to the outbox, a transaction each; the relay sends
them in order and deletes what is acknowledged. Baseline: an aiokafka idempotent producer sending the same bytes,
ready made.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from aiokafka import AIOKafkaProducer

from benchmarks.data import AT, listing
from benchmarks.measure import Result, report, say
from splitcart_common import ids, outbox
from splitcart_common.kafka import ensure_topics, start_producer
from splitcart_common.migrations import migrate
from splitcart_common.outbox import OutboxRow, Relay
from splitcart_common.postgres import Pool, create_pool
from splitcart_common.service import tune_collector
from splitcart_common.topics import PRODUCT_OBSERVED
from splitcart_sandbox.database import create_database, prepare_database, service_dsn
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.stack import running_stack
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.domain.scrape import Category, Completed, Plan, Run, StagedPage, assemble
from splitcart_scraper.store.runs import row_of

SCRAPES, LISTINGS, PER_PAGE, WORKERS, PREFIX = 60, 5_000, 30, 4, "bench"
OBSERVATIONS = SCRAPES * LISTINGS
WARM_UP, ROUNDS = 2, 7
"""The first rounds after the broker's start measure its compiler."""


def visit(number: int) -> tuple[Run, list[StagedPage]]:
    """A scrape whose pages are read and parsed."""
    run = Run(
        scrape_id=ids.scrape_id(AT, number.to_bytes(10, "big")),
        store=f"aldi:{number}",
        reason="scheduled",
        scope="full",
        started_at=AT,
        parser_version="1",
        plan=Plan((Category("all", ("all",)),), 1),
    )
    pages = [
        StagedPage(
            page=page,
            category=0,
            url="https://retailer.example/all",
            requests=1,
            requested_at=AT,
            received_at=AT + timedelta(seconds=1),
            content=PageContent(
                listings=tuple(listing(k, 100 + k) for k in range(start, min(start + PER_PAGE, LISTINGS))),
                refusals=(),
            ),
        )
        for page, start in enumerate(range(0, LISTINGS, PER_PAGE), 1)
    ]
    return run, pages


def messages(run: Run, pages: list[StagedPage]) -> Iterator[OutboxRow]:
    """The scrape's outbox rows, as the scraper makes them: one by one, while they are written."""
    return (row_of(PREFIX, run, message) for message in list(assemble(run, pages, Completed())))


async def ours(pool: Pool, producer: AIOKafkaProducer, visits: list[tuple[Run, list[StagedPage]]]) -> float:
    """Observations a second, to the last acknowledgement."""
    stop = asyncio.Event()
    began = time.perf_counter()
    relay = asyncio.create_task(Relay("scraper", "scraper", pool, producer).run(stop))
    waiting = iter(visits)

    async def work() -> None:
        for run, pages in waiting:
            async with pool.acquire() as connection, connection.transaction():
                await outbox.append(connection, messages(run, pages))

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    while await pool.fetchval("SELECT count(*) FROM outbox"):  # noqa: ASYNC110 - a table has no event
        await asyncio.sleep(0.005)
    seconds = time.perf_counter() - began
    stop.set()
    await relay
    return OBSERVATIONS / seconds


async def baseline(producer: AIOKafkaProducer, ready: list[OutboxRow]) -> float:
    """Observations a second, to the last acknowledgement."""
    began = time.perf_counter()
    sends = [await producer.send(row.topic, row.value, row.key, headers=list(row.headers)) for row in ready]
    await asyncio.gather(*sends)
    return OBSERVATIONS / (time.perf_counter() - began)


async def measure() -> Result:
    """On a broker and a server of the benchmark's own."""
    tune_collector()
    visits = [visit(number) for number in range(SCRAPES)]
    ready = [row for run, pages in visits for row in messages(run, pages)]
    rates: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory(prefix="splitcart-bench-") as folder:
        async with running_stack(Folder.create(Path(folder) / "home")) as stack:
            dsn = await create_database(stack.dsn, "bench_publish")
            await prepare_database(dsn)
            await asyncio.to_thread(migrate, service_dsn(dsn, "scraper"), "scraper", [])
            await ensure_topics(stack.bootstrap, PREFIX, [PRODUCT_OBSERVED])
            pool = await create_pool(service_dsn(dsn, "scraper"), schema="scraper", service="scraper", max_size=8)
            producer = await start_producer(stack.bootstrap, "bench")
            for number in range(1 - WARM_UP, ROUNDS + 1):
                start = time.process_time()
                ours_rate = await ours(pool, producer, visits)
                between = time.process_time()
                baseline_rate = await baseline(producer, ready)
                cpu = [
                    seconds * 1e6 / OBSERVATIONS for seconds in (between - start, time.process_time() - between)
                ]
                say(
                    f"round {number}: ours {ours_rate:,.0f}, baseline {baseline_rate:,.0f} obs/s; "
                    f"this process worked {cpu[0]:.2f} and {cpu[1]:.2f} µs an observation"
                )
                if number > 0:
                    rates[0].append(ours_rate)
                    rates[1].append(baseline_rate)
            await producer.stop()
            await pool.close()
    return Result("publish", "obs/s", *rates, must_reach=0.6, aim=0.85)


def main() -> dict[str, object]:
    """Measure and print."""
    return report(asyncio.run(measure()))


if __name__ == "__main__":
    main()
