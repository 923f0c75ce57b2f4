"""One request at a time to a retailer's host, whatever the number of workers and processes.

A token in Postgres says which process may talk to a host. The process that holds it shares it among its workers
through a lock in memory, so a request costs no round trip; it keeps the gap (virtual) since the last request. What
it knows of the host (`Trace`) goes with the token when it is handed over. Leases and sharing are wall time.

The gap follows the host's latency (domain/gap.py). Latency is measured on the wall clock and taken for virtual
seconds: where the two clocks differ the host is simulated, and its own time is what is to be borne.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from splitcart_common.clock import Clock
from splitcart_scraper.domain.gap import Bounds, Sign, next_gap
from splitcart_scraper.leases import HeartBeat

POLL_SECONDS: Final = 0.1
"""Wall, between two looks at a token that another process holds."""
BEAT_SECONDS: Final = 1.0
"""Wall, between two renewals of a token held here, which tell whether another process waits for it; less where a
third of the lease is less."""
TIMER_SECONDS: Final = 0.001
"""What an event loop's timers resolve: a shorter wait is spent by yielding, a timer would make it this long."""
LONGEST_CLOSED: Final = timedelta(days=1)
"""Wall; a host that asks for more patience than this is asked again all the same."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of a host, None where nothing is; a trace that is left does not undo what was known.

    The last request and the gap are virtual; until when it asked not to be asked is wall time.
    """

    last_request_at: datetime | None = None
    gap_seconds: float | None = None
    closed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A token as its holder sees it, and whether others wait for it."""

    trace: Trace
    waited_for: bool


class HostTokens(Protocol):
    """The tokens, one a host. `owner` names a process for its life; moments outside a trace are wall time."""

    async def take(self, host: str, owner: str, since: datetime, now: datetime, until: datetime) -> Held | None:
        """The token, held until a moment, or None while it is another's or another has waited longer.

        A waiter is known by its `since`; one that does not ask again for some seconds waits no more.
        """
        ...

    async def renew(self, host: str, owner: str, trace: Trace, now: datetime, until: datetime) -> Held | None:
        """Hold on longer, and leave a trace; None if the token was lost."""
        ...

    async def give_back(self, host: str, owner: str, trace: Trace) -> None:
        """Let go of the token, if it is held, and leave a trace with it."""
        ...


class Pace:
    """The pace at one host, for all workers of this process."""

    def __init__(
        self,
        host: str,
        owner: str,
        tokens: HostTokens,
        clock: Clock,
        *,
        gap_seconds: float,
        lease_seconds: float,
        share_seconds: float,
        longest_gap_seconds: float = 60.0,
    ) -> None:
        self.host = host
        self._owner, self._tokens, self._clock = owner, tokens, clock
        self._bounds = Bounds(gap_seconds, max(gap_seconds, longest_gap_seconds))
        self._asked_gap = 0.0
        self._gap = gap_seconds
        self._closed_until: datetime | None = None
        self._lease = timedelta(seconds=lease_seconds)
        self._share = timedelta(seconds=share_seconds)
        self._lock = asyncio.Lock()
        self._visitors = 0
        self._last: datetime | None = None
        self._held_since: datetime | None = None
        self._held_until: datetime | None = None
        self._waited_for = False
        self._beat: HeartBeat | None = None
        wall = clock.wall()
        second = clock.virtual_at(wall + timedelta(seconds=1)) - clock.virtual_at(wall)
        self._speed = second.total_seconds()

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[None]:
        """A worker has requests to make; when the last such worker has none left, the token is given back."""
        self._visitors += 1
        try:
            yield
        finally:
            self._visitors -= 1
            if self._visitors == 0:
                async with self._lock:
                    await self._give_back()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The right to talk to the host, with nobody else talking to it, back-off between tries included.

        Call `ready` before each request, `done` after it, and `heed` when it is known what came back.
        """
        async with self._lock:
            yield
            wall = self._clock.wall()
            if self._waited_for and self._held_since is not None and wall - self._held_since >= self._share:
                await self._give_back()

    async def ready(self, longest_wait_seconds: float = math.inf) -> float:
        """Hold the token and let the gap pass, and the time the host asked not to be asked. Only within a turn.

        Where more than so many wall seconds of that are left: they are returned, at once, and no request is due.
        """
        while True:
            if not self._held():
                await self._take()
            closed = self.closed_seconds()
            if closed > longest_wait_seconds:
                return closed
            if closed > 0:
                await asyncio.sleep(closed)
            if self._last is not None:
                gap = timedelta(seconds=self.gap_seconds)
                await self._pass((self._last + gap - self._clock.now()).total_seconds())
            if self._held():  # a process that was suspended meanwhile may have lost it
                return 0.0

    def _held(self) -> bool:
        return self._held_until is not None and self._held_until > self._clock.wall()

    def done(self) -> None:
        """A request has ended, well or not: the gap begins."""
        self._last = self._clock.now()

    def heed(self, sign: Sign, latency_seconds: float, closed_seconds: float | None = None) -> None:
        """Learn from an answer how long to leave the host alone; `closed_seconds` (wall): its own word for it."""
        self._gap = next_gap(self._gap, latency_seconds, sign, self._bounds)
        if closed_seconds is not None:
            closed = min(closed_seconds, LONGEST_CLOSED.total_seconds())
            self._closed_until = _later(self._closed_until, self._clock.wall() + timedelta(seconds=closed))

    def keep_apart(self, gap_seconds: float) -> None:
        """The host asks for at least this gap; 0: for none."""
        self._asked_gap = gap_seconds

    @property
    def gap_seconds(self) -> float:
        """The gap as it is now, virtual."""
        return max(self._gap, self._asked_gap)

    def closed_seconds(self) -> float:
        """Wall seconds for which the host asks not to be asked; 0 where it does not."""
        if self._closed_until is None:
            return 0.0
        return max(0.0, (self._closed_until - self._clock.wall()).total_seconds())

    async def _take(self) -> None:
        since = self._clock.wall()
        while True:
            wall = self._clock.wall()
            held = await self._tokens.take(self.host, self._owner, since, wall, wall + self._lease)
            if held is not None:
                break
            await asyncio.sleep(POLL_SECONDS)
        self._held_since, self._held_until, self._waited_for = wall, wall + self._lease, held.waited_for
        self._inherit(held.trace)
        if self._beat is None or self._beat.lost.is_set():
            beat = min(BEAT_SECONDS, self._lease.total_seconds() / 3)
            self._beat = HeartBeat(f"the host {self.host}", beat, self._renew)

    async def _renew(self) -> bool:
        """Hold on to the token; False, and it must be taken anew, where it was lost."""
        if self._held_until is None:
            return False
        wall = self._clock.wall()
        until = wall + self._lease
        held = await self._tokens.renew(self.host, self._owner, self._trace(), wall, until)
        self._held_until = None if held is None else until
        self._waited_for = held is not None and held.waited_for
        return held is not None

    def _inherit(self, trace: Trace) -> None:
        """Take over what others have learnt of the host since we held the token."""
        if trace.last_request_at is not None and (self._last is None or trace.last_request_at > self._last):
            if trace.gap_seconds is not None:
                self._gap = self._bounds.clamp(trace.gap_seconds)
            self._last = trace.last_request_at
        if trace.closed_until is not None:
            self._closed_until = _later(self._closed_until, trace.closed_until)

    def _trace(self) -> Trace:
        """What we know; nothing of the gap before the first request of ours."""
        return Trace(self._last, None if self._last is None else self._gap, self._closed_until)

    async def _give_back(self) -> None:
        if self._beat is not None:
            await self._beat.stop()
            self._beat = None
        if self._held_until is not None:
            self._held_until = None
            await self._tokens.give_back(self.host, self._owner, self._trace())

    async def _pass(self, virtual_seconds: float) -> None:
        wall_seconds = virtual_seconds / self._speed
        if wall_seconds <= 0:
            return
        if wall_seconds >= TIMER_SECONDS:
            await self._clock.sleep(virtual_seconds)
            return
        end = time.perf_counter() + wall_seconds
        while time.perf_counter() < end:  # noqa: ASYNC110 - what is waited for is time itself
            await asyncio.sleep(0)


def _later(known: datetime | None, moment: datetime) -> datetime:
    return moment if known is None or moment > known else known
