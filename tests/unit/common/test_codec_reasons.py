"""Bytes to events: every reason for which a message is a dead letter, and nothing but these."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from splitcart_common import events, upcasts
from splitcart_common.codec import DecodeError, decode, encode
from splitcart_common.envelope import Envelope
from splitcart_common.outcomes import Reason
from splitcart_common.topics import CATALOGUE, PRODUCT_OBSERVED, STORES, Topic

AT = datetime(2026, 9, 1, tzinfo=UTC)
CLOSED = events.StoreClosed(store="aldi:G452", reason="gone", at=AT)
V1 = (
    b'{"store":"aldi:G1","name":"x","address":"","suburb":"","state":"","postcode":"","lat":"-33.5",'
    b'"lon":"151","sells_online":true,"seen_at":"2026-09-01T00:00:00Z"}'
)
DEEP = b"[" * 100_000 + b"]" * 100_000


def headers(kind: str = "store-closed", version: int = 1) -> list[tuple[str, bytes]]:
    envelope = Envelope(
        event_id=UUID(int=1),
        event_type=kind,
        event_version=version,
        occurred_at=AT,
        correlation_id=UUID(int=2),
        producer="tests",
    )
    return envelope.to_headers()


def refusal(
    value: bytes | None, kind: str = "store-closed", version: int = 1, topic: Topic = STORES
) -> tuple[Reason, str]:
    with pytest.raises(DecodeError) as caught:
        decode(topic, headers(kind, version), value)
    assert str(caught.value) == f"{caught.value.reason}: {caught.value.error}"
    return caught.value.reason, caught.value.error


def test_an_event_goes_out_and_comes_back():
    envelope, event = decode(STORES, headers(), encode(CLOSED))
    assert event == CLOSED
    assert envelope.event_type == "store-closed"


def test_headers_that_cannot_be_read():
    with pytest.raises(DecodeError, match="no-envelope: the header event-id is missing"):
        decode(STORES, [], encode(CLOSED))


def test_an_event_nobody_knows():
    assert refusal(encode(CLOSED), "store-guessed") == (Reason.UNKNOWN_TYPE, "'store-guessed' is no event of ours")


def test_an_event_of_another_topic():
    error = "store-closed does not belong on product-observed"
    assert refusal(encode(CLOSED), topic=PRODUCT_OBSERVED) == (Reason.WRONG_TOPIC, error)


@pytest.mark.parametrize("version", [3, 99, 0, -1])
def test_a_version_that_cannot_be_lifted(version):
    error = f"store-discovered version {version}: this release reads 1 to 2"
    assert refusal(V1, "store-discovered", version) == (Reason.UNKNOWN_VERSION, error)


@pytest.mark.parametrize("value", [None, b"", b"{", b"\xff\x00{", b"nul", b"\x28\xb5\x2f\xfd"])
@pytest.mark.parametrize(("kind", "version"), [("store-closed", 1), ("store-discovered", 1)])
def test_bytes_that_are_no_json(value, kind, version):
    assert refusal(value, kind, version)[0] is Reason.UNDECODABLE


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (b"[]", "Expected `object`"),
        (b'"text"', "Expected `object`"),
        (b"{}", "missing required field `store`"),
        (b'{"store":"aldi:G1","reason":"","at":5}', r"\$.at"),
        (b'{"store":"aldi:G1","reason":"","at":"2026-09-01T00:00:00"}', r"\$.at"),
        (b'{"store":"aldi:G1","reason":null,"at":"2026-09-01T00:00:00Z"}', r"\$.reason"),
        (b'{"store":"G1","reason":"","at":"2026-09-01T00:00:00Z"}', r"\$.store"),
        (b'{"store":"aldi:G1\\n","reason":"","at":"2026-09-01T00:00:00Z"}', r"\$.store"),
        (b'{"store":"aldi:G1","reason":"%s","at":"2026-09-01T00:00:00Z"}' % (b"x" * 2001), r"\$.reason"),
    ],
)
def test_json_that_is_not_the_event(value, where):
    with pytest.raises(DecodeError, match=where) as caught:
        decode(STORES, headers(), value)
    assert caught.value.reason is Reason.INVALID


@pytest.mark.parametrize(
    "value",
    [
        V1.replace(b'"-33.5"', b'"south"'),
        V1.replace(b'"-33.5"', b'"nan"'),
        V1.replace(b'"-33.5"', b'"inf"'),
        V1.replace(b'"-33.5"', b"[1]"),
        V1.replace(b'"-33.5"', b'"-91"'),
        V1.replace(b'"aldi:G1"', b"7"),
        b"[1]",
    ],
)
def test_an_old_version_that_does_not_lift_to_the_event(value):
    assert refusal(value, "store-discovered")[0] is Reason.INVALID


def test_a_step_that_misses_a_field_makes_a_dead_letter(monkeypatch):
    def step(old: dict[str, object]) -> dict[str, object]:
        return {**old, "lat": old["latitude"]}

    steps = {("store-discovered", 1): step}
    monkeypatch.setattr(upcasts, "STEPS", steps)
    reason, error = refusal(V1, "store-discovered")
    assert reason is Reason.INVALID
    assert "latitude" in error


def test_a_text_that_postgres_cannot_hold_is_refused_before_it_is_folded():
    value = b'{"store":"aldi:G1","reason":"%s","at":"2026-09-01T00:00:00Z"}'
    assert refusal(value % b"nul\\u0000")[0] is Reason.INVALID
    assert refusal(value % b"\\\\\\u0000")[0] is Reason.INVALID
    # Six characters that only look like it.
    assert decode(STORES, headers(), value % b"\\\\u0000")[1].reason == "\\u0000"
    assert refusal(V1.replace(b'"x"', b'"\\u0000"'), "store-discovered")[0] is Reason.INVALID


@pytest.mark.parametrize(
    ("kind", "topic", "value"),
    [
        ("store-closed", STORES, b'{"x":' + DEEP + b"}"),
        ("store-discovered", STORES, b'{"x":' + DEEP + b"}"),
        ("brands-merged", CATALOGUE, b'{"evidence":{"x":' + DEEP + b"}}"),
    ],
)
def test_json_that_is_nested_too_deep(kind, topic, value):
    assert refusal(value, kind, topic=topic)[0] in {Reason.INVALID, Reason.UNDECODABLE}


def test_a_moment_keeps_its_offset_and_is_the_same_moment():
    there = AT.astimezone(timezone(timedelta(hours=10)))
    event = events.StoreClosed(store="aldi:G452", reason="gone", at=there)
    assert b'"2026-09-01T10:00:00+10:00"' in encode(event)
    assert decode(STORES, headers(), encode(event))[1] == CLOSED
