"""`rebuild`: the log of `fold` replayed into a fresh generation, indexes and a verified digest included.

Four scrapes of 100 stores of 10,000 listings, a tenth of the prices changed in each of the last three. Ours is
`splitcart replay run` and then `compare` with the live generation, from the first message to both digests: stores,
scrapes, history, latest prices, listings, served prices. The baseline is the straight loop into an empty table
with one index (benchmarks/straight_loop.py): no history, no scrapes, no descriptions, nothing checked.
"""

import asyncio
import os
import random
import tempfile
import time
from pathlib import Path

from benchmarks import straight_loop
from benchmarks.bench_fold import CHANGED, LISTINGS, PREFIX, STORES, in_process, offsets, publish
from benchmarks.bench_fold import ours as folded_live
from benchmarks.measure import Result, report, say
from splitcart_common.clock import ScaledClock
from splitcart_common.kafka import ensure_topics
from splitcart_common.service import tune_collector
from splitcart_common.topics import ALL, PRODUCT_OBSERVED
from splitcart_ingest.app import prepare
from splitcart_ingest.replay.abandon import abandon
from splitcart_ingest.replay.compare import compare
from splitcart_ingest.replay.run import Wish, run, working_on
from splitcart_ingest.replay.workers import usual_number
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import create_database, prepare_database, service_dsn
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.stack import running_stack

SCRAPES = 4
ROUNDS = int(os.environ.get("ROUNDS", "3"))
WORKERS = int(os.environ.get("WORKERS", str(usual_number())))


def nobody(_done: int, _total: int) -> None:
    """Does not watch."""


async def rebuilt(settings: IngestSettings) -> float:
    """Replay, verify, drop; seconds to the verified digest."""
    began = time.perf_counter()
    done = await run(settings, Wish(workers=WORKERS), nobody)
    folded = time.perf_counter() - began
    async with working_on(settings, done.generation) as bench:
        found = await compare(bench, WORKERS, nobody)
    seconds = time.perf_counter() - began
    assert found.equal, found.as_json()
    assert found.digests > 5 * STORES
    say(
        f"{done.messages:,} messages folded in {folded:.1f} s, {found.digests} digests equal after {seconds:.1f} s"
    )
    await abandon(settings, done.generation.number)
    return seconds


def ours(settings: IngestSettings) -> float:
    """As `rebuilt`, in a process of its own."""
    tune_collector()
    return asyncio.run(rebuilt(settings))


async def compare_both(bootstrap: str, server: str) -> Result:
    """Both, in turn, over the same messages."""
    dsn = await create_database(server, "bench_rebuild")
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
    rng = random.Random(5)
    prices = [[rng.randrange(50, 5000) for _ in range(LISTINGS)] for _ in range(STORES)]
    total = 0
    for number in range(SCRAPES):
        for of_store in prices if number else ():
            for k in rng.sample(range(LISTINGS), int(LISTINGS * CHANGED)):
                of_store[k] += 1
        total += await publish(bootstrap, number, prices)
    say(f"live: {total:,} messages folded in {await in_process(folded_live, settings, total):.1f} s")
    topic = PRODUCT_OBSERVED.on_broker(PREFIX)
    start = dict.fromkeys(await offsets(settings), 0)
    rates: tuple[list[float], list[float]] = ([], [])
    for number in range(1, ROUNDS + 1):
        await straight_loop.prepare(dsn, 0, [])
        jobs = [
            (rates[0], in_process, (ours, settings)),
            (
                rates[1],
                in_process,
                (straight_loop.main, dsn, bootstrap, topic, start, total, straight_loop.UPSERT),
            ),
        ]
        for rate, measured, args in jobs if number % 2 else reversed(jobs):
            rate.append(SCRAPES * STORES * LISTINGS / await measured(*args))
        say(f"round {number}: ours {rates[0][-1]:,.0f}, baseline {rates[1][-1]:,.0f} obs/s")
    return Result("rebuild", "obs/s", *rates, must_reach=0.8, aim=1.5)


async def measure() -> Result:
    """On a broker and a server of the benchmark's own."""
    with tempfile.TemporaryDirectory(prefix="splitcart-bench-") as folder:
        async with running_stack(Folder.create(Path(folder) / "home")) as stack:
            return await compare_both(stack.bootstrap, stack.dsn)


def main() -> dict[str, object]:
    """Measure and print."""
    return report(asyncio.run(measure()))


if __name__ == "__main__":
    main()
