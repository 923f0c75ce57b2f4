"""A small model of the two folds over plain values: logs in, records and served prices out, no I/O."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st

from splitcart_ingest.domain import membership, prices
from splitcart_ingest.domain.membership import Confirmed, Ejected, GroupException, Membership
from splitcart_ingest.domain.prices import (
    Abandon,
    Batch,
    BatchFolded,
    Complete,
    Fact,
    Ignored,
    Input,
    Opened,
    Settled,
    Start,
    StoreState,
)
from splitcart_ingest.domain.served import HistoryRow, ScrapeRow, Served, StoreRecord, served

EPOCH = datetime(2026, 9, 1, tzinfo=UTC)
BEGINNING = EPOCH - timedelta(days=2)
STORES = ("aldi:A", "aldi:B", "aldi:C")
LISTINGS = range(8)
MOMENTS = tuple(EPOCH + timedelta(hours=13 * step) for step in range(40))


@dataclass
class Model:
    """Both folds of a company, and what they leave on record."""

    states: dict[str, StoreState] = field(default_factory=dict)
    history: dict[str, list[HistoryRow]] = field(default_factory=dict)
    scrapes: dict[str, dict[int, ScrapeRow]] = field(default_factory=dict)
    members: Membership = field(default_factory=Membership)
    facts: dict[str, list[Fact]] = field(default_factory=lambda: {store: [] for store in STORES})

    def observe(self, store: str, message: Input) -> None:
        state = self.states.setdefault(store, StoreState(clock=BEGINNING))
        history = self.history.setdefault(store, [])
        scrapes = self.scrapes.setdefault(store, {})
        for fact in prices.decide(state, message):
            prices.evolve(state, fact)
            if not isinstance(fact, Ignored):
                self.facts[store].append(fact)
            match fact:
                case Opened():
                    scrapes[fact.seq] = ScrapeRow(fact.seq, fact.scrape_id, fact.at, None, None)
                case BatchFolded():
                    changes = zip(fact.changes.listings, fact.changes.new, strict=True)
                    history += [HistoryRow(x, fact.seq, fact.at, price) for x, price in changes]
                case Settled():
                    history += [HistoryRow(x, fact.seq, fact.started_at, None) for x in fact.withdrawn]
                    scrapes[fact.seq] = ScrapeRow(
                        fact.seq, fact.scrape_id, fact.started_at, fact.outcome, fact.seen
                    )

    @property
    def said(self) -> dict[str, list[Fact]]:
        """What others are told of each store, in order: changes of prices, and how each scrape ended."""
        return {
            store: [
                f for f in facts if isinstance(f, Settled) or (isinstance(f, BatchFolded) and f.changes.listings)
            ]
            for store, facts in self.facts.items()
        }

    def settled(self, store: str) -> list[Settled]:
        """How each scrape of a store ended, with its counts."""
        return [fact for fact in self.facts[store] if isinstance(fact, Settled)]

    def group(self, message: Confirmed | Ejected) -> None:
        membership.fold(self.members, message)

    def records(self) -> dict[str, StoreRecord]:
        return {
            store: StoreRecord(
                sorted(self.history.get(store, ()), key=lambda row: (row.seq, row.listing)),
                list(self.scrapes.get(store, {}).values()),
                self.members.markers.get(store, []),
            )
            for store in STORES
        }

    def served(self, at: datetime) -> dict[tuple[str, int], Served | None]:
        records = self.records()
        return {(store, x): served(store, x, at, records, None) for store in STORES for x in LISTINGS}


Message = tuple[str, Input] | Confirmed | Ejected


def fold(log: Iterable[Message]) -> Model:
    """Fold a log of both streams, in its order."""
    model = Model()
    for message in log:
        if isinstance(message, tuple):
            model.observe(*message)
        else:
            model.group(message)
    return model


@dataclass(frozen=True)
class Scrape:
    """What one visit saw, before it is cut into batches."""

    scrape_id: UUID
    scope: prices.Scope
    started_at: datetime
    finished_at: datetime
    seen: tuple[tuple[int, int | None], ...]
    end: str
    all_categories: bool
    refused: tuple[int, ...]
    without_sku: int

    def messages(self, cuts: Sequence[int]) -> list[Input]:
        """The scrape's messages, its listings cut after each of `cuts`."""
        edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(self.seen)}), len(self.seen)]
        parts = [self.seen[a:b] for a, b in itertools.pairwise(edges) if a < b]
        batches = [
            Batch(self.scrape_id, number, [x for x, _ in part], [p for _, p in part])
            for number, part in enumerate(parts, 1)
        ]
        out: list[Input] = [Start(self.scrape_id, self.started_at, self.scope), *batches]
        if self.end == "completed":
            out.append(
                Complete(
                    self.scrape_id,
                    self.finished_at,
                    len(batches),
                    self.all_categories,
                    self.refused,
                    refused_without_sku=self.without_sku,
                )
            )
        elif self.end == "abandoned":
            out.append(Abandon(self.scrape_id, self.finished_at))
        return out


