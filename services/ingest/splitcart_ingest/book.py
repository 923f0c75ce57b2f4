"""The listing book: which number each SKU has here, and what it was last called.

The description fold commits on its own, ahead of the batch that met the listings: it is a join, so doing it
again changes nothing, and a price row can point at its listing at once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID

import asyncpg

from splitcart_common import ids, outbox
from splitcart_common.events import ListingDescribed, ObservedListing, ProductsObserved
from splitcart_common.lanes import Message
from splitcart_common.postgres import Connection, Pool
from splitcart_ingest.domain.identity import product_id
from splitcart_ingest.domain.listings import Description, content_hash, fields_of, join
from splitcart_ingest.store import SQL

_SEPARATOR = "\x1f"  # joins a category path on its way into a text[] of a row: unnest flattens nested arrays


class ListingBook:
    """One process's knowledge of the listing table; as large as the catalogue, some 600 bytes a listing."""

    def __init__(self, pool: Pool, prefix: str, producer: str) -> None:
        self._pool = pool
        self._prefix = prefix
        self._producer = producer
        self._numbers: dict[str, dict[str, int]] = {}
        self._skus: dict[int, str] = {}
        self._descriptions: dict[str, dict[str, Description]] = {}

    def numbers(self, company: str) -> Mapping[str, int]:
        """SKU -> listing number, for every listing met or looked up so far."""
        return self._numbers.setdefault(company, {})

    def sku(self, number: int) -> str:
        """The SKU of a listing number that was met or looked up; KeyError else."""
        return self._skus[number]

    async def look_up(self, company: str, skus: Collection[str]) -> None:
        """Learn the numbers of SKUs that are on record; the others stay unknown."""
        missing = list(set(skus) - self.numbers(company).keys())
        if missing:
            self._learn(company, await self._pool.fetch(SQL["listings"], company, missing))

    async def look_up_numbers(self, connection: Connection, company: str, numbers: Iterable[int]) -> None:
        """Learn the SKUs of listing numbers that another process, or an earlier life of this one, gave out."""
        missing = [number for number in numbers if number not in self._skus]
        if missing:
            self._learn(company, await connection.fetch(SQL["listings_by_number"], missing))

    async def describe(self, company: str, messages: Sequence[tuple[Message, ProductsObserved]]) -> None:
        """Fold what messages call their listings; news goes out as ListingDescribed, in the same transaction."""
        news = self._unlike(company, messages)
        await self.look_up(company, {observed.sku for _, observed in news})
        known = self._descriptions.setdefault(company, {})
        wanted: dict[str, Description] = {}
        cause: dict[str, Message] = {}
        for message, observed in news:
            before = wanted.get(observed.sku) or known.get(observed.sku)
            after = join(before, Description(message.envelope.occurred_at.date(), fields_of(observed)))
            if after is not before:
                wanted[observed.sku], cause[observed.sku] = after, message
        if wanted:
            async with self._pool.acquire() as connection, connection.transaction():
                await self._write(connection, company, wanted, cause)
            # What stands now: another process may have known better.
            self._learn(company, await self._pool.fetch(SQL["listings"], company, list(wanted)))

    def _unlike(
        self, company: str, messages: Sequence[tuple[Message, ProductsObserved]]
    ) -> list[tuple[Message, ObservedListing]]:
        """The sightings that say something new.

        Nearly none do: a description changes about once a year, and this loop, the only one over every listing
        ever seen, is kept flat for them.
        """
        known = self._descriptions.setdefault(company, {}).get
        news = []
        for message, event in messages:
            day = message.envelope.occurred_at.date()
            for o in event.listings:
                before = known(o.sku)
                if (
                    before is None
                    or before.day < day
                    or before.fields != (o.name, o.brand, o.size, o.barcode, o.category_path, o.image_url)
                ):
                    news.append((message, o))
        return news

    async def _write(
        self, connection: Connection, company: str, wanted: Mapping[str, Description], cause: Mapping[str, Message]
    ) -> None:
        rows = [_row(company, sku, description) for sku, description in sorted(wanted.items())]
        written = await connection.fetch(SQL["describe_listings"], company, *zip(*rows, strict=True))
        news = sorted(row["sku"] for row in written if row["old_hash"] != row["new_hash"])
        await outbox.append(connection, [self._event(company, sku, wanted[sku], cause[sku]) for sku in news])

    def _event(self, company: str, sku: str, description: Description, cause: Message) -> outbox.OutboxRow:
        name, brand, size, barcode, category_path, image_url = description.fields
        event = ListingDescribed(
            company=company,
            sku=sku,
            name=name,
            described_at=cause.envelope.occurred_at,
            by=cause.envelope.correlation_id,
            brand=brand,
            size=size,
            barcode=barcode,
            category_path=category_path,
            image_url=image_url,
        )
        return outbox.to_row(
            self._prefix,
            f"{company}/{sku}",
            event,
            event_id=ids.derived_id(cause.envelope.event_id, f"listing-described {sku}"),
            occurred_at=cause.envelope.occurred_at,
            correlation_id=cause.envelope.correlation_id,
            causation_id=cause.envelope.event_id,
            producer=self._producer,
        )

    def _learn(self, company: str, rows: Sequence[asyncpg.Record]) -> None:
        numbers = self._numbers.setdefault(company, {})
        known = self._descriptions.setdefault(company, {})
        for row in rows:
            sku, number, name, brand, size, barcode, category_path, image_url, described_on = row
            numbers[sku] = number
            self._skus[number] = sku
            fields = (name, brand, size, barcode, tuple(category_path), image_url)
            known[sku] = Description(described_on, fields)


def _row(company: str, sku: str, description: Description) -> tuple[str | UUID | date | int | None, ...]:
    name, brand, size, barcode, category_path, image_url = description.fields
    return (
        sku,
        name,
        brand,
        size,
        barcode,
        _SEPARATOR.join(category_path),
        image_url,
        product_id(company, sku, barcode),
        description.day,
        content_hash(description.fields),
    )
