"""Barcodes read outside scrapes, on real tables: they fill gaps, in any order and however often."""

import asyncio
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import permutations

import asyncpg
import pytest

from splitcart_common import events, outbox
from splitcart_common.codec import decode
from splitcart_common.ids import derived_id
from splitcart_common.kafka import ensure_topics
from splitcart_common.migrations import migrate
from splitcart_common.outcomes import DeadLetter, Ok, Reason, Skip
from splitcart_common.topics import LISTING_DESCRIBED, PRICE_CHANGED, PRODUCT_OBSERVED, STORE_GROUPS, STORES
from splitcart_ingest.app import SERVICE
from splitcart_sandbox.database import service_dsn
from tests.support.bus import publish, read_events, read_topic, say
from tests.support.ingest import (
    CLOCK,
    START,
    UUID,
    ByHand,
    Reference,
    by_hand,
    caught_up,
    fold_in,
    fold_of_log,
    listing,
    listings_in,
    readings,
    running,
    scrape,
    scrape_of,
    settings,
)
from tests.support.scraper.cli import command
from tests.support.scraper.http import serving
from tests.support.scraper.tiny_coles import STORE, TinyColes, code_of, on_record, sku_of

USED = (PRODUCT_OBSERVED, STORES, STORE_GROUPS, PRICE_CHANGED, LISTING_DESCRIBED)
S, OTHER = "coles:1", "coles:2"
READ, LATER, OWN = code_of(1), code_of(2), code_of(3)
DAY = timedelta(days=1)


def seen(*skus: str, **more: object) -> events.ProductsObserved:
    """A sighting of listings, outside any scrape: the description fold does not ask for one."""
    listings = tuple(listing(sku, 100, **more) for sku in skus)
    return events.ProductsObserved(scrape_id=scrape_of(S, 1), batch=1, listings=listings)


async def said(pool) -> list[tuple[UUID, events.ListingDescribed]]:
    """What went out of listings: event id and event, in order."""
    found = []
    for row in await pool.fetch("SELECT key, value, header_names, header_values FROM outbox ORDER BY id"):
        names = [bytes(name).decode() for name in row["header_names"]]
        headers = list(zip(names, map(bytes, row["header_values"]), strict=True))
        envelope, event = decode(LISTING_DESCRIBED, headers, row["value"])
        assert bytes(row["key"]).decode() == f"{event.company}/{event.sku}"
        found.append((envelope.event_id, event))
    return found


NO_LISTING = "no such listing"


async def barcode_of(pool, sku: str) -> str | None:
    """A listing's barcode as others read it."""
    row = await pool.fetchrow("SELECT barcode FROM read.listings WHERE sku = $1", sku)
    return row["barcode"] if row else NO_LISTING


async def test_a_reading_fills_the_gap_and_no_sighting_erases_it(hand: ByHand) -> None:
    await hand.observe((S, seen("01")))
    assert await hand.observe((S, readings(S, {"01": (READ, START)}))) == [Ok()]
    assert await barcode_of(hand.pool, "01") == READ
    ids = [ident for ident, _ in await said(hand.pool)]
    assert ids[-1] == derived_id(UUID(int=0), "listing-described 01")
    assert [event.barcode for _, event in await said(hand.pool)] == [None, READ]
    for day in (1, 2):
        await hand.observe((OTHER, seen("01")), at=START + day * DAY)
    await ByHand(hand.pool).observe((OTHER, seen("01", brand="Acme")), at=START + 3 * DAY)
    assert await barcode_of(hand.pool, "01") == READ
    assert [(event.brand, event.barcode) for _, event in await said(hand.pool)][2:] == [("Acme", READ)]


async def test_what_the_company_says_stands(hand: ByHand) -> None:
    await hand.observe((S, seen("01", barcode=OWN)), (S, seen("02", barcode="60092")))
    await hand.observe((S, readings(S, {"01": (READ, START), "02": (READ, START)})))
    assert await barcode_of(hand.pool, "01") == OWN
    assert await barcode_of(hand.pool, "02") == "60092"
    assert len(await said(hand.pool)) == 2
    # It stops saying so: now there is a gap.
    await hand.observe((S, seen("01")), at=START + DAY)
    assert await barcode_of(hand.pool, "01") == READ
    assert [event.barcode for _, event in await said(hand.pool)] == [OWN, "60092", READ]


async def test_one_that_is_read_before_its_listing_is_kept_for_it(hand: ByHand) -> None:
    await hand.observe((S, readings(S, {"01": (READ, START)})))
    assert (await barcode_of(hand.pool, "01"), await said(hand.pool)) == (NO_LISTING, [])
    await ByHand(hand.pool).observe((OTHER, seen("01")))
    assert await barcode_of(hand.pool, "01") == READ
    assert [event.barcode for _, event in await said(hand.pool)] == [READ]


