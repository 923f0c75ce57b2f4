"""Which messages the rows that differ came by: where each stands in the log, and what it says.

Neither generation is asked: so it can be told which of the two is as the log has it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from aiokafka import TopicPartition

from splitcart_common import events
from splitcart_common.admission import admit
from splitcart_common.outcomes import DeadLetter
from splitcart_common.reading import LogReader, Span, partition_of
from splitcart_common.topics import PRODUCT_OBSERVED, STORE_GROUPS, Topic
from splitcart_ingest.replay.explain import Difference, Said
from splitcart_ingest.replay.log import Positions
from splitcart_ingest.replay.stretch import Recorded

Mark = tuple[object, ...]
"""What tells a message apart within its key: a batch of a scrape, the end of a scrape, a version of the groups."""

OF_SCRAPES: Final = ("history", "scrapes")
OF_GROUPS: Final = ("markers", "exceptions")


async def find(
    reader: LogReader, prefix: str, ends: Positions, rows: Sequence[Difference]
) -> tuple[Difference, ...]:
    """The rows, with the messages they came by, below `ends`. The partitions of their keys are read once each."""
    wanted: dict[tuple[Topic, str], dict[Mark, list[int]]] = {}
    for place, row in enumerate(rows):
        if (asked := _asked(row)) is not None:
            topic, key, mark = asked
            wanted.setdefault((topic, key), {}).setdefault(mark, []).append(place)
    spans: dict[TopicPartition, Span] = {}
    for topic, key in wanted:
        name = topic.on_broker(prefix)
        where = TopicPartition(name, partition_of(key, reader.partitions[name]))
        spans[where] = Span(where, 0, ends.get(where, 0))
    topics = {topic.on_broker(prefix): topic for topic, _ in wanted}
    found: dict[int, Said] = {}
    async for records in reader.batches(list(spans.values())):
        for record in records:
            topic = topics[record.topic]
            marks = wanted.get((topic, (record.key or b"").decode(errors="replace")))
            if marks is None:
                continue
            message = admit(topic, record.key, record.headers, record.value, Recorded().now())
            if isinstance(message, DeadLetter):
                continue
            _, event, _ = message
            for place in marks.get(_mark(event), ()):
                # A repeat says what was said before, and is ignored.
                found.setdefault(place, _said(topic, record.partition, record.offset, event, rows[place]))
    return tuple(replace(row, said=found.get(place)) for place, row in enumerate(rows))


def _asked(row: Difference) -> tuple[Topic, str, Mark] | None:
    """The topic, the key and the mark of the message that a row came by; None where no single one can be named."""
    if row.place.part in OF_GROUPS:
        return STORE_GROUPS, row.place.company, (row.key["version"],)
    scrape = row.made_scrape or row.live_scrape
    if row.place.part not in OF_SCRAPES or scrape is None:
        return None
    batch = (row.made or row.live or {}).get("batch", 0)
    return PRODUCT_OBSERVED, row.place.store, (scrape["scrape_id"], batch)


def _mark(event: events.Event) -> Mark:
    match event:
        case events.ProductsObserved():
            return (event.scrape_id, event.batch)
        case events.ScrapeCompleted() | events.ScrapeAbandoned():
            return (event.scrape_id, 0)
    return (getattr(event, "version", None),)


def _said(topic: Topic, partition: int, offset: int, event: events.Event, row: Difference) -> Said:
    price = None
    if isinstance(event, events.ProductsObserved):
        price = next((seen.price for seen in event.listings if seen.sku == row.key["sku"]), None)
    return Said(topic.name, partition, offset, event.TYPE, price)
