"""The baseline of `fold` and `rebuild`: what a good engineer writes with none of our guarantees.

Kafka to decode (only the fields it needs) to resolve to a binary COPY and an UPDATE by store, offsets in the
same transaction. No history, no outbox, no identity, no scrapes, no withdrawals, no repeats detected. The
shape is that of ../shared/baselines/e2e.py, which is as fast on the same work.
"""

import asyncio
import time

import asyncpg
import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

POLL = 100


class Seen(msgspec.Struct):
    """What it needs of a listing."""

    sku: str
    price: int


class Message(msgspec.Struct):
    """What it needs of a message."""

    listings: list[Seen]


RECORD = np.dtype([("n", ">i2")] + [(f"{part}{i}", ">i4") for i in range(3) for part in ("length", "value")])
UPDATE = (
    "UPDATE lean p SET price = n.price FROM incoming n WHERE p.store = $1 AND n.store = $1 "
    "AND p.listing = n.listing AND p.price IS DISTINCT FROM n.price"
)


UPSERT = (
    "INSERT INTO lean AS p SELECT $1, listing, price FROM incoming WHERE store = $1 ON CONFLICT (store, listing) "
    "DO UPDATE SET price = excluded.price WHERE p.price IS DISTINCT FROM excluded.price"
)
"""Into a table that may not have the row yet."""


def pack(store: np.ndarray, listing: np.ndarray, price: np.ndarray) -> bytes:
    """Three int columns as a binary COPY stream."""
    rows = np.empty(len(store), RECORD)
    rows["n"] = 3
    for i, column in enumerate((store, listing, price)):
        rows[f"length{i}"] = 4
        rows[f"value{i}"] = column
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff"


async def prepare(dsn: str, stores: int, prices: list[list[int]]) -> None:
    """Its two tables, filled with what is known before the timed part."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "DROP TABLE IF EXISTS lean, lean_offsets;"
        "CREATE TABLE lean (store int, listing int, price int NOT NULL, PRIMARY KEY (store, listing)) "
        "WITH (fillfactor = 80); CREATE TABLE lean_offsets (partition int PRIMARY KEY, next bigint)"
    )
    for store in range(stores):
        known = np.asarray(prices[store])
        await connection.copy_to_table(
            "lean", source=_stream(pack(np.full(len(known), store), np.arange(len(known)), known)), format="binary"
        )
    await connection.execute("VACUUM ANALYZE lean")
    await connection.close()


async def _stream(data: bytes):
    yield data


async def run(
    dsn: str, bootstrap: str, topic: str, start: dict[int, int], total: int, write: str = UPDATE
) -> float:
    """Fold `total` messages from the start offsets on, by `UPDATE` or `UPSERT`; seconds."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TEMP TABLE incoming (store int, listing int, price int)")
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 << 20,
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, partition) for partition in start])
    for partition, offset in start.items():
        consumer.seek(TopicPartition(topic, partition), offset)
    decoder = msgspec.json.Decoder(Message)
    began = time.perf_counter()
    done = 0
    while done < total:
        batches = await consumer.getmany(timeout_ms=500, max_records=POLL)
        stores: list[int] = []
        listings: list[int] = []
        prices: list[int] = []
        for records in batches.values():
            done += len(records)
            for record in records:
                if dict(record.headers)["event-type"] != b"products-observed":
                    continue
                store = int(record.key.partition(b":")[2])
                for seen in decoder.decode(record.value).listings:
                    stores.append(store)
                    listings.append(int(seen.sku))
                    prices.append(seen.price)
        if not batches:
            continue
        async with connection.transaction():
            column = np.asarray(stores, np.int32)
            if stores:
                data = pack(column, np.asarray(listings, np.int32), np.asarray(prices, np.int32))
                await connection.copy_to_table("incoming", source=_stream(data), format="binary")
                for store in np.unique(column).tolist():
                    await connection.execute(write, store)
                await connection.execute("TRUNCATE incoming")
            await connection.executemany(
                "INSERT INTO lean_offsets VALUES ($1, $2) "
                "ON CONFLICT (partition) DO UPDATE SET next = excluded.next",
                [(where.partition, records[-1].offset + 1) for where, records in batches.items()],
            )
    seconds = time.perf_counter() - began
    await consumer.stop()
    await connection.close()
    return seconds


def main(dsn: str, bootstrap: str, topic: str, start: dict[int, int], total: int, write: str = UPDATE) -> float:
    """As `run`, in a process of its own."""
    return asyncio.run(run(dsn, bootstrap, topic, start, total, write))
