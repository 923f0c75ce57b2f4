"""Every message of the golden corpus is still read, whatever version it was written in."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import jsonschema
import msgspec
import pytest

from docs.generate import asyncapi
from splitcart_common import events
from splitcart_common.codec import decode, encode
from splitcart_common.topics import ALL, EVENT_TYPES, topic_of
from splitcart_common.upcasts import STEPS, lift
from tests.golden import FOLDER, GOLDEN, Golden

DOCUMENT = asyncapi()

every_golden_message = pytest.mark.parametrize("golden", GOLDEN, ids=str)


def newest(golden: Golden) -> dict[str, Any]:
    """Its value, every step walked."""
    kind = golden.headers["event-type"]
    return lift(kind, golden.version, EVENT_TYPES[kind].VERSION, deepcopy(golden.json))


def test_every_version_of_every_event_is_in_the_corpus():
    wanted = {(kind, version) for kind, event in EVENT_TYPES.items() for version in range(1, event.VERSION + 1)}
    assert {(golden.headers["event-type"], golden.version) for golden in GOLDEN} == wanted
    assert len(GOLDEN) == len(list(FOLDER.rglob("*.json"))) >= 50


@every_golden_message
def test_it_stands_where_it_belongs(golden):
    assert golden.path.parts[0] == golden.headers["event-type"]
    assert golden.headers["event-version"] == str(golden.version)
    assert golden.topic is topic_of(EVENT_TYPES[golden.headers["event-type"]])
    assert golden.headers["producer"] in golden.topic.producers
    assert golden.about.endswith(".")


@every_golden_message
def test_it_is_read_and_says_the_same_when_written_again(golden):
    envelope, event = golden.decoded()
    assert {name: value.decode() for name, value in envelope.to_headers()} == golden.headers
    again = [(n, b"%d" % event.VERSION if n == "event-version" else v) for n, v in golden.wire_headers]
    assert decode(golden.topic, again, encode(event))[1] == event
    # Nothing that was said is lost, but for what this release does not know.
    said = msgspec.json.decode(encode(event))
    assert not [name for name, value in newest(golden).items() if name in said and not agree(value, said[name])]
    assert set(newest(golden)) - set(said) <= {"robot"}


def agree(old: Any, new: Any) -> bool:
    """Whether a value says what it said, defaults filled in and fields of later releases left out."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(agree(old[name], new[name]) for name in old.keys() & new.keys())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(agree, old, new))
    if isinstance(old, str) and isinstance(new, str) and old[:2] == new[:2] == "20" and "T" in old:
        return moment(old) == moment(new)
    return bool(old == new)


def moment(text: str) -> object:
    return msgspec.convert(text, events.base.Moment)


@every_golden_message
def test_it_validates_against_the_published_schemas(golden):
    message = DOCUMENT["components"]["messages"][golden.headers["event-type"]]
    jsonschema.validate(golden.headers, message["headers"])
    jsonschema.validate(newest(golden), {**message["payload"], "components": DOCUMENT["components"]})


def test_every_step_is_walked_by_a_golden_message():
    walked = {
        (golden.headers["event-type"], at)
        for golden in GOLDEN
        for at in range(golden.version, EVENT_TYPES[golden.headers["event-type"]].VERSION)
    }
    assert walked == set(STEPS)


def test_version_1_of_a_store_is_lifted_to_numbers():
    lifted = {
        golden.path.stem: (event.lat, event.lon)
        for golden in GOLDEN
        if golden.path.parts[:2] == ("store-discovered", "v1")
        for event in [golden.decoded()[1]]
    }
    assert lifted == {
        "coordinates-as-text": (-33.8839, 151.1571),
        "coordinates-unknown": (None, None),
        "coordinates-null": (None, None),
    }


# What the corpus is for: a change that would break what is on the bus already is noticed.


def changed(event: type[events.Event], change: Callable[[str, Any, Any], tuple[Any, ...]]) -> type[events.Event]:
    """A copy of an event's struct with some of its fields changed."""
    fields = [change(field.name, field.type, field.default) for field in msgspec.structs.fields(event)]
    kept = [field if field[2] is not msgspec.NODEFAULT else field[:2] for field in fields]
    return msgspec.defstruct(
        event.__name__, kept, bases=(events.Event,), namespace={"TYPE": event.TYPE}, frozen=True, kw_only=True
    )


def broken_by(struct: type[events.Event]) -> set[str]:
    """The golden messages that a struct in an event's place can no longer read, or reads otherwise."""
    broken = set()
    for golden in GOLDEN:
        if golden.headers["event-type"] != struct.TYPE:
            continue
        event = golden.decoded()[1]
        try:
            read = msgspec.convert(newest(golden), struct)
        except msgspec.ValidationError:
            broken.add(golden.path.stem)
            continue
        if msgspec.to_builtins(read) != msgspec.to_builtins(event):
            broken.add(golden.path.stem)
    return broken


def test_a_copy_without_a_change_breaks_nothing():
    for topic in ALL:
        for event in topic.events:
            assert broken_by(changed(event, lambda *field: field)) == set()


def test_a_renamed_field_breaks_old_messages():
    def rename(name: str, kind: Any, default: Any) -> tuple[Any, ...]:
        return ("stops" if name == "refused_skus" else name), kind, default

    assert "with-refusals" in broken_by(changed(events.ScrapeCompleted, rename))


def test_a_default_taken_away_breaks_old_messages():
    def require(name: str, kind: Any, default: Any) -> tuple[Any, ...]:
        return name, kind, msgspec.NODEFAULT if name == "refused_tiles_without_sku" else default

    assert broken_by(changed(events.ScrapeCompleted, require)) == {"only-what-is-required"}


def test_a_narrower_type_breaks_old_messages():
    def narrow(name: str, kind: Any, default: Any) -> tuple[Any, ...]:
        return name, (str if name == "division" else kind), default

    assert broken_by(changed(events.StoreDiscovered, narrow))


def test_a_new_field_with_a_default_breaks_nothing():
    struct = msgspec.defstruct(
        "ScrapeCompleted", [("later", int, 0)], bases=(events.ScrapeCompleted,), frozen=True, kw_only=True
    )
    for golden in GOLDEN:
        if golden.headers["event-type"] == events.ScrapeCompleted.TYPE:
            assert msgspec.convert(golden.json, struct).later == 0
