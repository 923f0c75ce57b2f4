"""A process of ingest: lanes that fold, and what works beside them, each a generator that may end at any step."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

from aiokafka import TopicPartition

from splitcart_common.positions import FencedError, MovedError, check_not_set_back
from splitcart_ingest.cache import StateCache
from splitcart_ingest.domain import membership
from splitcart_ingest.domain.membership import Confirmed, Ejected, Membership
from splitcart_ingest.domain.prices import (
    Batch,
    Fact,
    Ignored,
    Input,
    Opened,
    Settled,
    Start,
    StoreState,
    decide,
    evolve,
)
from splitcart_ingest.store import StoredStore
from tests.support.fold_model import BEGINNING, STORES
from tests.support.simulation.beside import Surroundings, keep_house, relay
from tests.support.simulation.faults import Fault
from tests.support.simulation.logs import GROUPED, Record
from tests.support.simulation.shell import (
    Head,
    LostError,
    Position,
    Saying,
    Steps,
    StoreTables,
    Transaction,
)


@dataclass
class Lane:
    """A partition as this process knows it."""

    where: TopicPartition
    epoch: int = 0
    next_offset: int = 0
    position_known: bool = True


class Process:
    """What dies at once: memory, lanes, relay, housekeeping."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.cache = StateCache(around.rng.choice((0, 12, 1000)))
        self.lanes: dict[TopicPartition, Steps] = {}
        self.others: list[Steps] = [keep_house(around), relay(around)] if around.publishes else []
        self.asleep = 0

    def assign(self, where: TopicPartition) -> None:
        """Take a partition over."""
        self.revoke(where)
        self.lanes[where] = self._fold_partition(where)

    def revoke(self, where: TopicPartition) -> None:
        """Give a partition up."""
        lane = self.lanes.pop(where, None)
        if lane is not None:
            lane.close()
        if self.around.fault is not Fault.KEPT_AFTER_LOSS:
            self.cache.forget(where)

    def die(self) -> None:
        """As by kill -9."""
        for steps in (*self.lanes.values(), *self.others):
            steps.close()

    def step(self) -> None:
        """One step of one of its jobs."""
        where = self.around.rng.choice((*self.lanes, *range(len(self.others))))
        if isinstance(where, int):
            next(self.others[where])
        elif next(self.lanes[where], "over") == "over":
            del self.lanes[where]  # fenced

    def _fold_partition(self, where: TopicPartition) -> Steps:
        lane = Lane(where)
        yield from self._claim(lane)
        while True:
            # A fetch may end anywhere, and may begin below where it was told to.
            rng = self.around.rng
            begin = max(0, lane.next_offset - (rng.randrange(1, 5) if rng.random() < 0.15 else 0))
            records = self.around.log[where][begin : lane.next_offset + rng.randrange(1, 9)]
            yield
            done = not records
            while not done:
                try:
                    yield from self._fold(lane, records)
                    done = True
                except (MovedError, LostError):
                    if self.around.fault is not Fault.KEPT_AFTER_ROLLBACK:
                        self.cache.forget(where)
                    lane.position_known = False
                except FencedError:
                    self.cache.forget(where)
                    return

    def _claim(self, lane: Lane) -> Steps:
        database = self.around.database
        while not lane.epoch:
            transaction = database.begin()
            try:
                yield from transaction.lock(lane.where)
                found = database.positions.setdefault(lane.where, Position())
                found.epoch += 1
                lane.epoch, lane.next_offset = found.epoch, found.next_offset
                transaction.commit()
            except LostError:
                pass
            finally:
                transaction.end()

    def _fold(self, lane: Lane, records: Sequence[Record]) -> Steps:
        around, fault = self.around, self.around.fault
        if not lane.position_known and fault is not Fault.NO_FENCE:
            stored = around.database.positions[lane.where].next_offset
            check_not_set_back(stored, lane.next_offset)
            lane.next_offset, lane.position_known = stored, True
        if fault is not Fault.REREAD_IN_BATCH:
            records = [record for record in records if record.offset >= lane.next_offset]
        if not records or records[-1].offset < lane.next_offset:
            return
        after = records[-1].offset + 1
        for _ in range(self.around.rng.randrange(6)):  # decoding, and what is prepared ahead, in no transaction
            yield
        parts = {Fault.OFFSET_FIRST: ("offset", "effect"), Fault.OFFSET_LATER: ("effect", "offset")}
        for part in parts.get(fault, ("both",)) if fault else ("both",):
            yield from self._commit(lane, records, after, part)
        lane.next_offset = after

    def _commit(self, lane: Lane, records: Sequence[Record], after: int, part: str) -> Steps:
        database = self.around.database
        transaction, rows = database.begin(), []
        try:
            yield from transaction.lock(lane.where)
            stored = database.positions[lane.where]
            self._check(stored, lane, after if part == "effect" and stored.next_offset == after else None)
            yield
            if part != "offset":
                rows = yield from self._effect(transaction, lane.where, records)
                if self.around.fault is not Fault.OUTBOX_APART:
                    database.say(transaction, rows)
                yield
            if part != "effect":
                transaction.do(partial(setattr, stored, "next_offset", after))
            yield
            transaction.commit()
            if self.around.fault is Fault.OUTBOX_APART:
                yield
                apart = database.begin()
                database.say(apart, rows)
                apart.commit()
            if self.around.rng.random() < 0.02:
                raise LostError  # the answer is lost, the commit is not
        finally:
            transaction.end()

    def _check(self, stored: Position, lane: Lane, ahead: int | None) -> None:
        fault = self.around.fault
        if fault is Fault.NO_FENCE:
            return
        if stored.epoch != lane.epoch and fault is not Fault.NO_EPOCH:
            raise FencedError
        check_not_set_back(stored.next_offset, lane.next_offset)
        if stored.next_offset > (ahead or lane.next_offset):
            raise MovedError

    def _effect(
        self, transaction: Transaction, where: TopicPartition, records: Sequence[Record]
    ) -> Generator[None, None, list[Saying]]:
        if where == GROUPED:
            self._fold_groups(transaction, records)
            return []
        around = self.around
        letters = [r for r in records if r.unreadable and around.publishes]
        skipped = around.letters if around.fault is not Fault.REPLAY_READS_LETTERS else set()
        read = [r for r in records if r not in letters and (where, r.offset) not in skipped]
        messages = [r.message for r in read if isinstance(r.message, tuple)]
        states = self._load(where, {store for store, _ in messages})
        found: list[tuple[str, Fact, Head]] = []
        for store, message in messages:
            found += self._decide(store, states[store].state, message)
        yield
        yield from self._write(transaction, found)
        rows: list[Saying] = [(*said, store, fact) for store, fact, _ in found for said in _said(fact)]
        rows += [
            ("dlq", (where, r.offset), r.message[0], r.message) for r in letters if isinstance(r.message, tuple)
        ]
        return rows if around.publishes else []

    def _load(self, where: TopicPartition, wanted: set[str]) -> dict[str, StoredStore]:
        tables = self.around.database.stores
        states = self.cache.take(where, sorted(wanted))
        for store in sorted(wanted - states.keys()):
            states[store] = StoredStore(STORES.index(store), tables[store].state())
        for store, stored in states.items():
            stored.state.known |= {start.scrape_id for start, _ in tables[store].scrapes.values()}
        self.cache.put(where, states)
        return states

    def _decide(self, store: str, state: StoreState, message: Input) -> list[tuple[str, Fact, Head]]:
        _spoil(self.around.fault, state, message)
        found: list[tuple[str, Fact, Head]] = []
        for fact in decide(state, message):
            if not isinstance(fact, Ignored):
                evolve(state, fact)
                run = tuple(seq for seq, _ in state.partials)
                head = Head(state.clock, state.next_seq, state.full_seq, state.full_size, run)
                found.append((store, fact, head))
        return found

    def _write(self, transaction: Transaction, found: Sequence[tuple[str, Fact, Head]]) -> Steps:
        tables = self.around.database.stores
        for store in sorted({store for store, fact, _ in found if isinstance(fact, Opened | Settled)}):
            yield from transaction.lock(("head", store))
            opens = any(isinstance(fact, Opened) for of, fact, _ in found if of == store)
            if opens and tables[store].collected and self.around.fault is not Fault.NO_RESTORE:
                transaction.do(partial(_restore, tables[store]))
        yield
        for store, fact, head in found:
            transaction.do(partial(tables[store].write, fact, head))

    def _fold_groups(self, transaction: Transaction, records: Sequence[Record]) -> None:
        database, fault = self.around.database, self.around.fault
        last = database.groups.markers[-1] if database.groups.markers else None
        state = Membership() if last is None else Membership(last.version, last.at)
        for record in records:
            assert not isinstance(record.message, tuple)
            if fault is Fault.OLD_VERSIONS:
                state.version = 0
            if fault is Fault.NO_CLAMP:
                state.clock = None
            if membership.fold(state, record.message):
                marker = state.markers[record.message.store][-1]
                transaction.do(partial(database.groups.add, marker))
                if fault is Fault.RELEASE_DELETES and isinstance(marker, Confirmed):
                    transaction.do(partial(_release, database.stores[marker.store], marker))


