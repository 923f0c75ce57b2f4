"""The fold's promise in a simulation of its shell: whatever is killed, the state is the fold of the recorded log.

The rules are the real ones (`domain`); transactions, positions, outbox and locks are a model of the shell, stepped
at random: crashes between any two steps, zombies, repeats, any batches, any interleaving, housekeeping, a replay.
"""

import random
from dataclasses import astuple

import pytest

from splitcart_ingest.domain.membership import Confirmed
from tests.support.fold_model import MOMENTS, fold
from tests.support.simulation.faults import HARMLESS, Fault
from tests.support.simulation.logs import PLACES, REPEATS, some_log, told
from tests.support.simulation.run import Tally, caught, simulate

SHORT, LONG = range(50), range(50, 1_050)
AMONG = 150
"""Each fault shows in one of so many seeds; the rarest does in one of ten."""
NEEDED = [fault for fault in Fault if fault not in HARMLESS]


@pytest.mark.parametrize("seeds", [SHORT, pytest.param(LONG, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_whatever_is_killed_the_state_is_the_fold_of_the_log(seeds):
    total = Tally()
    for seed in seeds:
        total = Tally(*map(sum, zip(astuple(total), astuple(simulate(seed)), strict=True)))
    # Else the seeds would show nothing.
    assert total.killed > 10 * len(seeds)
    assert total.moved > 10 * len(seeds)
    assert total.frozen > 10 * len(seeds)
    assert total.cut_off > len(seeds)
    assert total.collected > len(seeds)


@pytest.mark.parametrize("fault", NEEDED, ids=lambda fault: fault.name.lower())
def test_each_deliberate_fault_is_caught(fault):
    assert caught(fault, range(AMONG)) is not None, fault


@pytest.mark.parametrize(
    "seeds", [range(20), pytest.param(LONG, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
@pytest.mark.parametrize("fault", HARMLESS, ids=lambda fault: fault.name.lower())
def test_what_another_rule_covers_changes_nothing(fault, seeds):
    assert caught(fault, seeds) is None, HARMLESS[fault]


def test_repeats_in_the_log_change_nothing():
    for seed in SHORT:
        log = some_log(random.Random(seed))
        said, once = told(log), []
        for message in said:
            if message not in once:
                once.append(message)
        one, other = fold(said), fold(once)
        assert one.records() == other.records()
        assert one.facts == other.facts
        assert one.served(MOMENTS[-1]) == other.served(MOMENTS[-1])


def test_the_logs_have_something_of_everything():
    logs = [some_log(random.Random(seed)) for seed in SHORT]
    models = [fold(told(log)) for log in logs]
    outcomes = {end.outcome for model in models for store in model.facts for end in model.settled(store)}
    assert outcomes == {"full", "partial", "abandoned", "superseded"}
    records = [record for log in logs for where in PLACES for record in log[where]]
    distinct = {id(record.message) for record in records}
    assert len(records) - len(distinct) >= REPEATS * len(distinct) * 0.9
    assert sum(record.unreadable for record in records) > 20
    served = [answer for model in models for answer in model.served(MOMENTS[9]).items() if answer[1] is not None]
    assert sum(store != answer.store for (store, _), answer in served) > 50, "somebody is served by an anchor"
    markers = [m for model in models for of in model.members.markers.values() for m in of]
    assert sum(bool(m.exceptions) for m in markers if isinstance(m, Confirmed)) > 20
