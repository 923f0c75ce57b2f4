"""A database and a broker, as far as ingest needs them: rows, locks, transactions, an outbox, topics."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from aiokafka import TopicPartition

from splitcart_ingest.domain.exceptions import Delta, Statement, difference, restore
from splitcart_ingest.domain.membership import Confirmed, Ejected
from splitcart_ingest.domain.prices import BatchFolded, Fact, Opened, OpenScrape, Settled, StoreState
from splitcart_ingest.domain.served import HistoryRow, ScrapeRow, StoreRecord
from tests.support.fold_model import BEGINNING, STORES

Steps = Generator[None, None, None]
"""Work that may be interrupted, or ended for good, wherever it yields."""


Saying = tuple[str, object, str, object]
"""What is to be said, without a serial yet: as OutboxRow."""


class LostError(Exception):
    """The connection is gone; whether a commit went through is not known."""


@dataclass
class Position:
    """How far a partition is folded, and who may go on."""

    epoch: int = 0
    next_offset: int = 0


@dataclass
class Head:
    """A row of store_heads: the numbers of a store's state."""

    clock: datetime
    next_seq: int
    full_seq: int
    full_size: int | None
    partial_run: tuple[int, ...]


@dataclass
class StoreTables:
    """The rows of one store; `latest` is the cache, listing -> (price, seq), that housekeeping may thin out.

    `floor` is what housekeeping has written down: by the version of a confirmation, the floor up to there.
    """

    head: Head | None = None
    collected: bool = False
    floor: tuple[int, int] = (0, 0)
    scrapes: dict[int, tuple[Opened, Settled | None]] = field(default_factory=dict)
    batches: dict[int, BatchFolded] = field(default_factory=dict)
    history: list[HistoryRow] = field(default_factory=list)
    latest: dict[int, tuple[int | None, int]] = field(default_factory=dict)

    def last_rows(self) -> dict[int, tuple[int | None, int]]:
        """The last history row of each listing."""
        ordered = sorted(self.history, key=lambda row: row.seq)
        return {row.listing: (row.price, row.seq) for row in ordered}

    def state(self) -> StoreState:
        """The state as it is loaded: from rows alone."""
        if self.head is None:
            return StoreState(clock=BEGINNING)
        head, rows = self.head, self.last_rows() if self.collected else self.latest
        settled = {seq: end for seq, (_, end) in self.scrapes.items() if end is not None}
        state = StoreState(
            clock=head.clock,
            next_seq=head.next_seq,
            full_seq=head.full_seq,
            full_size=head.full_size,
            partials=tuple((seq, frozenset(settled[seq].seen or ())) for seq in head.partial_run),
            prices={x: price for x, (price, _) in rows.items()},
        )
        opened = [start for start, end in self.scrapes.values() if end is None]
        if opened:
            start = opened[-1]
            state.open = OpenScrape(start.scrape_id, start.seq, start.at, start.scope)
            state.known.add(start.scrape_id)
            for number, batch in self.batches.items():
                state.open.batches.add(number)
                state.open.seen.update(batch.seen)
                state.open.created += batch.created
                state.open.updated += batch.updated
                state.open.unchanged += batch.unchanged
        return state

    def record(self, markers: Sequence[Confirmed | Ejected]) -> StoreRecord:
        """What is on record, as prices are served by it."""
        scrapes = []
        for seq, (start, end) in sorted(self.scrapes.items()):
            outcome, seen = (None, None) if end is None else (end.outcome, end.seen)
            scrapes.append(ScrapeRow(seq, start.scrape_id, start.at, outcome, seen))
        return StoreRecord(sorted(self.history, key=lambda row: (row.seq, row.listing)), scrapes, markers)

    def write(self, fact: Fact, head: Head) -> None:
        """A fact as rows: a changed price is an update of a row that has to be there."""
        match fact:
            case Opened():
                self.scrapes[fact.seq], self.head = (fact, None), head
                self.batches = {}
            case BatchFolded():
                self.batches[fact.batch] = fact
                for place, (x, price) in enumerate(zip(fact.changes.listings, fact.changes.new, strict=True)):
                    self.history.append(HistoryRow(x, fact.seq, fact.at, price))
                    if place < fact.changes.rows_added or x in self.latest:
                        self.latest[x] = price, fact.seq
            case Settled():
                assert fact.seq in self.scrapes, "a scrape ends that has not begun"
                self.scrapes[fact.seq], self.head = (self.scrapes[fact.seq][0], fact), head
                self.batches = {}
                for x in fact.withdrawn:
                    self.history.append(HistoryRow(x, fact.seq, fact.started_at, None))
                    if x in self.latest:
                        self.latest[x] = None, fact.seq


