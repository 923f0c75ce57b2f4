"""Claims: which worker has which store in hand, and until when."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from splitcart_common.events import StoreDiscovered
from splitcart_common.ids import company_of, scrape_id
from splitcart_common.postgres import Connection, Pool
from splitcart_scraper.domain.rests import NO_REST, Candidate, Rests, Standing, standing
from splitcart_scraper.domain.schedule import (
    OLDEST,
    Choice,
    NothingDue,
    Policy,
    nothing_due,
    over_budget,
    ranked,
)
from splitcart_scraper.domain.scrape import Plan, Reason, Run, Scope
from splitcart_scraper.store import Q, budgets

MOST_TRIED = 32
"""Stores tried at one claim, in order, where other workers take them at the same time."""

_OUTLETS = msgspec.json.Decoder(StoreDiscovered)
_PLANS = msgspec.json.Decoder(Plan)


@dataclass(frozen=True, slots=True)
class Terms:
    """Who claims, when (`now` virtual, `wall` and the lease wall), and what a new scrape of it will be."""

    owner: str
    now: datetime
    wall: datetime
    lease: timedelta
    parser_version: str
    rests: Rests
    scope: Scope = "full"
    policy: Policy = OLDEST
    requests_a_day: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A store in hand, with the scrape to do there; `resumed` where that was begun before."""

    store: str
    owner: str
    outlet: StoreDiscovered
    run: Run
    resumed: bool
    why: str


async def candidates(pool: Pool, company: str) -> list[Candidate]:
    """Every store of a company, as the schedule sees it."""
    return [_candidate(row) for row in await pool.fetch(Q["candidates"], company, None)]


async def claim_next(
    pool: Pool, company: str, terms: Terms, entropy: Callable[[int], bytes]
) -> Claim | NothingDue:
    """Take the next store of a company. Two workers, of whatever process, never get the same.

    When the day's budget is spent only scrapes that have begun go on.
    """
    known = await candidates(pool, company)
    order = ranked(known, terms.now, terms.wall, terms.rests, terms.policy)
    if terms.requests_a_day is not None and order:
        today = await budgets.spent(pool, company, terms.now, terms.requests_a_day)
        if today.over:
            order = [choice for choice in order if choice.standing is Standing.INTERRUPTED]
            if not order:
                return over_budget(today, nothing_due(known, terms.now, terms.wall, terms.rests))
    if not order:
        return nothing_due(known, terms.now, terms.wall, terms.rests)
    async with pool.acquire() as connection, connection.transaction():
        for choice in order[:MOST_TRIED]:
            claim = await _take(connection, choice, terms, entropy)
            if claim is not None:
                return claim
    return NothingDue("other workers have just taken the stores that were due", next_due_at=terms.now)


async def claim_store(pool: Pool, store: str, terms: Terms, entropy: Callable[[int], bytes]) -> Claim | NothingDue:
    """Take one store by an operator's wish: its rest is not kept, a lease and the day's budget are."""
    company, now = company_of(store), terms.now
    today = await budgets.spent(pool, company, now, terms.requests_a_day)
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(Q["candidates"], company, store)
        if row is None:
            return NothingDue(f"{store} is not known: `splitcart stores discover` finds the stores there are")
        candidate = _candidate(row)
        state = standing(candidate, now, terms.wall, NO_REST)
        nothing = NothingDue(f"{store} is {state}", next_lease_end_at=candidate.lease_until)
        if state not in (Standing.DUE, Standing.INTERRUPTED):
            return nothing
        if today.over and state is not Standing.INTERRUPTED:
            return over_budget(today, nothing)
        choice = Choice(store, "asked for", "manual", state, candidate.last_claimed_at, candidate.lease_until)
        claim = await _take(connection, choice, terms, entropy)
        return claim or NothingDue(f"another worker has just taken {store}")


