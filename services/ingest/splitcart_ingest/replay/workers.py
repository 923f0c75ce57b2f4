"""Sharing the parts of a log out to processes: each takes one at a time, the largest first.

One of them is whoever shares them out. Any other is ``python -m splitcart_ingest.replay``: it is told on its
standard input what to fold and answers on its standard output, a line of JSON each. Its input ends with whoever
started it, and so does it: nothing of a replay outlives a kill -9 but what is committed.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec

from splitcart_common.positions import FencedError, PositionError
from splitcart_common.service import tune_collector
from splitcart_common.telemetry import configure_logging
from splitcart_ingest.replay.errors import StoppedError
from splitcart_ingest.replay.selection import Selection
from splitcart_ingest.replay.stretch import Refold, Stretch, refolding
from splitcart_ingest.settings import IngestSettings

LONGEST_LINE = 64 << 20
"""A stretch names every offset that has a dead letter."""


class Errand(msgspec.Struct, frozen=True):
    """What a worker is for: the settings, as JSON, of the generation, and what of the log is wanted."""

    settings: dict[str, object]
    selection: Selection


class Answer(msgspec.Struct, frozen=True):
    """A stretch is folded, or why it is not."""

    stopped: str | None = None


def usual_number() -> int:
    """As many as there are processors; two at least, as each waits for the database by turns."""
    return max(2, os.cpu_count() or 1)


async def fold_all(
    settings: IngestSettings, selection: Selection, stretches: Sequence[Stretch], workers: int
) -> None:
    """Fold stretches into the generation of `settings`; StoppedError where one stops, once the others end.

    This process is one of the workers: it has loaded already what another has to load first.
    """
    left = iter(sorted(stretches, key=lambda stretch: stretch.end, reverse=True))
    errand, why = Errand(settings.model_dump(mode="json"), selection), list[str]()
    tune_collector()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(workers, len(stretches)) - 1):
            group.create_task(_employ(errand, left, why))
        group.create_task(_fold_here(settings, selection, left, why))
    if why:
        raise StoppedError("; ".join(why))


async def _fold_here(
    settings: IngestSettings, selection: Selection, left: Iterator[Stretch], why: list[str]
) -> None:
    """This process's part, as long as there is something left and nothing stops it."""
    async with refolding(settings, selection) as refold:
        for stretch in left:
            answer = await _answer(refold, stretch)
            if answer.stopped is not None:
                why.append(answer.stopped)


async def _employ(errand: Errand, left: Iterator[Stretch], why: list[str]) -> None:
    """One worker, as long as there is something left and nothing stops it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "splitcart_ingest.replay", stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(msgspec.json.encode(errand) + b"\n")
        for stretch in left:
            with suppress(ConnectionError):  # it has ended: so does its output
                process.stdin.write(msgspec.json.encode(stretch) + b"\n")
                await process.stdin.drain()
            line = await process.stdout.readline()
            if not line:
                why.append(f"a worker ended with exit code {await process.wait()}: its log says why")
                return
            answer = msgspec.json.decode(line, type=Answer)
            if answer.stopped is not None:
                why.append(answer.stopped)
    finally:
        process.stdin.close()  # which ends it, whatever it is at
        await process.wait()


async def work() -> None:
    """A worker: fold what the standard input says, one after the other, until it ends."""
    told = asyncio.StreamReader(limit=LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    errand = msgspec.json.decode(await told.readline(), type=Errand)
    settings = IngestSettings.model_validate(errand.settings)
    configure_logging("ingest-replay", settings.log_format, settings.log_level)
    async with refolding(settings, errand.selection) as refold:
        listening = asyncio.ensure_future(told.readline())
        while line := await listening:
            # The next stretch comes when this one is answered: before that, only the end of the input can come.
            listening = asyncio.ensure_future(told.readline())
            folding = asyncio.ensure_future(_answer(refold, msgspec.json.decode(line, type=Stretch)))
            await asyncio.wait({folding, listening}, return_when=asyncio.FIRST_COMPLETED)
            if not folding.done():
                folding.cancel()
                with suppress(asyncio.CancelledError):
                    await folding
                return
            sys.stdout.buffer.write(msgspec.json.encode(folding.result()) + b"\n")
            sys.stdout.flush()


async def _answer(refold: Refold, stretch: Stretch) -> Answer:
    try:
        await refold.fold(stretch)
    except (StoppedError, PositionError, FencedError) as error:
        return Answer(str(error))
    return Answer()