@dataclass
class GroupTables:
    """Markers by version, and what they state: the last of a store in full, older ones by what differs."""

    markers: list[Confirmed | Ejected] = field(default_factory=list)
    stated: dict[str, list[Statement | Delta]] = field(default_factory=dict)

    def add(self, marker: Confirmed | Ejected) -> None:
        """The next marker."""
        new: Statement = marker.exceptions if isinstance(marker, Confirmed) else {}
        of_store = self.stated.setdefault(marker.store, [])
        if of_store:
            last = of_store[-1]
            assert not isinstance(last, Delta)
            of_store[-1] = difference(last, new)
        of_store.append(new)
        self.markers.append(replace(marker, exceptions={}) if isinstance(marker, Confirmed) else marker)

    def of_store(self, store: str) -> list[Confirmed | Ejected]:
        """A store's markers as they were said, in order."""
        found: list[Confirmed | Ejected] = []
        at_hand: Statement = {}
        own = [marker for marker in self.markers if marker.store == store]
        for marker, kept in zip(reversed(own), reversed(self.stated.get(store, [])), strict=True):
            at_hand = restore(at_hand, kept) if isinstance(kept, Delta) else kept
            found.append(replace(marker, exceptions=at_hand) if isinstance(marker, Confirmed) else marker)
        return found[::-1]


@dataclass(frozen=True)
class OutboxRow:
    """What is to be said: a price message of a store, or a dead letter. The same id always says the same."""

    serial: int
    topic: str
    ident: object
    store: str
    said: object


class Transaction:
    """Rows are written at its commit, all or none; what it locks is locked until it ends."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._writes: list[Callable[[], object]] = []
        self._over = False
        database.open.append(self)

    def lock(self, what: object) -> Steps:
        """Wait for a row."""
        while not self.try_lock(what):
            yield

    def try_lock(self, what: object) -> bool:
        """Take a row that nobody holds."""
        self.check()
        holder = self._database.locks.setdefault(what, self)
        return holder is self

    def do(self, write: Callable[[], object]) -> None:
        """Write at the commit, in the order in which it is told."""
        self.check()
        self._writes.append(write)

    def commit(self) -> None:
        """All of it, now."""
        self.check()
        for write in self._writes:
            write()
        self.end()

    def end(self) -> None:
        """Give up what it locked; without a commit before nothing was written."""
        self._over = True
        locks = self._database.locks
        for what in [what for what, holder in locks.items() if holder is self]:
            del locks[what]
        if self in self._database.open:
            self._database.open.remove(self)

    def check(self) -> None:
        """LostError where the server has been restarted since, or has ended the session."""
        if self._over:
            raise LostError


@dataclass
class Database:
    """One generation."""

    positions: dict[TopicPartition, Position] = field(default_factory=dict)
    stores: dict[str, StoreTables] = field(default_factory=lambda: {store: StoreTables() for store in STORES})
    groups: GroupTables = field(default_factory=GroupTables)
    outbox: list[OutboxRow] = field(default_factory=list)
    locks: dict[object, Transaction] = field(default_factory=dict)
    open: list[Transaction] = field(default_factory=list)
    _serials: Iterator[int] = field(default_factory=lambda: count(1))

    def begin(self) -> Transaction:
        """A new transaction."""
        return Transaction(self)

    def restart(self) -> None:
        """Every transaction is rolled back, every session over."""
        for transaction in list(self.open):
            transaction.end()

    def say(self, transaction: Transaction, rows: Sequence[Saying]) -> None:
        """Rows of the outbox. A serial is given when it is asked for, not when it is committed."""
        made = [OutboxRow(next(self._serials), *row) for row in rows]
        transaction.do(lambda: self.outbox.extend(made))

    def records(self) -> Mapping[str, StoreRecord]:
        """All that is on record, store by store."""
        return {store: tables.record(self.groups.of_store(store)) for store, tables in self.stores.items()}


@dataclass
class Broker:
    """What was published, and who is told to fold which partition."""

    published: list[OutboxRow] = field(default_factory=list)

    def letters(self) -> set[object]:
        """Where the dead letters stood."""
        return {row.ident for row in self.published if row.topic == "dlq"}
