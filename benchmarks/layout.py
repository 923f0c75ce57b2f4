"""How the rows of latest_prices lie in Postgres, and what that costs the fold: decision 0025.

    python -m benchmarks.layout [stores, 200 unless told]

For each layout: a table of so many stores with 10,000 prices, then six rounds in which every store's prices are
read, as the fold reads a store it does not hold, and a tenth of them written, as it writes them; a VACUUM after
each, as autovacuum would. Prints a JSON line a layout: milliseconds of reading and of writing a store (the tenth
least of the last round, in which the table is as it stays), how many updates were HOT (no index touched), MB.
"""

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import numpy as np

from splitcart_ingest.copying import copy
from splitcart_sandbox.database import create_database
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.stack import running_stack

LISTINGS, CHANGED, ROUNDS, COMPANIES = 10_000, 0.10, 6, 4


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to keep them; `apart`: the rows of a store lie as far from each other as they can."""

    name: str
    fillfactor: int
    apart: bool = False
    partitioned: bool = False


LAYOUTS = (
    Layout("a store's rows apart, fillfactor 80", 80, apart=True),
    Layout("together, 100", 100),
    Layout("together, 90", 90),
    Layout("together, 80", 80),
    Layout("together, 70", 70),
    Layout("together, 80, a partition a company", 80, partitioned=True),
)
_COLUMNS = (
    "company int NOT NULL, store_id int NOT NULL, listing_id int NOT NULL, price int, changed_seq int NOT NULL"
)
_READ = (
    "SELECT array_agg(listing_id) AS listings, array_agg(price) AS prices FROM prices "
    "WHERE company = $1 AND store_id = $2"
)
_WRITE = (
    "UPDATE prices p SET price = n.price, changed_seq = $3 "
    "FROM unnest($4::int[], $5::int[]) AS n (listing_id, price) "
    "WHERE p.company = $1 AND p.store_id = $2 AND p.listing_id = n.listing_id"
)
_FIGURES = """
SELECT sum(n_tup_upd) AS updated, sum(n_tup_hot_upd) AS hot,
       sum(pg_relation_size(relid)) AS heap, sum(pg_indexes_size(relid)) AS indexes
FROM pg_stat_user_tables WHERE relname LIKE 'prices%'
"""


async def fill(connection: asyncpg.Connection, layout: Layout, stores: int) -> None:
    """The table and its rows."""
    storage = f"WITH (fillfactor = {layout.fillfactor}, autovacuum_enabled = off)"
    await connection.execute("DROP TABLE IF EXISTS prices")
    if layout.partitioned:
        await connection.execute(
            f"CREATE TABLE prices ({_COLUMNS}, PRIMARY KEY (company, store_id, listing_id)) "
            "PARTITION BY LIST (company)"
        )
        for company in range(COMPANIES):
            await connection.execute(
                f"CREATE TABLE prices_{company} PARTITION OF prices FOR VALUES IN ({company}) {storage}"
            )
    else:
        await connection.execute(f"CREATE TABLE prices ({_COLUMNS}, PRIMARY KEY (store_id, listing_id)) {storage}")
    if layout.apart:
        listing, store = np.divmod(np.arange(stores * LISTINGS), stores)
    else:
        store, listing = np.divmod(np.arange(stores * LISTINGS), LISTINGS)
    columns = {"company": store % COMPANIES, "store_id": store, "listing_id": listing, "price": 100 + listing}
    columns["changed_seq"] = np.ones(len(store), np.int64)
    await copy(connection, "prices", {name: (4, column) for name, column in columns.items()})
    await connection.execute("VACUUM ANALYZE prices")
    await connection.execute("CHECKPOINT")


async def measure(connection: asyncpg.Connection, layout: Layout, stores: int) -> dict[str, object]:
    """The figures of one layout."""
    await fill(connection, layout, stores)
    rng = random.Random(5)
    reading: list[float] = []
    writing: list[float] = []
    for number in range(2, ROUNDS + 2):
        reading, writing = [], []
        for store in rng.sample(range(stores), stores):
            company = store % COMPANIES
            began = time.perf_counter()
            known = await connection.fetchrow(_READ, company, store)
            read = time.perf_counter()
            listings = rng.sample(known["listings"], int(LISTINGS * CHANGED))
            prices = [rng.randrange(50, 5000) for _ in listings]
            chosen = time.perf_counter()
            await connection.execute(_WRITE, company, store, number, listings, prices)
            reading.append(read - began)
            writing.append(time.perf_counter() - chosen)
        await connection.execute("VACUUM prices")
    await connection.execute("SELECT pg_stat_force_next_flush()")
    figures = await connection.fetchrow(_FIGURES)
    return {
        "layout": layout.name,
        "read_ms": round(1000 * statistics.quantiles(reading, n=10)[0], 2),
        "write_ms": round(1000 * statistics.quantiles(writing, n=10)[0], 2),
        "hot": round(float(figures["hot"] / figures["updated"]), 3),
        "heap_megabytes": int(figures["heap"]) >> 20,
        "index_megabytes": int(figures["indexes"]) >> 20,
    }


async def run(stores: int) -> None:
    """Every layout, on a server of its own; a commit does not wait for the disk, which is the same for all."""
    with tempfile.TemporaryDirectory(prefix="splitcart-bench-") as folder:
        async with running_stack(Folder.create(Path(folder) / "home")) as stack:
            connection = await asyncpg.connect(await create_database(stack.dsn, "bench_layout"))
            await connection.execute("SET synchronous_commit = off")
            for layout in LAYOUTS:
                print(json.dumps(await measure(connection, layout, stores)), flush=True)
            await connection.close()


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    asyncio.run(run(int(arguments[0]) if arguments else 200))


if __name__ == "__main__":
    main(sys.argv[1:])
