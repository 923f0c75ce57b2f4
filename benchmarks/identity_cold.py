"""How fast identity decides on a whole country's listings, what it takes, and how soon another takes over.

    python -m benchmarks.identity_cold --data DIR [--without-standby]

DIR holds the product files `<company>_products*.jsonl`, one listing a line: company, sku, name, brand, size,
barcode, category_path. Where a listing is in two files, the last one stands. Three figures:

- `rules`: the rules alone in this process, 500 at a time as the consumer has them: what no consumer can beat. By
  seconds of the processor, as all the rest is by the clock on the wall.
- `consumer`: `python -m splitcart_ingest` on a broker and a server of the benchmark's own, with nothing in either
  but the descriptions: from the first commit to the last decision published. A second process stands by meanwhile.
- `takeover`: the first is killed by SIGKILL and a listing is described: until that is decided on by the second.

At the end the tables are held against the fold of their log.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import asyncpg
import psutil

from benchmarks.data import AT
from benchmarks.measure import say
from splitcart_common import ids
from splitcart_common.clock import ScaledClock
from splitcart_common.codec import encode
from splitcart_common.envelope import Envelope
from splitcart_common.events import ListingDescribed
from splitcart_common.kafka import ensure_topics, start_producer
from splitcart_common.reading import reading
from splitcart_common.service import tune_collector
from splitcart_common.topics import ALL, CATALOGUE, LISTING_DESCRIBED
from splitcart_ingest.domain.catalogue import Catalogue, evolve
from splitcart_ingest.domain.identity import decide
from splitcart_ingest.domain.reconcile import reconcile
from splitcart_ingest.identity import checking
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import create_database, prepare_database, service_dsn
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.stack import running_stack

BY = UUID(int=6)
BATCH = 500
PREFIX = "bench"
SCHEMA = "ingest_g1"


def listings(data: Path) -> list[ListingDescribed]:
    """Each listing once, the companies mixed as they come from a day of scrapes."""
    found: dict[tuple[str, str], ListingDescribed] = {}
    for path in sorted(data.glob("*_products*.jsonl")):
        for line in path.open(encoding="utf-8"):
            row = json.loads(line)
            company, sku = row["company"].lower(), str(row["sku"])
            found[company, sku] = ListingDescribed(
                company=company,
                sku=sku,
                name=row["name"],
                described_at=AT,
                by=BY,
                brand=row.get("brand"),
                size=row.get("size"),
                barcode=row.get("barcode"),
                category_path=tuple(row.get("category_path") or ()),
            )
    return sorted(found.values(), key=lambda one: ids.derived_id(BY, f"{one.company}/{one.sku}"))


def by_rules(described: Sequence[ListingDescribed]) -> float:
    """Seconds that the rules alone take."""
    catalogue = Catalogue()
    began = time.process_time()
    for start in range(0, len(described), BATCH):
        for one in described[start : start + BATCH]:
            for event in decide(catalogue, one):
                evolve(catalogue, event)
        for event in reconcile(catalogue):
            evolve(catalogue, event)
    return time.process_time() - began


async def publish(bootstrap: str, described: Sequence[ListingDescribed]) -> None:
    """As ingest's own relay says it."""
    producer = await start_producer(bootstrap, "bench")
    sends = []
    for one in described:
        key = f"{one.company}/{one.sku}"
        envelope = Envelope(
            event_id=ids.derived_id(BY, key),
            event_type=one.TYPE,
            event_version=one.VERSION,
            occurred_at=AT,
            correlation_id=BY,
            producer="bench",
        )
        topic = LISTING_DESCRIBED.on_broker(PREFIX)
        sends.append(await producer.send(topic, encode(one), key.encode(), headers=envelope.to_headers()))
    await asyncio.gather(*sends)
    await producer.stop()


async def start(settings: IngestSettings, name: str) -> asyncio.subprocess.Process:
    """A process of ingest."""
    given = {f"SPLITCART_{k.upper()}": str(v) for k, v in settings.model_dump().items() if v is not None}
    env = {**os.environ, **given, "SPLITCART_INSTANCE": name}
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "splitcart_ingest", env=env)


async def until(
    process: asyncio.subprocess.Process, connection: asyncpg.Connection, query: str, *args: object
) -> None:
    """Wait until a query says true, by the work of a process."""
    while True:
        assert process.returncode is None, f"the process has ended with {process.returncode}"
        try:
            if await connection.fetchval(query, *args):
                return
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            pass
        await asyncio.sleep(0.02)