@st.composite
def scrapes(draw: st.DrawFn, store: str, number: int) -> Scrape:
    seen = draw(st.lists(st.sampled_from(LISTINGS), unique=True, max_size=len(LISTINGS)))
    # Half of all scrapes see everything: then full ones, the 90 % rule and withdrawals all happen.
    if draw(st.booleans()):
        seen = list(LISTINGS)
    # A listing may come again in a later category, at another price.
    seen += draw(st.lists(st.sampled_from(LISTINGS), max_size=2))
    # Times jitter backwards on purpose: the fold must clamp them.
    start = EPOCH + timedelta(hours=24 * number + draw(st.integers(-30, 6)))
    return Scrape(
        scrape_id=UUID(int=STORES.index(store) * 1000 + number + 1),
        scope=draw(st.sampled_from(("full", "full", "full", "part"))),
        started_at=start,
        finished_at=start + timedelta(hours=draw(st.integers(0, 5))),
        seen=tuple((x, draw(st.none() | st.integers(100, 103))) for x in seen),
        end=draw(st.sampled_from(("completed", "completed", "completed", "abandoned", "lost"))),
        all_categories=draw(st.integers(0, 5)) > 0,
        refused=tuple(draw(st.lists(st.sampled_from(LISTINGS), unique=True, max_size=2))),
        without_sku=draw(st.sampled_from((0, 0, 0, 0, 1))),
    )


@st.composite
def visits(draw: st.DrawFn) -> dict[str, list[Scrape]]:
    """A few scrapes of every store."""
    return {store: [draw(scrapes(store, n)) for n in range(draw(st.integers(0, 6)))] for store in STORES}


@st.composite
def group_logs(draw: st.DrawFn) -> list[Confirmed | Ejected]:
    """Confirmations and ejections, versions sometimes repeated, of scrapes that may not be folded yet."""
    log: list[Confirmed | Ejected] = []
    for version in range(1, draw(st.integers(0, 6)) + 1):
        at = EPOCH + timedelta(hours=draw(st.integers(0, 200)))
        store = draw(st.sampled_from(STORES))
        said = version if draw(st.integers(0, 4)) else max(1, version - 1)
        if draw(st.integers(0, 3)) == 0:
            log.append(Ejected(said, store, at))
            continue
        anchor = draw(st.sampled_from([other for other in STORES if other != store]))
        exceptions = {
            x: GroupException(draw(st.none() | st.integers(200, 201)), at)
            for x in draw(st.lists(st.sampled_from(LISTINGS), unique=True, max_size=3))
        }
        log.append(
            Confirmed(
                said,
                store,
                anchor,
                # Mostly an early one, so that something was seen since: else nobody ever serves its own price.
                UUID(int=STORES.index(store) * 1000 + draw(st.sampled_from((1, 1, 1, 2, 3, 5, 7)))),
                UUID(int=STORES.index(anchor) * 1000 + draw(st.integers(1, 7))),
                exceptions,
                at,
            )
        )
    return log


def streams(scraped: dict[str, list[Scrape]], cuts: Sequence[int] = (3, 5)) -> dict[str, list[Message]]:
    """One stream a store, in the order its scraper published it."""
    return {
        store: [(store, message) for scrape in of_store for message in scrape.messages(cuts)]
        for store, of_store in scraped.items()
    }


def interleave(parts: Sequence[Sequence[Message]], order: Sequence[int]) -> list[Message]:
    """Merge streams, keeping the order within each; `order` picks whose turn it is, then what is left."""
    queues = [list(part) for part in parts]
    out: list[Message] = []
    for pick in order:
        queue = queues[pick % len(queues)]
        if queue:
            out.append(queue.pop(0))
    for queue in queues:
        out += queue
    return out
