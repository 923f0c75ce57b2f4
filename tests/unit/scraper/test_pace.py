"""The right to talk to a host, and what becomes of it where a process was asleep."""

import asyncio
from datetime import timedelta

from splitcart_scraper import pace
from splitcart_scraper.pace import Pace
from tests.support.scraper.clocks import TwoHands
from tests.support.scraper.tokens import MemoryTokens


class Suspended(TwoHands):
    """A clock under which the process is suspended during the first wait: another takes the host meanwhile."""

    def __init__(self, tokens: MemoryTokens) -> None:
        super().__init__()
        self.tokens, self.waits = tokens, 0

    async def sleep(self, _seconds: float) -> None:
        """No time for the process, and a minute for everybody else."""
        self.waits += 1
        self.at += timedelta(seconds=60)
        if self.waits == 1:
            wall = self.wall()
            assert await self.tokens.take("host", "other", wall, wall, wall + timedelta(hours=1)) is not None


async def test_who_lost_the_host_while_it_waited_does_not_ask() -> None:
    tokens = MemoryTokens()
    clock = Suspended(tokens)
    own = Pace("host", "me", tokens, clock, gap_seconds=10, lease_seconds=6, share_seconds=5)
    async with own.visit(), own.turn():
        await own.ready()
        own.done()
        waiting = asyncio.create_task(own.ready())
        await asyncio.sleep(2.5 * pace.POLL_SECONDS)
        assert not waiting.done(), "the other has it"
        await tokens.give_back("host", "other", pace.Trace(clock.now()))
        assert await waiting == 0
        assert clock.waits == 2, "and the gap since the other's last request is kept"


async def test_a_lease_is_renewed_well_before_its_end() -> None:
    tokens, clock = MemoryTokens(), TwoHands()
    renewed: list[object] = []
    original = tokens.renew

    async def renew(host: str, owner: str, *more: object) -> object:
        renewed.append(host)
        return await original(host, owner, *more)  # type: ignore[arg-type] # passed on

    tokens.renew = renew  # type: ignore[method-assign,assignment] # counts
    own = Pace("host", "me", tokens, clock, gap_seconds=0, lease_seconds=0.15, share_seconds=5)
    async with own.visit(), own.turn():
        await own.ready()
        async with asyncio.timeout(10):
            while len(renewed) < 3:  # noqa: ASYNC110 - a heart-beat's doing
                await asyncio.sleep(0.01)
