"""Descriptions and barcodes that the live generation has written ahead of its positions.

They are folds of their own and commit before the batch that met them (book.py), so at any moment the live
generation may know some from messages that its positions have not passed yet. Those are in the log, from the
positions on.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from splitcart_common import events
from splitcart_common.admission import admit
from splitcart_common.ids import company_of
from splitcart_common.outcomes import DeadLetter
from splitcart_common.reading import LogReader, Span
from splitcart_common.topics import PRODUCT_OBSERVED
from splitcart_ingest.domain.listings import content_hash, fields_of
from splitcart_ingest.replay.explain import Difference
from splitcart_ingest.replay.log import Positions
from splitcart_ingest.replay.stretch import Recorded

FURTHEST: Final = 10_000
"""Messages of a partition that are looked at: twice what a transaction of the live fold can be set to."""

Sku = tuple[str, str]
"""Company and SKU."""


@dataclass(slots=True)
class Said:
    """What messages after the positions say of listings."""

    descriptions: set[tuple[Sku, date, int]] = field(default_factory=set)
    barcodes: set[tuple[Sku, datetime, str]] = field(default_factory=set)
    read: set[tuple[Sku, str]] = field(default_factory=set)
    listings: set[Sku] = field(default_factory=set)


async def said_after(reader: LogReader, prefix: str, ends: Positions, wanted: Collection[Sku]) -> Said:
    """What the log says of these listings after `ends`."""
    said = Said()
    name = PRODUCT_OBSERVED.on_broker(prefix)
    spans = await reader.spans(where for where in ends if where.topic == name)
    later = [Span(one.where, ends[one.where], min(one.end, ends[one.where] + FURTHEST)) for one in spans]
    async for records in reader.batches(later):
        for record in records:
            found = admit(PRODUCT_OBSERVED, record.key, record.headers, record.value, Recorded().now())
            if not isinstance(found, DeadLetter):
                envelope, event, key = found
                _note(said, company_of(key), envelope.occurred_at.date(), event, wanted)
    return said


def _note(said: Said, company: str, day: date, event: events.Event, wanted: Collection[Sku]) -> None:
    match event:
        case events.ProductsObserved():
            for seen in event.listings:
                if (sku := (company, seen.sku)) in wanted:
                    said.listings.add(sku)
                    said.descriptions.add((sku, day, content_hash(fields_of(seen))))
        case events.BarcodesObserved():
            for item in event.items:
                if (sku := (company, item.sku)) in wanted:
                    said.barcodes.add((sku, item.seen_at, item.barcode))
                    said.read.add((sku, item.barcode))


def is_ahead(one: Difference, said: Said) -> bool:
    """Whether a listing, or a barcode, differs by nothing but what messages after the positions say."""
    if one.live is None:
        return False
    sku = (one.place.company, str(one.key["sku"]))
    if one.place.part == "read barcodes":
        return (sku, one.live["seen_at"], one.live["barcode"]) in said.barcodes
    if one.place.part == "links":  # of a listing that nothing is decided about yet: it comes with its description
        return one.made is None and one.live["rule"] is None and sku in said.listings
    described = (sku, one.live["described_on"], one.live["content_hash"]) in said.descriptions
    read = (sku, one.live["read_barcode"]) in said.read
    # Of a listing that is new, the barcode may have been read long before: the register itself is compared.
    same_barcode = one.made is None or not _differs(one, "read_barcode")
    return (described or not _differs(one, "described_on", "content_hash")) and (
        read or (described and same_barcode)
    )


def _differs(one: Difference, *names: str) -> bool:
    live, made = one.live or {}, one.made or {}
    return any(live.get(name) != made.get(name) for name in names)


def skus_of(found: Sequence[Difference]) -> set[Sku]:
    """The listings that differences are about."""
    return {(one.place.company, str(one.key["sku"])) for one in found}
