"""Identity on the real broker and server: decided once, on record, and the tables are the fold of the record."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from splitcart_common import events
from splitcart_common.kafka import ensure_topics
from splitcart_common.migrations import migrate
from splitcart_common.topics import ALL, CATALOGUE, LISTING_DESCRIBED, REQUESTS
from splitcart_ingest.app import SERVICE, open_pool, prepare
from splitcart_ingest.domain.identity import own_product_id
from splitcart_ingest.handlers.catalogue import CatalogueHandler
from splitcart_ingest.identity.tables import stored
from splitcart_sandbox.database import service_dsn
from tests.support.bus import Said, publish, read_events, read_topic, say
from tests.support.identity import (
    decided_once,
    described,
    market,
    products_of,
    recorded,
    same_as_its_log,
    unmerge,
)
from tests.support.ingest import START, by_hand, caught_up, running, scrape, settings
from tests.support.scraper.tiny_coles import code_of
from tests.support.stack import fresh_database

MILK, TEA = "Farmdale Full Cream Milk", "Bushells Black Tea Bags"
ALDI, COLES, IGA = ("aldi", "01"), ("coles", "02"), ("iga", "03")


@pytest.fixture
async def topics(broker, topic_prefix):
    await ensure_topics(broker, topic_prefix, ALL)


@pytest.fixture
async def given(database, broker, topic_prefix, topics):  # noqa: ARG001 - made first
    return settings(database, broker, topic_prefix, ingest_identity_messages=7)


def with_header(message: Said, name: str, value: bytes) -> Said:
    headers = [(n, value if n == name else v) for n, v in message.headers]
    return Said(message.key, message.value, headers, message.topic)


async def test_what_is_decided_is_on_record_and_the_tables_are_its_fold(database, broker, topic_prefix, given):
    log = list(market(seed=1, products=60, rounds=3))
    await publish(broker, topic_prefix, log[:100])
    async with running(given):
        await publish(broker, topic_prefix, log[100:])
        await caught_up(database, broker, topic_prefix)
    state = await same_as_its_log(database, broker, topic_prefix)
    assert len(state.links) == len({message.key for message in log})
    assert len({row.product_id for row in state.links}) < len(state.links), "some are sold by several companies"
    said = recorded(broker, topic_prefix)
    assert len({envelope.event_id for envelope, _ in said}) == len(said)
    assert {raw.key for raw in read_topic(broker, CATALOGUE.on_broker(topic_prefix), 1)} == {b"-"}
    causes = {dict(raw.headers)["event-id"] for raw in _described(broker, topic_prefix)}
    assert {str(envelope.causation_id).encode() for envelope, _ in said} <= causes
    # A second life, and everything published once more: nothing is decided again.
    await publish(broker, topic_prefix, [message for message in log if message in _last(log)])
    async with running(given):
        await caught_up(database, broker, topic_prefix)
    assert recorded(broker, topic_prefix) == said


def _described(broker, prefix):
    return read_topic(broker, LISTING_DESCRIBED.on_broker(prefix), LISTING_DESCRIBED.partitions)


def _last(log):
    return list({message.key: message for message in log}.values())


async def test_a_listing_stands_alone_until_it_is_decided(database, broker, topic_prefix, given):
    await publish(broker, topic_prefix, scrape("aldi:G1", 1, {"000001": 100, "000002": 200}))
    async with running(given):
        await caught_up(database, broker, topic_prefix)
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch("SELECT sku, product_id FROM read.listings ORDER BY sku")
        links = await connection.fetch("SELECT sku, rule IS NOT NULL AS decided FROM read.links ORDER BY sku")
        products = await connection.fetch("SELECT name, listings FROM read.products ORDER BY name")
        served = await connection.fetch("SELECT sku, product_id FROM read.own_prices ORDER BY sku")
    finally:
        await connection.close()
    assert list(map(tuple, rows)) == [(sku, own_product_id("aldi", sku)) for sku in ("000001", "000002")]
    assert list(map(tuple, links)) == [("000001", True), ("000002", True)]
    assert list(map(tuple, products)) == [("Thing 000001", 1), ("Thing 000002", 1)]
    assert served == rows


async def test_late_duplicates_become_one_and_old_ids_lead_there(database, broker, topic_prefix, given):
    shapes = {"brand": "Farmdale", "size": "2l"}
    first = [described("aldi", "01", MILK, **shapes), described("coles", "02", "Cows Best Two Litres")]
    read = [described(company, sku, name, barcode=code_of(5), **shapes)
            for company, sku, name in (("aldi", "01", MILK), ("coles", "02", "Cows Best Two Litres"))]  # fmt: skip
    async with running(given):
        await publish(broker, topic_prefix, first)
        await caught_up(database, broker, topic_prefix)
        before = await products_of(database, ALDI, COLES)
        await publish(broker, topic_prefix, read)
        await caught_up(database, broker, topic_prefix)
        after = await products_of(database, ALDI, COLES)
    assert before[0] != before[1]
    assert after[0] == after[1]
    assert after[0] in before
    await same_as_its_log(database, broker, topic_prefix)
    connection = await asyncpg.connect(database)
    try:
        ids = dict(await connection.fetch("SELECT product_id, survivor FROM read.product_ids"))
        products = await connection.fetch("SELECT product_id, listings FROM read.products")
    finally:
        await connection.close()
    assert {ids[product] for product in before} == {after[0]}
    assert list(map(tuple, products)) == [(after[0], 2)]


async def test_an_operator_parts_a_listing_for_good(database, broker, topic_prefix, given):
    shapes = {"brand": "Farmdale", "size": "2l", "barcode": code_of(5)}
    listings = [("aldi", "01"), ("coles", "02"), ("iga", "03")]
    async with running(given):
        await publish(broker, topic_prefix, [described(*listing, MILK, **shapes) for listing in listings])
        await caught_up(database, broker, topic_prefix)
        (product,) = set(await products_of(database, *listings))
        asked = unmerge("coles", "02", product)
        await publish(broker, topic_prefix, [asked, asked, unmerge("iga", "03", UUID(int=1))])
        await caught_up(database, broker, topic_prefix)
        parted = await products_of(database, *listings)
        # It is described anew, and so are the others: the barcode is the same all the while.
        again = [described(*listing, f"{MILK} Fresh", **shapes) for listing in listings]
        await publish(broker, topic_prefix, again)
        await caught_up(database, broker, topic_prefix)
        assert await products_of(database, *listings) == parted
    assert parted[0] == parted[2] == product
    assert parted[1] != product
    said = decided_once(broker, topic_prefix)
    assert len(said) == len(recorded(broker, topic_prefix))
    (unlinked,) = [event for event in said if isinstance(event, events.ListingUnlinked)]
    assert unlinked == events.ListingUnlinked("coles", "02", product, "key-1", barred=True, reason="not the same")
    state = await same_as_its_log(database, broker, topic_prefix)
    assert state.bars == (("coles", "02", product),)


async def test_bad_messages_are_dead_letters_and_the_rest_goes_on(database, broker, topic_prefix, given):
    good = described("aldi", "01", MILK)
    bad = {
        "undecodable": Said(good.key, b"\xff\x00{", good.headers, good.topic),
        "invalid": Said(good.key, b'{"company": 5}', good.headers, good.topic),
        "wrong-key": Said(b"aldi/02", good.value, good.headers, good.topic),
        "unknown-version": with_header(good, "event-version", b"99"),
        "from-the-future": with_header(good, "occurred-at", b"2999-01-01T00:00:00+00:00"),
    }
    nobody = unmerge("aldi", "", UUID(int=1))
    strange = Said(b"coles/02", nobody.value, nobody.headers, nobody.topic)
    others = say(
        "aldi:G1",
        events.RescrapeRequested(subject="aldi:G1", by="key-1", reason="old"),
        event_id=UUID(int=2),
        correlation_id=UUID(int=2),
        at=START,
    )
    async with running(given):
        await publish(broker, topic_prefix, [*bad.values(), nobody, strange, others, good])
        await caught_up(database, broker, topic_prefix)
    letters = read_topic(broker, LISTING_DESCRIBED.dead_letter_topic(topic_prefix, SERVICE), 1)
    assert {dict(letter.headers)["dlq-reason"].decode() for letter in letters} == bad.keys()
    letters = read_topic(broker, REQUESTS.dead_letter_topic(topic_prefix, SERVICE), 1)
    assert sorted(dict(letter.headers)["dlq-reason"].decode() for letter in letters) == ["invalid", "wrong-key"]
    assert len((await same_as_its_log(database, broker, topic_prefix)).links) == 1


async def test_a_replay_repeats_decisions_and_makes_none(database, broker, topic_prefix, given):
    await publish(broker, topic_prefix, market(seed=2, products=40, rounds=3))
    async with running(given):
        await caught_up(database, broker, topic_prefix)
    expected = await same_as_its_log(database, broker, topic_prefix)
    other = given.model_copy(update={"ingest_schema": "ingest_g9"})
    await asyncio.to_thread(migrate, other.postgres_dsn, other.ingest_schema, ["splitcart_ingest"])
    pool = await open_pool(other)
    handler = CatalogueHandler()
    try:
        said = read_events(broker, topic_prefix, CATALOGUE)
        for start in range(0, len(said), 13):
            messages = [
                by_hand(handler, start + n, key, event)
                for n, (key, _, event) in enumerate(said[start : start + 13])
            ]
            async with pool.acquire() as connection, connection.transaction():
                await handler.fold(connection, None, messages)
        assert await stored(pool) == expected
        evidence = "SELECT company, sku, rule, rule_version, evidence FROM {}.links ORDER BY company, sku"
        assert await pool.fetch(evidence.format("ingest_g9")) == await pool.fetch(evidence.format("ingest_g1"))
    finally:
        await pool.close()


async def test_first_it_folds_what_was_decided_and_then_decides(database, postgres, broker, topic_prefix, given):
    """The database is a new one, and the log is not: what it says is not decided again."""
    log = list(market(seed=3, products=40, rounds=2))
    await publish(broker, topic_prefix, log)
    async with running(given):
        await caught_up(database, broker, topic_prefix)
    said, expected = recorded(broker, topic_prefix), await same_as_its_log(database, broker, topic_prefix)
    async with fresh_database(postgres) as other:
        anew = given.model_copy(update={"postgres_dsn": service_dsn(other, "ingest")})
        more = described("aldi", "new", "Something Else Entirely", size="3kg")
        await publish(broker, topic_prefix, [more])
        async with running(anew):
            await caught_up(other, broker, topic_prefix)
        state = await same_as_its_log(other, broker, topic_prefix)
    assert recorded(broker, topic_prefix)[: len(said)] == said
    now = {(row.company, row.sku): row.product_id for row in state.links}
    del now["aldi", "new"]
    assert now == {(row.company, row.sku): row.product_id for row in expected.links}


async def test_a_word_on_record_that_nobody_can_read_stops_identity_and_nothing_else(
    database, broker, topic_prefix, given
):
    await prepare(given)
    junk = Said(b"-", b"{", described("aldi", "01", MILK).headers, CATALOGUE)
    await publish(broker, topic_prefix, [junk, described("aldi", "01", MILK)])
    await publish(broker, topic_prefix, scrape("aldi:G1", 1, {"000001": 100}))
    connection = await asyncpg.connect(database)
    try:
        async with running(given), asyncio.timeout(60):
            while not await connection.fetchval("SELECT count(*) FROM read.own_prices"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
            assert await connection.fetchval("SELECT count(*) FROM ingest_g1.products") == 0
            assert await products_of(database, ("aldi", "000001")) == [own_product_id("aldi", "000001")]
    finally:
        await connection.close()
