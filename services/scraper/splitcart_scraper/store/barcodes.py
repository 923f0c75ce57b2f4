"""The barcode pass: which listings lack a barcode, what came of each, and what is still to be said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import asyncpg

from splitcart_common import outbox
from splitcart_common.events import BarcodeReading, BarcodesObserved
from splitcart_common.events.observations import MAX_LISTINGS
from splitcart_common.ids import batch_id
from splitcart_common.postgres import Pool
from splitcart_scraper.domain.barcodes import Reading, Wanted
from splitcart_scraper.store import LeaseLostError, Q
from splitcart_scraper.store.runs import PRODUCER

Source = Literal["page", "prefill"]

REST: Final = timedelta(days=90)
"""Virtual; before a product whose page bears no barcode, or that has no page, is asked for again."""
UNREADABLE_REST: Final = timedelta(days=1)
"""Virtual; before a product is asked for again whose page could not be read."""
REPEAT_AFTER: Final = timedelta(days=1)
"""Virtual; a barcode that was published so long ago and has not arrived in the listings is published once more."""


class NoListingsError(RuntimeError):
    """The view of the listings is not there: ingest has never run on this database."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One reading of all barcodes a company lacks, over any number of runs. `owner` holds it now.

    Its id is what its messages are correlated by and their ids are computed from, `store` is their key.
    """

    company: str
    owner: str
    pass_id: UUID
    store: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Missing:
    """The listings without a barcode, by what is to be done about them."""

    wanted: tuple[Wanted, ...]
    """Those to ask for, in SKU order."""
    resting: int
    """Asked for in an earlier pass, and left alone."""


async def store_to_read(pool: Pool, company: str) -> str | None:
    """The store as whose customer pages are read: the one scraped last; None where none is on record."""
    store: str | None = await pool.fetchval(Q["store_to_read"], company)
    return store


async def lease(pool: Pool, fresh: Pass, wall: datetime, until: datetime) -> Pass | datetime:
    """The company's unfinished pass, else `fresh`, held until a (wall) moment; or until when another holds it."""
    row = await pool.fetchrow(
        Q["lease_barcodes"],
        fresh.company, fresh.pass_id, fresh.store, fresh.started_at, fresh.owner, wall, until,
    )  # fmt: skip
    if row is None:
        held: datetime | None = await pool.fetchval(Q["barcodes_leased_until"], fresh.company)
        return held or wall
    return Pass(fresh.company, fresh.owner, UUID(bytes=row["pass_id"].bytes), row["store"], row["started_at"])


async def renew(pool: Pool, held: Pass, until: datetime) -> bool:
    """Hold the pass longer (wall); False where it is another's by now."""
    return await pool.fetchval(Q["renew_barcodes"], held.company, held.owner, until) is not None


async def leave(pool: Pool, held: Pass, finished_at: datetime | None) -> None:
    """Let go of the pass; with a (virtual) moment it is finished, else it goes on at the next run."""
    await pool.execute(Q["leave_barcodes"], held.company, held.owner, finished_at)


async def repeat_known(pool: Pool, held: Pass, now: datetime) -> int:
    """Have barcodes said again that earlier passes found and the listings still lack; how many.

    They cost no request: what ingest missed, because its log was lost or not folded yet, is known here.
    """
    rows = await _listings(pool, "repeat_barcodes", held.company, held.owner, held.pass_id, now - REPEAT_AFTER)
    return len(rows)


async def missing(pool: Pool, held: Pass, now: datetime) -> Missing:
    """The listings of the company without a barcode, but for those with one on record here."""
    rows = await _listings(pool, "barcodes_missing", held.company, held.pass_id, now - UNREADABLE_REST, now - REST)
    due = (row for row in rows if row["due"])
    wanted = tuple(Wanted(row["sku"], row["name"], row["brand"], row["size"], row["again"]) for row in due)
    return Missing(wanted, sum(row["resting"] for row in rows))


async def done(pool: Pool, held: Pass) -> int:
    """How many products the pass has done with."""
    count: int = await pool.fetchval(Q["barcodes_done"], held.company, held.pass_id)
    return count


async def record(
    pool: Pool, held: Pass, readings: Sequence[tuple[str, Reading]], source: Source, seen_at: datetime
) -> None:
    """Keep what came of products, by SKU, each once; LeaseLostError where the pass is another's by now."""
    status = await pool.execute(
        Q["record_barcodes"],
        held.company,
        held.owner,
        held.pass_id,
        source,
        seen_at,
        [sku for sku, _ in readings],
        [reading.finding.value for _, reading in readings],
        [reading.barcode for _, reading in readings],
        [reading.detail or None for _, reading in readings],
    )
    if status != f"INSERT 0 {len(readings)}":
        raise LeaseLostError(f"the barcodes of {held.company}")


async def forget(pool: Pool, held: Pass, skus: Sequence[str]) -> None:
    """Have products asked for anew whose findings were the host's fault; those with a barcode stay."""
    await pool.execute(Q["forget_barcodes"], held.company, held.owner, list(skus))


async def publish(pool: Pool, held: Pass, at: datetime, prefix: str, *, all_of_them: bool) -> int:
    """Say what waits to be said, in full messages, or `all_of_them`; how many barcodes. `at` is virtual.

    Outbox rows, marks and the number of the batch are one transaction, so a barcode is in one message, whose id
    follows from pass and number. LeaseLostError where the pass is another's by now.
    """
    said = 0
    while (count := await _publish_one(pool, held, at, prefix, 1 if all_of_them else MAX_LISTINGS)) > 0:
        said += count
    return said


async def _publish_one(pool: Pool, held: Pass, at: datetime, prefix: str, least: int) -> int:
    async with pool.acquire() as connection, connection.transaction():
        number = await connection.fetchval(Q["lock_barcode_pass"], held.company, held.owner)
        if number is None:
            raise LeaseLostError(f"the barcodes of {held.company}")
        rows = await connection.fetch(Q["unsaid_barcodes"], held.company, MAX_LISTINGS)
        if len(rows) < least:
            return 0
        event = BarcodesObserved(
            company=held.company,
            store=held.store,
            items=tuple(BarcodeReading(row["sku"], row["barcode"], row["seen_at"], row["source"]) for row in rows),
        )
        batch = number + 1
        message = outbox.to_row(
            prefix,
            held.store,
            event,
            event_id=batch_id(held.pass_id, batch),
            occurred_at=at,
            correlation_id=held.pass_id,
            producer=PRODUCER,
        )
        await outbox.append(connection, [message])
        await connection.execute(Q["barcodes_said"], held.company, [row["sku"] for row in rows], batch, at)
        return len(rows)


async def _listings(pool: Pool, query: str, *arguments: object) -> list[asyncpg.Record]:
    """A query that looks at ingest's view."""
    try:
        return await pool.fetch(Q[query], *arguments)
    except asyncpg.UndefinedTableError:
        raise NoListingsError from None
