"""What a listing does not say of itself, from those that are the same product."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from splitcart_common.events import ListingDescribed
from splitcart_ingest.domain.brands import brand_of
from splitcart_ingest.domain.catalogue import ListingId

FIELDS: Final = ("brand", "size", "image_url", "category_path")
"""What may be lent."""


@dataclass(frozen=True, slots=True)
class Enriched:
    """A listing with its gaps filled. `lent`: by field the listing that lent it."""

    listing: ListingDescribed
    lent: dict[str, ListingId]


def enrich(listings: Sequence[ListingDescribed]) -> tuple[Enriched, ...]:
    """Fill the gaps (brand, size, image, category) of one product's listings from each other, in the same order.

    What a company said of its own listing is never overwritten. Of several that could lend, the value most of
    them give is taken, then the first by company and SKU; of brands only those that are no supplier's name.
    """
    lenders = {field: _lender(listings, field) for field in FIELDS}
    return tuple(_filled(listing, lenders) for listing in listings)


def _filled(listing: ListingDescribed, lenders: dict[str, ListingDescribed | None]) -> Enriched:
    lent = {
        field: lender for field, lender in lenders.items() if lender is not None and not getattr(listing, field)
    }
    values = {field: getattr(lender, field) for field, lender in lent.items()}
    return Enriched(
        msgspec.structs.replace(listing, **values) if values else listing,
        {field: (lender.company, lender.sku) for field, lender in lent.items()},
    )


def _lender(listings: Sequence[ListingDescribed], field: str) -> ListingDescribed | None:
    """The listing whose value of a field stands for the product's."""
    saying = [one for one in listings if getattr(one, field) and (field != "brand" or brand_of(one.brand)[0])]
    said = Counter(getattr(one, field) for one in saying)
    return min(saying, key=lambda one: (-said[getattr(one, field)], one.company, one.sku), default=None)
