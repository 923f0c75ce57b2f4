"""The listing book: which number each SKU has here, and what it was last called.

The description fold commits on its own, ahead of the batch that met the listings: it is a join, so doing it
again changes nothing, and a price row can point at its listing at once. So does the register of barcodes that were
read outside scrapes, which fill the gaps of descriptions.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, cast
from uuid import UUID

import asyncpg

from splitcart_common import ids, outbox
from splitcart_common.events import BarcodesObserved, ListingDescribed, ObservedListing, ProductsObserved
from splitcart_common.events.observations import Special
from splitcart_common.lanes import Message
from splitcart_common.postgres import Connection, Pool
from splitcart_ingest.domain.brands import brand_of
from splitcart_ingest.domain.listings import Description, content_hash, fields_of, join
from splitcart_ingest.domain.read_barcodes import ReadBarcode, believable, effective, join_barcode
from splitcart_ingest.domain.sync import parted
from splitcart_ingest.identity.tables import stand_alone
from splitcart_ingest.store import SQL

DAYS_KEPT: Final = 12
"""Of how many days of a company what is said that day is kept at hand: lagging partitions are days apart."""
_SEPARATOR = "\x1f"  # joins a category path on its way into a text[] of a row: unnest flattens nested arrays


@dataclass(slots=True)
class Sighting:
    """A ProductsObserved in columns: all that the fold needs of it, and the listings that are news.

    `numbers` has None where a listing is news: `ListingBook.number` fills them in. What is shown but not sold is
    in no column; it may be news all the same, and then comes last.
    """

    scrape_id: UUID
    batch: int
    numbers: list[int | None]
    prices: list[int | None]
    was_prices: list[int | None]
    specials: list[Special]
    news: list[ObservedListing]


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is kept of a listing: a fingerprint is compared in a third of the time of the texts themselves."""

    number: int
    day: date
    fingerprint: int


