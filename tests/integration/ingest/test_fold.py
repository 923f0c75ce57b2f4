"""Ingest on the real broker and server equals the fold of the recorded log by the pure rules."""

import asyncio

import asyncpg

from splitcart_common import events
from splitcart_common.envelope import Envelope
from splitcart_common.kafka import ensure_topics
from splitcart_common.topics import LISTING_DESCRIBED, PRICE_CHANGED, PRODUCT_OBSERVED, STORE_GROUPS, STORES
from splitcart_ingest.app import SERVICE
from tests.support.bus import Said, publish, read_events, read_topic, say
from tests.support.ingest import START, caught_up, country, fold_in, fold_of_log, running, scrape, settings

USED = (PRODUCT_OBSERVED, STORES, STORE_GROUPS, PRICE_CHANGED, LISTING_DESCRIBED)


async def test_the_tables_equal_the_fold_of_the_log(database, broker, topic_prefix):
    await ensure_topics(broker, topic_prefix, USED)
    log = [message for said in country(seed=1, stores=12, visits=6, range_size=60) for message in said]
    await publish(broker, topic_prefix, log[: len(log) // 2])
    async with running(settings(database, broker, topic_prefix, ingest_batch_messages=7)):
        await publish(broker, topic_prefix, log[len(log) // 2 :])
        await caught_up(database, broker, topic_prefix)
    expected = fold_of_log(broker, topic_prefix)
    assert len(expected.history) > 1000
    assert {row[5] for row in expected.scrapes} >= {"full", "partial", "abandoned", "superseded"}
    assert await fold_in(database) == expected
    # A second life, with everything in one batch, has nothing to add.
    async with running(settings(database, broker, topic_prefix)):
        await caught_up(database, broker, topic_prefix)
        await asyncio.sleep(0.5)
    assert await fold_in(database) == expected


async def test_what_changed_is_published_once_and_in_order(database, broker, topic_prefix):
    await ensure_topics(broker, topic_prefix, USED)
    log = [message for said in country(seed=2, stores=5, visits=5, range_size=40) for message in said]
    await publish(broker, topic_prefix, log)
    async with running(settings(database, broker, topic_prefix)):
        await caught_up(database, broker, topic_prefix)
    said = read_events(broker, topic_prefix, PRICE_CHANGED)
    assert {key for key, _, _ in said} == {"aldi"}
    assert len({envelope.event_id for _, envelope, _ in said}) == len(said)
    prices: dict[tuple[str, str], int | None] = {}
    order: dict[str, list[tuple[int, int]]] = {}
    for _, _, event in said:
        place = order.setdefault(event.store, [])
        match event:
            case events.PricesChanged():
                place.append((event.seq, event.batch))
                for change in event.changes:
                    assert prices.get((event.store, change.sku)) == change.old
                    prices[event.store, change.sku] = change.new
            case events.PricesWithdrawn():
                place.append((event.seq, 10_000))
                prices |= {(event.store, sku): None for sku in event.skus}
            case events.StoreSettled():
                place.append((event.seq, 20_000))
    assert all(places == sorted(places) for places in order.values())
    expected = fold_of_log(broker, topic_prefix)
    assert {(store, sku, price) for (store, sku), price in prices.items()} == expected.latest


async def test_what_a_store_shows_but_does_not_sell_is_withdrawn(database, broker, topic_prefix):
    """A tile without a price that can be had only lacks it; one that cannot be had is one of a thing gone."""
    await ensure_topics(broker, topic_prefix, USED)
    prices = {f"{sku:06}": sku for sku in range(100, 120)}
    lacking, gone, out_of_stock, unknown = "000100", "000101", "000102", "000999"
    after = prices | {lacking: None, gone: None, unknown: None}
    log = scrape("aldi:G1", 1, prices)
    log += scrape("aldi:G1", 2, after, gone=(gone, out_of_stock, unknown), names={unknown: "Acme"})
    log += scrape("aldi:G1", 3, prices | {gone: None}, gone=(gone,), end="abandoned")
    log += scrape("aldi:G2", 1, prices | {gone: None}, gone=(gone,), finished=False)
    await publish(broker, topic_prefix, log)
    async with running(settings(database, broker, topic_prefix)):
        await caught_up(database, broker, topic_prefix)
    found = await fold_in(database)
    assert found == fold_of_log(broker, topic_prefix)
    here = {sku: price for store, sku, price in found.latest if store == "aldi:G1"}
    assert here == prices | {gone: None}
    # It is described all the same, and is among what no scrape that is not full has seen.
    assert {row[1]: row[3] for row in found.listings if row[1] == unknown} == {unknown: "Acme"}
    seen = {(store, seq): set(skus) for store, seq, *_, skus in found.scrapes if skus is not None}
    assert seen == {("aldi:G1", 3): set(prices) - {gone}, ("aldi:G2", 1): set(prices) - {gone}}


async def test_bad_messages_go_to_the_dead_letters_and_the_rest_goes_on(database, broker, topic_prefix):
    await ensure_topics(broker, topic_prefix, USED)
    good = scrape("aldi:G1", 1, {"000001": 100, "000002": 200})
    started = good[0]

    def with_header(message: Said, name: str, value: bytes) -> Said:
        headers = [(n, value if n == name else v) for n, v in message.headers]
        return Said(message.key, message.value, headers, message.topic)

    bad = {
        "undecodable": Said(started.key, b"\xff\x00{", started.headers, started.topic),
        "invalid": Said(started.key, b'{"scrape_id": 5}', started.headers, started.topic),
        "no-envelope": Said(started.key, started.value, [], started.topic),
        "unknown-type": with_header(started, "event-type", b"price-guessed"),
        "unknown-version": with_header(started, "event-version", b"99"),
        "wrong-topic": with_header(started, "event-type", b"store-closed"),
        "wrong-key": Said(b"aldi:G2", started.value, started.headers, started.topic),
        "from-the-future": with_header(started, "occurred-at", b"2999-01-01T00:00:00+00:00"),
    }
    log = [message for pair in zip(bad.values(), good + good + good, strict=False) for message in pair]
    await publish(broker, topic_prefix, log)
    async with running(settings(database, broker, topic_prefix)):
        await caught_up(database, broker, topic_prefix)
    letters = read_topic(broker, PRODUCT_OBSERVED.dead_letter_topic(topic_prefix, SERVICE), 1)
    by_reason = {dict(letter.headers)["dlq-reason"].decode(): letter for letter in letters}
    assert by_reason.keys() == bad.keys()
    for reason, message in bad.items():
        letter = by_reason[reason]
        assert (letter.key, letter.value) == (message.key, message.value)
        assert [h for h in letter.headers if not h[0].startswith("dlq-")] == message.headers
        assert dict(letter.headers)["dlq-error"]
    folded = await fold_in(database)
    assert {(store, sku, price) for store, sku, price in folded.latest} == {
        ("aldi:G1", "000001", 100),
        ("aldi:G1", "000002", 200),
    }


async def test_descriptions_are_the_same_whoever_comes_first(database, broker, topic_prefix):
    await ensure_topics(broker, topic_prefix, USED)
    # Two stores call one listing two things on one day; others say so again later that day.
    log = []
    for number, (store, brand) in enumerate((("G1", "ACME"), ("G2", "Acme"), ("G3", "ACME"), ("G4", "Acme"))):
        log += scrape(f"aldi:{store}", 1, {"000001": 100 + number}, names={"000001": brand})
    await publish(broker, topic_prefix, log)
    async with running(settings(database, broker, topic_prefix)):
        await caught_up(database, broker, topic_prefix)
    connection = await asyncpg.connect(database)
    try:
        brand = await connection.fetchval("SELECT brand FROM read.listings WHERE sku = '000001'")
    finally:
        await connection.close()
    said = [event.brand for _, _, event in read_events(broker, topic_prefix, LISTING_DESCRIBED)]
    assert said[-1] == brand
    assert len(said) <= 2


async def test_stores_are_described_and_closed(database, broker, topic_prefix):
    await ensure_topics(broker, topic_prefix, USED)
    found = events.StoreDiscovered(
        store="aldi:G1", name="Glebe", address="1 Road", suburb="Glebe", state="NSW", postcode="2037",
        lat=-33.88, lon=151.18, sells_online=False, seen_at=START,
    )  # fmt: skip
    closed = events.StoreClosed(store="aldi:G1", reason="not listed any more", at=START)
    ident = Envelope.from_headers(scrape("aldi:G1", 1, {})[0].headers).event_id
    said = [say("aldi:G1", event, event_id=ident, correlation_id=ident, at=START) for event in (found, closed)]
    await publish(broker, topic_prefix, said)
    async with running(settings(database, broker, topic_prefix)):
        await caught_up(database, broker, topic_prefix)
    connection = await asyncpg.connect(database)
    try:
        row = await connection.fetchrow("SELECT * FROM read.stores WHERE store = 'aldi:G1'")
    finally:
        await connection.close()
    assert row is not None
    assert (row["name"], row["postcode"], row["closed_at"]) == ("Glebe", "2037", START)
