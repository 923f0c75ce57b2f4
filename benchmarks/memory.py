"""What a process of ingest holds while it is far behind, against one that keeps up: memory has to stay flat.

    python -m benchmarks.memory [observations, 5,000,000 unless told]

One process folds a scrape of each of the 100 stores of `fold`, so that all is on record, and ends. The next finds
so many observations waiting, scrape after scrape. The last is fed a store at a time and waited for. Both fold all
stores, so both hold as many states. Prints, as JSON, the most memory that either of these held (resident, MB), and
how much that of the first is of the second's, which must not be above 1.2.
"""

import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import psutil

from benchmarks.bench_fold import LISTINGS, STORES, change, first_prices, send, set_up
from benchmarks.bench_fold_scale import LOOK_SECONDS, processes
from benchmarks.measure import say
from splitcart_common.kafka import start_producer
from splitcart_common.postgres import Connection
from splitcart_common.topics import PRODUCT_OBSERVED
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.stack import running_stack

MUST_REACH = 1.2


class Watched:
    """The most that the one child process of this one held, while it was watched."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.most = 0

    async def until_folded(self, messages: int) -> None:
        """Look again and again until so many messages of the topic are folded and nothing waits in the outbox."""
        while True:
            folding = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
            self.most = max([self.most, *(child.memory_info().rss for child in folding)])
            folded = await self._connection.fetchval(
                "SELECT coalesce(sum(next_offset), 0) FROM positions WHERE topic LIKE '%' || $1 || '%'",
                PRODUCT_OBSERVED.name,
            )
            if folded >= messages and not await self._connection.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
                return
            await asyncio.sleep(LOOK_SECONDS)


async def compare(bootstrap: str, server: str, observations: int) -> dict[str, object]:
    """Both processes, one after the other."""
    _, settings = await set_up(bootstrap, server, "bench_memory")
    connection = await asyncpg.connect(settings.postgres_dsn)
    await connection.execute(f"SET search_path = {settings.ingest_schema}")
    rng = random.Random(5)
    prices = first_prices(rng)
    producer = await start_producer(bootstrap, "bench")
    sent, number = len(await send(producer, 0, prices)), 1
    async with processes(settings, 1):
        await Watched(connection).until_folded(sent)
    while (number - 1) * STORES * LISTINGS < observations:
        change(rng, prices)
        sent += len(await send(producer, number, prices))
        number += 1
    waiting = (number - 1) * STORES * LISTINGS
    say(f"{waiting:,} observations wait")
    behind = Watched(connection)
    async with processes(settings, 1):
        await behind.until_folded(sent)
    say(f"folded; at most {behind.most >> 20} MB")
    keeping_up = Watched(connection)
    async with processes(settings, 1):
        for store in range(STORES):
            sent += len(await send(producer, number, [prices[store]], first=store))
            await keeping_up.until_folded(sent)
    await producer.stop()
    await connection.close()
    return {
        "measures": "memory",
        "observations_behind": waiting,
        "behind_megabytes": behind.most >> 20,
        "keeping_up_megabytes": keeping_up.most >> 20,
        "of_it": round(behind.most / keeping_up.most, 3),
        "must_not_exceed": MUST_REACH,
    }


async def measure(observations: int) -> dict[str, object]:
    """On a broker and a server of its own."""
    with tempfile.TemporaryDirectory(prefix="splitcart-bench-") as folder:
        async with running_stack(Folder.create(Path(folder) / "home")) as stack:
            return await compare(stack.bootstrap, stack.dsn, observations)


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 where it holds too much."""
    found = asyncio.run(measure(int(arguments[0]) if arguments else 5_000_000))
    print(json.dumps(found), flush=True)
    return int(found["of_it"] > MUST_REACH)  # type: ignore[operator]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
