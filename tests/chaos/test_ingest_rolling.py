"""Several processes of ingest share the partitions; all are restarted in turn while observations flow.

Each has a name of its own (static membership). Nothing is lost or doubled, by either fold.
"""

import asyncio
from contextlib import suppress

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from splitcart_common.kafka import ensure_topics
from splitcart_ingest.app import SHARED
from tests.support.bus import publish
from tests.support.forking import ended
from tests.support.ingest import caught_up, folded, settings
from tests.support.killing import USED, long_log, said_once, same_as_the_logs, start

PROCESSES = ("1", "2", "3")


async def shared_out(broker: str, prefix: str) -> list[int]:
    """How many partitions each process has, once all of them are somebody's and nobody has none."""
    admin, group = AdminClient({"bootstrap.servers": broker}), f"{prefix}.ingest.fold"
    async with asyncio.timeout(60):
        while True:
            held: list[int] = []
            with suppress(KafkaException):  # nobody coordinates the group before its first member has come
                asked = admin.describe_consumer_groups([group])[group]
                members = (await asyncio.to_thread(asked.result, 30)).members
                held = [len(member.assignment.topic_partitions) for member in members]
            if len(held) == len(PROCESSES) and all(held) and sum(held) == sum(t.partitions for t in SHARED):
                return held
            await asyncio.sleep(0.1)


async def test_restarted_in_turn_they_lose_and_double_nothing(database, broker, topic_prefix):
    await ensure_topics(broker, topic_prefix, USED)
    given = {
        name: settings(
            database, broker, topic_prefix, ingest_batch_messages=5, ingest_housekeep_seconds=0.1, instance=name
        )
        for name in PROCESSES
    }
    log = long_log(seed=6, stores=24, visits=8, range_size=60, decided=200)
    size = len(log) // (2 * len(PROCESSES) + 1)
    parts = [log[n : n + size] for n in range(0, len(log), size)]
    processes = {name: start(given[name]) for name in PROCESSES}
    assert max(await shared_out(broker, topic_prefix)) < sum(topic.partitions for topic in SHARED) // 2
    for number, name in enumerate(PROCESSES):
        # Some are being folded, more come, and one ends and begins again.
        await publish(broker, topic_prefix, parts[2 * number])
        await folded(database, 2 * number * size + size // 2)
        more = asyncio.create_task(publish(broker, topic_prefix, parts[2 * number + 1]))
        await ended(processes[name])
        processes[name] = start(given[name])
        await more
    for part in parts[2 * len(PROCESSES) :]:
        await publish(broker, topic_prefix, part)
    await caught_up(database, broker, topic_prefix)
    await shared_out(broker, topic_prefix)
    for process in processes.values():
        await ended(process)
    expected = await same_as_the_logs(database, broker, topic_prefix)
    assert len(expected.history) > 2000
    assert said_once(broker, topic_prefix, expected) == 0, "whoever ends in order says nothing again"
