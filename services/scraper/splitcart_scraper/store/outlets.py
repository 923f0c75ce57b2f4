"""The stores on record, and the discoveries that find them."""

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from splitcart_common import outbox
from splitcart_common.events import StoreClosed, StoreDiscovered
from splitcart_common.ids import derived_id
from splitcart_common.postgres import Pool
from splitcart_scraper.domain.outlets import KnownOutlet, OutletChanges
from splitcart_scraper.store import LeaseLostError, Q
from splitcart_scraper.store.runs import PRODUCER

_ENCODER = msgspec.json.Encoder()
_OUTLETS = msgspec.json.Decoder(StoreDiscovered)


async def known(pool: Pool, company: str) -> dict[str, KnownOutlet]:
    """The stores of a company by key, closed ones too."""
    return {
        row["store"]: KnownOutlet(_OUTLETS.decode(row["outlet"]), row["missed"], row["closed"])
        for row in await pool.fetch(Q["outlets"], company)
    }


async def lease_discovery(
    pool: Pool, company: str, owner: str, wall: datetime, until: datetime, finished_before: datetime
) -> bool:
    """Take a company's discovery if it is due (none finished since a virtual moment) and nobody is at it."""
    taken = await pool.fetchval(Q["lease_discovery"], company, owner, wall, until, finished_before)
    return taken is not None


async def renew_discovery(pool: Pool, company: str, owner: str, until: datetime) -> bool:
    """Hold a discovery longer (wall); False where it is another's by now."""
    return await pool.fetchval(Q["renew_discovery"], company, owner, until) is not None


async def end_discovery(
    pool: Pool,
    company: str,
    owner: str,
    changes: OutletChanges,
    *,
    discovery: UUID,
    at: datetime,
    scrapable: Callable[[StoreDiscovered], bool],
    complete: bool,
    retry_at: datetime,
    prefix: str,
) -> None:
    """Record what a discovery changed and publish it, in one transaction.

    One that is not complete is due again at `retry_at` (wall). Outbox rows of one store are written under the
    discovery's row, which one process holds at a time.
    """
    rows = list(_rows(changes, discovery, at, prefix))
    async with pool.acquire() as connection, connection.transaction():
        ended = await connection.execute(
            Q["end_discovery"],
            company,
            owner,
            at if complete else None,
            len(changes.discovered) + len(changes.listed),
            None if complete else retry_at,
        )
        if ended != "UPDATE 1":
            raise LeaseLostError(f"discovery of {company}")
        await connection.execute(
            Q["put_outlets"],
            company,
            at,
            [outlet.store for outlet in changes.discovered],
            [_ENCODER.encode(outlet) for outlet in changes.discovered],
            [scrapable(outlet) for outlet in changes.discovered],
        )
        await connection.execute(Q["listed"], at, list(changes.listed))
        await connection.execute(Q["missed"], list(changes.missed), list(changes.missed.values()))
        await connection.execute(Q["close"], at, [closed.store for closed in changes.closed])
        await outbox.append(connection, rows)


def _rows(changes: OutletChanges, discovery: UUID, at: datetime, prefix: str) -> Iterable[outbox.OutboxRow]:
    events: list[StoreDiscovered | StoreClosed] = [*changes.discovered, *changes.closed]
    for event in events:
        yield outbox.to_row(
            prefix,
            event.store,
            event,
            event_id=derived_id(discovery, f"{event.TYPE} {event.store}"),
            occurred_at=at,
            correlation_id=discovery,
            producer=PRODUCER,
        )
