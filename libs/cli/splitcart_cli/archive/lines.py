"""One message as one line of JSON, and back to the very bytes.

A value that is JSON on one line stands in it as it is, so that jq and grep can look into an archive; any other is
base64, and so is a key or a header that is no text. What is not there is null, or left out.
"""

import base64
from collections.abc import Sequence

import msgspec
from aiokafka import ConsumerRecord
from msgspec import UNSET, Raw, Struct, UnsetType


class Binary(Struct, frozen=True):
    """Bytes that are no text."""

    base64: str


Text = str | Binary | None


class Line(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A message of a partition. `timestamp` is the broker's, in milliseconds."""

    offset: int
    timestamp: int
    key: Text = None
    headers: tuple[tuple[str, Text], ...] = ()
    value: Raw | UnsetType = UNSET
    value_base64: str | None = None


class Record(Struct, frozen=True):
    """A message as the broker is given it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


_DECODER = msgspec.json.Decoder(Line)


def record_of(message: ConsumerRecord) -> Record:
    """A message that was read."""
    headers = tuple((name, value) for name, value in message.headers)
    return Record(message.offset, message.timestamp, message.key, message.value, headers)


def to_line(record: Record) -> bytes:
    """One line without its end."""
    value, other = _embedded(record.value), None
    if value is UNSET and record.value is not None:
        other = _base64(record.value)
    headers = tuple((name, _text(content)) for name, content in record.headers)
    return msgspec.json.encode(Line(record.offset, record.timestamp, _text(record.key), headers, value, other))


def from_line(line: bytes) -> Record:
    """The message of a line; ValueError where it is none."""
    try:
        found = _DECODER.decode(line)
        if isinstance(found.value, Raw):
            value: bytes | None = bytes(found.value)
        else:
            value = None if found.value_base64 is None else _bytes(found.value_base64)
        headers = tuple((name, _content(text)) for name, text in found.headers)
        return Record(found.offset, found.timestamp, _content(found.key), value, headers)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ValueError(f"a line is no message: {error}") from None


def to_lines(records: Sequence[Record]) -> bytes:
    """Lines, each with its end."""
    return b"".join(part for record in records for part in (to_line(record), b"\n"))


def _embedded(value: bytes | None) -> Raw | UnsetType:
    # Only objects and arrays: they begin and end where their bytes do.
    if not value or value[:1] not in b"{[" or value[-1:] not in b"}]" or b"\n" in value or b"\r" in value:
        return UNSET
    try:
        value.decode()
        return msgspec.json.decode(value, type=Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return UNSET


def _text(content: bytes | None) -> Text:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return Binary(_base64(content))


def _content(text: Text) -> bytes | None:
    if isinstance(text, Binary):
        return _bytes(text.base64)
    return None if text is None else text.encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
