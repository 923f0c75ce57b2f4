"""Topics on the real broker follow from their records."""

import asyncio
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from splitcart_common.kafka import ensure_topics
from splitcart_common.topics import CATALOGUE, STORES, SUBSTITUTIONS

SMALL = replace(STORES, partitions=2, consumers=("ingest",))


async def describe(broker: str, names: list[str]) -> dict[str, tuple[int, dict[str, str]]]:
    """Partitions and settings by name."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        found = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(names)}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        settings = {}
        for answer in await admin.describe_configs(resources):
            for _, _, _, name, entries in answer.resources:
                settings[name] = {entry[0]: entry[1] for entry in entries}
        return {name: (found[name], settings[name]) for name in names}
    finally:
        await admin.close()


async def test_topics_are_made_as_their_records_say(broker, topic_prefix):
    made = await ensure_topics(broker, topic_prefix, [SMALL, CATALOGUE])
    stores, dead, catalogue = (
        f"{topic_prefix}.{n}" for n in ("stores.v1", "stores.v1.ingest.dlq", "catalogue.v1")
    )
    assert sorted(made) == sorted([stores, dead, catalogue]), "and no dead letters for the catalogue"
    found = await describe(broker, made)
    assert {name: partitions for name, (partitions, _) in found.items()} == {stores: 2, dead: 1, catalogue: 1}
    policies = {name: settings["cleanup.policy"] for name, (_, settings) in found.items()}
    assert policies == {stores: "compact", dead: "delete", catalogue: "delete"}
    for _, settings in found.values():
        assert settings["retention.ms"] == settings["retention.bytes"] == "-1"


async def test_again_makes_nothing(broker, topic_prefix):
    assert await ensure_topics(broker, topic_prefix, [SMALL])
    assert await ensure_topics(broker, topic_prefix, [SMALL]) == []
    assert await ensure_topics(broker, topic_prefix, [SMALL, CATALOGUE]) == [f"{topic_prefix}.catalogue.v1"]


async def test_two_at_once(broker, topic_prefix):
    small = replace(SUBSTITUTIONS, partitions=1)
    both = await asyncio.gather(*(ensure_topics(broker, topic_prefix, [small]) for _ in range(2)))
    assert set().union(*both) == {
        f"{topic_prefix}.substitutions.v1",
        f"{topic_prefix}.substitutions.v1.gateway.dlq",
    }
    assert await ensure_topics(broker, topic_prefix, [small]) == []


async def test_another_number_of_partitions_is_refused(broker, topic_prefix):
    await ensure_topics(broker, topic_prefix, [SMALL])
    larger = replace(SMALL, partitions=3)
    with pytest.raises(
        RuntimeError, match=r"stores\.v1 has 2 partitions, expected 3: use the data folder it was made with"
    ):
        await ensure_topics(broker, topic_prefix, [larger])
    name = f"{topic_prefix}.stores.v1"
    assert (await describe(broker, [name]))[name][0] == 2, "nothing was changed"


async def test_a_broker_that_is_not_there_is_an_error_at_once(topic_prefix):
    with pytest.raises(Exception, match="Unable to bootstrap"):
        await asyncio.wait_for(ensure_topics("127.0.0.1:1", topic_prefix, [SMALL]), 10)
