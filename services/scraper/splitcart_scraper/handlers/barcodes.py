"""The barcode pass: from what is known, from another gateway, then from product pages, one request at a time.

What came of a product is on record as soon as it is known, so a pass that is killed goes on with the next one.
What was found goes to the outbox in full messages, the rest when a run ends.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

import structlog

from splitcart_common.clock import Clock
from splitcart_common.events.observations import MAX_LISTINGS
from splitcart_common.ids import scrape_id
from splitcart_common.postgres import TRANSIENT, Pool
from splitcart_scraper.domain.barcodes import Finding, Reading, Wanted
from splitcart_scraper.fetch import Fetcher
from splitcart_scraper.handlers.prefill import Known
from splitcart_scraper.leases import kept
from splitcart_scraper.outcomes import BadPage, NetworkDown, NotFound, PastEnd, Read, Trouble
from splitcart_scraper.retailers.base import Request
from splitcart_scraper.store import LeaseLostError, barcodes
from splitcart_scraper.store.barcodes import Pass, Source
from splitcart_scraper.store.budgets import Account

log = structlog.get_logger()

GONE_IN_A_ROW: Final = 20
"""Products in a row, never asked for before, that have no page: then it is the addresses that are wrong."""
LOOK_SECONDS: Final = 0.1
"""Wall, between two looks at a lease that may be a dead process's."""


class ProductPages(Protocol):
    """The retailer's part; pure."""

    def request(self, store: str, wanted: Wanted) -> Request:
        """The page of a product, as a customer of a store."""
        ...

    def parse(self, body: bytes, sku: str) -> Reading:
        """What a page says about the product; PageError where it is none."""
        ...


class Elsewhere(Protocol):
    """Another source of barcodes, which costs the retailer no request."""

    async def barcodes(self, wanted: Collection[str]) -> Known:
        """Those of the SKUs that are wanted."""
        ...


class Watcher(Protocol):
    """Called as a pass goes on; must not block."""

    def begun(self, done: int, total: int) -> None:
        """So many of all products are done already."""
        ...

    def done(self, products: int, found: int) -> None:
        """So many more are, and for so many a barcode was found."""
        ...


@dataclass(slots=True)
class Report:
    """What one run did. `done` counts the whole pass, `findings` and `requests` this run's pages."""

    store: str
    done: int = 0
    left: int = 0
    resting: int = 0
    known: int = 0
    prefilled: int = 0
    published: int = 0
    requests: int = 0
    findings: dict[Finding, int] = field(default_factory=dict)
    stopped: str | None = None
    """Why it ended before the pages did: the trouble's name and words."""
    source_failed: bool = False
    """It was the other gateway that could not be read."""
    again_at: datetime | None = None
    """When (virtual) the company may be asked again, where the day's budget ended the run."""

    @property
    def pages(self) -> int:
        """Products that were asked for."""
        return sum(self.findings.values())


class BusyError(RuntimeError):
    """Another process reads the company's barcodes."""


class NoStoreError(RuntimeError):
    """No store of the company is on record, as whose customer its pages could be read."""