async def test_it_is_a_company_s_own_and_found_by_the_index_of_both(hand: ByHand) -> None:
    await hand.observe(("iga:1", seen("01")), (S, seen("01", "02")), (S, readings(S, {"01": (READ, START)})))
    rows = await hand.pool.fetch("SELECT company, sku FROM read.listings WHERE barcode = $1", READ)
    assert list(map(tuple, rows)) == [("coles", "01")]
    async with hand.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch("EXPLAIN SELECT sku FROM read.listings WHERE barcode = ANY ('{1,2}')")
        assert "listings_by_barcode" in str(plan)


async def test_a_repeat_or_an_older_reading_says_nothing(hand: ByHand) -> None:
    await hand.observe((S, seen("01")), (S, readings(S, {"01": (LATER, START + DAY)})))
    spoken = await said(hand.pool)
    older = readings(OTHER, {"01": (READ, START)})
    again = readings(S, {"01": (LATER, START + DAY)})
    assert await hand.observe((OTHER, older), (S, again), (S, readings(S, {}))) == [Ok()] * 3
    assert await said(hand.pool) == spoken
    assert await barcode_of(hand.pool, "01") == LATER


async def test_an_open_scrape_does_not_mind(hand: ByHand) -> None:
    started, batch, completed = [
        decode(PRODUCT_OBSERVED, one.headers, one.value)[1] for one in scrape(S, 1, {"01": 100})
    ]
    read = readings(S, {"01": (READ, START)})
    assert (
        await hand.observe((S, read), (S, started), (S, read), (S, batch), (S, read), (S, completed)) == [Ok()] * 6
    )
    assert await hand.pool.fetchval("SELECT outcome FROM scrapes") == "full"


@pytest.mark.parametrize(
    ("key", "event", "reason"),
    [
        ("aldi:1", readings(S, {"01": (READ, START)}), Reason.WRONG_KEY),
        (S, readings("aldi:1", {"01": (READ, START)}), Reason.WRONG_KEY),
        ("coles", readings(S, {"01": (READ, START)}), Reason.WRONG_KEY),
        (S, events.BarcodesObserved(company="aldi", store=S, items=()), Reason.WRONG_KEY),
        (S, readings(S, {"01": (READ, CLOCK.start + 9000 * DAY), "02": (READ, START)}), Reason.FROM_THE_FUTURE),
        (S, readings(S, {"01": (READ, START), "02": (READ, START - 20_000 * DAY)}), Reason.INVALID),
    ],
)
async def test_what_cannot_be_is_a_dead_letter_and_changes_nothing(
    hand: ByHand, key: str, event: events.Event, reason: Reason
) -> None:
    bad, good = await hand.observe((key, event), (S, readings(S, {"09": (READ, START)})))
    assert isinstance(bad, DeadLetter)
    assert (bad.reason, good) == (reason, Ok())
    assert await hand.pool.fetchval("SELECT array_agg(sku) FROM read_barcodes") == ["09"]


async def test_a_wrong_check_digit_is_not_noted_and_the_others_are(hand: ByHand) -> None:
    wrong = READ[:-1] + str((int(READ[-1]) + 1) % 10)
    assert await hand.observe(
        (S, readings(S, {"01": (wrong, START), "02": (READ, START), "03": ("1234567890", START)})),
        (S, readings(S, {"01": (wrong, START)})),
    ) == [Ok(), Skip("check-digit")]
    assert await hand.pool.fetchval("SELECT array_agg(sku) FROM read_barcodes") == ["02"]


