"""Processes of ingest that are killed, at named points and at random, and what must be true of them after."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import zip_longest
from multiprocessing.process import BaseProcess
from typing import NamedTuple
from uuid import UUID

import asyncpg

from splitcart_common.topics import LISTING_DESCRIBED, PRICE_CHANGED, PRODUCT_OBSERVED, STORE_GROUPS, STORES
from splitcart_ingest.app import SHARED
from splitcart_ingest.settings import IngestSettings
from tests.support.bus import Said, publish, read_events
from tests.support.forking import killed, start_program
from tests.support.ingest import (
    START,
    Fold,
    country,
    decisions,
    environment,
    fold_in,
    folded,
    reference,
    served_in,
)

USED = (PRODUCT_OBSERVED, STORES, STORE_GROUPS, PRICE_CHANGED, LISTING_DESCRIBED)


def asked(days: int = 8) -> Iterator[tuple[datetime, datetime | None]]:
    """Moments after all that so many visits see (one a day), and the last turn before each, if any."""
    for at, turn in ((0.5, None), (0.5, -1), (3, None), (3, 1), (22, 21)):
        end = START + timedelta(days=days)
        yield end + timedelta(days=at), None if turn is None else end + timedelta(days=turn)


class Point(NamedTuple):
    """A moment of the work: the statement that is about to write a table. What comes before it is done."""

    statement: str
    table: str


RELAYED = Point("DELETE", "outbox")
"""Published, and not deleted yet."""
TAKING_OVER = Point("INSERT", "positions")
"""At the start of a process, before it folds anything."""
POINTS = (
    Point("INSERT", "scrapes"),
    Point("UPDATE", "scrapes"),
    Point("INSERT", "open_batches"),
    Point("INSERT", "price_history"),
    Point("UPDATE", "latest_prices"),
    Point("INSERT", "outbox"),
    Point("UPDATE", "positions"),
    RELAYED,
    Point("INSERT", "group_markers"),
    Point("INSERT", "group_exceptions"),
    TAKING_OVER,
)

GATE = 4711
"""The number of the advisory lock that a process waits for at a point."""
SET_GATE = """
CREATE OR REPLACE FUNCTION public.held_up() RETURNS trigger LANGUAGE plpgsql
AS $$BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END$$;
CREATE TRIGGER held_up BEFORE {point.statement} ON {point.table}
FOR EACH STATEMENT EXECUTE FUNCTION public.held_up()
"""
WAITS = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND classid = 0 AND NOT granted)
"""
EPOCHS = """
SELECT coalesce(sum(epoch), 0) FROM ingest_g1.positions
WHERE EXISTS (SELECT FROM unnest($1::text[]) AS of (name) WHERE topic LIKE '%.' || name || '.%')
"""
DOING = """
SELECT left(query, 60), state, wait_event_type FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def start(given: IngestSettings, *words: str) -> BaseProcess:
    """A process of its own: the service, or a verb."""
    return start_program(environment(given), *(words or ("splitcart_ingest",)))


def long_log(seed: int, stores: int, visits: int, range_size: int, decided: int) -> list[Said]:
    """Random scrapes of many stores, and as many decisions about them all along."""
    scrapes = [message for said in country(seed, stores, visits, range_size) for message in said]
    groups = decisions(seed, stores, visits, range_size, decided)
    every = len(scrapes) // len(groups)
    parts = zip_longest(groups, (scrapes[n : n + every] for n in range(0, len(scrapes), every)))
    return [message for group, part in parts for message in (*([group] if group else ()), *(part or ()))]


async def killed_again_and_again(
    given: IngestSettings, database: str, log: Sequence[Said], points: Sequence[Point | None], seed: int
) -> None:
    """Kill it once at each of `points`, None: somewhere. The log is published part by part, and all of it."""
    rng, size = random.Random(seed), len(log) // (len(points) + 1)
    for kill, point in enumerate(points):
        part = log[kill * size : (kill + 1) * size]
        if point is TAKING_OVER:
            await publish(given.kafka_bootstrap, given.topic_prefix, part)
            async with held_up(database, point) as comes:
                process = start(given)
                await comes(process)
                await killed(process)
            continue
        epochs = await epochs_in(database)
        process = start(given)
        if point is None:
            await publish(given.kafka_bootstrap, given.topic_prefix, part)
            await folded(database, max(1, kill * size - rng.randrange(size)))
            await asyncio.sleep(rng.uniform(0, 0.05))
            await killed(process)
            continue
        await taken_over(database, epochs)
        async with held_up(database, point) as comes:
            await publish(given.kafka_bootstrap, given.topic_prefix, part)
            await comes(process)
            await killed(process)
    await publish(given.kafka_bootstrap, given.topic_prefix, log[len(points) * size :])


async def epochs_in(database: str) -> int:
    """How often a partition that is shared out was taken over, all in all."""
    connection = await asyncpg.connect(database)
    try:
        return await connection.fetchval(EPOCHS, [topic.name for topic in SHARED])
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return 0
    finally:
        await connection.close()


async def taken_over(database: str, before: int) -> None:
    """Wait until a process has taken over every partition, after there had been so many take-overs."""
    every = sum(topic.partitions for topic in SHARED)
    async with asyncio.timeout(60):
        while await epochs_in(database) < before + every:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.05)


@asynccontextmanager
async def held_up(database: str, point: Point) -> AsyncIterator[Callable[[BaseProcess], Awaitable[None]]]:
    """Hold a process up at a point for the length of the body, which waits until it has come there."""
    connection = await asyncpg.connect(database, server_settings={"search_path": "ingest_g1, public"})

    async def comes(process: BaseProcess) -> None:
        for _ in range(3000):
            if await connection.fetchval(WAITS, GATE):
                return
            assert process.is_alive()
            await asyncio.sleep(0.01)
        doing = await connection.fetch(DOING)
        raise AssertionError(f"it does not come to {point}, but is at {[tuple(row) for row in doing]}")

    try:
        await connection.fetchval("SELECT pg_advisory_lock($1)", GATE)
        await connection.execute(SET_GATE.format(point=point))
        yield comes
        await connection.fetchval("SELECT pg_advisory_unlock($1)", GATE)
        await connection.execute(f"DROP TRIGGER held_up ON {point.table}")
    finally:
        await connection.close()


async def same_as_the_logs(database: str, broker: str, prefix: str, days: int = 8) -> Fold:
    """The tables, and every price served after so many days, are those of both recorded logs."""
    expected = reference(broker, prefix)
    assert await fold_in(database) == expected.fold()
    for at, turn in asked(days):
        assert await served_in(database, at, turn) == expected.served(at, turn)
    return expected.fold()


def said_once(broker: str, prefix: str, expected: Fold) -> int:
    """What was relayed twice bears the same id and says the same; each change is said once. How many repeats."""
    said: dict[UUID, object] = {}
    heard = read_events(broker, prefix, PRICE_CHANGED)
    for _, envelope, event in heard:
        assert said.setdefault(envelope.event_id, event) == event
    changed = sum(len(getattr(event, "changes", ())) + len(getattr(event, "skus", ())) for event in said.values())
    assert changed == len(expected.history)
    return len(heard) - len(said)
