"""The store fold: what one store's messages do to its prices, and to nothing else (protocol.md, rules 1 to 5).

`decide` looks at a store's state and one input and returns facts; `evolve` applies a fact to the state. A
store's state is as large as its range, so it is evolved in place; `decide` never changes it.

Listings are numbers here (their place in the listing table); any numbers do.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from splitcart_ingest.domain.changes import Changes, changes_of, first_sightings, unseen
from splitcart_ingest.domain.sync import is_full

Outcome = Literal["full", "partial", "abandoned", "superseded"]
Scope = Literal["full", "part"]


@dataclass(slots=True)
class OpenScrape:
    """The one scrape of a store that is being folded. `at` is its time, clamped."""

    scrape_id: UUID
    seq: int
    at: datetime
    scope: Scope
    batches: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    created: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class StoreState:
    """What the fold of one store's messages has come to.

    `prices` has a row for every listing ever priced here, None where it is withdrawn. `clock` is the latest
    event time folded. `full_size` is a number kept, not a count of rows: how many listings the last full
    scrape saw. `partials` holds what the last partial scrapes in a row saw, two at most. `known` holds ids of
    scrapes on record, at least those that the messages at hand could repeat.
    """

    clock: datetime
    next_seq: int = 1
    full_seq: int = 0
    full_size: int | None = None
    partials: tuple[tuple[int, frozenset[int]], ...] = ()
    prices: dict[int, int | None] = field(default_factory=dict)
    known: set[UUID] = field(default_factory=set)
    open: OpenScrape | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """ScrapeStarted, as the fold needs it."""

    scrape_id: UUID
    started_at: datetime
    scope: Scope


@dataclass(frozen=True, slots=True)
class Batch:
    """ProductsObserved: listings and prices side by side (cents, None for a tile without a price)."""

    scrape_id: UUID
    batch: int
    listings: Sequence[int]
    prices: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Complete:
    """ScrapeCompleted. `refused` are listings whose tile was refused: they are sold all the same.

    `refused_unknown` counts refused SKUs that are no listing yet.
    """

    scrape_id: UUID
    finished_at: datetime
    batches: int
    all_categories: bool
    refused: Collection[int] = ()
    refused_unknown: int = 0
    refused_without_sku: int = 0


@dataclass(frozen=True, slots=True)
class Abandon:
    """ScrapeAbandoned."""

    scrape_id: UUID
    finished_at: datetime


Input = Start | Batch | Complete | Abandon


@dataclass(frozen=True, slots=True)
class Opened:
    """A scrape was given its number in the store's stream."""

    scrape_id: UUID
    seq: int
    at: datetime
    scope: Scope


@dataclass(frozen=True, slots=True)
class BatchFolded:
    """A batch was folded. `seen` are the listings it was the first of its scrape to see."""

    scrape_id: UUID
    seq: int
    batch: int
    at: datetime
    seen: Sequence[int]
    changes: Changes
    created: int
    updated: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Settled:
    """All of a scrape is folded. `seen` is kept only of a scrape that is not full, sorted; else None."""

    scrape_id: UUID
    seq: int
    outcome: Outcome
    started_at: datetime
    settled_at: datetime
    listings: int
    created: int
    updated: int
    unchanged: int
    withdrawn: tuple[int, ...]
    seen: tuple[int, ...] | None
    in_partial_run: bool


@dataclass(frozen=True, slots=True)
class Ignored:
    """The rules say to ignore the message; `why` is what it is counted under."""

    why: Literal["repeat", "not-open"]


Fact = Opened | BatchFolded | Settled | Ignored


def decide(state: StoreState, message: Input) -> tuple[Fact, ...]:
    """What a message does to a store. Total: every message has an answer, an ignored one too."""
    match message:
        case Start():
            return _start(state, message)
        case Batch():
            return (_batch(state, message),)
        case Complete():
            return (_complete(state, message),)
        case Abandon():
            scrape = _open(state, message.scrape_id)
            if scrape is None:
                return (Ignored("not-open"),)
            return (_settle(state, scrape, "abandoned", message.finished_at, frozenset(scrape.seen)),)


