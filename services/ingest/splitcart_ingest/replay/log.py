"""What is in the log: how far it reaches, how far the live generation has folded it, and what it refused of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg
from aiokafka import TopicPartition

from splitcart_common.dead_letters import LetterError, from_record
from splitcart_common.postgres import Connection
from splitcart_common.reading import LogReader
from splitcart_common.topics import Topic
from splitcart_ingest.app import FOLDED, SERVICE
from splitcart_ingest.replay.building import SQL
from splitcart_ingest.replay.errors import RefusedError

Positions = Mapping[TopicPartition, int]
"""The next offset of each partition; one that is not named has none folded."""


@dataclass(frozen=True, slots=True)
class Part:
    """A partition: where the log of it begins and ends, and the next offset of the live generation.

    What ingest itself says on a topic of its own it has in its tables before it is in the log, and it reads it
    again later, or never: of such a topic the live generation holds all that is in the log.
    """

    topic: Topic
    where: TopicPartition
    start: int
    end: int
    live: int

    @property
    def own(self) -> bool:
        """Whether ingest itself says what is in it."""
        return SERVICE in self.topic.producers

    @property
    def until(self) -> int:
        """How far a replay folds it: to where the live generation is."""
        return self.end if self.own else self.live

    def problem(self) -> str | None:
        """Why it cannot be folded from its beginning to where the live generation is; None where it can."""
        name = f"{self.topic.name}/{self.where.partition}"
        if self.live > self.end:
            return (
                f"{name} ends at {self.end}, but the live generation has folded it up to {self.live}: the log has "
                "lost what was there, and a generation made of what is left would be another one. Restore the "
                "topic (`splitcart archive restore`)"
            )
        if self.start > 0 and self.until > 0:
            return (
                f"{name} begins at {self.start} and not at 0: what stood before is gone (retention, or deleted "
                "records), and a generation made without it would be another one. Restore the topic "
                "(`splitcart archive restore`), and keep it for ever (retention.ms=-1)"
            )
        return None


@dataclass(frozen=True, slots=True)
class Refused:
    """A dead letter that is not sent yet: the message it is of, and why."""

    where: TopicPartition
    offset: int
    reason: str
    error: str

    def words(self) -> str:
        """In words."""
        return f"{self.where.topic}/{self.where.partition}/{self.offset}: {self.reason}: {self.error}"


def of_letter(row: asyncpg.Record) -> Refused:
    """What an outbox row that is a dead letter says."""
    headers = {
        name.decode(): value.decode(errors="replace")
        for name, value in zip(row["header_names"], row["header_values"], strict=True)
        if name.startswith(b"dlq-")
    }
    where = TopicPartition(headers["dlq-topic"], int(headers["dlq-partition"]))
    return Refused(where, int(headers["dlq-offset"]), headers["dlq-reason"], headers["dlq-error"])


async def positions(connection: Connection) -> dict[TopicPartition, int]:
    """How far the generation of a connection is folded."""
    rows = await connection.fetch(SQL["positions"])
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def parts(reader: LogReader, prefix: str, live: Positions) -> list[Part]:
    """Every partition of the topics that are folded, in the order of the topics.

    RefusedError where a topic is not there.
    """
    topics = {topic.on_broker(prefix): topic for topic in FOLDED}
    for name in topics:
        if name not in reader.partitions:
            raise RefusedError(f"there is no topic {name}: is this the broker, and the prefix, of the live stack?")
    places = [TopicPartition(name, number) for name in topics for number in range(reader.partitions[name])]
    spans = {span.where: span for span in await reader.spans(places)}
    return [
        Part(topics[where.topic], where, spans[where].start, spans[where].end, live.get(where, 0))
        for where in places
    ]


async def dead_letters(reader: LogReader, prefix: str, live: Connection) -> dict[TopicPartition, set[int]]:
    """The offsets that the live generation refused, whether their letters are sent or still in its outbox.

    `live` is a connection to it. Of messages below positions that were read before, they are exactly those that a
    replay is to skip (protocol.md, rule 14). RefusedError where a letter does not say what it is of.
    """
    refused: dict[TopicPartition, set[int]] = {}
    names = {topic.dead_letter_topic(prefix, SERVICE): topic for topic in FOLDED if topic.dead_letters}
    # The outbox first: a letter that leaves it meanwhile is in its topic by then.
    for row in await live.fetch(SQL["unsent"], list(names)):
        unsent = of_letter(row)
        refused.setdefault(unsent.where, set()).add(unsent.offset)
    for name, topic in names.items():
        if name not in reader.partitions:
            continue
        async for records in reader.batches(await reader.spans([TopicPartition(name, 0)])):
            for record in records:
                try:
                    letter = from_record(topic, SERVICE, record)
                except LetterError as error:
                    raise RefusedError(
                        f"{name}/0/{record.offset} is no dead letter ({error}): which message it stands for "
                        "cannot be told, and a replay skips exactly those that have one"
                    ) from None
                where = TopicPartition(topic.on_broker(prefix), letter.partition)
                refused.setdefault(where, set()).add(letter.offset)
    return refused


def problems(found: Sequence[Part]) -> list[str]:
    """Why the log cannot be folded anew; nothing where it can."""
    return [problem for part in found if (problem := part.problem()) is not None]
