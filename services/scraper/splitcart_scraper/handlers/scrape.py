"""Run one scrape: walk the store, stage what is read, judge it, publish it.

While it runs, its lease is kept; when it is stopped early, what was read is staged and the lease is given up, so
that any worker goes on from there.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from splitcart_common.clock import Clock
from splitcart_common.postgres import TRANSIENT, Pool
from splitcart_common.turns import Turns
from splitcart_scraper import metrics
from splitcart_scraper.domain.guards import objection, page_objection, prices_of
from splitcart_scraper.domain.scrape import Abandoned, Completed, Ending, Run, StagedPage, Tally, tally
from splitcart_scraper.handlers.observer import Finished, Observer, Silent
from splitcart_scraper.handlers.walk import BrokenError, Walker
from splitcart_scraper.leases import kept
from splitcart_scraper.store import LeaseLostError, claims, known, runs
from splitcart_scraper.store.budgets import Account
from splitcart_scraper.store.claims import Claim, Terms

log = structlog.get_logger()

FLUSH_PAGES: Final = 16
FLUSH_SECONDS: Final = 0.25
"""Wall; what a killed scrape reads again is what it had read within this time."""


@dataclass(slots=True)
class Scraper:
    """What it takes to scrape the stores of one company."""

    walker: Walker
    account: Account
    pool: Pool
    clock: Clock
    prefix: str
    lease: timedelta
    resume_limit: timedelta
    turns: Turns
    entropy: Callable[[int], bytes]
    observer: Observer = field(default_factory=Silent)

    async def scrape(self, claim: Claim, terms: Terms) -> Finished:
        """Scrape the store in hand to its end, whatever that is, and give it back.

        A cancelled scrape is staged and given back, and the cancellation passes through; database errors do too.
        """
        claim = await self._fresh(claim, terms)
        bound = {"store": claim.store, "scrape_id": str(claim.run.scrape_id)}
        log.info("scrape started", **bound, why=claim.why, resumed=claim.resumed)
        try:
            async with (
                kept(claim.store, self.lease.total_seconds(), partial(self._renew, claim)) as lost,
                self.walker.fetcher.pace.visit(),
            ):
                run, ending = await self._walk(claim, lost)
            finished = await self._finish(claim, run, ending)
        except LeaseLostError:
            run = claim.run
            finished = Finished(claim, tally(run, ()), interrupted="another worker has the store now")
        except asyncio.CancelledError:
            with suppress(*TRANSIENT):
                await claims.interrupt(self.pool, claim.owner, self.clock.wall(), claim.store)
            raise
        company = self.walker.retailer.company
        metrics.SCRAPES.labels(company, finished.ending).inc()
        self.observer.finished(finished)
        log.info("scrape ended", **bound, ending=finished.ending, **_summary(finished))
        return finished

    async def _fresh(self, claim: Claim, terms: Terms) -> Claim:
        """The claim, or, where its checkpoint is too old to go on with, a new scrape of the same store."""
        if not claim.resumed or self.clock.now() - claim.run.started_at <= self.resume_limit:
            return claim
        detail = f"its worker stopped, and {self.resume_limit} had passed before another could go on"
        await self._finish(claim, claim.run, Abandoned("lease-lost", detail, self.clock.now()), keep_lease=True)
        return await claims.restart(self.pool, claim, terms, self.entropy)

    async def _walk(self, claim: Claim, lost: asyncio.Event) -> tuple[Run, Ending]:
        """Read what is not staged yet; the run with its plan, and how the walk ended."""
        run = claim.run
        staged = await runs.staged(self.pool, run.scrape_id) if claim.resumed else []
        stager = _Stager(self, claim)
        try:
            session, opening = await self.walker.open(run, claim.outlet.retailer_ref)
            if run.plan is None:
                plan = await self.walker.plan(session)
                plan = replace(plan, requests=plan.requests + opening)
                await runs.save_plan(self.pool, claim, plan)
                run = replace(run, plan=plan)
            else:
                plan = run.plan
            self.observer.planned(claim, plan, len(staged))
            async with aclosing(self.walker.pages(session, plan, staged)) as pages:
                async for page in pages:
                    await stager.add(page)
                    self._seen(claim, page)
                    if lost.is_set():
                        raise LeaseLostError(claim.store)
        except BrokenError as broken:
            await stager.flush()
            return run, broken.abandoned
        except asyncio.CancelledError:
            with suppress(LeaseLostError, *TRANSIENT):  # what cannot be staged is read again; we are to stop
                await stager.flush()
            raise
        await stager.flush()
        return run, Completed()

    async def _finish(self, claim: Claim, run: Run, ending: Ending, *, keep_lease: bool = False) -> Finished:
        """Publish what passes the guards, quarantine what does not."""
        pages = await runs.staged(self.pool, run.scrape_id)
        counts = tally(run, pages)
        why = await self.objection(run, pages, counts)
        if why is not None:
            at = ending.at if isinstance(ending, Abandoned) else self.clock.now()
            await runs.quarantine(self.pool, claim, why, at, counts, ending, keep_lease=keep_lease)
            return Finished(claim, counts, quarantined=why)
        await runs.publish(self.pool, claim, run, pages, ending, self.prefix, keep_lease=keep_lease)
        return Finished(claim, counts, abandoned=ending if isinstance(ending, Abandoned) else None)

    async def objection(self, run: Run, pages: Sequence[StagedPage], counts: Tally) -> str | None:
        """What the guards have against a scrape, judged by what its store is known to charge."""
        before = await known.load(self.pool, run.store)
        comparable = None if before is None else before.before(run, pages, self.turns)
        return objection(counts, prices_of(pages), comparable) or page_objection(pages)

    async def _renew(self, claim: Claim) -> bool:
        return await claims.renew(self.pool, claim, self.clock.wall() + self.lease)

    def _seen(self, claim: Claim, page: StagedPage) -> None:
        company, content = self.walker.retailer.company, page.content
        metrics.PAGES.labels(company).inc()
        metrics.LISTINGS.labels(company).inc(len(content.listings))
        for refusal in content.refusals:
            metrics.REFUSED.labels(company, refusal.reason).inc()
        if content.ended:
            what = "category too long" if content.too_long else "category unfinished"
            log.warning(what, store=claim.store, url=page.url, why=content.ended)
        self.observer.page(claim, page)


class _Stager:
    """Stages pages in batches: by number where pages come fast, by time where they do not."""

    def __init__(self, scraper: Scraper, claim: Claim) -> None:
        self._scraper, self._claim, self._clock = scraper, claim, scraper.clock
        self._pages: list[StagedPage] = []
        self._flushed_at = self._clock.wall()

    async def add(self, page: StagedPage) -> None:
        self._pages.append(page)
        waited = self._clock.wall() - self._flushed_at
        if len(self._pages) >= FLUSH_PAGES or waited >= timedelta(seconds=FLUSH_SECONDS):
            await self.flush()

    async def flush(self) -> None:
        await self._scraper.account.book()
        if self._pages:
            pages, self._pages = self._pages, []
            await runs.stage(self._scraper.pool, self._claim, pages)
        self._flushed_at = self._clock.wall()


def _summary(finished: Finished) -> dict[str, object]:
    counts = finished.tally
    why = finished.quarantined or finished.interrupted
    if finished.abandoned is not None:
        why = finished.abandoned.detail
    summary: dict[str, object] = {
        "listings": counts.listings,
        "pages": counts.pages,
        "requests": counts.requests,
        "categories": f"{counts.categories_finished}/{counts.categories_planned}",
        "refused": counts.refused_tiles,
    }
    return summary if why is None else {**summary, "why": why}
