"""The description fold: what a listing is called, from whatever store it was seen at (protocol.md, rule 15).

Each sighting says what the listing is called on a day. The greatest (day, content hash) stands: a join, so the
order in which two processes meet the stores of a company cannot matter, a repeat changes nothing, and a listing
seen unchanged a thousand times a day is written once (decision 0005 says why not the scrape's own time).
"""

from dataclasses import dataclass
from datetime import date
from hashlib import blake2b

import msgspec

from splitcart_common.events import ObservedListing

Fields = tuple[str, str | None, str | None, str | None, tuple[str, ...], str | None]
"""Name, brand, size, barcode, category path, image URL: what a description is made of, in this order."""


def fields_of(listing: ObservedListing) -> Fields:
    """The stable fields of a listing as it was observed."""
    return (listing.name, listing.brand, listing.size, listing.barcode, listing.category_path, listing.image_url)


def content_hash(fields: Fields) -> int:
    """64 bits of a description, signed, equal in every process and release."""
    return int.from_bytes(blake2b(msgspec.json.encode(fields), digest_size=8).digest(), "big", signed=True)


@dataclass(frozen=True, slots=True)
class Description:
    """What a listing was called on a day."""

    day: date
    fields: Fields

    @property
    def rank(self) -> tuple[date, int]:
        """What descriptions are compared by."""
        return self.day, content_hash(self.fields)


def join(known: Description | None, seen: Description) -> Description:
    """The description that stands: `seen` only where it ranks above the known one."""
    if known is None:
        return seen
    if known.fields == seen.fields:
        return known if known.day >= seen.day else seen
    return seen if seen.rank > known.rank else known
