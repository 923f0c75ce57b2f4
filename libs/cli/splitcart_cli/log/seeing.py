"""A message as it is shown: decoded as far as it can be, as one line for people or one of JSON for scripts."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from aiokafka import ConsumerRecord
from rich.text import Text

from splitcart_cli.log.streams import Stream
from splitcart_common.codec import DecodeError, decode
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event

_STYLES = {True: "cyan", False: "red"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A message and what it says; `problem` is why it cannot be read, and then there is no event."""

    stream: Stream
    record: ConsumerRecord
    envelope: Envelope | None = None
    event: Event | None = None
    problem: DecodeError | None = None

    @property
    def key(self) -> str:
        """The key as text."""
        return (self.record.key or b"").decode(errors="backslashreplace")

    @property
    def place(self) -> str:
        """``product-observed/3/41``: topic, partition, offset."""
        return f"{self.stream.name}/{self.record.partition}/{self.record.offset}"

    @property
    def published_at(self) -> datetime:
        """The broker's (wall) time of it."""
        return datetime.fromtimestamp(self.record.timestamp / 1000, UTC)


def see(stream: Stream, record: ConsumerRecord) -> Seen:
    """Decode a message; one that cannot be is seen all the same."""
    try:
        envelope, event = decode(stream.topic, record.headers, record.value)
    except DecodeError as problem:
        return Seen(stream, record, problem=problem)
    return Seen(stream, record, envelope, event)


def as_json(seen: Seen, *, headers: bool = False) -> bytes:
    """One line of JSON; `headers` adds all of them as they stand."""
    record, envelope = seen.record, seen.envelope
    content: dict[str, Any] = {
        "topic": seen.stream.name,
        "partition": record.partition,
        "offset": record.offset,
        "published_at": seen.published_at,
        "key": None if record.key is None else seen.key,
    }
    if headers:
        content["headers"] = [[name, _shown(value)] for name, value in record.headers]
    if envelope is not None:
        content |= {
            "event_id": envelope.event_id,
            "type": envelope.event_type,
            "version": envelope.event_version,
            "occurred_at": envelope.occurred_at,
            "correlation_id": envelope.correlation_id,
            "causation_id": envelope.causation_id,
            "producer": envelope.producer,
            "event": seen.event,
        }
    if seen.problem is not None:
        value = None if record.value is None else base64.b64encode(record.value).decode()
        content |= {"problem": seen.problem.reason, "error": seen.problem.error, "value_base64": value}
    return msgspec.json.encode(content)


def as_line(seen: Seen) -> Text:
    """One line for people: when it occurred, where it stands, what it is, its key, and what it says in short."""
    if seen.envelope is None or seen.event is None:
        kind, says = "unreadable", str(seen.problem)
        at = f"({seen.published_at:%Y-%m-%d %H:%M:%S})"
    else:
        kind, says = seen.envelope.event_type, in_short(seen.event)
        at = f"{seen.envelope.occurred_at:%Y-%m-%d %H:%M:%S}  "
    line = Text(f"{at} {seen.place:<24} ")
    line.append(f"{kind:<18} ", style=_STYLES[seen.problem is None])
    line.append(f"{printable(seen.key):<14} ", style="bold")
    line.append(printable(says)[:500])
    return line


def in_short(event: Event) -> str:
    """The fields of an event in their order; lists as their length, long ids as their first part."""
    words = []
    for field in event.__struct_fields__:
        value = getattr(event, field)
        if isinstance(value, tuple):
            words.append(f"{field}=[{len(value)}]")
        elif isinstance(value, UUID):
            words.append(f"{field}={str(value)[:18]}")
        elif isinstance(value, datetime):
            words.append(f"{field}={value:%Y-%m-%dT%H:%M:%S}")
        elif value is not None and field != "store":
            words.append(f"{field}={value}")
    return " ".join(words)


def in_full(seen: Seen) -> str:
    """The event as indented JSON; the bytes where it is none."""
    if seen.event is None:
        return repr(seen.record.value)
    return printable(msgspec.json.format(msgspec.json.encode(seen.event), indent=2).decode(), lines=True)


def printable(text: str, *, lines: bool = False) -> str:
    """A text that a terminal shows and does not obey: a name may hold any character. `lines` are kept if asked."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or (lines and c == "\n") else repr(c)[1:-1] for c in text)


def header_text(value: bytes | None) -> str:
    """A header's value for people."""
    return "(null)" if value is None else printable(value.decode(errors="backslashreplace"))


def _shown(value: bytes | None) -> str | dict[str, str] | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
