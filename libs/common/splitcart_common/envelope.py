"""The headers every message carries: who, what, when, and what it was caused by."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from msgspec import Struct

Headers = Sequence[tuple[str, bytes]]

_NAMES = (
    "event-id",
    "event-type",
    "event-version",
    "occurred-at",
    "correlation-id",
    "causation-id",
    "producer",
)


class EnvelopeError(ValueError):
    """Headers that are missing or cannot be read; the text says which and what was expected."""


class Envelope(Struct, frozen=True):
    """What surrounds an event. `correlation_id` is the scrape or request it began with."""

    event_id: UUID
    event_type: str
    event_version: int
    occurred_at: datetime
    correlation_id: UUID
    producer: str
    causation_id: UUID | None = None

    def to_headers(self) -> list[tuple[str, bytes]]:
        """The seven headers, causation left out where there is none."""
        headers = [
            ("event-id", str(self.event_id).encode()),
            ("event-type", self.event_type.encode()),
            ("event-version", b"%d" % self.event_version),
            ("occurred-at", self.occurred_at.astimezone(UTC).isoformat().encode()),
            ("correlation-id", str(self.correlation_id).encode()),
            ("producer", self.producer.encode()),
        ]
        if self.causation_id is not None:
            headers.append(("causation-id", str(self.causation_id).encode()))
        return headers

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes]]) -> "Envelope":
        """Read the headers; EnvelopeError where one is missing, twice there or not readable."""
        try:
            found = _read(headers)
            causation = found.get("causation-id")
            return cls(
                event_id=UUID(found["event-id"]),
                event_type=found["event-type"],
                event_version=int(found["event-version"]),
                occurred_at=_moment(found["occurred-at"]),
                correlation_id=UUID(found["correlation-id"]),
                producer=found["producer"],
                causation_id=None if causation is None else UUID(causation),
            )
        except KeyError as missing:
            raise EnvelopeError(f"the header {missing.args[0]} is missing") from None
        except EnvelopeError:
            raise
        except (ValueError, AttributeError, OverflowError) as error:
            raise EnvelopeError(f"a header cannot be read: {error}") from None


def _read(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        if name in found:
            raise EnvelopeError(f"the header {name} is there twice")
        if name in _NAMES:
            found[name] = value.decode()
    return found


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise EnvelopeError("the header occurred-at has no time zone")
    return moment.astimezone(UTC)
