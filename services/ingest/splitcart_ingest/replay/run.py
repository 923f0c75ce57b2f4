"""`splitcart replay run`: the log, folded into a generation up to where the live one is, and its indexes made."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from splitcart_common.postgres import Connection
from splitcart_common.reading import LogReader, reading
from splitcart_ingest.app import FOLDED, SERVICE
from splitcart_ingest.generations import SQL as REGISTRY
from splitcart_ingest.replay import log
from splitcart_ingest.replay.building import SQL, make_indexes, make_tables
from splitcart_ingest.replay.errors import RefusedError
from splitcart_ingest.replay.registry import (
    Generation,
    add,
    all_generations,
    alone,
    connected,
    generation,
    live_generation,
    of,
    run_lock,
)
from splitcart_ingest.replay.selection import ALL, Selection
from splitcart_ingest.replay.stretch import Stretch
from splitcart_ingest.replay.workers import fold_all
from splitcart_ingest.settings import IngestSettings

LOOK_SECONDS: Final = 0.5
"""How often progress is shown."""
NEAR: Final = 1_000
"""So few messages behind the live generation, a run is at its end: a swap does the rest."""

Watcher = Callable[[int, int], None]
"""Is told how many messages are folded, of how many."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run is asked for. A generation that is there already goes on, with the selection it was made with."""

    generation: int | None = None
    selection: Selection = ALL
    workers: int = 2


@dataclass(frozen=True, slots=True)
class Folded:
    """What a run came to. `refused_now` are messages that failed, though the live generation folded them."""

    generation: Generation
    messages: int
    seconds: float
    skipped: int
    refused_now: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bench:
    """What a replay works with: the log, a connection to the live generation, and one to the other.

    `settings` are those of the other.
    """

    settings: IngestSettings
    reader: LogReader
    live_generation: Generation
    live: Connection
    generation: Generation
    made: Connection


@asynccontextmanager
async def working_on(settings: IngestSettings, made: Generation) -> AsyncIterator[Bench]:
    """Work on a generation that is not live; RefusedError where it is, or another process works on it."""
    async with AsyncExitStack() as stack:
        live, connection = await stack.enter_async_context(live_connection(settings))
        mine = await stack.enter_async_context(connected(of(settings, made)))
        await stack.enter_async_context(alone(mine, run_lock(made.schema), f"at work on generation {made.number}"))
        now = await generation(mine, made.number)
        if now.state == "live":
            raise RefusedError(f"generation {made.number} is live: it is folded by ingest itself")
        reader = await stack.enter_async_context(reading(settings.kafka_bootstrap, settings.topic_prefix))
        yield Bench(of(settings, made), reader, live, connection, now, mine)


@asynccontextmanager
async def live_connection(settings: IngestSettings) -> AsyncIterator[tuple[Generation, Connection]]:
    """The live generation, and a connection to it."""
    async with connected(settings) as connection:
        live = await live_generation(connection)
    async with connected(of(settings, live)) as connection:
        yield live, connection


async def run(settings: IngestSettings, wish: Wish, watch: Watcher) -> Folded:
    """Fold the log into a generation up to where the live one is; what was folded by an earlier run stays.

    RefusedError where it cannot be; StoppedError where something stops it, and the same wish goes on from there.
    """
    made = await make_tables(settings, await _wanted(settings, wish))
    async with working_on(settings, made) as bench:
        began = asyncio.get_running_loop().time()
        before = sum((await log.positions(bench.made)).values())
        await bench.made.execute(REGISTRY["run_begins"], made.number, settings.clock.wall(), before)
        ends, skipped, first = await live_positions(bench), 0, True
        while (left := await behind(bench, ends)) and (first or left > NEAR):
            skipped = await catch_up(bench, ends, wish.workers, watch)
            ends, first = await live_positions(bench), False
        await make_indexes(settings, await generation(bench.made, made.number))
        messages = sum((await log.positions(bench.made)).values()) - before
        seconds = asyncio.get_running_loop().time() - began
        await bench.made.execute(REGISTRY["run_ends"], made.number, messages or None, seconds)
        return Folded(
            await generation(bench.made, made.number), messages, seconds, skipped, tuple(await refused_now(bench))
        )


async def live_positions(bench: Bench) -> log.Positions:
    """Where the live generation is, in what a replay folds; RefusedError where the log does not hold all of it."""
    parts = await log.parts(bench.reader, bench.settings.topic_prefix, await log.positions(bench.live))
    if wrong := log.problems(parts):
        raise RefusedError("; ".join(wrong))
    return {part.where: part.until for part in parts}


async def catch_up(bench: Bench, ends: log.Positions, workers: int, watch: Watcher) -> int:
    """Fold the generation up to `ends`, where the live one has been; how many dead letters were passed over.

    Nothing where it is there.
    """
    refused = await log.dead_letters(bench.reader, bench.settings.topic_prefix, bench.live)
    at = await log.positions(bench.made)
    stretches = [
        Stretch(where.topic, where.partition, end, tuple(sorted(n for n in refused.get(where, ()) if n < end)))
        for where, end in ends.items()
        if at.get(where, 0) < end
    ]
    if stretches:
        selection = bench.generation.selection
        folding = asyncio.ensure_future(fold_all(bench.settings, selection, stretches, workers))
        try:
            await _watch(bench, ends, folding, watch)
        finally:
            folding.cancel()
            with suppress(asyncio.CancelledError):
                await folding
    return sum(n < ends.get(where, 0) for where, offsets in refused.items() for n in offsets)


async def refused_now(bench: Bench) -> list[str]:
    """The generation's own dead letters, in words: messages that fail now, though the live one folded them."""
    prefix = bench.settings.topic_prefix
    letters = [topic.dead_letter_topic(prefix, SERVICE) for topic in FOLDED if topic.dead_letters]
    return [log.of_letter(row).words() for row in await bench.made.fetch(SQL["unsent"], letters)]


async def _wanted(settings: IngestSettings, wish: Wish) -> Generation:
    """The generation to fold into, made where it is not there."""
    async with (
        live_connection(settings) as (_, live),
        reading(settings.kafka_bootstrap, settings.topic_prefix) as reader,
    ):
        found = await log.parts(reader, settings.topic_prefix, await log.positions(live))
        if wrong := log.problems(found):
            raise RefusedError("; ".join(wrong))
        there = {one.number: one for one in await all_generations(live)}
        one = there.get(wish.generation or 0)
        if one is not None:
            if not wish.selection.whole and wish.selection != one.selection:
                raise RefusedError(
                    f"generation {one.number} was begun with {one.selection}, not with {wish.selection}: go on "
                    "without naming it, or make another generation"
                )
            return one
        return await add(live, wish.generation, wish.selection, settings.clock.wall())


async def behind(bench: Bench, ends: log.Positions) -> int:
    """How many messages the generation has to fold until it is at `ends`."""
    at = await log.positions(bench.made)
    return sum(max(0, end - at.get(where, 0)) for where, end in ends.items())


async def _watch(bench: Bench, ends: log.Positions, folding: "asyncio.Future[None]", watch: Watcher) -> None:
    """Tell how far it is, until it is there or fails."""
    total = sum(ends.values())
    while not folding.done():
        await asyncio.wait({folding}, timeout=LOOK_SECONDS)
        at = await log.positions(bench.made)
        watch(sum(min(at.get(where, 0), end) for where, end in ends.items()), total)
    await folding
