"""Kafka with our defaults: idempotent writes, no auto-commit, bounded fetches, topics from their records."""

from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
    TopicAlreadyExistsError,
    for_code,
)

from splitcart_common import unpacking
from splitcart_common.topics import ALL, Topic

UNAVAILABLE = (KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError, RequestTimedOutError, OSError)
"""The broker is not there, or went away: wait and try again."""

MAX_MESSAGE_BYTES = 64 << 20
"""Before compression. The broker's own limit is after it: a dead letter that once came through must go through."""
FETCH_BYTES = 384 << 10
"""The most that one fetch holds of one partition: with the batch in work it bounds a consumer's memory."""


async def start_producer(bootstrap: str, client_id: str) -> AIOKafkaProducer:
    """A producer that neither loses nor doubles within its session; batches are compressed with zstd.

    The relay makes its batches itself (`record_batch`): what is said of size and age here is for single sends.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        enable_idempotence=True,
        acks="all",
        compression_type="zstd",
        linger_ms=2,
        max_batch_size=512 << 10,
        max_request_size=MAX_MESSAGE_BYTES,
    )
    await producer.start()
    return producer


def make_consumer(
    bootstrap: str, group: str | None, client_id: str, instance: str | None = None
) -> AIOKafkaConsumer:
    """A consumer that commits nothing: positions are ours to keep (protocol.md, rule 12).

    Between an assignment and our seek aiokafka may already fetch; "earliest" makes it start where nothing can
    be skipped, and a lane drops what lies below its position. `instance` makes the membership static. Without a
    group the caller assigns partitions by hand.
    """
    unpacking.install()
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        group_instance_id=instance,
        client_id=client_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=100,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=2_000,
    )


async def ensure_topics(
    bootstrap: str, prefix: str, topics: Iterable[Topic] = ALL, *, replication: int = 1
) -> list[str]:
    """Create the topics that are missing, dead-letter topics of their consumers included; the names made.

    RuntimeError where a topic exists with another number of partitions: changing it would change which
    partition a store lives in, and so the order of its past.
    """
    wanted: dict[str, NewTopic] = {}
    for topic in topics:
        name = topic.on_broker(prefix)
        wanted[name] = NewTopic(name, topic.partitions, replication, topic_configs=topic.config())
        if topic.dead_letters:
            for service in topic.consumers:
                dead = topic.dead_letter_topic(prefix, service)
                wanted[dead] = NewTopic(dead, 1, replication, topic_configs=topic.dead_letter_config())
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = [topic for name, topic in wanted.items() if name not in there]
        if missing:
            answer = await admin.create_topics(missing)
            for name, code, *_ in answer.topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise for_code(code)(f"cannot create topic {name}")
        existing = [name for name in wanted if name in there]
        for found in await admin.describe_topics(existing) if existing else ():
            partitions = wanted[found["topic"]].num_partitions
            if len(found["partitions"]) != partitions:
                raise RuntimeError(
                    f"topic {found['topic']} has {len(found['partitions'])} partitions, expected {partitions}: "
                    "use the data folder it was made with, or another topic prefix"
                )
    finally:
        await admin.close()
    await _until_led(bootstrap, missing)
    return [topic.name for topic in missing]


async def _until_led(bootstrap: str, topics: Iterable[NewTopic]) -> None:
    """Wait until every partition has a leader: a created topic is not yet one that answers."""
    partitions = [TopicPartition(topic.name, n) for topic in topics for n in range(topic.num_partitions)]
    if not partitions:
        return
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, retry_backoff_ms=5)
    await consumer.start()
    try:
        await consumer.end_offsets(partitions)  # asks each leader, and again until there is one
    finally:
        await consumer.stop()
