"""Bytes to events and back: one pass of typed decoding, with validation, and nothing half-read."""

from collections.abc import Iterable
from typing import Any

import msgspec

from splitcart_common.envelope import Envelope, EnvelopeError
from splitcart_common.events import Event
from splitcart_common.outcomes import Reason
from splitcart_common.topics import ALL, EVENT_TYPES, Topic
from splitcart_common.upcasts import STEPS, lift

_ENCODER = msgspec.json.Encoder()
_DECODERS: dict[str, msgspec.json.Decoder[Event]] = {
    name: msgspec.json.Decoder(event) for name, event in EVENT_TYPES.items()
}
_ON_TOPIC = {topic.name: frozenset(event.TYPE for event in topic.events) for topic in ALL}


class DecodeError(Exception):
    """A message that no consumer can fold, with the reason class of its dead letter."""

    def __init__(self, reason: Reason, error: str) -> None:
        super().__init__(f"{reason}: {error}")
        self.reason = reason
        self.error = error


def encode(event: Event) -> bytes:
    """The JSON of an event. Times are written in UTC as RFC 3339, money as integer cents."""
    return _ENCODER.encode(event)


def decode(topic: Topic, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> tuple[Envelope, Event]:
    """Read one message of a topic, lifted to the newest version; DecodeError says why if it cannot be."""
    try:
        envelope = Envelope.from_headers(headers)
    except EnvelopeError as error:
        raise DecodeError(Reason.NO_ENVELOPE, str(error)) from None
    decoder = _DECODERS.get(envelope.event_type)
    if decoder is None:
        raise DecodeError(Reason.UNKNOWN_TYPE, f"{envelope.event_type!r} is no event of ours")
    if envelope.event_type not in _ON_TOPIC[topic.name]:
        raise DecodeError(Reason.WRONG_TOPIC, f"{envelope.event_type} does not belong on {topic.name}")
    if value is None:
        raise DecodeError(Reason.UNDECODABLE, "the message has no value")
    newest = EVENT_TYPES[envelope.event_type].VERSION
    try:
        if envelope.event_version == newest:
            event = decoder.decode(value)
        else:
            event = _decode_older(envelope, newest, value)
    except msgspec.ValidationError as error:
        raise DecodeError(Reason.INVALID, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(Reason.UNDECODABLE, str(error)) from None
    # The one byte first: it is rare, and looked for ten times as fast as the six.
    if b"\\" in value and b"\\u0000" in value and _has_nul(msgspec.to_builtins(event)):
        raise DecodeError(Reason.INVALID, "a text contains U+0000, which Postgres cannot hold")
    return envelope, event


def _has_nul(value: object) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(_has_nul(part) for pair in value.items() for part in pair)
        case list() | tuple():
            return any(map(_has_nul, value))
    return False


def _decode_older(envelope: Envelope, newest: int, value: bytes) -> Event:
    kind, version = envelope.event_type, envelope.event_version
    if version > newest or (kind, version) not in STEPS:
        raise DecodeError(
            Reason.UNKNOWN_VERSION,
            f"{kind} version {version}: this release reads 1 to {newest}",
        )
    raw: Any = msgspec.json.decode(value, type=dict[str, Any])
    try:
        lifted = lift(kind, version, newest, raw)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise DecodeError(Reason.INVALID, f"cannot lift {kind} from version {version}: {error}") from None
    return msgspec.convert(lifted, EVENT_TYPES[kind])
