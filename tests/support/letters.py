"""Dead letters as a consumer leaves them, without a consumer."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

from aiokafka import ConsumerRecord

from splitcart_common import dead_letters
from splitcart_common.kafka import start_producer
from splitcart_common.outcomes import DeadLetter, Reason
from splitcart_common.topics import Topic
from tests.support.bus import Raw, read_topic


def record_of(topic: Topic, prefix: str, raw: Raw) -> ConsumerRecord:
    """A message as a consumer has it."""
    now = int(datetime.now(UTC).timestamp() * 1000)
    name, headers = topic.on_broker(prefix), tuple(raw.headers)
    return ConsumerRecord(name, raw.partition, raw.offset, now, 0, raw.key, raw.value, None, 0, 0, headers)


async def bury(
    broker: str,
    prefix: str,
    topic: Topic,
    service: str,
    raws: Iterable[Raw],
    reason: Reason = Reason.INVALID,
    error: str = "an older release could not read it",
) -> None:
    """Put messages where a service puts what it cannot read; they stay where they are, as they do."""
    producer = await start_producer(broker, "tests")
    try:
        for raw in raws:
            row = dead_letters.to_row(
                topic, prefix, service, record_of(topic, prefix, raw), DeadLetter(reason, error)
            )
            await producer.send_and_wait(row.topic, row.value, row.key, headers=list(row.headers))
    finally:
        await producer.stop()


async def messages_of(broker: str, prefix: str, topic: Topic) -> list[Raw]:
    """Every message of a topic."""
    return await asyncio.to_thread(read_topic, broker, topic.on_broker(prefix), topic.partitions)
