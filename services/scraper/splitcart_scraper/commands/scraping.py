"""`splitcart scrape` and `splitcart stores discover`."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import takewhile

from splitcart_common.ids import scrape_id
from splitcart_common.postgres import TRANSIENT
from splitcart_scraper.app import Parts, company_of
from splitcart_scraper.commands.progress import watching
from splitcart_scraper.commands.shell import (
    NOT_WANTED,
    CommandError,
    connected,
    execute,
    publishing,
    settings_to_visit,
    store_of,
)
from splitcart_scraper.domain.budgets import OverBudgetError
from splitcart_scraper.domain.schedule import NothingDue, choose
from splitcart_scraper.domain.scrape import Abandoned, Run, Scope, StagedPage, Tally, tally
from splitcart_scraper.handlers.observer import Finished, Observer
from splitcart_scraper.handlers.walk import BrokenError, Budget
from splitcart_scraper.handlers.workers import LOOK_SECONDS, Company
from splitcart_scraper.store import claims
from splitcart_scraper.store.claims import Claim

Said = tuple[dict[str, object], str]


@dataclass(frozen=True, slots=True)
class Wish:
    """What `scrape` was asked for."""

    company: str
    workers: int
    store: str | None
    max_requests: int | None


@dataclass(slots=True)
class _Log:
    """What the workers of one command did, and why they have stopped."""

    finished: list[Finished] = field(default_factory=list)
    nothing: NothingDue | None = None


def scrape(wish: Wish, base_url: str | None, *, dry_run: bool, dev: bool, as_json: bool) -> None:
    """The verb `scrape`."""

    async def main() -> Said:
        settings = settings_to_visit(wish.company, base_url, dev=dev)
        async with connected(settings) as made:
            if dry_run:
                return await _try_out(made, wish)
            async with publishing(made):
                with watching(wish.company) as observer:
                    return await _scrape(made, wish, observer)

    execute(main(), as_json=as_json)


def discover(company: str, base_url: str | None, *, dev: bool, as_json: bool) -> None:
    """The verb `stores discover`."""

    async def main() -> Said:
        async with connected(settings_to_visit(company, base_url, dev=dev)) as made, publishing(made):
            try:
                found = await company_of(made, company).discovery.now()
            except OverBudgetError as error:
                raise CommandError(str(error)) from None
        if found is None:
            raise CommandError(f"another process is discovering the stores of {company}: try again later")
        if found.trouble is not None and not found.stores:
            raise CommandError(f"no store could be found: {found.trouble}", NOT_WANTED)
        content: dict[str, object] = {
            "company": company,
            "stores": found.stores,
            "new_or_changed": len(found.changes.discovered),
            "closed": [closed.store for closed in found.changes.closed],
            "requests": found.requests,
            "trouble": found.trouble,
        }
        words = (
            f"{company}: {found.stores} stores, {len(found.changes.discovered)} new or changed, "
            f"{len(found.changes.closed)} closed, in {found.requests} requests"
        )
        return content, words if found.trouble is None else f"{words}; not complete: {found.trouble}"

    execute(main(), as_json=as_json)


async def _scrape(made: Parts, wish: Wish, observer: Observer) -> Said:
    budget = Budget(wish.max_requests)
    scope: Scope = "full" if wish.max_requests is None else "part"
    company = company_of(made, wish.company, scope=scope, budget=budget, observer=observer)
    done = _Log()
    count = 1 if wish.store is not None else wish.workers
    store = store_of(wish.company, wish.store) if wish.store is not None else None
    tasks = [asyncio.create_task(_work(made, company, store, n, done)) for n in range(1, count + 1)]
    try:
        await asyncio.gather(*tasks)
    except TRANSIENT as error:
        raise CommandError(f"the database went away ({error}): what was read by then is staged") from None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    content: dict[str, object] = {
        "company": wish.company,
        "scrapes": [_content(finished) for finished in done.finished],
        "nothing_due": None if done.nothing is None else done.nothing.why,
        "next_due_at": _iso(done.nothing.next_due_at if done.nothing is not None else None),
        "stopped": company.strikes.why if company.strikes.out else None,
    }
    if company.strikes.out:
        lost = sum(1 for _ in takewhile(lambda finished: finished.abandoned is not None, reversed(done.finished)))
        scrapes = "1 abandoned scrape" if lost == 1 else f"{lost} abandoned scrapes in a row"
        raise CommandError(f"stopped after {scrapes}: {company.strikes.why}", NOT_WANTED)
    if wish.store is not None and not done.finished and done.nothing is not None:
        raise CommandError(done.nothing.why)
    return content, _words(done)


async def _work(made: Parts, company: Company, store: str | None, number: int, done: _Log) -> None:
    """One worker: until nothing is due, the budget is spent, or the retailer has had enough."""
    take = (
        partial(claims.claim_next, made.pool, company.name)
        if store is None
        else partial(claims.claim_store, made.pool, store)
    )
    while not company.strikes.out and not company.scraper.walker.budget.spent:
        terms = company.terms_of(number)
        claim = await take(terms, made.entropy)
        if not isinstance(claim, Claim):
            if claim.next_due_at is not None and claim.next_due_at <= terms.now:  # others were quicker
                await asyncio.sleep(LOOK_SECONDS[0])
                continue
            done.nothing = claim
            return
        finished = await company.scraper.scrape(claim, terms)
        done.finished.append(finished)
        company.strikes.judge(finished)
        if store is not None:
            return


async def _try_out(made: Parts, wish: Wish) -> Said:
    """Read one store without a claim, and say what would have been published."""
    company = company_of(made, wish.company, budget=Budget(wish.max_requests))
    now = made.clock.now()
    store = store_of(wish.company, wish.store) if wish.store is not None else None
    if store is None:
        known = await claims.candidates(made.pool, wish.company)
        choice = choose(known, now, made.clock.wall(), made.settings.rests, made.settings.policy)
        if isinstance(choice, NothingDue):
            raise CommandError(choice.why)
        store = choice.store
    outlet = await claims.outlet(made.pool, store)
    if outlet is None:
        raise CommandError(f"{store} is not known: `splitcart stores discover` finds the stores there are")
    if not company.scraper.walker.retailer.scrapable(outlet):
        raise CommandError(f"{store} sells nothing online: it shows its prices nowhere")
    today = await company.scraper.account.today()
    if today.over:
        raise CommandError(today.refusal("no store is tried out"))
    walker, pages = company.scraper.walker, list[StagedPage]()
    identity = scrape_id(now, made.entropy(10))
    run = Run(identity, store, "manual", "full", now, company.terms.parser_version)
    broken: Abandoned | None = None
    async with walker.fetcher.pace.visit():
        try:
            session, _ = await walker.open(run, outlet.retailer_ref)
            plan = await walker.plan(session)
            run = replace(run, plan=plan)
            async for page in walker.pages(session, plan, ()):
                pages.append(page)  # one by one: what was read before a wall is kept
        except BrokenError as error:
            broken = error.abandoned
        finally:
            await company.scraper.account.book()
    counts = tally(run, pages)
    why = await company.scraper.objection(run, pages, counts)
    content = {"store": store, "dry_run": True, **_numbers(counts), "quarantined": why}
    content["abandoned"] = None if broken is None else f"{broken.reason}: {broken.detail}"
    ending = why or content["abandoned"] or "would be published"
    return content, f"{store}: {_counted(counts)}; {ending}"


def _content(finished: Finished) -> dict[str, object]:
    abandoned = finished.abandoned
    return {
        "store": finished.claim.store,
        "scrape_id": str(finished.claim.run.scrape_id),
        "resumed": finished.claim.resumed,
        "ending": finished.ending,
        "why": finished.quarantined or finished.interrupted or (abandoned.detail if abandoned else None),
        **_numbers(finished.tally),
    }


def _numbers(counts: Tally) -> dict[str, object]:
    return {
        "listings": counts.listings,
        "pages": counts.pages,
        "requests": counts.requests,
        "refused": counts.refused_tiles,
        "categories_finished": counts.categories_finished,
        "categories_planned": counts.categories_planned,
    }


def _counted(counts: Tally) -> str:
    return (
        f"{counts.listings} listings on {counts.pages} pages, {counts.requests} requests, "
        f"{counts.categories_finished} of {counts.categories_planned} categories, {counts.refused_tiles} refused"
    )


def _words(done: _Log) -> str:
    lines = [
        f"{finished.claim.store}: {finished.ending}, {_counted(finished.tally)}" for finished in done.finished
    ]
    if done.nothing is not None:
        at = _iso(done.nothing.next_due_at)
        lines.append(done.nothing.why if at is None else f"{done.nothing.why}; the next one at {at}")
    return "\n".join(lines) or "nothing was scraped"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
