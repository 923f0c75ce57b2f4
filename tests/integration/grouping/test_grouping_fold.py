"""Grouping on the real broker and server: its groups are the fold of the log it publishes, whatever the order."""

import random
from datetime import timedelta
from uuid import UUID

import asyncpg

from splitcart_common import events
from splitcart_common.topics import PRICE_CHANGED, STORES
from splitcart_grouping.app import SERVICE
from tests.support.bus import Said, publish, read_topic
from tests.support.grouping import (
    START,
    Shop,
    anchors_in,
    anchors_shown,
    caught_up,
    country,
    eventually,
    fold_in,
    fold_of_log,
    formed,
    log_of_groups,
    prices_in,
    running,
    settings,
    shops,
    topics,
)


async def test_groups_are_the_fold_of_the_published_log(database, broker, topic_prefix):
    await topics(broker, topic_prefix)
    log = [message for said in country(1, zones=(4, 3), rounds=3, companies=("aldi", "coles")) for message in said]
    stores = [message for message in log if message.topic is STORES]
    await publish(broker, topic_prefix, stores)
    async with running(settings(database, broker, topic_prefix, grouping_batch_messages=7)):
        await formed(database, len(stores))
        await publish(broker, topic_prefix, log[len(stores) :])
        await caught_up(database, broker, topic_prefix)
    folded = fold_of_log(broker, topic_prefix)
    assert folded.keys() == {"aldi", "coles"}
    assert sum(len(groups.members) for groups in folded.values()) >= 6
    assert await fold_in(database) == folded
    assert await anchors_shown(database) == anchors_in(folded)


async def test_what_is_published_says_what_it_came_from(database, broker, topic_prefix):
    await topics(broker, topic_prefix)
    one, two = shops("aldi", zones=(2,))
    log = [one.discovered(), two.discovered(), *one.visit(START), *two.visit(START + timedelta(minutes=1))]
    async with running(settings(database, broker, topic_prefix)):
        await publish(broker, topic_prefix, log[:2])
        await formed(database, 2)
        await publish(broker, topic_prefix, log[2:])
        await caught_up(database, broker, topic_prefix)
    (company,) = log_of_groups(broker, topic_prefix).values()
    assert {type(event) for event in company} >= {events.GroupFormed, events.GroupsMerged, events.MemberConfirmed}
    causes = {dict(message.headers)["event-id"]: dict(message.headers)["correlation-id"] for message in log}
    for raw in read_topic(broker, f"{topic_prefix}.store-groups.v1", 12):
        headers = dict(raw.headers)
        assert headers["correlation-id"] == causes[headers["causation-id"]]
        assert headers["producer"] == SERVICE.encode()


