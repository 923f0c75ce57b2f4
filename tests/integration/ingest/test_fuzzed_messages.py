"""Thousands of messages that should not be there: each becomes what it may, and the good ones are all folded."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice

import pytest
from confluent_kafka import Producer

from splitcart_common.codec import decode
from splitcart_common.events import BarcodesObserved
from splitcart_common.kafka import ensure_topics
from splitcart_common.postgres import Pool
from splitcart_common.topics import ALL, PRODUCT_OBSERVED
from tests.support.bus import Said, read_topic
from tests.support.fuzz import DEAD, GOOD, Fed, Fuzz
from tests.support.ingest import CLOCK, ByHand, Fold, Reference, caught_up, fold_in, running, settings
from tests.support.lane import NOW, folding

pytestmark = pytest.mark.stack


def reference_of(said: Iterable[Said]) -> Fold:
    """What messages come to by the pure rules."""
    found = Reference()
    for one in said:
        event = decode(PRODUCT_OBSERVED, one.headers, one.value)[1]
        if not isinstance(event, BarcodesObserved):
            found.observe((one.key or b"").decode(), event)
    return found.fold()


def rows(fold: Fold, stores: Iterable[str] | None = None) -> list[frozenset[tuple[object, ...]]]:
    """The prices, their history and the scrapes; of some stores."""
    parts = (fold.history, fold.scrapes, fold.latest)
    kept = None if stores is None else set(stores)
    return [frozenset(row for row in part if kept is None or row[0] in kept) for part in parts]


def check(fed: list[Fed], became: list[str], there: Fold) -> None:
    wrong = [(one.said, what) for one, what in zip(fed, became, strict=True) if what not in one.expected]
    assert not wrong, wrong[:3]
    good = [one.said for one in fed if one.good]
    assert rows(there, GOOD) == rows(reference_of(good)), "as if nothing bad had been there"
    live = [one.said for one, what in zip(fed, became, strict=True) if what not in DEAD]
    assert rows(there) == rows(reference_of(live)), "what is no dead letter is folded by the rules"
    counts = Counter(became)
    assert counts["folded"] > len(good), "of the bad ones some can be folded"
    assert counts.keys() >= DEAD - {"unknown-type"} | {"folded", "repeat", "not-open"}, counts


async def by_hand(pool: Pool, seed: int, messages: int) -> tuple[list[Fed], list[str]]:
    fuzz = Fuzz(seed, NOW)
    lane = await folding(pool, PRODUCT_OBSERVED, ByHand(pool).observations)
    stream, fed, became = iter(fuzz), [], []
    while len(fed) < messages:
        batch = list(islice(stream, min(messages - len(fed), 1 + (len(fed) * 7 + seed) % 150)))
        became += await lane.fold(*((one.said.key, one.said.value, one.said.headers) for one in batch))
        fed += batch
    return fed, became


async def test_some_thousand_messages(pool: Pool, database: str):
    fed, became = await by_hand(pool, 1, 3_000)
    check(fed, became, await fold_in(database))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 6))
async def test_a_hundred_thousand_messages(pool: Pool, database: str, seed: int):
    fed, became = await by_hand(pool, seed, 25_000)
    check(fed, became, await fold_in(database))


async def test_some_hundred_through_the_broker(database: str, broker: str, topic_prefix: str):
    await ensure_topics(broker, topic_prefix, ALL)
    fed = list(islice(Fuzz(9, CLOCK.virtual_at(datetime.now(UTC))), 600))
    name = PRODUCT_OBSERVED.on_broker(topic_prefix)

    def publish() -> None:
        producer = Producer({"bootstrap.servers": broker, "enable.idempotence": True})
        for one in fed:  # all in one partition: so they are folded in this order
            producer.produce(name, one.said.value, one.said.key, headers=list(one.said.headers), partition=5)
        assert producer.flush(20) == 0

    await asyncio.to_thread(publish)
    async with running(settings(database, broker, topic_prefix)):
        await caught_up(database, broker, topic_prefix)
    letters = await asyncio.to_thread(
        read_topic, broker, PRODUCT_OBSERVED.dead_letter_topic(topic_prefix, "ingest"), 1
    )
    reasons = {int(dict(raw.headers)["dlq-offset"]): dict(raw.headers)["dlq-reason"].decode() for raw in letters}
    assert len(reasons) == len(letters) > 80
    there = await fold_in(database)
    for offset, one in enumerate(fed):
        assert offset in reasons or not one.expected <= DEAD, one
        assert offset not in reasons or reasons[offset] in one.expected, (one, reasons[offset])
    assert rows(there, GOOD) == rows(reference_of(one.said for one in fed if one.good))
    live = [one.said for offset, one in enumerate(fed) if offset not in reasons]
    assert rows(there) == rows(reference_of(live))
