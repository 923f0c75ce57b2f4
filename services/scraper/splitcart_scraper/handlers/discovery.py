"""Find a company's stores and publish what is new, changed or gone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from splitcart_common.clock import Clock
from splitcart_common.events import StoreDiscovered
from splitcart_common.ids import scrape_id
from splitcart_common.postgres import Pool
from splitcart_scraper import metrics
from splitcart_scraper.domain.outlets import OutletChanges, compare
from splitcart_scraper.fetch import BotWall, Fetcher, NetworkDown, Read, Throttled, Trouble
from splitcart_scraper.handlers.walk import Budget
from splitcart_scraper.leases import kept
from splitcart_scraper.retailers.base import OutletsFound, Request, Retailer
from splitcart_scraper.store import budgets, outlets

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Discovered:
    """What a discovery found and changed. `trouble` says why it is not complete, None where it is."""

    stores: int
    requests: int
    changes: OutletChanges
    trouble: str | None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What it takes to find the stores of one company. `retry`, the least, is wall time, `every` virtual."""

    retailer: Retailer
    fetcher: Fetcher
    pool: Pool
    clock: Clock
    prefix: str
    owner: str
    lease: timedelta
    every: timedelta
    retry: timedelta
    entropy: Callable[[int], bytes]
    budget: Budget
    requests_a_day: int | None = None

    async def if_due(self) -> Discovered | None:
        """Discover unless a discovery is recent enough, another process is at it, or the day's budget is spent."""
        if self.requests_a_day is not None:
            now, limit = self.clock.now(), self.requests_a_day
            if (await budgets.spent(self.pool, self.retailer.company, now, limit)).over:
                return None
        return await self._leased(self.clock.now() - self.every)

    async def now(self) -> Discovered | None:
        """Discover; None while another process is at it."""
        return await self._leased(self.clock.now())

    async def _leased(self, finished_before: datetime) -> Discovered | None:
        company, wall = self.retailer.company, self.clock.wall()
        if not await outlets.lease_discovery(
            self.pool, company, self.owner, wall, wall + self.lease, finished_before
        ):
            return None
        renewing = kept(f"discovery of {company}", self.lease.total_seconds(), self._renew)
        async with renewing, self.fetcher.pace.visit():
            seen, requests, trouble = await self._crawl()
        await self._count_requests()
        at = self.clock.now()
        changes = compare(await outlets.known(self.pool, company), seen, complete=trouble is None, at=at)
        await outlets.end_discovery(
            self.pool,
            company,
            self.owner,
            changes,
            discovery=scrape_id(at, self.entropy(10)),
            at=at,
            scrapable=self.retailer.scrapable,
            complete=trouble is None,
            retry_at=self._retry_at(wall),
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
        return Discovered(len(seen), requests, changes, trouble)

    def _retry_at(self, began: datetime) -> datetime:
        """When (wall) a discovery that was not complete is due again: at most a tenth of the time goes into such.

        One that broke off at once is soon tried again; one that asked 2,500 times and could not read one answer
        does not go on asking for ever.
        """
        now = self.clock.wall()
        return now + max(self.retry, 9 * (now - began))

    async def _count_requests(self) -> None:
        await budgets.spend(self.pool, self.retailer.company, self.clock.now(), self.budget.collect())

    async def _renew(self) -> bool:
        await self._count_requests()
        until = self.clock.wall() + self.lease
        return await outlets.renew_discovery(self.pool, self.retailer.company, self.owner, until)

    async def _crawl(self) -> tuple[dict[str, StoreDiscovered], int, str | None]:
        """Every store that could be found, by key, the requests it took, and the first trouble there was.

        Trouble with the host ends the crawl; an answer that cannot be read costs only its own stores.
        """
        seen: dict[str, StoreDiscovered] = {}
        requests, trouble = 0, None
        todo = list(reversed(self.retailer.discovery()))
        while todo:
            request = todo.pop()
            answer = await self.fetcher.read(request, partial(self._parse, request))
            requests += answer.requests
            self.budget.pay(answer.requests)
            if isinstance(answer, Read):
                for outlet in answer.value.outlets:
                    seen.setdefault(outlet.store, outlet)
                todo.extend(reversed(answer.value.rest))
                continue
            detail = answer.detail if isinstance(answer, Trouble) else str(answer.meaning)
            label = f"#{request.label}" if request.label else ""
            trouble = trouble or f"{detail} ({self.fetcher.url(request)}{label})"
            if isinstance(answer, NetworkDown | Throttled | BotWall):
                break
        return seen, requests, trouble

    def _parse(self, request: Request, body: bytes) -> OutletsFound:
        return self.retailer.outlets(body, request, self.clock.now())
