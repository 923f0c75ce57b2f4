"""Generates docs/events.md, docs/asyncapi.json and docs/metrics.md from topic records, event structs and metrics.

``python -m docs.generate`` writes them; ``--check`` writes nothing and ends with 1 where one is out of date. The
same code always gives the same bytes. KeyError where a field, header or reason has no words yet.
"""

import difflib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec import inspect as mi

from docs import DEAD_LETTER_HEADERS, HEADERS, PROSE, REASONS, default_words, meaning, type_words
from docs.bad_input import BAD_INPUT
from docs.metrics import markdown as metrics_markdown
from splitcart_common.admission import FUTURE_LIMIT
from splitcart_common.dead_letters import Tolerance
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.outcomes import Reason
from splitcart_common.settings import Settings
from splitcart_common.topics import ALL, EVENT_TYPES, Topic
from splitcart_common.upcasts import STEPS

FOLDER: Final = Path(__file__).resolve().parent
COMMAND: Final = "python -m docs.generate"
PREFIX: Final[str] = Settings.model_fields["topic_prefix"].default
BINDING: Final = {"bindingVersion": "0.5.0"}
TEXT: Final = {"type": "string"}
OPTIONAL: Final = ("causation-id", "dlq-value")
"""Headers that are left out where they have nothing to say."""


def documents() -> dict[str, str]:
    """The text of each generated document by its file name."""
    return {
        "events.md": "\n\n".join(_markdown()) + "\n",
        "asyncapi.json": json.dumps(asyncapi(), indent=1, ensure_ascii=False) + "\n",
        "metrics.md": "\n\n".join(metrics_markdown()) + "\n",
    }


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Write the documents, or with ``--check`` compare those that are there; the exit code."""
    if list(arguments) not in ([], ["--check"]):
        print(f"usage: {COMMAND} [--check]", file=sys.stderr)
        return 2
    stale = 0
    for name, text in documents().items():
        path = folder / name
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        if arguments and there != text:
            print(_difference(f"docs/{name}", there, text), file=sys.stderr)
            stale = 1
        elif there != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    if stale:
        print(f"These follow from the code: run {COMMAND} and commit what it writes.", file=sys.stderr)
    return stale


def _difference(name: str, there: str, wanted: str, most: int = 20) -> str:
    lines = list(difflib.unified_diff(there.splitlines(), wanted.splitlines(), lineterm="", n=0))[2:]
    changed = [f"  {line[:160]}" for line in lines if not line.startswith("@@")]
    added = sum(line.startswith("  +") for line in changed)
    rest = [f"  and {len(changed) - most} lines more"] if len(changed) > most else []
    first = f"{name} is out of date: {added} lines to add, {len(changed) - added} to remove"
    return "\n".join([first, *changed[:most], *rest])


# events.md


def _markdown() -> Iterator[str]:
    yield "# Events"
    yield PROSE["events"].format(command=COMMAND)
    yield "## Topics"
    yield PROSE["topics"].format(prefix=PREFIX)
    records = ((_name(t), t.key, t.partitions, t.cleanup, t.producers, t.consumers, t.purpose) for t in ALL)
    heads = ("name on the broker", "key", "partitions", "cleanup", "producer", "consumers", "purpose")
    yield _table(heads, records)
    yield "## Envelope"
    yield PROSE["envelope"]
    yield _table(
        ("header", "type", "meaning"), ((f"`{n}`", type_words(kind), HEADERS[n]) for n, kind in _envelope())
    )
    yield "## Versions"
    yield PROSE["versions"]
    steps = ((f"`{kind}`", f"{at} → {at + 1}", _doc(step)) for (kind, at), step in sorted(STEPS.items()))
    yield _table(("event", "step", "what it does"), steps)
    yield "## Dead letters"
    without = " and ".join(f"`{t.name}`" for t in ALL if not t.dead_letters)
    yield PROSE["dead letters"].format(without=without)
    yield _table(("topic", "filled by"), ((f"`{name}`", service) for _, service, name in _dead_letters()))
    yield _table(("header", "meaning"), ((f"`{name}`", said) for name, said in DEAD_LETTER_HEADERS.items()))
    minutes = FUTURE_LIMIT.seconds // 60
    yield _table(("reason", "when"), ((f"`{r}`", REASONS[r].format(minutes=minutes)) for r in Reason))
    yield "## Bad input"
    bears = Tolerance()
    yield PROSE["bad input"].format(share=bears.share, window=bears.window, in_a_row=bears.in_a_row)
    yield _table(("what comes", "what becomes of it"), ((bad.what, bad.words) for bad in BAD_INPUT.values()))
    shown: set[str] = set()
    for topic in ALL:
        yield f"## {topic.name}"
        yield f"{topic.purpose} Key: {topic.key}."
        for event in topic.events:
            yield f"### {event.TYPE}"
            yield f"`{event.__name__}`, version {event.VERSION}. {_doc(event)}"
            yield _fields(_struct(event))
        for part in _parts(_struct(event) for event in topic.events):
            if part.cls.__name__ not in shown:
                shown.add(part.cls.__name__)
                yield f"### {part.cls.__name__}"
                yield _doc(part.cls)
                yield _fields(part)


def _fields(struct: mi.StructType) -> str:
    rows = (
        (f"`{f.encode_name}`", type_words(f.type), default_words(f), meaning(struct, f)) for f in struct.fields
    )
    return _table(("field", "type", "default", "meaning"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(cell: object) -> str:
    return (", ".join(cell) if isinstance(cell, tuple) else str(cell)).replace("|", "\\|")


# asyncapi.json


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document: what is sent and received where, by whom, and in which shape."""
    events = list(EVENT_TYPES.values())
    _, schemas = msgspec.json.schema_components(events, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "SplitCart events",
            "version": "1.0.0",
            "description": f"Generated by {COMMAND} from splitcart_common.topics and splitcart_common.events.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "kafka:9092",
                "protocol": "kafka",
                "description": "The broker that SPLITCART_KAFKA_BOOTSTRAP names.",
            }
        },
        "channels": {t.name: _channel(t) for t in ALL} | {n: _dead_channel(t, n) for t, _, n in _dead_letters()},
        "operations": dict(_operations()),
        "components": {
            "messages": {event.TYPE: _message(t, event) for t in ALL for event in t.events}
            | {
                "dead-letter": {
                    "name": "dead-letter",
                    "summary": "A message that its consumer could not read, untouched, with why in its headers.",
                    "contentType": "application/octet-stream",
                    "headers": _header_schema(
                        {n: TEXT | {"description": s} for n, s in DEAD_LETTER_HEADERS.items()}
                    )
                    | {"additionalProperties": TEXT},
                }
            },
            "schemas": dict(sorted(schemas.items())),
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    messages = {event.TYPE: {"$ref": f"#/components/messages/{event.TYPE}"} for event in topic.events}
    return _on_kafka(topic.on_broker(PREFIX), topic.purpose, messages, topic.partitions, topic.config())


def _dead_channel(topic: Topic, name: str) -> dict[str, Any]:
    messages = {"dead-letter": {"$ref": "#/components/messages/dead-letter"}}
    config = {"cleanup.policy": "delete", **topic.dead_letter_config()}
    return _on_kafka(name, f"Dead letters of {topic.name}.", messages, 1, config)


def _on_kafka(
    name: str, purpose: str, messages: Mapping[str, Any], partitions: int, config: Mapping[str, str]
) -> dict[str, Any]:
    settings = {key: [text] if key == "cleanup.policy" else int(text) for key, text in sorted(config.items())}
    return {
        "address": name,
        "description": purpose,
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": messages,
        "bindings": {
            "kafka": {"topic": name, "partitions": partitions, "topicConfiguration": settings, **BINDING}
        },
    }


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for topic in ALL:
        for service in topic.producers:
            yield f"{service}-sends-{topic.name}", _operation("send", service, topic.name)
        for service in topic.consumers:
            yield f"{service}-receives-{topic.name}", _operation("receive", service, topic.name)
    for topic, service, name in _dead_letters():
        yield f"{service}-buries-{topic.name}", _operation("send", service, name)


def _operation(action: str, service: str, channel: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "tags": [{"name": service}]}


def _message(topic: Topic, event: type[Event]) -> dict[str, Any]:
    readable = [v for v in range(1, event.VERSION) if (event.TYPE, v) in STEPS] + [event.VERSION]
    special: dict[str, dict[str, Any]] = {
        "event-type": {"const": event.TYPE},
        "event-version": {"enum": [str(v) for v in readable]},
    }
    formats = {mi.UUIDType: {"format": "uuid"}, mi.DateTimeType: {"format": "date-time"}}
    headers = {
        name: TEXT | formats.get(type(_plain(kind)), {}) | special.get(name, {}) | {"description": HEADERS[name]}
        for name, kind in _envelope()
    }
    return {
        "name": event.TYPE,
        "title": event.__name__,
        "summary": _doc(event),
        "headers": _header_schema(headers),
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
        "bindings": {"kafka": {"key": TEXT | {"description": topic.key}, **BINDING}},
    }


def _header_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [n for n in properties if n not in OPTIONAL]}


