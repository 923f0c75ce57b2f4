"""What a scrape has seen, and whether what it did not see may be withdrawn (protocol.md, rule 4)."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from splitcart_common.events import ObservedListing


def parted(
    listings: Sequence[ObservedListing],
) -> tuple[Sequence[ObservedListing], Sequence[ObservedListing]]:
    """What a store sells of the listings it shows, and what it does not, each in order (decision 0023).

    A tile without a price that says it cannot be had is of the second kind: the fold does not count it as seen, so
    a full scrape withdraws the listing. One that can be had only lacks its price: it keeps the one it had.
    """
    sold = [listing for listing in listings if listing.price is not None or listing.available]
    return sold, [listing for listing in listings if listing.price is None and not listing.available]


def is_full(
    size: int, seen: AbstractSet[int], full_size: int | None, earlier_partials: Sequence[AbstractSet[int]]
) -> bool:
    """Whether a scrape of `size` distinct listings counts as full; it must be complete in itself for that.

    One that saw nothing never does: a store without a single listing is a broken page. The first other one does;
    then one that saw at least 90 % of what the last full one saw; or the third partial in a row, if the three
    agree as sets within 2 %, so that a store that really shrank comes to rest.
    """
    if size == 0:
        return False
    if full_size is None or 10 * size >= 9 * full_size:
        return True
    if len(earlier_partials) < 2:
        return False
    last_three = (*earlier_partials[-2:], seen)
    common = frozenset.intersection(*map(frozenset, last_three))
    union = frozenset.union(*map(frozenset, last_three))
    return 100 * len(common) >= 98 * len(union)
