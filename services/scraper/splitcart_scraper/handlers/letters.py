"""Dead letters as an operator asks for them: read, judged by the code of today, and what became of them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from aiokafka import TopicPartition

from splitcart_common.admission import admit, problem_by_store
from splitcart_common.clock import Clock
from splitcart_common.dead_letters import Letter, LetterError, from_record
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.outcomes import DeadLetter, Reason
from splitcart_common.reading import LogReader, Span
from splitcart_common.topics import ALL, Topic

WITH_LETTERS: Final = tuple((topic, service) for topic in ALL if topic.dead_letters for service in topic.consumers)
"""Every topic and service that can have dead letters."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters; None: any. `since` is when they became dead letters (wall), `names` are their own."""

    topic: str | None = None
    service: str | None = None
    reason: str | None = None
    store: str | None = None
    since: datetime | None = None
    names: frozenset[str] = frozenset()

    def has(self, letter: Letter) -> bool:
        """Whether a letter is one of them."""
        return (
            (self.reason is None or letter.reason == self.reason)
            and (self.store is None or letter.key == self.store.encode())
            and (self.since is None or letter.written_at >= self.since)
            and (not self.names or letter.name in self.names)
        )

    def sources(self) -> list[tuple[Topic, str]]:
        """Whose dead letters have to be read."""
        return [
            (topic, service)
            for topic, service in WITH_LETTERS
            if (self.topic is None or topic.name == self.topic)
            and (self.service is None or service == self.service)
            and (not self.names or any(name.startswith(f"{topic.name}.{service}.dlq/") for name in self.names))
        ]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the code of today says of a letter: an envelope and an event, or why it is still dead."""

    envelope: Envelope | None
    event: Event | None
    dead: DeadLetter | None

    def words(self, letter: Letter) -> str:
        """`accepted`, `still dead`, or `dead for another reason`."""
        if self.dead is None:
            return "accepted"
        return "still dead" if self.dead.reason == letter.reason else "dead for another reason"


async def spans(reader: LogReader, prefix: str, wanted: Wanted) -> list[tuple[Topic, str, Span]]:
    """The dead-letter topics to read, each as far as it goes now."""
    found = []
    for topic, service in wanted.sources():
        name = topic.dead_letter_topic(prefix, service)
        if name in reader.partitions:
            (span,) = await reader.spans([TopicPartition(name, 0)])
            found.append((topic, service, span))
    return found


async def read(
    reader: LogReader, where: Sequence[tuple[Topic, str, Span]], wanted: Wanted
) -> AsyncIterator[Letter | LetterError]:
    """The letters that are wanted, oldest first in each topic; an error for what is none of ours."""
    for topic, service, span in where:
        async for records in reader.batches([span]):
            for record in records:
                try:
                    letter = from_record(topic, service, record)
                except LetterError as error:
                    place = f"{topic.name}.{service}.dlq/0/{record.offset}"
                    yield LetterError(f"{place} is no dead letter of ours: {error}")
                    continue
                if wanted.has(letter):
                    yield letter


def judge(letter: Letter, clock: Clock) -> Verdict:
    """Ask of a letter what every message is asked, as if it came when it became a letter."""
    published_at = clock.virtual_at(letter.written_at)
    found = admit(letter.topic, letter.key, letter.headers, letter.value, published_at)
    if isinstance(found, DeadLetter):
        return Verdict(None, None, found)
    envelope, event, key = found
    dead = problem_by_store(key, envelope, event, published_at) if letter.topic.key == "store" else None
    if dead is None and letter.reason == Reason.FROM_THE_FUTURE:
        # It came before it had happened. That it has happened by now makes its times no truer.
        dead = DeadLetter(Reason.FROM_THE_FUTURE, letter.error)
    return Verdict(None, None, dead) if dead is not None else Verdict(envelope, event, None)


def without_value(letter: Letter) -> Letter:
    """A letter as it is kept while others are read: its bytes are read again where they are needed."""
    return replace(letter, value=None)


async def fetch(reader: LogReader, prefix: str, letter: Letter) -> Letter:
    """A letter with its bytes; LetterError where it is gone."""
    where = TopicPartition(letter.topic.dead_letter_topic(prefix, letter.service), 0)
    record = await reader.one(where, letter.number)
    if record is None:
        raise LetterError(f"{letter.name} is gone")
    return from_record(letter.topic, letter.service, record)


def in_utc(at: datetime | None) -> datetime | None:
    """A time given without a zone."""
    return None if at is None else at.replace(tzinfo=at.tzinfo or UTC)
