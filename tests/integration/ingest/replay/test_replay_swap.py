"""A swap: readers never see half, ingest goes on, and what was to be said is said, in its order and once."""

import asyncio
from contextlib import asynccontextmanager
from itertools import chain

import asyncpg
import pytest

from splitcart_common import events
from splitcart_common.telemetry import Health
from splitcart_common.topics import LISTING_DESCRIBED, PRICE_CHANGED
from splitcart_ingest.app import consumer, open_pool
from splitcart_ingest.replay import swap as swapping
from splitcart_ingest.replay.errors import RefusedError
from splitcart_sandbox.database import service_dsn
from tests.support.bus import read_events
from tests.support.ingest import START, fold_in, reference, running, scrape

ASKED = """
SELECT p.store, p.sku, p.price, p.seen_at, p.source, m.last_full_at, x.n
FROM read.prices($1, '{}') p
JOIN read.store_moments m USING (store)
CROSS JOIN (SELECT count(*) AS n FROM read.scrapes WHERE store = ANY($2)) x
WHERE p.store = ANY($2) AND NOT EXISTS (SELECT FROM read.stores WHERE name = 'nobody')
ORDER BY p.store, p.sku
"""
"""Most of the views in one statement, about stores that nothing happens to meanwhile."""


@asynccontextmanager
async def somebody_reading(live, stores):
    """Ask again and again while the body runs, by several sessions; every answer there was."""
    answers, counts, stop = set(), [], asyncio.Event()

    async def read(cached):
        connection = await asyncpg.connect(
            service_dsn(live.dsn, "gateway"), statement_cache_size=100 if cached else 0
        )
        asked = 0
        while not stop.is_set():
            rows = await connection.fetch(ASKED, START.replace(day=7), stores)
            answers.add(tuple(map(tuple, rows)))
            asked += 1
        counts.append(asked)
        await connection.close()

    async with asyncio.TaskGroup() as group:
        for cached in (True, False):
            group.create_task(read(cached))
        yield answers
        stop.set()
    assert min(counts) > 5


async def everything_was_said_once(live):
    """What is on price-changed is what the log comes to: every change once, in the order of each store."""
    expected = reference(live.broker, live.prefix)
    said = read_events(live.broker, live.prefix, PRICE_CHANGED)
    assert len({envelope.event_id for _, envelope, _ in said}) == len(said)
    places = {}
    for _, _, event in said:
        of_store = places.setdefault(event.store, [])
        kind = [events.PricesChanged, events.PricesWithdrawn, events.StoreSettled].index(type(event))
        of_store.append((event.seq, kind, getattr(event, "batch", 0)))
    assert all(of_store == sorted(of_store) for of_store in places.values())
    changed = sum(len(getattr(event, "changes", ())) + len(getattr(event, "skus", ())) for _, _, event in said)
    assert changed == len(expected.history)
    settled = sum(isinstance(event, events.StoreSettled) for _, _, event in said)
    assert settled == sum(row[5] is not None for row in expected.fold().scrapes)
    return expected.fold()


async def test_readers_see_the_old_or_the_new_and_ingest_goes_on(live):
    await live.run()
    quiet = ["coles:C1", *(f"aldi:S{number:03d}" for number in range(7))]
    async with running(live.given), somebody_reading(live, quiet) as answers:
        stop = asyncio.Event()

        async def go_on():
            number = 50
            while not stop.is_set():
                await live.publish(scrape("iga:I1", number, {f"{k:06d}": number + k for k in range(40)}))
                number += 1

        async with asyncio.TaskGroup() as group:
            group.create_task(go_on())
            done = await live.swap()
            stop.set()
        assert (done.before, done.now, done.comparison.equal) == (1, 2, True)
        await live.publish(scrape("iga:I2", 90, {f"{k:06d}": 9999 for k in range(40)}))
        await live.caught_up("ingest_g2")
    assert len(answers) == 1, "neither empty nor mixed"
    assert len(next(iter(answers))) > 30
    expected = await everything_was_said_once(live)
    assert await fold_in(live.dsn, "ingest_g2") == expected
    assert await live.ask("SELECT count(*) FROM ingest_g1.price_history WHERE price = 9999") == 0
    states = await live.fetch("SELECT number, state, accepted FROM ingest.generations ORDER BY number")
    assert states == [(1, "retired", None), (2, "live", None)]


