"""Barcodes read outside scrapes: the register fold (protocol.md, rule 15; decision 0016).

They are no part of a description: the next sighting, which bears none, would erase them. What was read fills the
gap that a company leaves and never overwrites what it says.
"""

from dataclasses import dataclass
from datetime import datetime

from stdnum import ean

from splitcart_ingest.domain.listings import Description


@dataclass(frozen=True, slots=True, order=True)
class ReadBarcode:
    """The barcode that was read for a listing, and when; compared in this order."""

    seen_at: datetime
    barcode: str


def believable(barcode: str) -> bool:
    """Whether digits are an EAN-8, UPC-12, EAN-13 or GTIN-14 with the right check digit: others are not noted."""
    return ean.is_valid(barcode)


def join_barcode(known: ReadBarcode | None, read: ReadBarcode) -> ReadBarcode:
    """The reading that stands: the greater one, so that neither order nor repeats matter."""
    return read if known is None else max(known, read)


def effective(description: Description, read: ReadBarcode | None) -> str | None:
    """The barcode of a listing: the company's own word, even one that names no product, else the one read."""
    _, _, _, said, _, _ = description.fields
    return said if said is not None or read is None else read.barcode
