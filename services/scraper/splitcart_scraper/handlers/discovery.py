"""Find a company's stores and publish what is new, changed or gone."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from splitcart_common.clock import Clock
from splitcart_common.events import StoreDiscovered
from splitcart_common.ids import scrape_id
from splitcart_common.postgres import TRANSIENT, Pool
from splitcart_scraper import metrics
from splitcart_scraper.domain.budgets import OverBudgetError
from splitcart_scraper.domain.outlets import OutletChanges, compare
from splitcart_scraper.fetch import BotWall, Fetcher, NetworkDown, Read, Throttled, Trouble
from splitcart_scraper.leases import kept
from splitcart_scraper.retailers.base import OutletsFound, Request, Retailer
from splitcart_scraper.store import outlets
from splitcart_scraper.store.budgets import Account

log = structlog.get_logger()

AT_ONCE: Final = 250
"""Requests after which a service says what it has found before it goes on: the first stores of a finder that is
asked 2,500 things need not wait for the last."""


@dataclass(frozen=True, slots=True)
class Discovered:
    """What a discovery has found so far and changed now. `trouble` says what went wrong, None where nothing did.

    It is `complete` where nothing did and nothing is left to ask.
    """

    stores: int
    requests: int
    changes: OutletChanges
    trouble: str | None
    complete: bool


@dataclass(slots=True)
class _Crawl:
    """How far a crawl has come: what is left to ask, last first, and every store seen, by key.

    `answers` counts those read, the last of them `at` a virtual moment; `unread` is the first that could not be.
    `spent` is how long (wall) it was at it.
    """

    todo: list[Request]
    at: datetime
    answers: int = 0
    spent: timedelta = timedelta(0)
    seen: dict[str, StoreDiscovered] = field(default_factory=dict)
    unread: str | None = None


@dataclass(slots=True)
class Discovery:
    """What it takes to find the stores of one company. `retry`, the least, is wall time, `every` virtual.

    A crawl that trouble with the host breaks off is remembered, and the next one goes on from there, unless what
    it saw is older than a discovery may be: a finder that is asked 2,500 things would never be done otherwise
    where one answer in a thousand is a wall.
    """

    retailer: Retailer
    fetcher: Fetcher
    account: Account
    pool: Pool
    clock: Clock
    prefix: str
    owner: str
    lease: timedelta
    every: timedelta
    retry: timedelta
    entropy: Callable[[int], bytes]
    _broken_off: _Crawl | None = None

    async def if_due(self) -> Discovered | None:
        """Discover unless a discovery is recent enough, another process is at it, or the day's budget is spent.

        Of a long one a part; it is due at once for the next.
        """
        if (await self.account.today()).over:
            return None
        return await self._leased(self.clock.now() - self.every, AT_ONCE)

    async def now(self) -> Discovered | None:
        """Discover; None while another process is at it, OverBudgetError where the day's budget is spent."""
        today = await self.account.today()
        if today.over:
            raise OverBudgetError(today.refusal("no discovery begins"))
        return await self._leased(self.clock.now())

    async def _leased(self, finished_before: datetime, most: int | None = None) -> Discovered | None:
        company, wall = self.retailer.company, self.clock.wall()
        if not await outlets.lease_discovery(
            self.pool, company, self.owner, wall, wall + self.lease, finished_before
        ):
            return None
        renewing = kept(f"discovery of {company}", self.lease.total_seconds(), self._renew)
        crawl = self._begun()
        answers = crawl.answers
        try:
            async with renewing, self.fetcher.pace.visit():
                requests, trouble = await self._crawl(crawl, most)
        finally:
            with suppress(*TRANSIENT):  # it is booked with the next requests
                await self.account.book()
        at, seen, complete = self.clock.now(), crawl.seen, trouble is None and not crawl.todo
        changes = compare(await outlets.known(self.pool, company), seen, complete=complete, at=at)
        await outlets.end_discovery(
            self.pool,
            company,
            self.owner,
            changes,
            discovery=scrape_id(at, self.entropy(10)),
            at=at,
            scrapable=self.retailer.scrapable,
            complete=complete,
            retry_at=self._retry_at(
                crawl, wall, trouble, got_on=crawl.answers > answers and crawl is self._broken_off
            ),
            prefix=self.prefix,
        )
        metrics.OUTLETS.labels(company, "discovered").inc(len(changes.discovered))
        metrics.OUTLETS.labels(company, "closed").inc(len(changes.closed))
        log.info(
            "stores discovered",
            company=company,
            listed=len(seen),
            new_or_changed=len(changes.discovered),
            closed=len(changes.closed),
            requests=requests,
            trouble=trouble,
        )
        return Discovered(len(seen), requests, changes, trouble, complete)

    def _retry_at(self, crawl: _Crawl, began: datetime, trouble: str | None, *, got_on: bool) -> datetime:
        """When (wall) a discovery that was not complete is due again: at once where nothing went wrong.

        One that got on rests for as long as it was at it, and is gone on with. Of others at most a tenth of the
        time goes into them: one that asked 2,500 times and could not read one answer does not ask for ever.
        """
        now = self.clock.wall()
        crawl.spent += now - began
        if trouble is None:
            return now
        return now + max(self.retry, now - began if got_on else 9 * crawl.spent)

    async def _renew(self) -> bool:
        await self.account.book()
        until = self.clock.wall() + self.lease
        return await outlets.renew_discovery(self.pool, self.retailer.company, self.owner, until)

    def _begun(self) -> _Crawl:
        """The crawl that broke off a short time ago, or a new one."""
        crawl, self._broken_off = self._broken_off, None
        if crawl is not None and self.clock.now() - crawl.at <= self.every:
            return crawl
        return _Crawl(list(reversed(self.retailer.discovery())), self.clock.now())

    async def _crawl(self, crawl: _Crawl, most: int | None) -> tuple[int, str | None]:
        """Ask for what is left, or so much of it: the requests it took, and the first trouble there was.

        Trouble with the host breaks the crawl off; an answer that cannot be read costs only its own stores.
        """
        requests = 0
        while crawl.todo:
            if most is not None and requests >= most:
                self._broken_off = crawl
                return requests, None
            request = crawl.todo.pop()
            answer = await self.fetcher.read(request, partial(self._parse, request))
            requests += answer.requests
            if isinstance(answer, Read):
                crawl.answers, crawl.at = crawl.answers + 1, self.clock.now()
                for outlet in answer.value.outlets:
                    crawl.seen.setdefault(outlet.store, outlet)
                crawl.todo.extend(reversed(answer.value.rest))
                continue
            detail = answer.detail if isinstance(answer, Trouble) else str(answer.meaning)
            label = f"#{request.label}" if request.label else ""
            trouble = f"{detail} ({self.fetcher.url(request)}{label})"
            if isinstance(answer, NetworkDown | Throttled | BotWall):
                crawl.todo.append(request)
                self._broken_off = crawl
                return requests, trouble
            crawl.unread = crawl.unread or trouble
        return requests, crawl.unread

    def _parse(self, request: Request, body: bytes) -> OutletsFound:
        return self.retailer.outlets(body, request, self.clock.now())
