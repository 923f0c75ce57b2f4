"""The topic records: names, dead letters, and every event on exactly one topic."""

import re
from collections import Counter

import pytest

from splitcart_common import events
from splitcart_common.events import Event
from splitcart_common.topics import ALL, CATALOGUE, EVENT_TYPES, PRODUCT_OBSERVED, STORE_GROUPS, topic_of

SERVICES = {"scraper", "ingest", "grouping", "substitutions", "gateway"}


def test_names_on_the_broker():
    assert PRODUCT_OBSERVED.on_broker("splitcart") == "splitcart.product-observed.v1"
    assert PRODUCT_OBSERVED.on_broker("t1") == "t1.product-observed.v1"
    assert PRODUCT_OBSERVED.dead_letter_topic("splitcart", "ingest") == "splitcart.product-observed.v1.ingest.dlq"
    names = [topic.on_broker("x") for topic in ALL]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"x\.[a-z-]+\.v[1-9]", name) for name in names)


@pytest.mark.parametrize("topic", [CATALOGUE, STORE_GROUPS], ids=lambda topic: topic.name)
def test_two_topics_have_no_dead_letters(topic):
    assert not topic.dead_letters
    with pytest.raises(ValueError, match="a message that cannot be read stops its consumer"):
        topic.dead_letter_topic("splitcart", "ingest")


def test_the_others_have():
    assert {topic.name for topic in ALL if not topic.dead_letters} == {"catalogue", "store-groups"}


def test_every_event_is_on_exactly_one_topic():
    kinds = {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
    }
    on = Counter(event for topic in ALL for event in topic.events)
    assert set(on) == kinds
    assert set(on.values()) == {1}
    for topic in ALL:
        for event in topic.events:
            assert topic_of(event) is topic


def test_wire_names_are_kebab_case_and_written_once():
    assert len(EVENT_TYPES) == sum(len(topic.events) for topic in ALL)
    for name, event in EVENT_TYPES.items():
        assert name == event.TYPE == re.sub(r"(?<!^)([A-Z])", r"-\1", event.__name__).lower()
        assert event.VERSION >= 1


def test_the_numbers_of_the_design():
    """design.md §3; those of product-observed must never change."""
    shape = {topic.name: (topic.key, topic.partitions, topic.cleanup) for topic in ALL}
    assert shape == {
        "product-observed": ("store", 12, "delete"),
        "price-changed": ("company", 12, "delete"),
        "stores": ("store", 4, "compact"),
        "listing-described": ("company/sku", 12, "compact"),
        "catalogue": ("-", 1, "delete"),
        "store-groups": ("company", 12, "delete"),
        "substitutions": ("product pair, the smaller id first", 6, "compact"),
        "requests": ("subject", 4, "delete"),
    }


def test_one_service_publishes_to_a_topic_and_services_are_ours():
    for topic in ALL:
        assert len(topic.producers) == 1
        assert set(topic.producers) | set(topic.consumers) <= SERVICES
        assert topic.config()["cleanup.policy"] == topic.cleanup


def test_nothing_is_deleted_by_age_or_size_and_a_dead_letter_has_room():
    for topic in ALL:
        for config in (topic.config(), topic.dead_letter_config()):
            assert (config["retention.ms"], config["retention.bytes"]) == ("-1", "-1")
        assert int(topic.dead_letter_config()["max.message.bytes"]) > int(topic.config()["max.message.bytes"])
