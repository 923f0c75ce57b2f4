"""What a scrape must pass before anything of it is published: nothing bad is on the bus to be undone.

An objection does not say that a scrape is wrong, only that it looks as no visit to that store should, so an
operator decides (`splitcart scrapes accept|reject`). The shares are far from what real visits show, so that a
guard that speaks is listened to: at a turn at most 44 % of a company's prices have been seen to move, between
two turns at most 1 % a day, while two stores that price apart agree on a third of their goods (retailers.md,
section 5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from splitcart_common.ids import company_of
from splitcart_common.turns import Turns
from splitcart_scraper.domain.listing import RefusalReason, distinct
from splitcart_scraper.domain.scrape import Run, StagedPage, Tally

PARSE_BUDGET: Final = 0.05
"""The largest share of tiles that may be refused, of a scrape; and of a page, that may not be read."""
WHOLE_PAGE: Final = 20
"""Tiles from which on a page is judged on its own: of fewer, a single one is the whole budget."""
UNREAD: Final = frozenset(RefusalReason) - {
    RefusalReason.PRICE_ZERO,
    RefusalReason.PRICE_NEGATIVE,
    RefusalReason.PRICE_TOO_HIGH,
}
"""Refused for its shape. A price of 0 is read and not believed: a page may bear a few of them for years."""
MOST_MOVED: Final = 0.60
"""The largest share of prices that may have moved while none turned."""
ENOUGH: Final = 100
"""Prices below which nothing is concluded from what they have in common: a part of a shop may be like that."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a store's last published scrape said, unless that was too little to compare with: cents by SKU.

    Listings without a price are left out. `started_at` is virtual.
    """

    started_at: datetime
    prices: Mapping[str, int]

    def before(self, run: Run, pages: Sequence[StagedPage], turns: Turns) -> "Known | None":
        """This, where the scrape has to agree with it: no turn of prices after it began, up to the last page.

        A turn within either scrape counts: what it saw is prices of both sides.
        """
        until = max((page.received_at for page in pages), default=run.started_at)
        return self if turns.last(company_of(run.store), until) <= self.started_at else None


@dataclass(frozen=True, slots=True)
class Moved:
    """Two scrapes of a store compared: how many listings both price, and which of them otherwise than before."""

    common: int
    skus: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of what both price; 0 where that is nothing."""
        return len(self.skus) / self.common if self.common else 0.0


def prices_of(pages: Sequence[StagedPage]) -> dict[str, int]:
    """The cents of each listing that bears a price, as they would be published."""
    seen = distinct(page.content for page in pages)
    return {sku: listing.price for sku, listing in seen.items() if listing.price is not None}


def moved(before: Mapping[str, int], now: Mapping[str, int]) -> Moved:
    """Compare what two scrapes of a store said."""
    common = before.keys() & now.keys()
    return Moved(len(common), tuple(sorted(sku for sku in common if before[sku] != now[sku])))


def objection(tally: Tally, prices: Mapping[str, int], known: Known | None) -> str | None:
    """Why the scrape must wait for an operator; None where it may be published.

    `known` is what it has to agree with, None where there is nothing (`Known.before`).
    """
    if not tally.tiles and tally.categories_planned and tally.categories_finished == tally.categories_planned:
        return f"nothing is sold: {tally.categories_planned} categories, all of them empty"
    if tally.tiles and tally.zero_prices == tally.tiles:
        return f"all prices are zero: {tally.tiles} tiles"
    if tally.refused_tiles > PARSE_BUDGET * tally.tiles:
        share = tally.refused_tiles / tally.tiles
        return (
            f"parse budget: {tally.refused_tiles} of {tally.tiles} tiles ({share:.1%}) could not be understood, "
            f"at most {PARSE_BUDGET:.0%} may be"
        )
    if len(prices) >= ENOUGH and len(set(prices.values())) == 1:
        return f"one price everywhere: {len(prices)} listings at {next(iter(prices.values()))} cents"
    return None if known is None else _too_much_moved(moved(known.prices, prices), known.started_at)


def page_objection(pages: Sequence[StagedPage]) -> str | None:
    """Why a scrape must wait for the sake of one of its pages: a shape that only some pages have; else None."""
    for page in pages:
        tiles, refusals = page.content.tiles, page.content.refusals
        unread = sum(refusal.reason in UNREAD for refusal in refusals)
        if tiles >= WHOLE_PAGE and unread > PARSE_BUDGET * tiles:
            return (
                f"parse budget: {unread} of the {tiles} tiles of one page ({unread / tiles:.1%}) could not be "
                f"read, at most {PARSE_BUDGET:.0%} may be: {page.url}"
            )
    return None


def _too_much_moved(found: Moved, since: datetime) -> str | None:
    if found.common < ENOUGH or found.share <= MOST_MOVED:
        return None
    return (
        f"prices moved: {len(found.skus)} of {found.common} ({found.share:.1%}) since the scrape of "
        f"{since.isoformat(timespec='minutes')}, with no turn in between; at most {MOST_MOVED:.0%} may"
    )
