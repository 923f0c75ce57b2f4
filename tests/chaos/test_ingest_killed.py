"""Ingest is killed, and killed again: nothing lost, nothing twice (design.md, promise 1)."""

import asyncio
import os
import random
import signal
import sys

from splitcart_common.kafka import ensure_topics
from splitcart_common.topics import LISTING_DESCRIBED, PRICE_CHANGED, PRODUCT_OBSERVED, STORES
from tests.support.bus import publish, read_events
from tests.support.ingest import caught_up, country, environment, fold_in, fold_of_log, folded, settings

KILLS = 10


async def test_killed_ten_times_it_still_equals_the_fold_of_the_log(database, broker, topic_prefix):
    await ensure_topics(broker, topic_prefix, (PRODUCT_OBSERVED, STORES, PRICE_CHANGED, LISTING_DESCRIBED))
    given = settings(database, broker, topic_prefix, ingest_batch_messages=2, instance="1")
    log = [message for said in country(seed=3, stores=24, visits=8, range_size=80) for message in said]
    await publish(broker, topic_prefix, log)
    rng = random.Random(3)
    for kill in range(KILLS + 1):
        service = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "splitcart_ingest", env={**os.environ, **environment(given)},
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        if kill < KILLS:
            # Somewhere in the middle of the work: after a random share of it, and a random moment more.
            await folded(
                database, rng.randrange(kill * len(log) // (KILLS + 1) + 1, (kill + 1) * len(log) // (KILLS + 1))
            )
            await asyncio.sleep(rng.uniform(0, 0.05))
            service.send_signal(signal.SIGKILL)
            await service.wait()
    await caught_up(database, broker, topic_prefix)
    service.terminate()
    assert await service.wait() == 0
    expected = fold_of_log(broker, topic_prefix)
    assert len(expected.history) > 3000
    assert await fold_in(database) == expected
    # What was relayed twice bears the same id and says the same.
    said = {}
    for _, envelope, event in read_events(broker, topic_prefix, PRICE_CHANGED):
        assert said.setdefault(envelope.event_id, event) == event
    changed = sum(len(getattr(event, "changes", ())) + len(getattr(event, "skus", ())) for event in said.values())
    assert changed == len(expected.history)
