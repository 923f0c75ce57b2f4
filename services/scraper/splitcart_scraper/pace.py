"""One request at a time to a retailer's host, whatever the number of workers and processes.

A token in Postgres says which process may talk to a host. The process that holds it shares it among its workers
through a lock in memory, so a request costs no round trip; it keeps the gap (virtual) since the last request,
which goes with the token when it is handed over. Leases and sharing are wall time.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from splitcart_common.clock import Clock
from splitcart_scraper.leases import HeartBeat

POLL_SECONDS: Final = 0.1
"""Wall, between two looks at a token that another process holds."""
BEAT_SECONDS: Final = 1.0
"""Wall, between two renewals of a token held here, which tell whether another process waits for it."""
TIMER_SECONDS: Final = 0.001
"""What an event loop's timers resolve: a shorter wait is spent by yielding, a timer would make it this long."""


@dataclass(frozen=True, slots=True)
class Held:
    """A token as its holder sees it: the last request to the host (virtual), and whether others wait."""

    last_request_at: datetime | None
    waited_for: bool


class HostTokens(Protocol):
    """The tokens, one a host. `owner` names a process for its life; all moments but the last are wall time."""

    async def take(self, host: str, owner: str, since: datetime, now: datetime, until: datetime) -> Held | None:
        """The token, held until a moment, or None while it is another's or another has waited longer.

        A waiter is known by its `since`; one that does not ask again for some seconds waits no more.
        """
        ...

    async def renew(
        self, host: str, owner: str, last: datetime | None, now: datetime, until: datetime
    ) -> Held | None:
        """Hold on longer; None if the token was lost."""
        ...

    async def give_back(self, host: str, owner: str, last: datetime | None) -> None:
        """Let go of the token, if it is held, and leave the last request's moment with it."""
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
    ) -> None:
        self._host, self._owner, self._tokens, self._clock = host, owner, tokens, clock
        self._gap = timedelta(seconds=gap_seconds)
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

        Call `ready` before each request and `done` after it.
        """
        async with self._lock:
            yield
            wall = self._clock.wall()
            if self._waited_for and self._held_since is not None and wall - self._held_since >= self._share:
                await self._give_back()

    async def ready(self) -> None:
        """Hold the token and let the gap pass. Only within a turn."""
        if self._held_until is None or self._held_until <= self._clock.wall():
            await self._take()
        if self._last is not None:
            await self._pass((self._last + self._gap - self._clock.now()).total_seconds())

    def done(self) -> None:
        """A request has ended, well or not: the gap begins."""
        self._last = self._clock.now()

    async def _take(self) -> None:
        since = self._clock.wall()
        while True:
            wall = self._clock.wall()
            held = await self._tokens.take(self._host, self._owner, since, wall, wall + self._lease)
            if held is not None:
                break
            await asyncio.sleep(POLL_SECONDS)
        self._held_since, self._held_until, self._waited_for = wall, wall + self._lease, held.waited_for
        if held.last_request_at is not None and (self._last is None or held.last_request_at > self._last):
            self._last = held.last_request_at
        if self._beat is None or self._beat.lost.is_set():
            self._beat = HeartBeat(f"the host {self._host}", BEAT_SECONDS, self._renew)

    async def _renew(self) -> bool:
        """Hold on to the token; False, and it must be taken anew, where it was lost."""
        if self._held_until is None:
            return False
        wall = self._clock.wall()
        until = wall + self._lease
        held = await self._tokens.renew(self._host, self._owner, self._last, wall, until)
        self._held_until = None if held is None else until
        self._waited_for = held is not None and held.waited_for
        return held is not None

    async def _give_back(self) -> None:
        if self._beat is not None:
            await self._beat.stop()
            self._beat = None
        if self._held_until is not None:
            self._held_until = None
            await self._tokens.give_back(self._host, self._owner, self._last)

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