async def restart(
    connection: Connection | Pool, claim: Claim, terms: Terms, entropy: Callable[[int], bytes]
) -> Claim:
    """A new scrape of a store in hand, whose former one has been ended."""
    run = await _new_run(connection, claim.store, claim.run.reason, terms, entropy)
    return Claim(claim.store, claim.owner, claim.outlet, run, resumed=False, why=claim.why)


async def renew(pool: Pool, claim: Claim, until: datetime) -> bool:
    """Hold a store longer (wall); False where it is another's by now."""
    return await pool.fetchval(Q["renew_lease"], claim.store, claim.owner, until) is not None


async def interrupt(pool: Pool, owner: str, wall: datetime, store: str | None = None) -> None:
    """Let go of a store, or all an owner holds, with the scrape unfinished: anyone may go on with it now."""
    await pool.execute(Q["interrupt"], owner, wall, store)


async def release(pool: Pool, company: str, wall: datetime, store: str | None = None) -> list[str]:
    """Take leased stores from their workers; which."""
    return [row["store"] for row in await pool.fetch(Q["release"], company, wall, store)]


async def flag(connection: Connection | Pool, store: str, at: datetime, why: str) -> bool:
    """Ask for a store to be scraped first; False where it is unknown or closed."""
    return await connection.fetchval(Q["flag"], store, at, why) is not None


async def unflag(pool: Pool, store: str) -> bool:
    """Take such a wish back; False where the store is unknown."""
    return await pool.fetchval(Q["unflag"], store) is not None


async def outlet(pool: Pool, store: str) -> StoreDiscovered | None:
    """What is known of a store; None where it is not."""
    stored = await pool.fetchval(Q["outlet"], store)
    return None if stored is None else _OUTLETS.decode(stored)


async def _take(
    connection: Connection, choice: Choice, terms: Terms, entropy: Callable[[int], bytes]
) -> Claim | None:
    row = await connection.fetchrow(Q["lock_choice"], choice.store, choice.last_claimed_at, choice.lease_until)
    if row is None:
        return None
    await connection.execute(Q["lease"], choice.store, terms.now, terms.owner, terms.wall + terms.lease)
    open_run = await connection.fetchrow(Q["open_run"], choice.store)
    if open_run is None:
        run = await _new_run(connection, choice.store, choice.reason, terms, entropy)
    else:
        run = run_of(open_run)
    outlet = _OUTLETS.decode(row["outlet"])
    return Claim(choice.store, terms.owner, outlet, run, resumed=open_run is not None, why=choice.why)


async def _new_run(
    connection: Connection | Pool, store: str, reason: Reason, terms: Terms, entropy: Callable[[int], bytes]
) -> Run:
    run = Run(
        scrape_id=scrape_id(terms.now, entropy(10)),
        store=store,
        reason=reason,
        scope=terms.scope,
        started_at=terms.now,
        parser_version=terms.parser_version,
    )
    await connection.execute(
        Q["new_run"], run.scrape_id, store, reason, run.scope, run.started_at, run.parser_version
    )
    return run


def _candidate(row: asyncpg.Record) -> Candidate:
    return Candidate(
        store=row["store"],
        flagged_why=row["flagged_why"],
        last_scraped_at=row["last_scraped_at"],
        last_claimed_at=row["last_claimed_at"],
        lease_until=row["lease_until"],
        closed=row["closed"],
        scrapable=row["scrapable"],
        scraped_from=row["scraped_from"],
        incomplete=row["incomplete"],
        anchor=row["anchor"],
        confirmed_at=row["confirmed_at"],
    )


def run_of(row: asyncpg.Record) -> Run:
    """A row of `runs` as the scrape it is."""
    return Run(
        scrape_id=UUID(bytes=row["scrape_id"].bytes),
        store=row["store"],
        reason=row["reason"],
        scope=row["scope"],
        started_at=row["started_at"],
        parser_version=row["parser_version"],
        plan=None if row["plan"] is None else _PLANS.decode(row["plan"]),
    )
