"""Runs on record, and what an operator makes of those in quarantine: published after all, or given up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from splitcart_common import outbox
from splitcart_common.postgres import Connection, Pool
from splitcart_scraper.domain.scrape import Abandoned, Completed, Ending, Run, Tally, assemble
from splitcart_scraper.store import Q
from splitcart_scraper.store.claims import run_of
from splitcart_scraper.store.runs import State, end, row_of, say, staged

_TALLIES = msgspec.json.Decoder(Tally)
_ENDINGS = msgspec.json.Decoder(Abandoned)


class NotQuarantinedError(Exception):
    """There is nothing to decide: the run is unknown or in another state; the text says which, for people."""


@dataclass(frozen=True, slots=True)
class Record:
    """A run with how it stands. `tally` is None while it is open; `ending` is how its walk ended."""

    run: Run
    state: State
    finished_at: datetime | None
    detail: str | None
    tally: Tally | None
    ending: Ending
    settled_at: datetime | None
    outcome: str | None


async def record(connection: Connection | Pool, scrape: UUID) -> Record | None:
    """One run, None where it is unknown."""
    row = await connection.fetchrow(Q["run"], scrape)
    return None if row is None else _record(row)


async def records(pool: Pool, company: str | None, state: str | None, limit: int) -> Sequence[Record]:
    """Runs, newest first; of a company and in a state where these are given."""
    return [_record(row) for row in await pool.fetch(Q["runs"], company, state, limit)]


async def accept(pool: Pool, scrape: UUID, prefix: str) -> Record:
    """Publish a quarantined run as it would have been, its pages under the same ids; what it was.

    NotQuarantinedError where a later scrape of the store was judged meanwhile, or somebody else has decided.
    """
    async with pool.acquire() as connection, connection.transaction():
        waiting = await _waiting(connection, scrape)
        pages = await staged(connection, scrape)
        await say(connection, waiting.run, pages, waiting.ending, prefix, was="quarantined")
        return waiting


async def reject(pool: Pool, scrape: UUID, why: str, at: datetime, prefix: str) -> Record:
    """Give a quarantined run up at a (virtual) moment; what it was.

    The log is told that the visit was made and came to nothing: ScrapeStarted, so that a fold takes notice, and
    ScrapeAbandoned with no batches. None of its observations are ever published, and its pages are gone.
    """
    async with pool.acquire() as connection, connection.transaction():
        waiting = await _waiting(connection, scrape)
        detail = f"{why}; it was quarantined as: {waiting.detail}"
        messages = assemble(waiting.run, (), Abandoned("quarantine-rejected", detail, at))
        await outbox.append(connection, (row_of(prefix, waiting.run, message) for message in messages))
        counts = waiting.tally
        assert counts is not None, "a run that has ended has its counts"  # noqa: S101 - by the statement that ends it
        await end(connection, waiting.run, "quarantined", "rejected", at, detail, counts, waiting.ending)
        await connection.execute(Q["unstage"], scrape)
        return waiting


async def _waiting(connection: Connection, scrape: UUID) -> Record:
    """A quarantined run with its store locked, so that no other scrape of it is published at the same time."""
    found = await record(connection, scrape)
    if found is None:
        raise NotQuarantinedError(f"there is no scrape {scrape}: `splitcart scrapes list` has them")
    await connection.fetchval(Q["lock_store"], found.run.store)
    now = await record(connection, scrape)
    if now is None or now.state != "quarantined":
        raise NotQuarantinedError(_why_not(found if now is None else now))
    return now


def _why_not(found: Record) -> str:
    what = f"scrape {found.run.scrape_id} of {found.run.store}"
    match found.state:
        case "replaced":
            return f"{what} is replaced: a later scrape of the store has been judged since, and this one is gone"
        case "open":
            return f"{what} is still open: it has not been judged yet"
        case _:
            return f"{what} is not quarantined but {found.state}"


def _record(row: asyncpg.Record) -> Record:
    return Record(
        run=run_of(row),
        state=row["state"],
        finished_at=row["finished_at"],
        detail=row["detail"],
        tally=None if row["tally"] is None else _TALLIES.decode(row["tally"]),
        ending=Completed() if row["ending"] is None else _ENDINGS.decode(row["ending"]),
        settled_at=row["settled_at"],
        outcome=row["outcome"],
    )
