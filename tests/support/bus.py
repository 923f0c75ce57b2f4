"""Publishing to and reading back from the real broker; reading is by librdkafka, as a second opinion."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from confluent_kafka import Consumer, TopicPartition

from splitcart_common import ids
from splitcart_common.codec import decode, encode
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.kafka import start_producer
from splitcart_common.topics import Topic, topic_of


@dataclass(frozen=True)
class Raw:
    """A message as it stands in the log."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True)
class Said:
    """A message to publish: the event with its key and ids, or any bytes with any headers."""

    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]
    topic: Topic


def say(
    key: str, event: Event, *, event_id: UUID, correlation_id: UUID, at: datetime, topic: Topic | None = None
) -> Said:
    """A well-formed message of an event."""
    envelope = Envelope(
        event_id=event_id,
        event_type=event.TYPE,
        event_version=event.VERSION,
        occurred_at=at,
        correlation_id=correlation_id,
        producer="tests",
    )
    return Said(key.encode(), encode(event), envelope.to_headers(), topic or topic_of(type(event)))


def say_scrape(store: str, events: Sequence[Event], at: datetime) -> list[Said]:
    """The messages of one scrape, with the ids a scraper would give them."""
    scrape_id: UUID = events[0].scrape_id  # type: ignore[attr-defined] # every event of a scrape has one
    out = []
    for event in events:
        batch = getattr(event, "batch", None)
        event_id = ids.batch_id(scrape_id, batch) if batch else ids.derived_id(scrape_id, event.TYPE)
        out.append(say(store, event, event_id=event_id, correlation_id=scrape_id, at=at))
    return out


async def publish(bootstrap: str, prefix: str, messages: Iterable[Said]) -> None:
    """Publish in order, acknowledged."""
    producer = await start_producer(bootstrap, "tests")
    try:
        sends = [
            await producer.send(m.topic.on_broker(prefix), m.value, m.key, headers=m.headers) for m in messages
        ]
        await asyncio.gather(*sends)
    finally:
        await producer.stop()


def read_topic(bootstrap: str, name: str, partitions: int) -> list[Raw]:
    """Every message of a topic, partition by partition, in the order of their offsets."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"read-{name}", "enable.auto.commit": False})
    out: list[Raw] = []
    try:
        where = [TopicPartition(name, number, 0) for number in range(partitions)]
        ends = {w.partition: consumer.get_watermark_offsets(w, timeout=10)[1] for w in where}
        consumer.assign(where)
        left = sum(ends.values())
        while left:
            message = consumer.poll(10)
            assert message is not None, f"{left} messages of {name} did not come"
            assert message.error() is None, message.error()
            out.append(
                Raw(
                    message.partition(),
                    message.offset(),
                    message.key(),
                    message.value(),
                    [(name, value) for name, value in message.headers() or []],
                )
            )
            left -= 1
    finally:
        consumer.close()
    return sorted(out, key=lambda raw: (raw.partition, raw.offset))


def read_events(bootstrap: str, prefix: str, topic: Topic) -> list[tuple[str, Envelope, Event]]:
    """A topic's messages decoded: key, envelope, event."""
    raws = read_topic(bootstrap, topic.on_broker(prefix), topic.partitions)
    return [((raw.key or b"").decode(), *decode(topic, raw.headers, raw.value)) for raw in raws]
