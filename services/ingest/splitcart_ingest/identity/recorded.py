"""What is on record: the log of `catalogue`, read without being a consumer of it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from aiokafka import TopicPartition

from splitcart_common.admission import admit
from splitcart_common.envelope import Envelope
from splitcart_common.events import CatalogueEvent
from splitcart_common.outcomes import DeadLetter
from splitcart_common.reading import LogReader, Span
from splitcart_common.topics import CATALOGUE

Watcher = Callable[[int, int], None]
"""Is told how many messages are read, of how many."""

_LONG_AFTER: Final = datetime(9999, 1, 1, tzinfo=UTC)


class RecordError(Exception):
    """What is asked cannot be answered from what is on record; the text says why, and what can be done."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as it stands in the log."""

    offset: int
    envelope: Envelope
    event: CatalogueEvent


async def recorded(reader: LogReader, prefix: str, watch: Watcher, start: int = 0) -> AsyncIterator[Recorded]:
    """What stands in the log now, in its order, from an offset on; RecordError for a message nobody can read."""
    where = TopicPartition(CATALOGUE.on_broker(prefix), 0)
    if where.topic not in reader.partitions:
        raise RecordError(f"there is no topic {where.topic}: is this the broker, and the prefix, of the stack?")
    (span,) = await reader.spans([where])
    async for records in reader.batches([Span(where, max(start, span.start), span.end)]):
        for record in records:
            # When it came it was not from the future, or it would not be here: nothing of ours is.
            found = admit(CATALOGUE, record.key, record.headers, record.value, _LONG_AFTER)
            if isinstance(found, DeadLetter):
                raise RecordError(
                    f"{where.topic}/0/{record.offset} cannot be read ({found.reason}: {found.error}): what was "
                    "decided there is not known to this release"
                )
            envelope, event, _ = found
            yield Recorded(record.offset, envelope, cast("CatalogueEvent", event))
        watch(records[-1].offset + 1, span.end)
