"""`splitcart replay swap`: another generation goes live, and readers never see half of it.

In this order, so that whatever is killed, the old generation is live and whole, or the new one is:

1. Compared while the live one goes on; a difference refuses the swap before anything is stopped.
2. Live stops: its processes let the generation go (generations.py), and every epoch is raised, so that one which
   does not know that it should stop cannot commit. What it has still to say is sent.
3. The new one is brought to just where the old one stopped, and what was folded meanwhile is compared again.
4. In one transaction: the positions are still those, what has come to the old outbox since is moved to the new,
   the read views are made on the new one, and the registry says that it is live.

So what is derived from messages below the positions is either sent or in the new outbox, and what is derived from
those above them the new one says as it folds them, with the same ids.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg
from aiokafka import TopicPartition

from splitcart_common.ids import company_of
from splitcart_common.kafka import start_producer
from splitcart_common.postgres import Connection
from splitcart_common.reading import Span
from splitcart_ingest.app import FOLDED, open_pool, relay
from splitcart_ingest.generations import SQL as REGISTRY
from splitcart_ingest.generations import folded_by
from splitcart_ingest.replay.building import SQL, make_tables
from splitcart_ingest.replay.compare import Ask, Comparison, compare
from splitcart_ingest.replay.errors import RefusedError
from splitcart_ingest.replay.log import Positions
from splitcart_ingest.replay.registry import Generation, connected, generation, live_generation, of
from splitcart_ingest.replay.run import Bench, Watcher, working_on
from splitcart_ingest.settings import IngestSettings
from splitcart_ingest.views import past_readers, show

PATIENCE_SECONDS: Final = 40.0
"""How long the processes of ingest have to let go: a relay that cannot send goes on for ten."""
VIEWS_SECONDS: Final = 60.0
"""How long the read views are tried for."""
LOOK_SECONDS: Final = 0.05

Say = Callable[[str], None]
"""Is told what is being done."""


@dataclass(frozen=True, slots=True)
class Swapped:
    """What a swap did: from which generation to which, and the messages that ingest waits to be sent."""

    before: int
    now: int
    comparison: Comparison
    unsent: int
    stopped_seconds: float


@dataclass(frozen=True, slots=True)
class How:
    """How a swap is done: why differences are accepted (None: they are not), and with how many workers."""

    accept: str | None = None
    workers: int = 2


async def swap(settings: IngestSettings, number: int | None, how: How, watch: Watcher, say: Say) -> Swapped:
    """Let another generation be live. RefusedError where it may not, or not now: then the old one still is."""
    async with connected(settings) as connection:
        made = _whole(await generation(connection, number))
    made = await make_tables(settings, made)
    async with working_on(settings, made) as bench:
        say("comparing, while ingest goes on")
        first = _agreed(await compare(bench, how.workers, watch), how)
        say("waiting for ingest to let go")
        async with _alone_with(settings, bench.live_generation) as guard:
            began = asyncio.get_running_loop().time()
            ends = await _fence(guard)
            say("sending what it has still to say")
            await _send(of(settings, bench.live_generation), guard)
            say("comparing what has come meanwhile")
            stores = await _stores_between(bench, first.positions, ends)
            second = _agreed(await compare(bench, how.workers, watch, Ask(stores)), how)
            if any(ends[where] != end for where, end in second.positions.items()):
                raise RefusedError("ingest was started beside this swap and has gone on: try again")
            say("showing the new generation")
            try:
                unsent = await past_readers(
                    guard, lambda tried: _switch(guard, bench, ends, how.accept, tried), VIEWS_SECONDS
                )
            except asyncpg.LockNotAvailableError:
                raise RefusedError(
                    f"a reader has held the views of schema read for {VIEWS_SECONDS:g} s (pg_stat_activity shows "
                    "it): end it, and try again. The old generation is live, and goes on"
                ) from None
            stopped = asyncio.get_running_loop().time() - began
    return Swapped(bench.live_generation.number, made.number, first, unsent, stopped)


def _whole(made: Generation) -> Generation:
    if made.state == "live":
        raise RefusedError(f"generation {made.number} is live already")
    if not made.selection.whole:
        raise RefusedError(
            f"generation {made.number} holds {made.selection}: it can be compared and never be live, as all the "
            "rest would be gone. `splitcart replay run` without --company, --from and --to makes one that can"
        )
    return made


def _agreed(comparison: Comparison, how: How) -> Comparison:
    """RefusedError where generations differ and that was not accepted."""
    if comparison.equal or how.accept is not None:
        return comparison
    what = [f"{len(comparison.differing)} digests differ"] if comparison.differing else []
    what += [f"{len(comparison.refused_now)} messages fail now"] if comparison.refused_now else []
    raise RefusedError(
        f"generation {comparison.generation} is not what the live one is: {' and '.join(what)}. `splitcart replay "
        "compare` shows the rows; where they are right and the live ones wrong, --accept-differences REASON swaps"
    )


@asynccontextmanager
async def _alone_with(settings: IngestSettings, live: Generation) -> AsyncIterator[Connection]:
    """Hold the live generation alone: no process of ingest folds it, and none begins to."""
    async with connected(of(settings, live)) as guard:
        await guard.execute(f"SET lock_timeout = '{PATIENCE_SECONDS:g}s'")
        try:
            await guard.execute(REGISTRY["alone"], folded_by(live.schema))
        except asyncpg.LockNotAvailableError:
            raise RefusedError(
                f"ingest has not let go of generation {live.number} within {PATIENCE_SECONDS:g} s: see what its "
                "processes wait for (/readyz, their logs), or stop them. Nothing was changed"
            ) from None
        now = await live_generation(guard)
        if now.number != live.number:
            raise RefusedError(f"generation {now.number} went live meanwhile: try again")
        yield guard


async def _fence(guard: Connection) -> dict[TopicPartition, int]:
    """Raise every epoch: whoever still folds cannot commit. Where the generation stands for good."""
    rows = await guard.fetch(SQL["fence"])
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def _stores_between(bench: Bench, since: Positions, ends: Positions) -> list[str]:
    """The stores whose prices may have changed between two positions: those named, and those they stand for."""
    topics = {topic.on_broker(bench.settings.topic_prefix): topic for topic in FOLDED}
    keys: dict[str, set[str]] = {topic.key: set() for topic in FOLDED}
    spans = [Span(where, since.get(where, 0), end) for where, end in ends.items() if where.topic in topics]
    async for records in bench.reader.batches(spans):
        for record in records:
            keys[topics[record.topic].key].add((record.key or b"").decode(errors="replace"))
    stores = keys.get("store", set())
    for side in (bench.live, bench.made):
        if keys.get("company"):
            every = [row["store"] for row in await side.fetch(SQL["stores"], None)]
            stores |= {store for store in every if company_of(store) in keys["company"]}
        stores |= {row["store"] for row in await side.fetch(SQL["members_of"], sorted(stores))}
    return sorted(stores)


async def _send(settings: IngestSettings, guard: Connection) -> None:
    """Send what is in the old outbox, in its order: by a relay of our own, if no other is still at it."""
    pool = await open_pool(settings)
    try:
        producer = await start_producer(settings.kafka_bootstrap, "splitcart-ingest")
        try:
            async with relay(settings, pool, producer).running():
                until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
                while left := await guard.fetchval(SQL["outbox"]):
                    if asyncio.get_running_loop().time() > until:
                        raise RefusedError(
                            f"{left} messages of the live generation were not sent within {PATIENCE_SECONDS:g} s: "
                            "is the broker there? Nothing was changed, and ingest goes on"
                        )
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            await producer.stop()
    finally:
        await pool.close()


async def _switch(guard: Connection, bench: Bench, ends: Positions, accepted: str | None, tried: int) -> int:
    """The moment itself, in the caller's transaction; how many messages are left to be sent."""
    live, made = bench.live_generation, bench.generation
    rows = await guard.fetch(SQL["locked_positions"])
    if {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows} != ends:
        raise RefusedError("something has folded the live generation in spite of the swap: try again")
    folded = [topic.on_broker(bench.settings.topic_prefix) for topic in FOLDED]
    await guard.execute(SQL["carry_positions"].format(schema=made.schema), folded)
    await guard.execute(SQL["move_outbox"].format(schema=made.schema))
    await guard.execute(REGISTRY["retire"], live.number)
    await guard.execute(REGISTRY["go_live"], made.number, bench.settings.clock.wall(), accepted)
    await show(guard, made.schema, tried)
    unsent: int = await guard.fetchval(SQL["outbox_of"].format(schema=made.schema))
    return unsent