def _said(fact: Fact) -> list[tuple[str, object]]:
    """What follows from a fact, and the ids of it: of the source message and the kind (rule 3)."""
    match fact:
        case Settled():
            return [("price-changed", (fact.scrape_id, "settled"))]
        case Opened() | Ignored():
            return []
        case _:
            return [("price-changed", (fact.scrape_id, fact.batch))] if fact.changes.listings else []


def _spoil(fault: Fault | None, state: StoreState, message: Input) -> None:
    """Make the rules forget what they would go by."""
    match fault, message:
        case (Fault.NO_BATCH_IDS, Batch()) if state.open is not None:
            if state.open.scrape_id == message.scrape_id and message.batch in state.open.batches:
                state.open.batches.discard(message.batch)
                state.open.seen.difference_update(message.listings)
        case (Fault.NO_SCRAPE_IDS, Start()):
            state.known.clear()
        case (Fault.NO_CLAMP, _):
            state.clock = BEGINNING
        case (Fault.SUPERSEDED_OPEN, Start()) if message.scrape_id not in state.known:
            state.open = None
        case _:
            pass


def _restore(tables: StoreTables) -> None:
    tables.latest = {**tables.last_rows(), **tables.latest}
    tables.collected = False


def _release(tables: StoreTables, marker: Confirmed | Ejected) -> None:
    """What the predecessor of these rules did: the rows of a member go when it is confirmed."""
    if isinstance(marker, Confirmed):
        upto = [seq for seq, (start, _) in tables.scrapes.items() if start.scrape_id == marker.up_to_scrape]
        tables.latest = {x: row for x, row in tables.latest.items() if not upto or row[1] > upto[0]}
