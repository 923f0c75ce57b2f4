"""Dead letters brought back: what was, what forbids it, and the scrape or the message that does it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from splitcart_common import outbox
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event, StoreClosed, StoreDiscovered
from splitcart_common.ids import derived_id
from splitcart_common.postgres import Connection, Pool, load_queries
from splitcart_scraper.domain.redrive import Lost, assemble, tally_of
from splitcart_scraper.domain.scrape import Run
from splitcart_scraper.store import Q
from splitcart_scraper.store.runs import PRODUCER

_SQL: Final = load_queries("splitcart_scraper", "sql/redrives.sql")
_ENCODER: Final = msgspec.json.Encoder()
_OUTLETS: Final = msgspec.json.Decoder(StoreDiscovered)

Place = tuple[str, int, int]
"""Where a message stood: topic, partition, offset."""


class NotRedrivenError(Exception):
    """A letter that is not brought back; the text says why, and what to do instead."""


class DoneError(Exception):
    """Somebody else has brought it back meanwhile."""


@dataclass(frozen=True, slots=True)
class Redriven:
    """When (virtual) a letter was brought back; `scrape_id` is the scrape it became, None if it was said again."""

    at: datetime
    scrape_id: UUID | None


async def redriven(connection: Connection | Pool) -> Mapping[Place, Redriven]:
    """Every letter that was brought back, by where its message stood."""
    return {
        (row["topic"], row["partition"], row["offset"]): Redriven(row["at"], row["scrape_id"])
        for row in await connection.fetch(_SQL["redriven"])
    }


async def redrives_of(connection: Connection | Pool, scrape: UUID) -> set[UUID]:
    """The scrapes that bring back what one has lost."""
    return {row["scrape_id"] for row in await connection.fetch(_SQL["redrives_of"], scrape)}


async def check(connection: Connection | Pool, store: str, scrape: UUID, began_at: datetime) -> None:
    """NotRedrivenError where the store is unknown, or a later scrape of it has settled or is about to."""
    await check_store(connection, store)
    later = await connection.fetchrow(_SQL["later_scrape"], store, scrape, began_at)
    if later is not None:
        raise NotRedrivenError(superseded(later["scrape_id"], later["started_at"]))


async def check_store(connection: Connection | Pool, store: str) -> None:
    """NotRedrivenError where a store is none of ours."""
    if await connection.fetchval(Q["outlet"], store) is None:
        raise NotRedrivenError(unknown(store))


def superseded(scrape: UUID, started_at: datetime) -> str:
    """Why a letter is too old."""
    return (
        f"the store was scraped again, at {started_at.isoformat(timespec='minutes')} (scrape {scrape}): what it "
        "charges is known from that, and older prices must not come after newer ones"
    )


async def publish(
    pool: Pool,
    run: Run,
    lost: Sequence[Lost],
    places: Sequence[Place],
    of_scrape: UUID,
    began_at: datetime,
    at: datetime,
    prefix: str,
) -> None:
    """Bring batches back as a scrape of their own: outbox rows, run and letters in one transaction.

    NotRedrivenError where the store is not known, or was scraped since; DoneError where it was done meanwhile.
    """
    async with pool.acquire() as connection, connection.transaction():
        await _lock(connection, run.store)
        await check(connection, run.store, of_scrape, began_at)
        rows = [
            outbox.to_row(
                prefix,
                run.store,
                message.event,
                event_id=message.event_id,
                occurred_at=message.occurred_at,
                correlation_id=run.scrape_id,
                causation_id=cause,
                producer=PRODUCER,
            )
            for message, cause in assemble(run, lost)
        ]
        await outbox.append(connection, rows)
        finished_at = max(one.occurred_at for one in lost)
        counts = _ENCODER.encode(tally_of(lost))
        await connection.execute(
            _SQL["redrive_run"], run.scrape_id, run.store, run.started_at, run.parser_version, finished_at, counts
        )
        await _record(connection, places, run.store, of_scrape, run.scrape_id, at)


async def say_again(
    pool: Pool, event: Event, envelope: Envelope, store: str, place: Place, at: datetime, prefix: str
) -> None:
    """Publish an event once more, under an id of its own; NotRedrivenError, DoneError as `publish`."""
    row = outbox.to_row(
        prefix,
        store,
        event,
        event_id=derived_id(envelope.event_id, "redrive"),
        occurred_at=envelope.occurred_at,
        correlation_id=envelope.correlation_id,
        causation_id=envelope.event_id,
        producer=PRODUCER,
    )
    async with pool.acquire() as connection, connection.transaction():
        await _lock(connection, store)
        await outbox.append(connection, [row])
        await _record(connection, [place], store, None, None, at)


async def say_outlet(
    pool: Pool, store: str, place: Place, again: UUID, cause: UUID | None, at: datetime, prefix: str
) -> None:
    """Say what is known of a store now, in the place of a letter of the past; NotRedrivenError, DoneError."""
    async with pool.acquire() as connection, connection.transaction():
        found = await connection.fetchrow(_SQL["outlet_now"], store)
        if found is None:
            raise NotRedrivenError(unknown(store))
        event: StoreDiscovered | StoreClosed = _OUTLETS.decode(found["outlet"])
        if found["closed_at"] is not None:
            event = StoreClosed(store=store, reason="said again: it was a dead letter", at=found["closed_at"])
        row = outbox.to_row(
            prefix, store, event, event_id=again, occurred_at=at, correlation_id=again, causation_id=cause,
            producer=PRODUCER,
        )  # fmt: skip
        await outbox.append(connection, [row])
        await _record(connection, [place], store, None, None, at)


def unknown(store: str) -> str:
    """Why a store's letters cannot be brought back."""
    return f"{store} is no store of this scraper: `splitcart stores discover` finds those there are"


async def _lock(connection: Connection, store: str) -> None:
    """Rows of one store enter the outbox under this lock, in order."""
    await connection.fetchval(Q["lock_store"], store)
    await check_store(connection, store)


async def _record(
    connection: Connection,
    places: Sequence[Place],
    store: str,
    of_scrape: UUID | None,
    scrape: UUID | None,
    at: datetime,
) -> None:
    topic, partition, _ = places[0]
    offsets = [offset for _, _, offset in places]
    recorded = await connection.fetch(
        _SQL["record_redrives"], topic, partition, offsets, store, of_scrape, scrape, at
    )
    if len(recorded) < len(set(offsets)):
        raise DoneError
