"""What a batch of sightings, or the end of a full scrape, changes about known prices."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Changes:
    """Changed prices of a batch, side by side.

    The listing, its price before (None: none on record, or withdrawn) and after, its place in the batch, and
    how many of them (the first ones) had no row at all before.
    """

    listings: Sequence[int] = ()
    old: Sequence[int | None] = ()
    new: Sequence[int] = ()
    places: Sequence[int] = ()
    rows_added: int = 0


def first_sightings(listings: Sequence[int], before: Collection[int]) -> Sequence[int]:
    """The places whose listing this scrape has not seen yet, in order.

    The first sighting in a scrape stands, so that the split into batches cannot matter.
    """
    distinct = set(listings)
    if len(distinct) == len(listings) and distinct.isdisjoint(before):
        return range(len(listings))  # nearly always: a scraper drops repeats itself
    first: dict[int, int] = {}
    for place, listing in enumerate(listings):
        if listing not in before:
            first.setdefault(listing, place)
    return list(first.values())


def changes_of(
    known: Mapping[int, int | None], listings: Sequence[int], prices: Sequence[int | None], places: Sequence[int]
) -> tuple[Changes, int]:
    """What differs from the known prices, and how many of it had no price; a tile without one changes nothing."""
    old = list(map(known.get, listings))
    pairs = zip(prices, old, strict=True)
    differing = [i for i, (price, before) in enumerate(pairs) if price != before and price is not None]
    if not differing:
        return Changes(), 0
    added = [i for i in differing if old[i] is None and listings[i] not in known]
    if added:
        fresh = set(added)
        differing = added + [i for i in differing if i not in fresh]
    changes = Changes(
        listings=[listings[i] for i in differing],
        old=[old[i] for i in differing],
        new=[price for i in differing if (price := prices[i]) is not None],
        places=[places[i] for i in differing],
        rows_added=len(added),
    )
    return changes, changes.old.count(None)


def unseen(prices: Mapping[int, int | None], seen: frozenset[int]) -> tuple[int, ...]:
    """The listings with a price that were not seen, in order: what a full scrape withdraws."""
    return tuple(sorted(x for x in prices.keys() - seen if prices[x] is not None))
