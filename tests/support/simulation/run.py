"""A seed's schedule: two processes over the partitions, killed, frozen, cut off and put to work at random."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.fold_model import MOMENTS, fold
from tests.support.simulation.beside import Surroundings
from tests.support.simulation.faults import Fault
from tests.support.simulation.judging import check, check_cache, heard
from tests.support.simulation.logs import PLACES, some_log, told
from tests.support.simulation.process import Process
from tests.support.simulation.shell import Broker, Database

ROUGH = 2_500
"""So many steps things go wrong, or until all is folded."""
CALM = 20_000
"""So many more all must be folded and said in, with nothing going wrong."""


@dataclass
class Tally:
    """What happened in a run, to see that a seed is worth something."""

    killed: int = 0
    frozen: int = 0
    moved: int = 0
    cut_off: int = 0
    steps: int = 0
    collected: int = 0


@dataclass
class Schedule:
    """Processes over one database, and who has which partition."""

    around: Surroundings
    processes: list[Process]
    tally: Tally = field(default_factory=Tally)

    def run(self) -> None:
        """Rough first, then calm, until there is nothing left to fold or to say."""
        rng = self.around.rng
        for where in PLACES:
            rng.choice(self.processes).assign(where)
        for _ in range(ROUGH):
            if self.all_folded():
                break
            self._step(rough=True)
        for process in self.processes:
            process.asleep = 0
        for where in PLACES:  # whoever had been forgotten, or was fenced, is told again
            if not any(where in process.lanes for process in self.processes):
                rng.choice(self.processes).assign(where)
        for _ in range(CALM):
            if self.all_folded() and not self.around.database.outbox:
                return
            self._step(rough=False)
        raise AssertionError("it does not come to rest")

    def all_folded(self) -> bool:
        """Whether every position is at the end of its partition."""
        positions = self.around.database.positions
        return all(
            where in positions and positions[where].next_offset >= len(records)
            for where, records in self.around.log.items()
        )

    def _step(self, *, rough: bool) -> None:
        rng = self.around.rng
        self.tally.steps += 1
        chance = rng.random() if rough else 1.0
        number = rng.randrange(len(self.processes))
        if chance < 0.015:
            self._kill(number)
        elif chance < 0.03:
            self.processes[number].asleep = rng.randrange(20, 600)
            self.tally.frozen += 1
        elif chance < 0.06:
            self._move(number)
        elif chance < 0.065:
            self.around.database.restart()
            self.tally.cut_off += 1
        else:
            process = self.processes[number]
            process.asleep = max(0, process.asleep - 1)
            if not process.asleep and (process.lanes or process.others):
                process.step()
            if rng.random() < 0.02:
                check_cache(self.around.database)
                self.tally.collected += any(t.collected for t in self.around.database.stores.values())

    def _kill(self, number: int) -> None:
        died = self.processes[number]
        died.die()
        self.processes[number] = Process(self.around)
        for where in died.lanes:
            self.around.rng.choice(self.processes).assign(where)
        self.tally.killed += 1

    def _move(self, number: int) -> None:
        """Another process gets a partition; who had it is told, or (frozen, cut off) is not."""
        rng, where = self.around.rng, self.around.rng.choice(PLACES)
        for other, process in enumerate(self.processes):
            if other != number and where in process.lanes and rng.random() < 0.5:
                process.revoke(where)
        self.processes[number].assign(where)
        self.tally.moved += 1


def work(around: Surroundings, processes: int = 2) -> Tally:
    """Fold a log into a database by some processes."""
    schedule = Schedule(around, [Process(around) for _ in range(processes)])
    schedule.run()
    for process in schedule.processes:
        process.die()
    return schedule.tally


def simulate(seed: int, fault: Fault | None = None) -> Tally:
    """One seed: what comes of it, and of a replay, must be the plain fold of the log. AssertionError if not."""
    rng = random.Random(seed)
    log = some_log(rng)
    expected = fold(told(log))
    moments = rng.sample(MOMENTS, 5)
    database, broker = Database(), Broker()
    tally = work(Surroundings(rng, log, database, broker, fault))
    check(database, expected, moments, fault, "live")
    assert heard(broker.published) == expected.said, "what was said differs"
    unreadable = {(where, r.offset) for where, records in log.items() for r in records if r.unreadable}
    assert broker.letters() == unreadable, "the dead letters differ"
    fresh = Database()
    replay = Surroundings(rng, log, fresh, broker, fault, publishes=False, letters=broker.letters())
    work(replay, processes=rng.choice((1, 2)))
    check(fresh, expected, moments, fault, "replay")
    assert not fresh.outbox, "a replay says something"
    return tally


def caught(fault: Fault, seeds: Sequence[int]) -> int | None:
    """The first of these seeds that shows a fault."""
    for seed in seeds:
        try:
            simulate(seed, fault)
        except AssertionError:
            return seed
    return None
