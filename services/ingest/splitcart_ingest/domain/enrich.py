"""What a listing does not say of itself, from those that are the same product."""
from collections.abc import Sequence
from dataclasses import dataclass

from splitcart_common.events import ListingDescribed


@dataclass(frozen=True, slots=True)
class Enriched:
    """A listing with its gaps filled. `lent`: by field the listing (company, sku) that lent it."""

    listing: ListingDescribed
    lent: dict[str, tuple[str, str]]


def enrich(listings: Sequence[ListingDescribed]) -> tuple[Enriched, ...]:
    """Fill the gaps (brand, size, image, category) of one product's listings from each other, in the same order.

    What a company said of its own listing is never overwritten.
    """
    raise NotImplementedError
