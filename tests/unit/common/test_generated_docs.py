"""docs/events.md and docs/asyncapi.json follow from the code, and the check says so when they do not."""

import json
import re

import jsonschema
import pytest

from docs import generate
from docs.generate import asyncapi, documents, main
from splitcart_common.outcomes import Reason
from splitcart_common.topics import ALL, EVENT_TYPES, PRODUCT_OBSERVED

DOCUMENT = asyncapi()


def test_what_is_committed_is_up_to_date(capsys):
    assert main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_the_same_code_gives_the_same_bytes(tmp_path):
    assert documents() == documents()
    assert main([], tmp_path) == 0
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == documents()


def test_drift_is_shown_with_what_to_run(tmp_path, capsys):
    main([], tmp_path)
    page = tmp_path / "events.md"
    kept = page.read_text(encoding="utf-8")
    page.write_text(kept.replace("| `seq` |", "| `number` |", 1), encoding="utf-8")
    assert main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "docs/events.md is out of date: 1 lines to add, 1 to remove" in said
    assert "-| `number` |" in said
    assert "+| `seq` |" in said
    assert "run python -m docs.generate" in said
    assert "asyncapi" not in said
    assert "`number`" in page.read_text(encoding="utf-8"), "a check writes nothing"
    main([], tmp_path)
    assert page.read_text(encoding="utf-8") == kept


def test_a_changed_record_is_drift(tmp_path, monkeypatch, capsys):
    main([], tmp_path)
    moved = tuple(t for t in ALL if t is not PRODUCT_OBSERVED)
    monkeypatch.setattr(generate, "ALL", moved)
    assert main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "docs/events.md is out of date" in said
    assert "docs/asyncapi.json is out of date" in said
    assert re.search(r"and \d+ lines more", said)


def test_a_missing_document_is_drift(tmp_path, capsys):
    assert main(["--check"], tmp_path) == 1
    assert "docs/asyncapi.json is out of date" in capsys.readouterr().err


def test_another_argument_is_refused(tmp_path, capsys):
    assert main(["--chek"], tmp_path) == 2
    assert "usage: python -m docs.generate [--check]" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_page_tells_of_everything():
    page = documents()["events.md"]
    for topic in ALL:
        assert f"## {topic.name}\n\n{topic.purpose}" in page
        assert f"`{topic.on_broker('splitcart')}`" in page
    for name, event in EVENT_TYPES.items():
        assert f"### {name}\n\n`{event.__name__}`, version {event.VERSION}. " in page
        for field in event.__struct_fields__:
            assert f"| `{field}` | " in page
    for reason in Reason:
        assert f"| `{reason}` | " in page
    assert "| `store-discovered` | 1 → 2 | Coordinates became numbers" in page
    widths = {line.count("|") - line.count("\\|") for line in page.splitlines() if line.startswith("| `")}
    assert widths <= {3, 4, 5}, "no cell spills over"
    links = set(re.findall(r"\]\(#([a-z-]+)\)", page))
    titles = {title.lower() for title in re.findall(r"^#+ (\S+)$", page, re.MULTILINE)}
    assert links <= titles


# AsyncAPI 3.0, held to the rules of its specification that our document touches.


def resolve(reference: str) -> object:
    """What a reference within the document points at; KeyError if nothing."""
    assert reference.startswith("#/")
    place = DOCUMENT
    for part in reference[2:].split("/"):
        place = place[part]
    return place


def references(thing: object) -> list[str]:
    if isinstance(thing, dict):
        own = [thing["$ref"]] if isinstance(thing.get("$ref"), str) else []
        return own + [found for value in thing.values() for found in references(value)]
    return [found for value in thing for found in references(value)] if isinstance(thing, list | tuple) else []


def test_the_file_is_the_document():
    assert json.loads(documents()["asyncapi.json"]) == json.loads(json.dumps(DOCUMENT))
    assert list(DOCUMENT) == [
        "asyncapi",
        "info",
        "defaultContentType",
        "servers",
        "channels",
        "operations",
        "components",
    ]
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()


def test_every_reference_leads_somewhere():
    found = references(DOCUMENT)
    assert len(found) > 100
    for reference in found:
        assert resolve(reference)


def test_servers_have_a_host_and_a_protocol():
    for server in DOCUMENT["servers"].values():
        assert re.fullmatch(r"[a-z]+:\d+", server["host"])
        assert server["protocol"] == "kafka"


def test_every_topic_and_every_dead_letter_topic_is_a_channel():
    wanted = {}
    for topic in ALL:
        wanted[topic.on_broker("splitcart")] = (topic.partitions, [topic.cleanup])
        for service in topic.consumers if topic.dead_letters else ():
            wanted[topic.dead_letter_topic("splitcart", service)] = (1, ["delete"])
    found = {}
    for channel in DOCUMENT["channels"].values():
        binding = channel["bindings"]["kafka"]
        assert binding["topic"] == channel["address"]
        assert channel["messages"]
        found[channel["address"]] = (binding["partitions"], binding["topicConfiguration"]["cleanup.policy"])
        assert binding["topicConfiguration"]["retention.ms"] == -1
    assert found == wanted


def test_every_service_has_an_operation_for_each_topic_it_uses():
    found = set()
    for name, operation in DOCUMENT["operations"].items():
        assert operation["action"] in {"send", "receive"}
        (tag,) = operation["tags"]
        assert name.startswith(tag["name"])
        found.add((operation["action"], tag["name"], resolve(operation["channel"]["$ref"])["address"]))
    wanted = set()
    for topic in ALL:
        address = topic.on_broker("splitcart")
        wanted |= {("send", service, address) for service in topic.producers}
        wanted |= {("receive", service, address) for service in topic.consumers}
        if topic.dead_letters:
            wanted |= {("send", s, topic.dead_letter_topic("splitcart", s)) for s in topic.consumers}
    assert found == wanted


def test_every_event_is_a_message_with_its_headers_and_schema():
    messages = DOCUMENT["components"]["messages"]
    assert messages.keys() == EVENT_TYPES.keys() | {"dead-letter"}
    for kind, event in EVENT_TYPES.items():
        headers = messages[kind]["headers"]
        assert headers["properties"]["event-type"]["const"] == kind
        assert headers["properties"]["event-version"]["enum"][-1] == str(event.VERSION)
        assert len(headers["required"]) == 6
        assert resolve(messages[kind]["payload"]["$ref"])["title"] == event.__name__
        assert messages[kind]["bindings"]["kafka"]["key"]["type"] == "string"


def test_the_schemas_are_schemas():
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)
        jsonschema.Draft202012Validator.check_schema(schema)
    for message in DOCUMENT["components"]["messages"].values():
        jsonschema.Draft7Validator.check_schema(message["headers"])


def test_a_field_without_words_is_named(monkeypatch):
    monkeypatch.setattr("docs.MEANINGS", {})
    with pytest.raises(KeyError, match=r"scrape_id has no meaning: add one to docs\.MEANINGS"):
        documents()