def of_listings(settings: IngestSettings, condition: str) -> tuple[str, str]:
    """A query about the positions on the descriptions, and its argument."""
    total = f"SELECT coalesce(sum(next_offset), 0) {condition} FROM {settings.ingest_schema}.positions"
    return f"{total} WHERE topic = $1", LISTING_DESCRIBED.on_broker(settings.topic_prefix)


async def consumed(
    settings: IngestSettings, connection: asyncpg.Connection, total: int, *, standby: bool
) -> dict[str, float]:
    """The figures of the consumer and of a takeover."""
    began = time.perf_counter()
    writer = await start(settings, "1")
    await until(writer, connection, *of_listings(settings, "> 0"))
    first = time.perf_counter()
    other = await start(settings, "2") if standby else None
    await until(writer, connection, *of_listings(settings, f">= {total}"))
    await until(writer, connection, f"SELECT count(*) = 0 FROM {SCHEMA}.outbox")
    ended = time.perf_counter()
    process = psutil.Process(writer.pid)
    cpu, memory = process.cpu_times(), process.memory_info().rss
    figures = {
        "listings_a_second": round(total / (ended - first), 1),
        "seconds": round(ended - first, 1),
        "seconds_from_start": round(ended - began, 1),
        "cpu_seconds": round(cpu.user + cpu.system, 1),
        "megabytes": memory >> 20,
    }
    if other is not None:
        figures["standby_megabytes"] = psutil.Process(other.pid).memory_info().rss >> 20
        killed = time.perf_counter()
        writer.send_signal(signal.SIGKILL)
        await writer.wait()
        one = ListingDescribed(company="aldi", sku="new", name="Something Else 3kg", described_at=AT, by=BY)
        await publish(settings.kafka_bootstrap, [one])
        await until(other, connection, f"SELECT true FROM {SCHEMA}.links WHERE sku = 'new' AND rule IS NOT NULL")
        figures["takeover_seconds"] = round(time.perf_counter() - killed, 2)
        figures["taken_over_megabytes"] = psutil.Process(other.pid).memory_info().rss >> 20
    last = other or writer
    last.terminate()
    await last.wait()
    return figures


async def measure(described: Sequence[ListingDescribed], *, standby: bool) -> dict[str, float]:
    """On a broker and a server of the benchmark's own."""
    with tempfile.TemporaryDirectory(prefix="splitcart-bench-") as folder:
        async with running_stack(Folder.create(Path(folder) / "home")) as stack:
            dsn = await create_database(stack.dsn, "bench_identity")
            await prepare_database(dsn)
            await ensure_topics(stack.bootstrap, PREFIX, ALL)
            await publish(stack.bootstrap, described)
            settings = IngestSettings(
                kafka_bootstrap=stack.bootstrap,
                postgres_dsn=service_dsn(dsn, "ingest"),
                topic_prefix=PREFIX,
                clock=ScaledClock.real(),
                log_level="error",
            )
            connection = await asyncpg.connect(dsn, server_settings={"search_path": f"{SCHEMA},public"})
            figures = await consumed(settings, connection, len(described), standby=standby)
            async with reading(stack.bootstrap, PREFIX) as reader:
                found = await checking.check(connection, reader, PREFIX, lambda _done, _total: None)
            assert found.equal, found.differing[:10]
            figures["decisions"] = found.messages
            figures["products"] = await connection.fetchval("SELECT count(DISTINCT product_id) FROM links")
            await connection.close()
            return figures


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description="Identity over all real listings, cold.")
    parser.add_argument("--data", type=Path, required=True, help="The folder of the product files.")
    parser.add_argument("--without-standby", action="store_true", help="No second process, and so no takeover.")
    asked = parser.parse_args()
    tune_collector()
    described = listings(asked.data)
    say(f"{len(described):,} listings; {CATALOGUE.name} and {LISTING_DESCRIBED.name} on their own stack")
    rules = by_rules(described)
    say(f"the rules alone: {rules:.1f} s, {len(described) / rules:,.0f} listings a second")
    figures = asyncio.run(measure(described, standby=not asked.without_standby))
    alone = {"listings": len(described), "rules_a_second": round(len(described) / rules, 1)}
    print(json.dumps({**alone, **figures}), flush=True)


if __name__ == "__main__":
    main()
