"""Heart-beats: what is held by a lease is held on to for as long as the process lives, and no longer.

Leases are short, so that what a killed process held is soon free; they are renewed in the background, so that no
slow answer of a retailer outlasts one. A lease that is lost all the same does no harm: every write is fenced.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from splitcart_common.postgres import TRANSIENT

Renew = Callable[[], Awaitable[bool]]


class HeartBeat:
    """Renews every so many wall seconds, until it is stopped or there is nothing to renew any more."""

    def __init__(self, name: str, seconds: float, renew: Renew) -> None:
        self.lost = asyncio.Event()
        """Set when `renew` said that the lease is another's."""
        self._seconds, self._renew = seconds, renew
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"lease of {name}")

    async def _run(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._seconds)
                return
            with suppress(*TRANSIENT):  # the next beat tries again
                if not await self._renew():
                    self.lost.set()
                    return

    async def stop(self) -> None:
        """End it; a renewal on its way is let through, as a cancelled query costs its connection."""
        self._stopping.set()
        await self._task


@asynccontextmanager
async def kept(name: str, lease_seconds: float, renew: Renew) -> AsyncIterator[asyncio.Event]:
    """Keep a lease while the body runs; the event is set when it was lost."""
    beat = HeartBeat(name, lease_seconds / 3, renew)
    try:
        yield beat.lost
    finally:
        await beat.stop()
