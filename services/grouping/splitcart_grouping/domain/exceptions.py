"""What a confirmation states: the listings at which a member is not priced by its anchor.

A *claim* is what is held to be true of a store for every listing: its own observation where that is current, else
the standing statement about it, which is its old anchor's price with the exceptions on top. Held against the
anchor that is to price the store, the claim gives the exceptions. The same claim and anchor always give the same
statement, sorted by sku.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from splitcart_common.events.groups import GroupException
from splitcart_grouping.domain.kernels import Ints
from splitcart_grouping.domain.market import Market
from splitcart_grouping.domain.record import Observed
from splitcart_grouping.domain.rules import Rules
from splitcart_grouping.domain.times import moment, seconds
from splitcart_grouping.domain.vectors import NOT_SOLD, Cents

NO_CLAIM: Final = -2
"""Nothing is held to be true of a listing."""


@dataclass(frozen=True, slots=True)
class Claim:
    """By listing: cents, `NOT_SOLD` or `NO_CLAIM`, and the second it was seen."""

    cents: Cents
    seen: NDArray[np.uint32]


def own(market: Market, store: str) -> Claim:
    """What a store's own scrapes say; of what it does not sell only a full scrape says anything."""
    seen = market.stores.get(store)
    if seen is None:
        return Claim(np.full(len(market.skus), NO_CLAIM, np.int32), np.zeros(len(market.skus), np.uint32))
    cents = market.vectors.prices(seen.row)
    attested = market.vectors.attested[seen.row, : len(cents)].copy()
    absent = cents == NOT_SOLD
    if seen.full is None:
        cents[absent] = NO_CLAIM
    else:
        attested[absent] = seconds(seen.full.started_at)
    return Claim(cents, attested)


def carried(
    market: Market, anchor: str, exceptions: Iterable[GroupException], now: datetime, rules: Rules
) -> Claim:
    """What a member is priced by: its anchor's observation, and the exceptions that still hold on top.

    A price exception holds for seven days, and while the anchor's price has not moved since it was seen.
    """
    claim = own(market, anchor)
    seen = market.stores.get(anchor)
    moved = None if seen is None else market.vectors.moved[seen.row]
    for exception in exceptions:
        number = market.number(exception.sku)
        if number is None:
            continue
        at = seconds(exception.seen_at)
        if exception.price is None:
            claim.cents[number], claim.seen[number] = NOT_SOLD, at
            continue
        lapsed = now - exception.seen_at > rules.exception_lasts
        if not lapsed and not (moved is not None and claim.cents[number] >= 0 and moved[number] > at):
            claim.cents[number], claim.seen[number] = exception.price, at
    return claim


def state(
    market: Market, claim: Claim, anchor: Observed, sources: Iterable[int], now: datetime, rules: Rules
) -> tuple[GroupException, ...]:
    """The exceptions of a claim under an anchor that had a full scrape.

    Where the anchor's price moved after the claim was seen, the anchor's stands, unless the sources (rows of the
    group's other members) contradict it: an anchor's own clearance is not served to its members. The claim is
    used up.
    """
    theirs = market.vectors.prices(anchor.row)
    differing = np.flatnonzero((claim.cents != theirs) & (claim.cents != NO_CLAIM))
    cents, seen, of_anchor = claim.cents[differing], claim.seen[differing], theirs[differing]
    superseded = (cents >= 0) & (of_anchor >= 0) & (market.vectors.moved[anchor.row, differing] > seen)
    lasting = seen >= seconds(now - rules.exception_lasts)
    stated = np.zeros(len(theirs), np.bool_)
    stated[differing] = ((cents >= 0) & ~superseded & lasting) | (cents == NOT_SOLD)
    contradicted = _contradicted(market, anchor.row, differing[superseded], sources, rules)
    for number, (price, second) in contradicted.items():
        stated[number] = True
        claim.cents[number], claim.seen[number] = price, second
    return _exceptions(market, claim, stated)


def _contradicted(
    market: Market, anchor: int, numbers: Ints, sources: Iterable[int], rules: Rules
) -> dict[int, tuple[int, int]]:
    """What a group says of the listings its anchor moved, where that is something else: cents and second."""
    rows = np.fromiter(sources, np.int64) if len(numbers) else np.zeros(0, np.int64)
    found = ((number, _against(market, anchor, rows, number, rules)) for number in numbers.tolist())
    return {number: said for number, said in found if said is not None}


def _against(market: Market, anchor: int, rows: Ints, number: int, rules: Rules) -> tuple[int, int] | None:
    """What a group says of a listing against its anchor's last move: (cents, second), or None.

    Enough of its stores, seen since that move, agree on one other price, and more of them than bear the anchor's.
    """
    vectors = market.vectors
    later = rows[vectors.attested[rows, number] > vectors.moved[anchor, number]]
    codes = vectors.codes[later, number].astype(np.int64)
    with_anchor = np.count_nonzero(codes == vectors.codes[anchor, number])
    others = codes[(codes > 0) & (codes != vectors.codes[anchor, number])]
    if len(others) < rules.sources:
        return None
    values, counts = np.unique(vectors.cents[others], return_counts=True)
    best = int(np.argmax(counts))  # of equal counts the lowest price
    if counts[best] < rules.sources or counts[best] <= with_anchor:
        return None
    agreeing = later[vectors.cents[codes] == values[best]]
    return int(values[best]), int(vectors.attested[agreeing, number].max())


def _exceptions(market: Market, claim: Claim, stated: NDArray[np.bool_]) -> tuple[GroupException, ...]:
    order, skus = market.in_order()
    chosen = stated[order]
    numbers = order[chosen]
    prices = [None if cents == NOT_SOLD else cents for cents in claim.cents[numbers].tolist()]
    seconds_seen, places = np.unique(claim.seen[numbers], return_inverse=True)
    seen_at = np.array([moment(second) for second in seconds_seen.tolist()], np.object_)
    return tuple(map(GroupException, skus[chosen].tolist(), prices, seen_at[places].tolist()))
