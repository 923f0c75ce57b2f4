"""Dead letters: a message nobody could fold as it stands in its own topic, and when there are too many of them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice, takewhile
from typing import Final

from aiokafka import ConsumerRecord

from splitcart_common.envelope import Headers
from splitcart_common.outbox import OutboxRow
from splitcart_common.outcomes import DeadLetter
from splitcart_common.settings import Settings
from splitcart_common.topics import Topic

LONGEST_ERROR: Final = 2000
"""Bytes of `dlq-error`."""
_NAMES: Final = (
    "dlq-topic",
    "dlq-partition",
    "dlq-offset",
    "dlq-reason",
    "dlq-error",
    "dlq-service",
    "dlq-service-version",
)
_NO_VALUE: Final = ("dlq-value", b"null")
"""Where there was neither key nor value: aiokafka sends no such message."""


class LetterError(ValueError):
    """A message in a dead-letter topic that is no dead letter of ours."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: the message as it was, where it stood and why it is here.

    `number` is its offset in its own topic, which has one partition; `written_at` the broker's (wall) time.
    """

    topic: Topic
    service: str
    number: int
    written_at: datetime
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    reason: str
    error: str
    service_version: str

    @property
    def name(self) -> str:
        """Where it is: ``product-observed.ingest.dlq/0/17``."""
        return f"{self.topic.name}.{self.service}.dlq/0/{self.number}"

    @property
    def source(self) -> str:
        """Where it stood: ``product-observed/3/41``."""
        return f"{self.topic.name}/{self.partition}/{self.offset}"


def to_row(topic: Topic, prefix: str, service: str, record: ConsumerRecord, why: DeadLetter) -> OutboxRow:
    """The untouched message with its reason, on its way to the service's dead letters."""
    # Cut at a letter's end: whoever reads it may decode it.
    error = why.error.encode(errors="replace")[:LONGEST_ERROR].decode(errors="ignore")
    ours = (
        record.topic.encode(),
        b"%d" % record.partition,
        b"%d" % record.offset,
        why.reason.encode(),
        error.encode(),
        service.encode(),
        version(f"splitcart-{service}").encode(),
    )
    headers = [*record.headers, *zip(_NAMES, ours, strict=True)]
    value = record.value
    if record.key is None and value is None:
        value, headers = b"", [*headers, _NO_VALUE]
    return OutboxRow(topic.dead_letter_topic(prefix, service), record.key, value, headers)


def from_record(topic: Topic, service: str, record: ConsumerRecord) -> Letter:
    """A message of a dead-letter topic as the letter it is; LetterError where it is none."""
    headers = list(record.headers)
    nothing = bool(headers) and tuple(headers[-1]) == _NO_VALUE
    if nothing:
        headers.pop()
    own, ours = headers[: -len(_NAMES)], headers[-len(_NAMES) :]
    if tuple(name for name, _ in ours) != _NAMES:
        raise LetterError(f"it does not end with the headers {', '.join(_NAMES)}")
    try:
        _, partition, offset, reason, error, _, release = (value.decode() for _, value in ours)
        return Letter(
            topic=topic,
            service=service,
            number=record.offset,
            written_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
            partition=int(partition),
            offset=int(offset),
            key=record.key,
            value=None if nothing else record.value,
            headers=own,
            reason=reason,
            error=error,
            service_version=release,
        )
    except (ValueError, AttributeError) as error:
        raise LetterError(f"a header of it cannot be read: {error}") from None


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Dead letters that are borne: fewer than `in_a_row`, and at most `share` of the last `window` messages."""

    in_a_row: int = 50
    window: int = 200
    share: float = 0.5

    @classmethod
    def of(cls, settings: Settings) -> "Tolerance":
        """As the environment says."""
        return cls(settings.dead_letters_in_a_row, settings.dead_letters_window, settings.dead_letters_share)

    def add(self, recent: Sequence[bool], batch: Sequence[bool]) -> tuple[deque[bool], str | None]:
        """The last messages with a batch more, True for a dead letter; and what is too much of them, or None.

        A row, or a window that is mostly dead, counts even where better messages follow it in the batch: what it
        tells of our fault stays true.
        """
        held = deque(recent, maxlen=max(self.window, self.in_a_row))
        in_a_row = sum(1 for _ in takewhile(bool, reversed(held)))
        for is_dead in batch:
            held.append(is_dead)
            in_a_row = in_a_row + 1 if is_dead else 0
            if is_dead:
                last = list(islice(reversed(held), self.window))
                if in_a_row >= self.in_a_row or sum(last) > self.share * self.window:
                    return held, f"{in_a_row} dead letters in a row, {sum(last)} of the last {len(last)}"
        return held, None
