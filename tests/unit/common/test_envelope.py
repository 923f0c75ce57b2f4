"""The headers of a message: written, read back, and refused where they are missing, double or garbled."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from splitcart_common.envelope import Envelope, EnvelopeError

ENVELOPE = Envelope(
    event_id=UUID(int=1),
    event_type="scrape-started",
    event_version=1,
    occurred_at=datetime(2026, 9, 1, 8, 30, tzinfo=UTC),
    correlation_id=UUID(int=2),
    producer="scraper",
    causation_id=UUID(int=3),
)
HEADERS = ENVELOPE.to_headers()


def with_header(name: str, value: bytes | None) -> list[tuple[str, bytes | None]]:
    return [(n, value if n == name else v) for n, v in HEADERS]


def test_seven_headers_go_out_and_come_back():
    assert [name for name, _ in HEADERS] == [
        "event-id",
        "event-type",
        "event-version",
        "occurred-at",
        "correlation-id",
        "producer",
        "causation-id",
    ]
    assert Envelope.from_headers(HEADERS) == ENVELOPE
    assert Envelope.from_headers(reversed(HEADERS)) == ENVELOPE


def test_without_a_cause_the_header_is_left_out():
    envelope = Envelope.from_headers(HEADERS[:-1])
    assert envelope.causation_id is None
    assert envelope.to_headers() == HEADERS[:-1]


def test_times_are_written_in_utc():
    there = ENVELOPE.occurred_at.astimezone(timezone(timedelta(hours=10)))
    headers = Envelope(**{**{f: getattr(ENVELOPE, f) for f in ENVELOPE.__struct_fields__}, "occurred_at": there})
    assert dict(headers.to_headers())["occurred-at"] == b"2026-09-01T08:30:00+00:00"


def test_headers_of_others_are_let_be():
    foreign = [("traceparent", b"00-\xff"), ("traceparent", b"again"), ("none", None)]
    assert Envelope.from_headers([*foreign, *HEADERS]) == ENVELOPE


@pytest.mark.parametrize("name", [name for name, _ in HEADERS[:-1]])
def test_a_missing_header_is_named(name):
    with pytest.raises(EnvelopeError, match=f"the header {name} is missing"):
        Envelope.from_headers([header for header in HEADERS if header[0] != name])


@pytest.mark.parametrize("name", [name for name, _ in HEADERS])
def test_a_header_that_is_there_twice_is_named(name):
    twice = [*HEADERS, (name, dict(HEADERS)[name])]
    with pytest.raises(EnvelopeError, match=f"the header {name} is there twice"):
        Envelope.from_headers(twice)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event-id", b"not a uuid"),
        ("event-id", b""),
        ("event-type", b"\xff\xfe"),
        ("event-version", b"one"),
        ("event-version", b"1.0"),
        ("event-version", b"9" * 5000),
        ("occurred-at", b"yesterday"),
        ("occurred-at", b"2026-09-31T00:00:00+00:00"),
        ("correlation-id", None),
        ("causation-id", b"0"),
        ("producer", b"\xc3"),
    ],
)
def test_a_garbled_header_is_refused(name, value):
    with pytest.raises(EnvelopeError, match="a header cannot be read"):
        Envelope.from_headers(with_header(name, value))


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(EnvelopeError, match="occurred-at has no time zone"):
        Envelope.from_headers(with_header("occurred-at", b"2026-09-01T08:30:00"))
