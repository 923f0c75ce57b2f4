"""The demo's course: bring everything up, watch, stop scraping, let the rest be folded, hold it to the truth."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

import asyncpg

from splitcart_common.clock import ScaledClock
from splitcart_sandbox.demo.course import GAP_SECONDS, START, Course
from splitcart_sandbox.demo.figures import Snapshot, Summary, Verdict, mean
from splitcart_sandbox.demo.log import Ends, read_log
from splitcart_sandbox.demo.progress import lag, snapshot
from splitcart_sandbox.demo.savings import saved
from splitcart_sandbox.demo.screen import Screen
from splitcart_sandbox.demo.truth import Truth, accuracy, fidelity, full_scrapes, last_settled
from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.services import TURNS
from splitcart_sandbox.up import Sandbox, sandbox

WATCH_SECONDS: Final = 1.0
JUDGE_SECONDS: Final = 20.0
DRAIN_SECONDS: Final = 60.0


async def demonstrate(course: Course, screen: Screen, stop: asyncio.Event) -> Summary:
    """Run it all until `stop` or the course's end; the stack is stopped when this returns.

    The demo's folder is its own and is begun anew each time. SandboxError as `sandbox` raises it, and where the
    stack does not work off what it has within a minute.
    """
    old = Folder.existing(course.home)
    if old is not None:
        with old.held():
            await asyncio.to_thread(old.sweep)
            old.delete()
    async with sandbox(
        course.home,
        speed=course.speed,
        start=START,
        gateway_port=course.port,
        extra=course.environment(),
        report=screen.say,
    ) as running:
        await running.wait_ready()
        screen.page = running.gateway_url
        screen.say(f"ready: the page is at {running.gateway_url}")
        async with questions(running) as (connection, ends, truth):
            return await _watch_and_judge(course, running, screen, stop, connection, ends, truth)


@contextlib.asynccontextmanager
async def questions(running: Sandbox) -> AsyncIterator[tuple[asyncpg.Connection, Ends, Truth]]:
    """Clients of what is asked about: the database as superuser, the ends of topics, the truth."""
    connection = await asyncpg.connect(running.addresses.dsn)
    try:
        async with (
            Ends(running.addresses.bootstrap, running.addresses.topic_prefix) as ends,
            Truth(running.simulator_url) as truth,
        ):
            yield connection, ends, truth
    finally:
        await connection.close()


async def _watch_and_judge(
    course: Course,
    running: Sandbox,
    screen: Screen,
    stop: asyncio.Event,
    connection: asyncpg.Connection,
    ends: Ends,
    truth: Truth,
) -> Summary:
    clock, began, first = running.clock, time.monotonic(), running.clock.now()
    await _watch(course, clock, screen, stop, connection, ends, truth)
    screen.say("stopping the scraper and folding what it has published")
    stopped = clock.now()
    await running.stack.supervisor.remove("scraper")
    await drained(connection, ends)
    screen.say("holding every price to the truth")
    # What it still read while it was ending is later than the stop: no price is served as of a moment before that.
    at = max(stopped, await last_settled(connection) or stopped)
    verdict = await accuracy(connection, truth, at, TURNS)
    full = await full_scrapes(connection)
    recorded = await read_log(running.addresses.bootstrap, running.addresses.topic_prefix, full)
    held = await fidelity(connection, recorded, truth)
    end = await snapshot(connection, clock, ends, truth)
    return Summary(
        fidelity=held.share if held.all else 0.0,  # nothing seen is nothing shown
        accuracy=mean(verdict.accuracy),
        accuracy_settled=mean(verdict.settled),
        stores=end.stores,
        listings_per_store=verdict.listings_per_store,
        virtual_days=round((at - first).total_seconds() / 86_400, 2),
        observations=end.observations,
        requests=end.requests,
        requests_saved=saved(recorded.visits, recorded.decisions),
        hosts=await truth.manners(course.speed, GAP_SECONDS),
        groups=end.groups,
        zones=await truth.zones(),
        abandoned=recorded.abandoned,
        dead_letters=await ends.dead_letters(),
        lag=end.lag,
        seconds=round(time.monotonic() - began, 1),
    )


async def _watch(
    course: Course,
    clock: ScaledClock,
    screen: Screen,
    stop: asyncio.Event,
    connection: asyncpg.Connection,
    ends: Ends,
    truth: Truth,
) -> None:
    began = judged = looked = time.monotonic()
    before = Snapshot(clock.now())
    verdict: Verdict | None = None
    while not stop.is_set() and (course.seconds is None or time.monotonic() - began < course.seconds):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WATCH_SECONDS):
                await stop.wait()
        now = await snapshot(connection, clock, ends, truth)
        if time.monotonic() - judged >= JUDGE_SECONDS:
            verdict = await accuracy(connection, truth, now.at, TURNS)
            judged = time.monotonic()
        screen.show(now, before, time.monotonic() - looked, verdict)
        before, looked = now, time.monotonic()


async def drained(connection: asyncpg.Connection, ends: Ends) -> None:
    """Wait until all is folded and published; SandboxError where that takes over a minute."""
    until = time.monotonic() + DRAIN_SECONDS
    while left := await lag(connection, ends):
        if time.monotonic() > until:
            raise SandboxError(
                f"{left} messages or outbox rows are still not worked off after {DRAIN_SECONDS:g} s: look at "
                "`splitcart logs ingest` and `splitcart logs scraper`"
            )
        await asyncio.sleep(0.1)
