"""The streams there are, by the names people use: each topic, and each service's dead letters of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from splitcart_common.topics import ALL, Topic


@dataclass(frozen=True, slots=True)
class Stream:
    """A topic, or where a service puts what it cannot read of it."""

    topic: Topic
    service: str | None = None

    @property
    def name(self) -> str:
        """``product-observed``, or ``product-observed.ingest.dlq``."""
        return self.topic.name if self.service is None else f"{self.topic.name}.{self.service}.dlq"

    @property
    def partitions(self) -> int:
        """How many it is made with; one for dead letters."""
        return self.topic.partitions if self.service is None else 1

    def on_broker(self, prefix: str) -> str:
        """The topic's full name."""
        if self.service is None:
            return self.topic.on_broker(prefix)
        return self.topic.dead_letter_topic(prefix, self.service)


def _all() -> Iterator[Stream]:
    for topic in ALL:
        yield Stream(topic)
        for service in topic.consumers if topic.dead_letters else ():
            yield Stream(topic, service)


STREAMS: Final[Mapping[str, Stream]] = {stream.name: stream for stream in _all()}
"""Every stream by its name, each topic before its dead letters."""
EVENTS: Final = tuple(stream for stream in STREAMS.values() if stream.service is None)
"""Those that events are published to."""


def stream_of(name: str, prefix: str) -> Stream:
    """The stream of a name, short or as on the broker; KeyError for one that is none."""
    found = STREAMS.get(name)
    if found is None:
        found = {stream.on_broker(prefix): stream for stream in STREAMS.values()}[name]
    return found
