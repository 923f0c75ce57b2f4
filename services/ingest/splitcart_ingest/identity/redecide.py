"""All decisions made anew, by the rules of this release, beside those on record; nothing is changed.

What was judged stands in the log: each description in the order it was decided on, each word of an operator. So
the same is decided on again, in the same order, and what differs is the rules' doing alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from splitcart_common.events import (
    BrandsMerged,
    CatalogueEvent,
    ListingDescribed,
    ListingLinked,
    ListingUnlinked,
    ProductsMerged,
)
from splitcart_common.reading import LogReader
from splitcart_ingest.domain.catalogue import Catalogue, ListingId, evolve
from splitcart_ingest.domain.identity import RULE_VERSION, decide, part
from splitcart_ingest.domain.reconcile import reconcile
from splitcart_ingest.identity.recorded import Recorded, Watcher, recorded

BATCH: Final = 500
"""Decisions after which late duplicates are looked for, where the log shows none."""


@dataclass(frozen=True, slots=True)
class Move:
    """A listing that would be another product than it is; `was_with`, `would_be_with`: the others of the two."""

    listing: ListingId
    name: str
    rule: str
    evidence: Mapping[str, object]
    was_with: tuple[ListingId, ...]
    would_be_with: tuple[ListingId, ...]


@dataclass(frozen=True, slots=True)
class Redecided:
    """What it came to. Decisions are counted by the rule that linked, or by what else happened.

    `unheeded` are listings that an operator parted from a product they would not be in any more.
    """

    messages: int
    listings: int
    products: tuple[int, int]
    rule_versions: tuple[str, ...]
    decisions: Mapping[str, tuple[int, int]]
    moves: tuple[Move, ...]
    unheeded: tuple[ListingId, ...]

    @property
    def rule_version(self) -> str:
        """That of this release."""
        return str(RULE_VERSION)


class _Anew:
    """A catalogue that is decided on again."""

    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self.said: Counter[str] = Counter()
        self.last: dict[ListingId, ListingLinked] = {}
        self.unheeded: dict[ListingId, None] = {}
        self._since = 0

    def take(self, one: Recorded) -> None:
        """Decide on what an event on record was decided on."""
        match one.event:
            case ListingLinked(name=str()) as event:
                self._fold(decide(self.catalogue, _described(one, event)))
                self._since += 1
            case ListingUnlinked(barred=True) as event:
                self._part(event)
            case ProductsMerged() | BrandsMerged():
                self.reconcile()
        if self._since >= BATCH:
            self.reconcile()

    def reconcile(self) -> None:
        """Where a batch ended, as its merges say."""
        self._since = 0
        self._fold(reconcile(self.catalogue))

    def _part(self, event: ListingUnlinked) -> None:
        listing = (event.company, event.sku)
        parted = part(self.catalogue, listing, event.product_id, by=event.by, reason=event.reason)
        self._fold(parted)
        if not parted:
            self.unheeded[listing] = None

    def _fold(self, events: Iterable[CatalogueEvent]) -> None:
        for event in events:
            evolve(self.catalogue, event)
            self.said[_kind(event)] += 1
            if isinstance(event, ListingLinked):
                self.last[event.company, event.sku] = event


async def redecide(reader: LogReader, prefix: str, watch: Watcher) -> Redecided:
    """Make all decisions on record anew; RecordError where the log cannot be read."""
    old, anew = Catalogue(), _Anew()
    said: Counter[str] = Counter()
    versions: set[str] = set()
    messages = 0
    async for one in recorded(reader, prefix, watch):
        messages += 1
        evolve(old, one.event)
        said[_kind(one.event)] += 1
        if isinstance(one.event, ListingLinked):
            versions.add(one.event.rule_version)
        anew.take(one)
    anew.reconcile()
    links = old.state().links
    was = {(row.company, row.sku): row.product_id for row in links}
    names = {(row.company, row.sku): row.name or "" for row in links}
    now = {(row.company, row.sku): row.product_id for row in anew.catalogue.state().links}
    moves = [
        Move(
            listing,
            names[listing],
            anew.last[listing].rule,
            anew.last[listing].evidence,
            tuple(sorted(old.listings_of(was[listing]) - {listing})),
            tuple(sorted(anew.catalogue.listings_of(now[listing]) - {listing})),
        )
        for listing in moved(was, now)
    ]
    return Redecided(
        messages=messages,
        listings=len(was),
        products=(len(set(was.values())), len(set(now.values()))),
        rule_versions=tuple(sorted(versions)),
        decisions={kind: (said[kind], anew.said[kind]) for kind in sorted(said.keys() | anew.said.keys())},
        moves=tuple(moves),
        unheeded=tuple(anew.unheeded),
    )


def moved(was: Mapping[ListingId, UUID], now: Mapping[ListingId, UUID]) -> list[ListingId]:
    """The listings that leave the others they were with, in order; a product's own id is of no account.

    A product is the one after that has most of its listings, and each of those is but one before.
    """
    shared = Counter((was[listing], now[listing]) for listing in was.keys() & now.keys())
    same: dict[UUID, UUID] = {}
    taken: set[UUID] = set()
    for (before, after), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if before not in same and after not in taken:
            same[before] = after
            taken.add(after)
    return sorted(listing for listing in was.keys() & now.keys() if same.get(was[listing]) != now[listing])


def _described(one: Recorded, event: ListingLinked) -> ListingDescribed:
    """The description that was judged, as far as rules look at it."""
    return ListingDescribed(
        company=event.company,
        sku=event.sku,
        name=event.name or "",
        described_at=one.envelope.occurred_at,
        by=one.envelope.correlation_id,
        brand=event.brand,
        size=event.size,
        barcode=event.barcode,
    )


def _kind(event: CatalogueEvent) -> str:
    return event.rule if isinstance(event, ListingLinked) else event.TYPE