def evolve(state: StoreState, fact: Fact) -> None:
    """Apply a fact to the state, in place."""
    match fact:
        case Opened():
            state.clock = fact.at
            state.next_seq = fact.seq + 1
            state.known.add(fact.scrape_id)
            state.open = OpenScrape(fact.scrape_id, fact.seq, fact.at, fact.scope)
        case BatchFolded():
            scrape = state.open
            assert scrape is not None  # noqa: S101 - decide gives this fact only of the open scrape
            scrape.batches.add(fact.batch)
            scrape.seen.update(fact.seen)
            scrape.created += fact.created
            scrape.updated += fact.updated
            scrape.unchanged += fact.unchanged
            state.prices.update(zip(fact.changes.listings, fact.changes.new, strict=True))
        case Settled():
            state.clock = fact.settled_at
            state.open = None
            state.prices.update(dict.fromkeys(fact.withdrawn))
            if fact.outcome == "full":
                state.full_seq, state.full_size, state.partials = fact.seq, fact.listings, ()
            elif fact.in_partial_run:
                state.partials = (*state.partials[-1:], (fact.seq, frozenset(fact.seen or ())))
        case Ignored():
            pass


def _start(state: StoreState, message: Start) -> tuple[Fact, ...]:
    if message.scrape_id in state.known:
        return (Ignored("repeat"),)
    at = max(message.started_at, state.clock)
    opened = Opened(message.scrape_id, state.next_seq, at, message.scope)
    if state.open is None:
        return (opened,)
    return (_settle(state, state.open, "superseded", at, frozenset(state.open.seen)), opened)


def _batch(state: StoreState, message: Batch) -> BatchFolded | Ignored:
    scrape = _open(state, message.scrape_id)
    if scrape is None:
        return Ignored("not-open")
    if message.batch in scrape.batches:
        return Ignored("repeat")
    places = first_sightings(message.listings, scrape.seen)
    listings, prices = message.listings, message.prices
    if len(places) < len(listings):
        listings = [listings[place] for place in places]
        prices = [prices[place] for place in places]
    changes, created = changes_of(state.prices, listings, prices, places)
    return BatchFolded(
        scrape_id=scrape.scrape_id,
        seq=scrape.seq,
        batch=message.batch,
        at=scrape.at,
        seen=listings,
        changes=changes,
        created=created,
        updated=len(changes.listings) - created,
        unchanged=len(listings) - len(changes.listings),
    )


def _complete(state: StoreState, message: Complete) -> Settled | Ignored:
    scrape = _open(state, message.scrape_id)
    if scrape is None:
        return Ignored("not-open")
    # A refused listing is one of this store's only if this store's own messages say so.
    refused = [listing for listing in message.refused if listing in state.prices or listing in scrape.seen]
    refused_unknown = message.refused_unknown + len(message.refused) - len(refused)
    seen = frozenset(scrape.seen.union(refused))
    full = (
        scrape.scope == "full"
        and len(scrape.batches) == max(scrape.batches, default=0) == message.batches
        and message.all_categories
        and message.refused_without_sku == 0
        and is_full(len(seen) + refused_unknown, seen, state.full_size, [s for _, s in state.partials])
    )
    outcome: Outcome = "full" if full else "partial"
    return _settle(state, scrape, outcome, message.finished_at, seen, refused_unknown)


def _settle(
    state: StoreState,
    scrape: OpenScrape,
    outcome: Outcome,
    at: datetime,
    seen: frozenset[int],
    refused_unknown: int = 0,
) -> Settled:
    full = outcome == "full"
    return Settled(
        scrape_id=scrape.scrape_id,
        seq=scrape.seq,
        outcome=outcome,
        started_at=scrape.at,
        settled_at=max(at, state.clock),
        listings=len(seen) + refused_unknown,
        created=scrape.created,
        updated=scrape.updated,
        unchanged=scrape.unchanged,
        withdrawn=unseen(state.prices, seen) if full else (),
        seen=None if full else tuple(sorted(seen)),
        # A scrape of a part says nothing about the size of the whole (decision 0004).
        in_partial_run=outcome == "partial" and scrape.scope == "full",
    )


def _open(state: StoreState, scrape_id: UUID) -> OpenScrape | None:
    scrape = state.open
    return scrape if scrape is not None and scrape.scrape_id == scrape_id else None
