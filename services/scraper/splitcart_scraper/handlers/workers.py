"""A company's workers: claim, scrape, again; discovery beside them; pauses after repeated errors, then an end."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

import structlog

from splitcart_common.clock import Clock
from splitcart_common.consumer import run_until_first_ends
from splitcart_common.postgres import TRANSIENT, Pool
from splitcart_common.telemetry import Health
from splitcart_scraper import metrics
from splitcart_scraper.domain.schedule import NothingDue
from splitcart_scraper.handlers.discovery import Discovery
from splitcart_scraper.handlers.observer import Finished
from splitcart_scraper.handlers.scrape import Scraper
from splitcart_scraper.store import LeaseLostError, claims
from splitcart_scraper.store.claims import Claim, Terms

log = structlog.get_logger()

LONGEST_PAUSE: Final = 20
"""In first pauses."""
LOOK_SECONDS: Final = (0.05, 5.0)
"""Wall; the shortest and the longest wait for a store that becomes due."""


@dataclass(slots=True)
class Strikes:
    """Scrapes abandoned for the host's sake, in a row: what makes a company's workers stop.

    Trouble with the network is borne `limit` times; a bot wall or a throttle is a plain answer and enough.
    """

    limit: int
    count: int = 0
    why: str = ""

    def judge(self, finished: Finished) -> None:
        """Count a scrape; one that was completed, or at least read, wipes the slate."""
        if finished.interrupted is not None:
            return
        abandoned = finished.abandoned
        if abandoned is None or abandoned.reason not in ("network", "bot-wall", "throttled"):
            self.count, self.why = 0, ""
            return
        self.count = max(self.count + 1, self.limit if abandoned.reason != "network" else 0)
        self.why = f"{abandoned.reason}: {abandoned.detail}"

    @property
    def out(self) -> bool:
        """Enough."""
        return self.count >= self.limit


@dataclass(slots=True)
class Company:
    """The workers of one company in one process.

    They pause, longer each time, while the retailer cannot be reached or does not want us; after `most_pauses` of
    them without one page read in between they stop, until somebody who has looked into it starts them again.
    """

    name: str
    scraper: Scraper
    discovery: Discovery
    pool: Pool
    clock: Clock
    health: Health
    terms: Terms
    strikes: Strikes
    pause_seconds: float
    most_pauses: int
    entropy: Callable[[int], bytes]
    _pauses: int = 0
    _fruitless_pauses: int = 0
    _given_up: asyncio.Event = field(default_factory=asyncio.Event)
    _may_work: asyncio.Event = field(default_factory=asyncio.Event)
    _found: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, workers: int) -> str:
        """Work until cancelled, or until the retailer is given up: why that was.

        There are so many workers, and a discovery whenever it is due.
        """
        self._may_work.set()
        jobs = (self._work(number) for number in range(1, workers + 1))
        await run_until_first_ends(self._given_up.wait(), self._discover(), *jobs)
        why = f"{self.name}: stopped after {self._fruitless_pauses} pauses in vain; last {self.strikes.why}"
        self.health.wait_for(f"retailer {self.name}", why)
        metrics.PAUSED.labels(self.name).set(1)
        log.error("workers stopped", company=self.name, pauses=self._fruitless_pauses, why=self.strikes.why)
        return why

    def terms_of(self, number: int) -> Terms:
        """The terms on which a worker claims now."""
        owner = f"{self.terms.owner}/{self.name}-{number}"
        return replace(self.terms, owner=owner, now=self.clock.now(), wall=self.clock.wall())

    async def _work(self, number: int) -> None:
        what = f"worker {self.name}-{number}"
        wait = 0.2
        while True:
            await self._may_work.wait()
            try:
                await self._work_once(number)
            except (*TRANSIENT, LeaseLostError) as error:
                # What is leased is let go at the next success, or its lease ends; its pages are staged.
                self.health.wait_for(what, f"{type(error).__name__}: {error}")
                log.warning("waiting", what=what, why=str(error), next_try_in_seconds=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 10.0)
            else:
                self.health.has(what)
                wait = 0.2

    async def _work_once(self, number: int) -> None:
        terms = self.terms_of(number)
        await claims.interrupt(self.pool, terms.owner, terms.wall)
        claim = await claims.claim_next(self.pool, self.name, terms, self.entropy)
        if isinstance(claim, Claim):
            metrics.NEXT_DUE_SECONDS.labels(self.name).set(0)
            finished = await self.scraper.scrape(claim, terms)
            self.strikes.judge(finished)
            if finished.tally.pages:
                self._fruitless_pauses = 0
            if self.strikes.out:
                await self._pause()
            elif self.strikes.count == 0:
                self._pauses = 0
        else:
            await self._wait_for(claim)

    async def _wait_for(self, nothing: NothingDue) -> None:
        """Sleep until a store may be due, at most some seconds: flags and discoveries come unasked."""
        shortest, longest = LOOK_SECONDS
        waits = [longest]
        if nothing.next_due_at is not None:
            virtual = (nothing.next_due_at - self.clock.now()).total_seconds()
            metrics.NEXT_DUE_SECONDS.labels(self.name).set(max(0.0, virtual))
            wall = self.clock.wall()
            second = self.clock.virtual_at(wall + timedelta(seconds=1)) - self.clock.virtual_at(wall)
            waits.append(virtual / second.total_seconds())
        if nothing.next_lease_end_at is not None:
            waits.append((nothing.next_lease_end_at - self.clock.wall()).total_seconds())
        log.debug("nothing due", company=self.name, why=nothing.why)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._found.wait(), max(shortest, min(waits)))

    async def _pause(self) -> None:
        """All workers of the company rest; /readyz says why. Doubles while it does not get better.

        Never shorter than the retailer asked for.
        """
        if not self._may_work.is_set():
            return
        if self._fruitless_pauses >= self.most_pauses:
            self._given_up.set()
            self._may_work.clear()
            return
        asked = self.scraper.walker.fetcher.pace.closed_seconds()
        seconds = max(asked, self.pause_seconds * min(2**self._pauses, LONGEST_PAUSE))
        self._pauses += 1
        self._fruitless_pauses += 1
        self._may_work.clear()
        metrics.PAUSED.labels(self.name).set(1)
        self.health.wait_for(f"retailer {self.name}", f"paused for {seconds:g} s after {self.strikes.why}")
        log.error("workers paused", company=self.name, why=self.strikes.why, seconds=seconds)
        try:
            await asyncio.sleep(seconds)
        finally:
            # One scrape decides: the next strike pauses again, and longer.
            self.strikes.count = self.strikes.limit - 1
            self.health.has(f"retailer {self.name}")
            metrics.PAUSED.labels(self.name).set(0)
            self._may_work.set()

    async def _discover(self) -> None:
        wait, in_vain = 0.2, 0
        while True:
            await self._may_work.wait()
            try:
                discovered = await self.discovery.if_due()
                if discovered is not None and discovered.changes.discovered:
                    self._found.set()
                    self._found.clear()
                if discovered is not None:
                    in_vain = in_vain + 1 if discovered.trouble is not None and not discovered.stores else 0
                    if in_vain:
                        await asyncio.sleep(self.pause_seconds * min(2 ** (in_vain - 1), LONGEST_PAUSE))
            except (*TRANSIENT, LeaseLostError) as error:
                log.warning("discovery interrupted", company=self.name, why=f"{type(error).__name__}: {error}")
                await asyncio.sleep(wait)
                wait = min(wait * 2, 10.0)
            else:
                wait = 0.2
                await asyncio.sleep(LOOK_SECONDS[1] / 5)
