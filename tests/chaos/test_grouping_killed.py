"""Grouping is killed, and killed again, its relay with it: every decision once, and the groups are their fold."""

import asyncio
import random

import pytest

from tests.support.bus import publish
from tests.support.forking import ended, killed
from tests.support.grouping import (
    anchors_in,
    anchors_shown,
    caught_up,
    country,
    eventually,
    fold_in,
    fold_of_log,
    formed,
    prices_in,
    prices_said,
    settings,
    start_process,
    topics,
)


@pytest.mark.parametrize(
    ("kills", "rounds"), [(10, 5), pytest.param(40, 12, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
async def test_killed_again_and_again_its_groups_are_the_fold_of_what_it_said(
    database, broker, topic_prefix, kills, rounds
):
    await topics(broker, topic_prefix)
    # Batches of two and maintenance all the time, so that a kill hits one or the other, or the relay between.
    given = settings(
        database, broker, topic_prefix, grouping_batch_messages=2, grouping_maintain_seconds=0.1, instance="1"
    )
    log = country(11, zones=(4, 3), rounds=rounds, companies=("aldi", "coles"))
    stores, visits = [m for said in log[:14] for m in said], [m for said in log[14:] for m in said]
    await publish(broker, topic_prefix, stores)
    rng = random.Random(11)
    for kill in range(kills + 1):
        service = start_process(given)
        if kill == 0:
            await formed(database, len(stores))
            await publish(broker, topic_prefix, visits)
        if kill < kills:
            share = rng.uniform(kill, kill + 1) / (kills + 1)
            await eventually(
                database,
                f"SELECT coalesce(sum(next_offset), 0) >= {share * len(visits):.0f} FROM grouping.positions "
                "WHERE topic LIKE '%price-changed%'",
            )
            await asyncio.sleep(rng.uniform(0, 0.05))
            await killed(service)
    await caught_up(database, broker, topic_prefix)
    await ended(service)
    folded = fold_of_log(broker, topic_prefix)
    assert sum(groups.version for groups in folded.values()) > 40
    assert await fold_in(database) == folded
    assert await anchors_shown(database) == anchors_in(folded)
    seen = {**await prices_in(database, "aldi"), **await prices_in(database, "coles")}
    assert seen == prices_said([*stores, *visits])
