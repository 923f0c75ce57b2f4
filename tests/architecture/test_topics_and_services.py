"""Services consume and publish what the topic records say, and the documents name the same topics."""

import re
from pathlib import Path

import pytest

from splitcart_common.topics import ALL
from splitcart_grouping import app as grouping
from splitcart_ingest import app as ingest
from splitcart_scraper.handlers import messages as scraper

ROOT = Path(__file__).resolve().parents[2]
BUILT = {"ingest": ingest.TOPICS, "scraper": scraper.TOPICS, "grouping": grouping.TOPICS, "gateway": ()}
"""What each service that exists consumes."""

NOT_YET = {
    "ingest": {},
    "scraper": {},
    "gateway": {"price-changed": 9, "store-groups": 9, "substitutions": 9},
    "grouping": {},
    "substitutions": {"catalogue": 8, "listing-described": 8, "requests": 8},
}
"""What the records promise, and the issue that brings it: a line goes when its topic is consumed."""


def promised(service: str) -> set[str]:
    return {topic.name for topic in ALL if service in topic.consumers}


def has_code(service: str) -> bool:
    return (ROOT / "services" / service / f"splitcart_{service}" / "__init__.py").exists()


def test_every_service_of_the_records_has_its_room():
    named = {service for topic in ALL for service in (*topic.producers, *topic.consumers)}
    assert named == {path.parent.name for path in ROOT.glob("services/*/README.md")}
    assert {service for service in named if has_code(service)} == set(BUILT)


@pytest.mark.parametrize("service", NOT_YET)
def test_what_is_consumed_is_what_the_records_say(service):
    consumed = {topic.name for topic in BUILT.get(service, ())}
    assert consumed <= promised(service)
    assert consumed | NOT_YET[service].keys() == promised(service)
    assert not consumed & NOT_YET[service].keys(), "consumed by now: take its line out of NOT_YET"


@pytest.mark.parametrize("service", BUILT)
def test_a_service_that_consumes_uses_the_loop(service):
    code = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob(f"services/{service}/**/*.py"))
    # Grouping's is Faust's: it fills the same lanes.
    loop = "class Intake(Lanes)" if service == "grouping" else "ConsumerLoop("
    assert (loop in code) == bool(BUILT[service])
    assert not re.search(r"AIOKafkaConsumer\b", code), "there is one consumer loop"


@pytest.mark.parametrize("service", BUILT)
def test_a_service_builds_events_of_its_own_topics_only(service):
    ours = {event.__name__ for topic in ALL if service in topic.producers for event in topic.events}
    code = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob(f"services/{service}/**/*.py"))
    # A call makes an event; a pattern of a match statement only looks at one.
    code = re.sub(r"^\s*case .*$", "", code, flags=re.MULTILINE)
    names = {event.__name__ for topic in ALL for event in topic.events}
    made = {name for name in names if re.search(rf"(?<![\w]){name}\(", code)}
    assert made <= ours


def documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/*/README.md")]


def test_documents_and_code_name_topics_that_exist():
    known = {f"{topic.name}.v{topic.major}" for topic in ALL}
    sources = [path for folder in ("libs", "services", "deploy") for path in ROOT.glob(f"{folder}/**/*.py")]
    for path in [*documents(), *sources]:
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"\bsplitcart\.([a-z-]+\.v\d+)\b", text)) <= known, path


def test_no_name_of_a_topic_is_written_by_hand_in_the_code():
    """One table names them; a service takes the record."""
    names = {topic.name for topic in ALL if "-" in topic.name and topic.name != "listing-described"}
    for path in ROOT.glob("services/**/*.py"):
        written = set(re.findall(r"""["']([a-z-]+)["']""", path.read_text(encoding="utf-8")))
        assert not written & names, path


@pytest.mark.parametrize("service", BUILT)
def test_the_readme_says_what_is_consumed(service):
    text = (ROOT / "services" / service / "README.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| consumes \| (.*) \|$", text, re.MULTILINE)
    assert set(re.findall(r"`([a-z-]+)`", row)) == {topic.name for topic in BUILT[service]}


@pytest.mark.parametrize("service", ["scraper", "ingest", "grouping"])
def test_the_readme_says_what_is_published(service):
    text = (ROOT / "services" / service / "README.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| publishes \| (.*) \|$", text, re.MULTILINE)
    named = {topic.name for topic in ALL if f"`{topic.name}`" in row}
    assert named == {topic.name for topic in ALL if service in topic.producers}
