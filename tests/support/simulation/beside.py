"""What works beside the lanes of a process: housekeeping, and the relay of the outbox."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from tests.support.fold_model import STORES
from tests.support.simulation.faults import Fault
from tests.support.simulation.judging import evidence, floor, last_confirmed
from tests.support.simulation.logs import Log
from tests.support.simulation.shell import Broker, Database, LostError, Steps, StoreTables


@dataclass
class Surroundings:
    """What all processes share. `publishes` is off in a replay, which skips the dead letters named."""

    rng: random.Random
    log: Log
    database: Database
    broker: Broker
    fault: Fault | None = None
    publishes: bool = True
    letters: set[object] = field(default_factory=set)


def keep_house(around: Surroundings) -> Steps:
    """Look at one store after the other, and drop what is redundant (rule 10)."""
    database, fault = around.database, around.fault
    while True:
        yield
        store = around.rng.choice(STORES)
        tables = database.stores[store]
        transaction = database.begin()
        try:
            if fault is not Fault.COLLECT_UNLOCKED and not transaction.try_lock(("head", store)):
                continue
            yield
            record = tables.record(database.groups.of_store(store))
            low, memo = floor(record, wait=fault is not Fault.COLLECT_UNFOLDED), last_confirmed(record)
            is_open = any(scrape.outcome is None for scrape in record.scrapes)
            if low is None or (is_open and fault is not Fault.COLLECT_OPEN):
                continue
            yield
            now = tables.record(())  # each statement sees what is committed by then
            gone = [x for x in tables.latest if evidence(now, x) <= low]
            yield
            transaction.do(partial(_collect, tables, gone))
            transaction.do(partial(setattr, tables, "floor", (memo, low)))
            yield
            transaction.commit()
        except LostError:
            pass
        finally:
            transaction.end()


def relay(around: Surroundings) -> Steps:
    """Publish the outbox while it holds the lock of relays (rule 12)."""
    last = 0
    while True:
        yield
        session = around.database.begin()
        try:
            yield from session.lock("relay")
            while True:
                session.check()
                floor = last if around.fault is Fault.RELAY_SERIAL else 0
                rows = sorted(around.database.outbox, key=lambda row: row.serial)
                rows = [row for row in rows if row.serial > floor][: around.rng.randrange(1, 6)]
                last = max([last, *(row.serial for row in rows)])
                yield
                if around.fault is Fault.RELAY_DELETES_FIRST:
                    around.database.outbox = [row for row in around.database.outbox if row not in rows]
                for row in rows:
                    around.broker.published.append(row)
                    yield
                session.check()  # whoever has lost the session cannot delete either
                around.database.outbox = [row for row in around.database.outbox if row not in rows]
        except LostError:
            pass
        finally:
            session.end()


def _collect(tables: StoreTables, gone: Sequence[int]) -> None:
    for x in gone:
        tables.latest.pop(x, None)
    tables.collected = tables.collected or bool(gone)