@dataclass(slots=True)
class BarcodeReader:
    """What it takes to find the barcodes a company's listings lack. `lease` is wall time."""

    company: str
    pages: ProductPages
    fetcher: Fetcher
    pool: Pool
    clock: Clock
    prefix: str
    owner: str
    lease: timedelta
    troubles: int
    """Products in a row that cannot be read before the pass stops."""
    account: Account
    """The company's day, shared with its scrapes."""
    entropy: Callable[[int], bytes]

    async def run(self, watcher: Watcher, limit: int | None = None, elsewhere: Elsewhere | None = None) -> Report:
        """Go on with the pass, or begin one; at most `limit` products are read from pages.

        BusyError, NoStoreError, NoListingsError before anything is done; LeaseLostError where another took over.
        """
        held = await self._hold()
        report = Report(held.store)
        finished = False
        try:
            beat = kept(f"barcodes of {self.company}", self.lease.total_seconds(), partial(self._renew, held))
            async with beat as lost:
                await self._work(held, report, watcher, limit, elsewhere, lost)
                finished = report.left == 0 and report.stopped is None
                report.published += await self._publish(held, all_of_them=True)
        except asyncio.CancelledError:
            with suppress(LeaseLostError, *TRANSIENT):  # what is not said now is said by the next run
                await self._publish(held, all_of_them=True)
            raise
        finally:
            with suppress(*TRANSIENT):
                await self.account.book()
                await barcodes.leave(self.pool, held, self.clock.now() if finished else None)
        log.info(
            "barcodes read",
            company=self.company,
            pages=report.pages,
            published=report.published,
            left=report.left,
            stopped=report.stopped,
        )
        return report

    async def _hold(self) -> Pass:
        """The pass, leased. A lease that is not renewed while we watch is a dead process's, and ends."""
        store = await barcodes.store_to_read(self.pool, self.company)
        if store is None:
            raise NoStoreError
        now = self.clock.now()
        fresh = Pass(self.company, self.owner, scrape_id(now, self.entropy(10)), store, now)
        first: datetime | None = None
        while True:
            wall = self.clock.wall()
            held = await barcodes.lease(self.pool, fresh, wall, wall + self.lease)
            if isinstance(held, Pass):
                return held
            first = first or held
            if held > first:
                raise BusyError
            await asyncio.sleep(LOOK_SECONDS)

    async def _work(
        self,
        held: Pass,
        report: Report,
        watcher: Watcher,
        limit: int | None,
        elsewhere: Elsewhere | None,
        lost: asyncio.Event,
    ) -> None:
        report.known = await barcodes.repeat_known(self.pool, held, self.clock.now())
        missing = await barcodes.missing(self.pool, held, self.clock.now())
        wanted, report.resting = missing.wanted, missing.resting
        report.done = await barcodes.done(self.pool, held)
        report.left = len(wanted)
        watcher.begun(report.done, report.done + report.left)
        if elsewhere is not None and wanted:
            wanted = await self._prefill(held, report, watcher, wanted, elsewhere)
        if report.stopped is None and wanted:
            async with self.fetcher.pace.visit():
                await self._read(held, report, watcher, wanted[:limit], lost)

    async def _prefill(
        self, held: Pass, report: Report, watcher: Watcher, wanted: Sequence[Wanted], elsewhere: Elsewhere
    ) -> tuple[Wanted, ...]:
        """Take what the other gateway knows; what is wanted still."""
        known = await elsewhere.barcodes({product.sku for product in wanted})
        if known.trouble is not None:
            report.stopped, report.source_failed = known.trouble, True
        readings = [(sku, Reading(Finding.FOUND, code)) for sku, code in sorted(known.barcodes.items())]
        await self._record(held, report, readings, "prefill")
        report.prefilled = len(readings)
        watcher.done(len(readings), len(readings))
        return tuple(product for product in wanted if product.sku not in known.barcodes)

    async def _read(
        self, held: Pass, report: Report, watcher: Watcher, wanted: Sequence[Wanted], lost: asyncio.Event
    ) -> None:
        """Ask for the pages in turn, until the host has had enough."""
        unreadable: list[str] = []
        gone: list[str] = []
        unsaid = 0
        for product in wanted:
            if lost.is_set():
                raise LeaseLostError(f"the barcodes of {self.company}")
            today = await self.account.today()
            if today.over:
                report.again_at = today.next_day_at
                return
            answer = await self.fetcher.read(
                self.pages.request(held.store, product), partial(self.pages.parse, sku=product.sku)
            )
            report.requests += answer.requests
            reading = _reading(answer)
            if reading is None:
                report.stopped = _words(answer)
                return
            await self._record(held, report, [(product.sku, reading)], "page")
            report.findings[reading.finding] = report.findings.get(reading.finding, 0) + 1
            watcher.done(1, int(reading.finding is Finding.FOUND))
            unreadable = [*unreadable, product.sku] if reading.finding is Finding.UNREADABLE else []
            if reading.finding is Finding.GONE and not product.again:
                gone.append(product.sku)
            elif reading.finding not in (Finding.GONE, Finding.UNREADABLE):
                gone = []
            if len(unreadable) >= self.troubles:
                await self._take_back(held, report, unreadable, Finding.UNREADABLE)
                report.stopped = f"{len(unreadable)} products in a row could not be read: {_words(answer)}"
                return
            if len(gone) >= GONE_IN_A_ROW:
                await self._take_back(held, report, gone, Finding.GONE)
                report.stopped = f"drift: {len(gone)} products in a row have no page, the last: {reading.detail}"
                return
            unsaid += reading.finding is Finding.FOUND
            if unsaid >= MAX_LISTINGS:
                report.published += await self._publish(held, all_of_them=False)
                unsaid = 0

    async def _record(
        self, held: Pass, report: Report, readings: Sequence[tuple[str, Reading]], source: Source
    ) -> None:
        if readings:
            await barcodes.record(self.pool, held, readings, source, self.clock.now())
            report.done += len(readings)
            report.left -= len(readings)

    async def _take_back(self, held: Pass, report: Report, skus: Sequence[str], finding: Finding) -> None:
        """Findings that were no word about the products: the next run asks for them again."""
        await barcodes.forget(self.pool, held, skus)
        report.findings[finding] -= len(skus)
        report.done -= len(skus)
        report.left += len(skus)

    async def _publish(self, held: Pass, *, all_of_them: bool) -> int:
        return await barcodes.publish(self.pool, held, self.clock.now(), self.prefix, all_of_them=all_of_them)

    async def _renew(self, held: Pass) -> bool:
        return await barcodes.renew(self.pool, held, self.clock.wall() + self.lease)


def _reading(answer: Read[Reading] | PastEnd | Trouble) -> Reading | None:
    """What an answer says about its product, None where it says something about the host."""
    match answer:
        case Read():
            return answer.value
        case PastEnd():
            return Reading(Finding.GONE, detail="there is no such page")
        case NetworkDown() | BadPage() | NotFound():
            return Reading(Finding.UNREADABLE, detail=_words(answer)[:200])
        case _:
            return None


def _words(answer: Read[Reading] | PastEnd | Trouble) -> str:
    """A trouble's name, as in `bot-wall`, and what it was."""
    name = re.sub(r"(?<=.)([A-Z])", r"-\1", type(answer).__name__).lower()
    return f"{name}: {answer.detail}" if isinstance(answer, Trouble) else name