async def test_stores_and_prices_may_come_in_any_order_and_twice(database, broker, topic_prefix):
    await topics(broker, topic_prefix)
    log = [message for said in country(2, zones=(3, 2), rounds=2) for message in said]
    stores = [message for message in log if message.topic is STORES]
    prices = [message for message in log if message.topic is PRICE_CHANGED]
    rng = random.Random(2)
    mixed = list(prices)
    for message in stores[2:]:  # two of them come first, the others somewhere between, one after all
        mixed.insert(rng.randrange(len(mixed) // 2, len(mixed)), message)
    for _ in range(20):
        mixed.insert(rng.randrange(len(mixed)), rng.choice(stores))
    await publish(broker, topic_prefix, stores[:2])
    async with running(settings(database, broker, topic_prefix, grouping_batch_messages=5)):
        await publish(broker, topic_prefix, mixed)
        await publish(broker, topic_prefix, stores)
        await caught_up(database, broker, topic_prefix)
    folded = fold_of_log(broker, topic_prefix)
    assert await fold_in(database) == folded
    formed = [event for event in log_of_groups(broker, topic_prefix)["aldi"] if event.TYPE == "group-formed"]
    assert len(formed) == len(stores) == 5


async def test_a_store_has_the_prices_of_its_settled_scrapes(database, broker, topic_prefix):
    await topics(broker, topic_prefix)
    shop = shops("aldi", zones=(1,))[0]
    first = shop.visit(START)
    after_first = dict(shop.said)
    shop.prices["00000"] += 1
    del shop.prices["00001"]
    second = shop.visit(START + timedelta(hours=1))
    after_second = dict(shop.said)
    shop.prices["00002"] += 1
    third = shop.visit(START + timedelta(hours=2), outcome="abandoned", seen=["00002"])
    after_third = dict(shop.said)
    shop.prices["00003"] += 1
    open_scrape = shop.visit(START + timedelta(hours=3))[:-1]
    async with running(settings(database, broker, topic_prefix, grouping_batch_messages=1)):
        await publish(broker, topic_prefix, [*first, *second[:-1], *second[:-1], *third[:-1], *open_scrape])
        await caught_up(database, broker, topic_prefix)
        assert (await prices_in(database, "aldi"))[shop.store] == after_first
        await publish(broker, topic_prefix, [second[-1]])
        await caught_up(database, broker, topic_prefix)
        assert (await prices_in(database, "aldi"))[shop.store] == after_second
        # The changes of an abandoned scrape hold, too; the scrape that is open counts for nothing yet.
        await publish(broker, topic_prefix, [third[-1], *second, *third])
        await caught_up(database, broker, topic_prefix)
        assert (await prices_in(database, "aldi"))[shop.store] == after_third
    await eventually(database, "SELECT count(DISTINCT scrape_id) FROM grouping.pending", 1)
    assert log_of_groups(broker, topic_prefix) == {}, "nobody has discovered it"


async def test_bad_messages_go_to_the_dead_letters_and_the_rest_goes_on(database, broker, topic_prefix):
    await topics(broker, topic_prefix)
    one, two = shops("aldi", zones=(2,))
    good = [one.discovered(), two.discovered(), *one.visit(START), *two.visit(START + timedelta(minutes=1))]
    settled = one.visit(START + timedelta(hours=1))[-1]

    def with_header(message: Said, name: str, value: bytes) -> Said:
        headers = [(n, value if n == name else v) for n, v in message.headers]
        return Said(message.key, message.value, headers, message.topic)

    some = UUID(int=1)
    late = events.PricesChanged(
        store="aldi:X", scrape_id=some, seq=1, batch=1, at=START + timedelta(days=900), changes=()
    )
    early = events.PricesWithdrawn(
        store="aldi:X", scrape_id=some, seq=1, at=START - timedelta(days=12000), skus=()
    )
    bad = {
        "undecodable": Said(b"aldi", b"\xff{", settled.headers, PRICE_CHANGED),
        "wrong-key": Said(b"coles", settled.value, settled.headers, PRICE_CHANGED),
        "from-the-future": one.say(late, START),
        "invalid": one.say(early, START),
        "unknown-type": with_header(settled, "event-type", b"price-guessed"),
        "no-envelope": Said(b"aldi", None, [], PRICE_CHANGED),
    }
    log = [message for pair in zip(bad.values(), good[2:], strict=True) for message in pair]
    anothers = one.say(events.StoreClosed(store="aldi:B", reason="gone", at=START), START, key="aldi:A")
    async with running(settings(database, broker, topic_prefix)):
        await publish(broker, topic_prefix, good[:2])
        await formed(database, 2)
        await publish(broker, topic_prefix, [*log, anothers])
        await caught_up(database, broker, topic_prefix)
    letters = read_topic(broker, PRICE_CHANGED.dead_letter_topic(topic_prefix, SERVICE), 1)
    by_reason = {dict(letter.headers)["dlq-reason"].decode(): letter for letter in letters}
    assert {reason: (letter.key, letter.value) for reason, letter in by_reason.items()} == {
        reason: (message.key, message.value) for reason, message in bad.items()
    }
    assert len(read_topic(broker, STORES.dead_letter_topic(topic_prefix, SERVICE), 1)) == 1
    folded = fold_of_log(broker, topic_prefix)["aldi"]
    assert len(folded.members) == 1, "what stood between the bad ones is folded"


async def test_what_cannot_be_grouped_is_kept_and_named(database, broker, topic_prefix):
    """A store with three listings, an empty scrape, a company never seen, a store that closes and comes back."""
    await topics(broker, topic_prefix)
    tiny = [Shop(f"iga:T{n}", {"1": 100, "2": 200, "3": 300}) for n in range(2)]
    empty = Shop("newcomer:1")
    back = shops("iga", zones=(1,))[0]
    log = [
        *(shop.discovered() for shop in (*tiny, empty, back)),
        *tiny[0].visit(START),
        *tiny[1].visit(START + timedelta(minutes=1)),
        *empty.visit(START),
        *back.visit(START),
        back.closed(START + timedelta(hours=1)),
        *back.visit(START + timedelta(hours=2)),
        back.discovered(START + timedelta(hours=3)),
    ]
    await publish(broker, topic_prefix, log)
    async with running(settings(database, broker, topic_prefix)):
        await caught_up(database, broker, topic_prefix)
    assert await anchors_shown(database) == {s: s for s in ("iga:T0", "iga:T1", "newcomer:1", "iga:Z0S0")}
    connection = await asyncpg.connect(database)
    try:
        assert await connection.fetchval("SELECT count(*) FROM grouping.stores WHERE closed_at IS NOT NULL") == 0
    finally:
        await connection.close()