async def test_what_was_not_sent_is_sent_and_nothing_twice(live):
    await live.run()
    more = chain.from_iterable(
        scrape(f"aldi:S{n:03d}", 60, {f"{k:06d}": 7 * k + n for k in range(40)}) for n in range(5)
    )
    await live.publish(list(more))
    # Folded by a process that is gone before it has said a word of it.
    pool, stop = await open_pool(live.given), asyncio.Event()
    folding = asyncio.create_task(consumer(live.given, pool, Health()).run(stop))
    await live.folded_to_the_end()
    stop.set()
    await folding
    await pool.close()
    assert await live.ask("SELECT count(*) FROM ingest_g1.outbox") >= 10
    said = len(read_events(live.broker, live.prefix, PRICE_CHANGED))
    await live.swap()
    assert await live.ask("SELECT count(*) FROM ingest_g1.outbox") == 0
    async with running(live.given):
        await live.caught_up("ingest_g2")
    assert len(read_events(live.broker, live.prefix, PRICE_CHANGED)) >= said + 10
    expected = await everything_was_said_once(live)
    assert await fold_in(live.dsn, "ingest_g2") == expected
    described = read_events(live.broker, live.prefix, LISTING_DESCRIBED)
    assert len({envelope.event_id for _, envelope, _ in described}) == len(described)


async def test_one_that_differs_is_swapped_only_for_a_reason(live):
    await live.run()
    await live.ask("UPDATE ingest_g1.price_history SET price = price + 1 WHERE price = 117")
    async with running(live.given):
        with pytest.raises(RefusedError, match="digests differ"):
            await live.swap()
        assert await live.ask("SELECT number FROM ingest.generations WHERE state = 'live'") == 1
        done = await live.swap(accept="117 was never charged")
        assert not done.comparison.equal
        await live.publish(scrape("aldi:S006", 90, {f"{k:06d}": 90 for k in range(40)}))
        await live.caught_up("ingest_g2")
    rows = await live.fetch("SELECT number, accepted FROM ingest.generations WHERE state = 'live'")
    assert rows == [(2, "117 was never charged")]
    # And back: the old one is brought to where the new one is. It is still not the same.
    with pytest.raises(RefusedError, match="digests differ"):
        await live.swap(generation=1)
    await live.swap(generation=1, accept="it was")
    async with running(live.given):
        await live.publish(scrape("aldi:S006", 91, {f"{k:06d}": 91 for k in range(40)}))
        await live.caught_up("ingest_g1")
    assert await live.ask("SELECT count(*) FROM read.price_history WHERE price = 91") == 40
    await everything_was_said_once(live)


async def test_who_does_not_know_of_the_swap_commits_nothing(live):
    """A process that holds no generation, as one of a release before there were any: the epochs stop it."""
    await live.run()
    pool, stop, health = await open_pool(live.given), asyncio.Event(), Health()
    folding = asyncio.create_task(consumer(live.given, pool, health).run(stop))
    await live.publish(scrape("aldi:S002", 70, {f"{k:06d}": 70 for k in range(40)}))
    await live.folded_to_the_end()
    await live.swap()
    await live.publish(scrape("aldi:S002", 71, {f"{k:06d}": 71 for k in range(40)}))
    async with asyncio.timeout(60):
        while not any("is over" in why for why in health.missing.values()):  # noqa: ASYNC110 - its own loop says it
            await asyncio.sleep(0.05)
    stop.set()
    await folding
    await pool.close()
    async with running(live.given):
        await live.caught_up("ingest_g2")
    assert await live.ask("SELECT count(*) FROM ingest_g1.price_history WHERE price = 71") == 0
    assert await fold_in(live.dsn, "ingest_g2") == await everything_was_said_once(live)


async def test_what_cannot_be_swapped_now_leaves_everything_as_it_was(live, monkeypatch):
    await live.run()
    monkeypatch.setattr(swapping, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(swapping, "VIEWS_SECONDS", 0.5)
    connection = await asyncpg.connect(live.dsn)
    try:
        await connection.execute(
            "SELECT pg_advisory_lock_shared(hashtextextended('splitcart folds ingest_g1', 0))"
        )
        with pytest.raises(RefusedError, match="has not let go"):
            await live.swap()
        await connection.execute("SELECT pg_advisory_unlock_all()")
        async with connection.transaction():
            await connection.fetch("SELECT * FROM read.listings")
            with pytest.raises(RefusedError, match="a reader has held the views"):
                await live.swap()
    finally:
        await connection.close()
    assert await live.ask("SELECT number FROM ingest.generations WHERE state = 'live'") == 1
    async with running(live.given):
        await live.publish(scrape("aldi:S006", 90, {f"{k:06d}": 90 for k in range(40)}))
        await live.caught_up("ingest_g1")
    assert await fold_in(live.dsn) == await everything_was_said_once(live)
