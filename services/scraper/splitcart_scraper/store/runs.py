"""Scrape runs: the plan, the staged pages, and how a run ends: published, or kept for an operator (`judged`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg
import msgspec

from splitcart_common import outbox
from splitcart_common.postgres import Connection, Pool
from splitcart_scraper.domain.guards import prices_of
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.domain.scrape import (
    Abandoned,
    Ending,
    Message,
    Plan,
    Run,
    StagedPage,
    Tally,
    assemble,
    tally,
)
from splitcart_scraper.store import LeaseLostError, Q, known
from splitcart_scraper.store.claims import Claim

State = Literal["open", "quarantined", "replaced", "rejected", "completed", "abandoned"]

PRODUCER = "scraper"

_ENCODER = msgspec.json.Encoder()
_CONTENTS = msgspec.json.Decoder(PageContent)


async def save_plan(pool: Pool, claim: Claim, plan: Plan) -> None:
    """Keep what a scrape means to walk; LeaseLostError where the store is another's by now."""
    kept = await pool.fetchval(Q["plan"], claim.run.scrape_id, _ENCODER.encode(plan), claim.owner)
    if kept is None:
        raise LeaseLostError(claim.store)


async def stage(pool: Pool, claim: Claim, pages: Sequence[StagedPage]) -> None:
    """Add pages to the checkpoint, in one statement; LeaseLostError where the store is another's by now."""
    try:
        status = await pool.execute(
            Q["stage"],
            claim.run.scrape_id,
            claim.store,
            claim.owner,
            [page.page for page in pages],
            [page.category for page in pages],
            [page.url for page in pages],
            [page.requests for page in pages],
            [page.requested_at for page in pages],
            [page.received_at for page in pages],
            [_ENCODER.encode(page.content) for page in pages],
        )
    except (asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError):
        raise LeaseLostError(claim.store) from None
    if status != f"INSERT 0 {len(pages)}":
        raise LeaseLostError(claim.store)


async def staged(connection: Connection | Pool, scrape: UUID) -> list[StagedPage]:
    """The checkpoint of a scrape, in the order its pages were read."""
    return [
        StagedPage(
            page=row["page"],
            category=row["category"],
            url=row["url"],
            requests=row["requests"],
            requested_at=row["requested_at"],
            received_at=row["received_at"],
            content=_CONTENTS.decode(row["content"]),
        )
        for row in await connection.fetch(Q["staged"], scrape)
    ]


async def publish(
    pool: Pool,
    claim: Claim,
    run: Run,
    pages: Sequence[StagedPage],
    ending: Ending,
    prefix: str,
    *,
    keep_lease: bool = False,
) -> None:
    """End a scrape by publishing its staged pages: outbox rows, run, schedule and lease in one transaction.

    LeaseLostError, and nothing is written, where the store is another's by now; while it is ours nobody else
    can have staged a page since these were read.
    """
    async with pool.acquire() as connection, connection.transaction():
        await _lock(connection, claim)
        await say(connection, run, pages, ending, prefix)
        if not keep_lease:
            await connection.execute(Q["give_up_lease"], claim.store)


async def say(
    connection: Connection,
    run: Run,
    pages: Sequence[StagedPage],
    ending: Ending,
    prefix: str,
    was: State = "open",
) -> None:
    """Publish a scrape within a transaction that has its store locked: outbox rows, run, schedule, known prices.

    LeaseLostError where the run is not in the state it was in.
    """
    messages = list(assemble(run, pages, ending))
    await outbox.append(connection, (row_of(prefix, run, message) for message in messages))
    finished_at = messages[-1].occurred_at
    abandoned = isinstance(ending, Abandoned)
    detail = f"{ending.reason}: {ending.detail}" if isinstance(ending, Abandoned) else None
    counts = tally(run, pages)
    await end(connection, run, was, "abandoned" if abandoned else "completed", finished_at, detail, counts)
    await connection.execute(Q["unstage"], run.scrape_id)
    if not abandoned and run.scope == "full" and counts.walked:
        await connection.execute(Q["mark_scraped"], run.store, finished_at, run.started_at)
    await known.save(connection, run, prices_of(pages))


async def quarantine(
    pool: Pool, claim: Claim, why: str, at: datetime, counts: Tally, ending: Ending, *, keep_lease: bool = False
) -> None:
    """End a scrape without publishing it: its pages wait for an operator, those of an older one no more."""
    async with pool.acquire() as connection, connection.transaction():
        await _lock(connection, claim)
        await end(connection, claim.run, "open", "quarantined", at, why, counts, ending)
        if not keep_lease:
            await connection.execute(Q["give_up_lease"], claim.store)


async def settle(connection: Connection, scrape: UUID, at: datetime, outcome: str) -> bool:
    """Ingest has folded a scrape; False where it is none of ours."""
    return await connection.fetchval(Q["settle"], scrape, at, outcome) is not None


async def _lock(connection: Connection, claim: Claim) -> None:
    if await connection.fetchval(Q["lock_held"], claim.store, claim.owner) is None:
        raise LeaseLostError(claim.store)


async def end(
    connection: Connection,
    run: Run,
    was: State,
    state: State,
    at: datetime,
    detail: str | None,
    counts: Tally,
    ending: Ending | None = None,
) -> None:
    """Note how a run ended; one of its store that still waits in quarantine is of no use any more."""
    abandoned = _ENCODER.encode(ending) if isinstance(ending, Abandoned) else None
    ended = await connection.fetchval(
        Q["end_run"], run.scrape_id, was, state, at, detail, _ENCODER.encode(counts), abandoned
    )
    if ended is None:
        raise LeaseLostError(run.store)
    for row in await connection.fetch(Q["replace_quarantined"], run.store, run.scrape_id):
        await connection.execute(Q["unstage"], row["scrape_id"])


def row_of(prefix: str, run: Run, message: Message) -> outbox.OutboxRow:
    """A message of a scrape as it waits in the outbox."""
    return outbox.to_row(
        prefix,
        run.store,
        message.event,
        event_id=message.event_id,
        occurred_at=message.occurred_at,
        correlation_id=run.scrape_id,
        producer=PRODUCER,
    )