async def test_a_batch_that_is_killed_changes_nothing_and_is_said_once(
    hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hand.observe((S, seen("01")))
    spoken = await said(hand.pool)
    message = (S, readings(S, {"01": (READ, START), "02": (READ, START)}))
    with monkeypatch.context() as patch:

        async def killed(*_: object) -> int:
            raise ConnectionResetError

        patch.setattr(outbox, "append", killed)
        with pytest.raises(ConnectionResetError):
            await hand.observe(message)
    assert await hand.pool.fetchval("SELECT count(*) FROM read_barcodes") == 0
    assert await barcode_of(hand.pool, "01") is None
    # Now it dies between what it notes ahead and the position.
    await hand.observations.prepare(hand.observed, [by_hand(hand.observations, 0, *message)])
    once = await said(hand.pool)
    assert len(once) == len(spoken) + 1
    assert await ByHand(hand.pool).observe(message) == [Ok()]
    assert await said(hand.pool) == once


def a_log(sku: str) -> list[tuple[str, datetime, events.Event]]:
    """What two stores and two passes say of a listing over three days."""
    return [
        (S, START, seen(sku)),
        (OTHER, START + DAY, seen(sku, barcode=OWN, brand="Acme")),
        (S, START + 2 * DAY, seen(sku, brand="Acme")),
        (S, START, readings(S, {sku: (READ, START)})),
        (OTHER, START, readings(OTHER, {sku: (LATER, START + DAY)})),
    ]


def expected(logs: Iterable[list[tuple[str, datetime, events.Event]]]) -> frozenset[tuple[object, ...]]:
    """The listings by the pure rules, the logs in their own order."""
    model = Reference()
    for log in logs:
        for key, at, event in log:
            model.describe(key.partition(":")[0], at, event)
    return model.listings()


async def said_last(pool) -> dict[str, str | None]:
    """The barcode that a compacted topic would show of each SKU."""
    return {event.sku: event.barcode for _, event in await said(pool)}


async def test_the_order_of_two_processes_does_not_matter(hand: ByHand) -> None:
    random_ = random.Random(5)
    orders = random_.sample(list(permutations(range(5))), 40)
    logs = [a_log(f"{n:03d}") for n in range(len(orders))]
    for order, log in zip(orders, logs, strict=True):
        hands = (hand, ByHand(hand.pool))
        for place in order:
            key, at, event = log[place]
            await random_.choice(hands).observe((key, event), at=at)
    assert await listings_in(hand.pool) == expected(logs)
    assert {row[5] for row in expected(logs)} == {LATER}
    assert set((await said_last(hand.pool)).values()) == {LATER}


async def test_two_processes_at_once_come_to_the_same(hand: ByHand) -> None:
    logs = [a_log(f"{n:03d}") for n in range(60)]
    messages = [message for log in logs for message in log]
    random.Random(6).shuffle(messages)

    async def fold(hand: ByHand, part: list[tuple[str, datetime, events.Event]]) -> None:
        for key, at, event in part:
            await hand.observe((key, event), at=at)

    # Both fold all of it, from either end: what one describes the other reads the barcode of.
    await asyncio.gather(fold(hand, messages), fold(ByHand(hand.pool), messages[::-1]))
    assert await listings_in(hand.pool) == expected(logs)
    assert set((await said_last(hand.pool)).values()) == {LATER}


async def test_a_description_and_a_reading_at_one_moment_know_of_each_other(hand: ByHand) -> None:
    """Neither has committed when the other looks: without the lock the listing would miss what was read."""
    other = ByHand(hand.pool)
    for n in range(30):
        sku = f"{n:03d}"
        await asyncio.gather(
            hand.observe((OTHER, seen(sku))), other.observe((S, readings(S, {sku: (READ, START)})))
        )
        assert await barcode_of(hand.pool, sku) == READ, n
    assert set((await said_last(hand.pool)).values()) == {READ}


async def test_on_the_bus(database: str, broker: str, topic_prefix: str) -> None:
    await ensure_topics(broker, topic_prefix, USED)
    log = scrape(S, 1, {"01": 100, "02": 200})
    for number, (key, event) in enumerate(
        [(S, readings(S, {"01": (READ, START)})), (OTHER, readings(OTHER, {"01": (LATER, START + DAY)})),
         ("aldi:1", readings(S, {"02": (READ, START)}))],
    ):  # fmt: skip
        log.insert(
            number, say(key, event, event_id=UUID(int=number), correlation_id=UUID(int=9), at=START + 2 * DAY)
        )
    await publish(broker, topic_prefix, log)
    async with running(settings(database, broker, topic_prefix, ingest_batch_messages=1)):
        await caught_up(database, broker, topic_prefix)
    (letter,) = read_topic(broker, PRODUCT_OBSERVED.dead_letter_topic(topic_prefix, SERVICE), 1)
    assert dict(letter.headers)["dlq-error"] == b"the key is aldi:1, but the event speaks of coles and coles:1"
    folded = await fold_in(database)
    assert {(row[1], row[5]) for row in folded.listings} == {("01", LATER), ("02", None)}
    last = {event.sku: event.barcode for _, _, event in read_events(broker, topic_prefix, LISTING_DESCRIBED)}
    assert last == {"01": LATER, "02": None}


async def test_the_verb_s_barcodes_are_shown(database: str, broker: str, topic_prefix: str) -> None:
    """`splitcart barcodes coles` asks for what is missing, and then it is there."""
    await ensure_topics(broker, topic_prefix, USED)
    dsn = service_dsn(database, "scraper")
    await asyncio.to_thread(migrate, dsn, "scraper", ["splitcart_scraper"])
    async with asyncpg.create_pool(
        dsn, server_settings={"search_path": "scraper"}, min_size=1, max_size=1
    ) as pool:
        await on_record(pool)
    numbers = range(1, 5)
    await publish(broker, topic_prefix, scrape(STORE, 1, {sku_of(n): 100 * n for n in numbers}))
    async with running(settings(database, broker, topic_prefix)), serving(TinyColes(gone={3})) as server:
        await caught_up(database, broker, topic_prefix)
        environment = {
            "SPLITCART_POSTGRES_DSN": dsn,
            "SPLITCART_KAFKA_BOOTSTRAP": broker,
            "SPLITCART_TOPIC_PREFIX": topic_prefix,
            "SPLITCART_SCRAPER_GAP_SECONDS": "0",
        }
        words = ("barcodes", "coles", "--base-url", f"{server.url}/coles")
        code, report = await command(*words, **environment)
        assert (code, report["published"]) == (0, 3), report
        await caught_up(database, broker, topic_prefix)
    folded = await fold_in(database)
    assert folded == fold_of_log(broker, topic_prefix)
    assert {row[1]: row[5] for row in folded.listings} == {
        sku_of(n): None if n == 3 else code_of(n) for n in numbers
    }