class ListingBook:
    """One process's knowledge of the listing table; as large as the catalogue, some 300 bytes a listing.

    `_standing` has, by company and day, the hash of a SKU with its description -> number, of what is no news on
    that day: one look for nearly every listing. Hashes are of 64 bits, keyed anew in each process: that two of
    100,000 listings meet is 1 in 3,000 million. What was joined once is never news again, whoever joins more.

    One that does not publish is a replay's: what it describes has been said before.
    """

    def __init__(self, pool: Pool, prefix: str, producer: str, *, publishes: bool = True) -> None:
        self._pool = pool
        self._prefix = prefix
        self._producer = producer
        self._publishes = publishes
        self._entries: dict[str, dict[str, _Entry]] = {}
        self._skus: dict[int, str] = {}
        self._learning = asyncio.Lock()
        self._standing: OrderedDict[tuple[str, date], dict[int, int]] = OrderedDict()

    def glance(self, company: str, day: date, event: ProductsObserved) -> Sighting:
        """Look each listing up. Nearly none says anything new: a description changes about once a year.

        The one loop over every listing ever seen; it is kept flat.
        """
        known = self._day(company, day).get
        listings: Sequence[ObservedListing] = event.listings
        prices = [o.price for o in listings]
        unsold: Sequence[ObservedListing] = ()
        if None in prices:
            listings, unsold = parted(listings)
            prices = [o.price for o in listings]
        numbers = [
            known(hash((o.sku, o.name, o.brand, o.size, o.barcode, o.category_path, o.image_url)))
            for o in listings
        ]
        news: list[ObservedListing] = []
        if None in numbers:
            news = [o for o, number in zip(listings, numbers, strict=True) if number is None]
        news.extend(unsold)
        return Sighting(
            event.scrape_id,
            event.batch,
            numbers,
            prices,
            [o.was_price for o in listings],
            [o.special for o in listings],
            news,
        )

    def look_again(self, company: str, day: date, sighting: Sighting) -> list[ObservedListing]:
        """What is still news of a sighting, after its SKUs were looked up; the rest is known at a glance now."""
        known, standing = self._entries.setdefault(company, {}), self._day(company, day)
        news = []
        for o in sighting.news:
            entry, fields = known.get(o.sku), fields_of(o)
            if entry is None or entry.day < day or entry.fingerprint != hash(fields):
                news.append(o)
            else:
                standing[hash((o.sku, *fields))] = entry.number
        return news

    def _day(self, company: str, day: date) -> dict[int, int]:
        """What stands on a day; it is kept while it is among the last that were asked for."""
        standing = self._standing.setdefault((company, day), {})
        self._standing.move_to_end((company, day))
        if len(self._standing) > DAYS_KEPT:
            self._standing.popitem(last=False)
        return standing

    def number(self, company: str, sighting: Sighting) -> Sequence[int]:
        """The numbers of a sighting's listings, once its news is described."""
        if not sighting.news:
            return cast("list[int]", sighting.numbers)
        known = self._entries.setdefault(company, {})
        news = iter(sighting.news)
        return [known[next(news).sku].number if number is None else number for number in sighting.numbers]

    def numbers(self, company: str, skus: Iterable[str]) -> list[int]:
        """The numbers of SKUs that were met or looked up, in order; those that were not are left out."""
        known = self._entries.setdefault(company, {})
        return [known[sku].number for sku in skus if sku in known]

    def sku(self, number: int) -> str:
        """The SKU of a listing number that was met or looked up; KeyError else."""
        return self._skus[number]

    async def look_up(self, company: str, skus: Collection[str]) -> None:
        """Learn the numbers of SKUs that are on record; the others stay unknown.

        One at a time: after a start all partitions ask for the same ten thousand.
        """
        async with self._learning:
            missing = list(set(skus) - self._entries.setdefault(company, {}).keys())
            if missing:
                self._learn(company, await self._pool.fetch(SQL["listings"], company, missing))

    async def look_up_numbers(self, connection: Connection, company: str, numbers: Iterable[int]) -> None:
        """Learn the SKUs of listing numbers that another process, or an earlier life of this one, gave out."""
        missing = list(set(numbers).difference(self._skus))
        if missing:
            self._learn(company, await connection.fetch(SQL["listings_by_number"], missing))

    async def describe(self, company: str, news: Sequence[tuple[Message, ObservedListing]]) -> None:
        """Fold what is new about listings; it goes out as ListingDescribed, in the same transaction."""
        stored = await self._pool.fetch(SQL["listings"], company, list({observed.sku for _, observed in news}))
        wanted = {row["sku"]: _description(row) for row in stored}
        cause: dict[str, Message] = {}
        for message, observed in news:
            before = wanted.get(observed.sku)
            after = join(before, Description(message.envelope.occurred_at.date(), fields_of(observed)))
            if after is not before:
                wanted[observed.sku], cause[observed.sku] = after, message
        changed = {sku: wanted[sku] for sku in cause}
        if changed:
            async with self._pool.acquire() as connection, connection.transaction():
                await self._write(connection, company, changed, cause)
        # What stands now: another process may have known better.
        self._learn(company, await self._pool.fetch(SQL["listings"], company, list(wanted)))

    async def _write(
        self, connection: Connection, company: str, wanted: Mapping[str, Description], cause: Mapping[str, Message]
    ) -> None:
        await connection.execute(SQL["share_barcodes"], company)
        read = await _barcodes(connection, company, wanted)
        rows = [_row(sku, description, read.get(sku)) for sku, description in sorted(wanted.items())]
        written = await connection.fetch(SQL["describe_listings"], company, *zip(*rows, strict=True))
        new = sorted(row["sku"] for row in written if row["old_hash"] is None)
        if new:
            await stand_alone(connection, company, new)
        if not self._publishes:
            return
        news = sorted(row["sku"] for row in written if row["old_hash"] != row["new_hash"])
        said = [self._event(company, sku, wanted[sku], read.get(sku), cause[sku]) for sku in news]
        await outbox.append(connection, said)

    async def note_barcodes(self, company: str, messages: Sequence[tuple[Message, BarcodesObserved]]) -> None:
        """Fold barcodes read outside scrapes; a listing whose barcode changes by it goes out as ListingDescribed.

        Those of SKUs that are not on record yet are kept for them. In a transaction of its own, like `describe`.
        """
        read = [(message, item) for message, event in messages for item in event.items if believable(item.barcode)]
        cause: dict[str, Message] = {}
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["lock_barcodes"], company)
            before = await _barcodes(connection, company, {item.sku for _, item in read})
            stands = dict(before)
            for message, item in read:
                after = join_barcode(stands.get(item.sku), ReadBarcode(item.seen_at, item.barcode))
                if after != stands.get(item.sku):
                    stands[item.sku], cause[item.sku] = after, message
            if cause:
                await self._write_barcodes(connection, company, before, stands, cause)

    async def _write_barcodes(
        self,
        connection: Connection,
        company: str,
        before: Mapping[str, ReadBarcode],
        stands: Mapping[str, ReadBarcode],
        cause: Mapping[str, Message],
    ) -> None:
        read = [(sku, stands[sku].barcode, stands[sku].seen_at) for sku in sorted(cause)]
        await connection.execute(SQL["write_barcodes"], company, *zip(*read, strict=True))
        rows = await connection.fetch(SQL["listings"], company, list(cause))
        listings = sorted((row["sku"], _description(row)) for row in rows)
        skus = [sku for sku, _ in listings]
        await connection.execute(SQL["put_barcodes"], company, skus, [stands[sku].barcode for sku in skus])
        if not self._publishes:
            return
        said = [
            self._event(company, sku, description, stands[sku], cause[sku])
            for sku, description in listings
            if effective(description, stands[sku]) != effective(description, before.get(sku))
        ]
        await outbox.append(connection, said)

    def _event(
        self, company: str, sku: str, description: Description, read: ReadBarcode | None, cause: Message
    ) -> outbox.OutboxRow:
        name, brand, size, _, category_path, image_url = description.fields
        event = ListingDescribed(
            company=company,
            sku=sku,
            name=name,
            described_at=cause.envelope.occurred_at,
            by=cause.envelope.correlation_id,
            brand=brand,
            size=size,
            barcode=effective(description, read),
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
        known = self._entries.setdefault(company, {})
        for row in rows:
            description = _description(row)
            self._skus[row["listing_id"]] = row["sku"]
            known[row["sku"]] = _Entry(row["listing_id"], description.day, hash(description.fields))


def _description(row: asyncpg.Record) -> Description:
    _, _, name, brand, size, barcode, category_path, image_url, described_on = row
    return Description(described_on, (name, brand, size, barcode, tuple(category_path), image_url))


async def _barcodes(connection: Connection, company: str, skus: Iterable[str]) -> dict[str, ReadBarcode]:
    rows = await connection.fetch(SQL["read_barcodes"], company, list(skus))
    return {row["sku"]: ReadBarcode(row["seen_at"], row["barcode"]) for row in rows}


def _row(
    sku: str, description: Description, read: ReadBarcode | None
) -> tuple[str | date | int | bool | None, ...]:
    name, brand, size, barcode, category_path, image_url = description.fields
    return (
        sku,
        name,
        brand,
        size,
        barcode,
        _SEPARATOR.join(category_path),
        image_url,
        description.day,
        content_hash(description.fields),
        read.barcode if read else None,
        brand_of(brand)[0] is None,
    )