# What both are made of


def _dead_letters() -> Iterator[tuple[Topic, str, str]]:
    for topic in ALL:
        for service in topic.consumers if topic.dead_letters else ():
            yield topic, service, topic.dead_letter_topic(PREFIX, service)


def _envelope() -> Iterator[tuple[str, mi.Type]]:
    for field in _struct(Envelope).fields:
        yield field.name.replace("_", "-"), field.type


def _struct(struct: type[Struct]) -> mi.StructType:
    kind = mi.type_info(struct)
    assert isinstance(kind, mi.StructType)
    return kind


def _plain(kind: mi.Type) -> mi.Type:
    """A type without its metadata, and without null."""
    if isinstance(kind, mi.UnionType):
        kind = next(one for one in kind.types if not isinstance(one, mi.NoneType))
    return kind.type if isinstance(kind, mi.Metadata) else kind


def _parts(structs: Iterable[mi.StructType]) -> Iterator[mi.StructType]:
    """The structs that others hold, each after its holder."""
    for struct in structs:
        for field in struct.fields:
            kind = _plain(field.type)
            part = _plain(kind.item_type) if isinstance(kind, mi.VarTupleType) else kind
            if isinstance(part, mi.StructType):
                yield part
                yield from _parts([part])


def _name(topic: Topic) -> str:
    return f"[`{topic.on_broker(PREFIX)}`](#{topic.name})"


def _doc(thing: object) -> str:
    return " ".join((thing.__doc__ or "").split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
