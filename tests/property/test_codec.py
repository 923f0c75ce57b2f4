"""The codec over everything an event can hold, and over everything that is no event."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import inspect as mi

from splitcart_common.codec import DecodeError, decode, encode
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.topics import ALL, EVENT_TYPES, PRODUCT_OBSERVED, topic_of
from tests.golden import GOLDEN

# What a text on the bus may hold: no lone surrogate (no UTF-8), no U+0000 (Postgres cannot keep it).
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
EARLIEST, LATEST = datetime(1970, 1, 1), datetime(9000, 1, 1)  # noqa: DTZ001 - the strategy adds the zone
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(LETTERS, max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(LETTERS, max_size=10), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def values(kind: mi.Type) -> st.SearchStrategy[Any]:
    """Everything of a type, within its bounds."""
    match kind:
        case mi.Metadata():
            found = values(kind.type)
        case mi.StrType(pattern=str(pattern)):
            found = st.from_regex(pattern, fullmatch=True).filter(lambda text: "\n" not in text)
        case mi.StrType():
            # Short mostly, and as long as it may be.
            longest = kind.max_length or 50
            short = st.text(LETTERS, min_size=kind.min_length or 0, max_size=min(longest, 30))
            found = short | st.sampled_from(["é" * longest, "🍌" * longest])
        case mi.IntType():
            found = st.integers(kind.ge, kind.le)
        case mi.FloatType():
            found = st.floats(kind.ge, kind.le, allow_nan=False)
        case mi.LiteralType():
            found = st.sampled_from(kind.values)
        case mi.VarTupleType():
            found = st.lists(values(kind.item_type), max_size=min(kind.max_length or 4, 4)).map(tuple)
        case mi.UnionType():
            found = st.one_of(*map(values, kind.types))
        case mi.StructType():
            found = structs(kind)
        case mi.DictType():
            found = st.dictionaries(st.text(LETTERS, max_size=10), JSON, max_size=3)
        case _:
            found = SIMPLE[type(kind)]
    return found


SIMPLE: Mapping[type[mi.Type], st.SearchStrategy[Any]] = {
    mi.BoolType: st.booleans(),
    mi.NoneType: st.none(),
    mi.UUIDType: st.uuids(),
    mi.DateTimeType: st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)),
}


def structs(kind: mi.StructType) -> st.SearchStrategy[Any]:
    """Every value of a struct; what has a default is sometimes left out."""
    required = {field.name: values(field.type) for field in kind.fields if field.required}
    optional = {field.name: values(field.type) for field in kind.fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: kind.cls(**fields))


# Fixed offsets: a moment that a zone has twice, or not at all, equals no other in Python.
ZONES = st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))

ENVELOPES = st.builds(
    Envelope,
    event_id=st.uuids(),
    event_type=st.just(""),
    event_version=st.just(0),
    occurred_at=st.datetimes(EARLIEST, LATEST, timezones=ZONES),
    correlation_id=st.uuids(),
    producer=st.text(LETTERS),
    causation_id=st.none() | st.uuids(),
)


@pytest.mark.parametrize("event", EVENT_TYPES.values(), ids=lambda event: event.TYPE)
@settings(max_examples=20)
@given(st.data())
def test_what_is_encoded_is_decoded_the_same(event, data):
    written = data.draw(structs(mi.type_info(event)))
    names = {"event_type": event.TYPE, "event_version": event.VERSION}
    envelope = msgspec.structs.replace(data.draw(ENVELOPES), **names)
    value = encode(written)
    assert decode(topic_of(event), envelope.to_headers(), value) == (envelope, written)
    assert json.loads(value), "JSON as others read it"
    assert encode(written) == value


GENUINE = dict(GOLDEN[0].wire_headers)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([*GENUINE, "other"]),
        st.none() | st.binary(max_size=40) | st.sampled_from(list(GENUINE.values())),
    ),
    max_size=9,
)


@given(st.sampled_from(ALL), HEADERS, st.none() | st.binary(max_size=200))
def test_random_bytes_are_refused_and_nothing_else_happens(topic, headers, value):
    with pytest.raises(DecodeError):
        decode(topic, headers, value)


def read_or_refuse(topic: Any, headers: list[tuple[str, bytes]], value: bytes) -> None:
    """What every consumer relies on: an event that can be written again, or a DecodeError."""
    try:
        _, event = decode(topic, headers, value)
    except DecodeError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.reason
        assert refused.error.encode()
        return
    assert isinstance(event, Event)
    newest = [(n, b"%d" % event.VERSION if n == "event-version" else v) for n, v in headers]
    assert decode(topic, newest, encode(event))[1] == event


@settings(max_examples=200)
@given(st.sampled_from(GOLDEN), st.data())
def test_golden_bytes_with_a_few_changed(golden, data):
    value = bytearray(golden.value)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value) - 1)) if value else 0
        match data.draw(st.sampled_from(["set", "cut", "insert", "end"])):
            case "set":
                value[at : at + 1] = data.draw(st.binary(min_size=1, max_size=2))
            case "cut":
                del value[at : at + data.draw(st.integers(1, 20))]
            case "insert":
                value[at:at] = data.draw(
                    st.sampled_from([b"\\u0000", b"\\ud800", b"1e999", b"{", b"[[", b"null", b'"'])
                )
            case "end":
                del value[at:]
    read_or_refuse(golden.topic, golden.wire_headers, bytes(value))


ODD = JSON | st.sampled_from(
    [10**400, -(10**30), 1e308, "nan", "inf", "9" * 5000, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]
)


@settings(max_examples=200)
@given(st.sampled_from(GOLDEN), st.data())
def test_golden_json_with_a_value_replaced(golden, data):
    place: Any = json.loads(golden.value)
    whole = place
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        if isinstance(place, dict) and data.draw(st.booleans()):
            del place[key]
        else:
            place[key] = data.draw(ODD)
        break
    value = json.dumps(whole, ensure_ascii=data.draw(st.booleans())).encode()
    read_or_refuse(golden.topic, golden.wire_headers, value)


@given(st.integers(0, 200_000), st.sampled_from([b"[", b'{"a":']))
@example(100_000, b"[")
def test_nesting_is_read_or_refused(depth, opening):
    golden = next(g for g in GOLDEN if g.headers["event-type"] == "brands-merged")
    closing = b"]" if opening == b"[" else b"}"
    inner = opening * depth + (b"1" if opening != b"[" else b"") + closing * depth
    value = golden.value.replace(b'"evidence": {}', b'"evidence": {"x": ' + (inner or b"1") + b"}")
    read_or_refuse(golden.topic, golden.wire_headers, value)


@given(st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)), st.integers(-1439, 1439))
def test_a_moment_is_the_same_in_every_zone(moment, minutes):
    there = (moment + timedelta(minutes=minutes)).replace(tzinfo=None).isoformat()
    sign = "-" if minutes < 0 else "+"
    text = f"{there}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    value = json.dumps(
        {"scrape_id": str(UUID(int=1)), "finished_at": text, "reason": "network", "detail": "", "batches": 0}
    )
    envelope = Envelope(
        event_id=UUID(int=1),
        event_type="scrape-abandoned",
        event_version=1,
        occurred_at=moment,
        correlation_id=UUID(int=1),
        producer="tests",
    )
    assert decode(PRODUCT_OBSERVED, envelope.to_headers(), value.encode())[1].finished_at == moment
