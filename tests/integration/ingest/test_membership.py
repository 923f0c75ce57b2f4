"""The membership fold on the real server: what is written, what is skipped, and what stops the partition."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from splitcart_common import events
from splitcart_common.kafka import ensure_topics
from splitcart_common.outcomes import DeadLetter, Ok, Reason, Skip
from splitcart_common.telemetry import Health
from splitcart_common.topics import LISTING_DESCRIBED, PRICE_CHANGED, PRODUCT_OBSERVED, STORE_GROUPS, STORES
from splitcart_ingest.app import main
from splitcart_ingest.domain.exceptions import Delta, restore
from splitcart_ingest.domain.membership import GroupException
from tests.support import ingest
from tests.support.bus import publish, say
from tests.support.ingest import START, confirmed, ejected

M, A = "aldi:M", "aldi:A"
DAY = timedelta(days=1)


async def test_markers_are_written_with_their_times_clamped(hand, pool):
    said = [
        confirmed(3, M, A, up_to=2, anchor_at=1, at=START + 3 * DAY),
        ejected(5, "aldi:N", START + DAY),  # earlier than the last: clamped
    ]
    assert await hand.group(*(("aldi", event) for event in said)) == [Ok(), Ok()]
    rows = await pool.fetch(
        "SELECT m.company, m.version, s.store, a.store, m.up_to_scrape, m.anchor_scrape, m.decided_at "
        "FROM group_markers m JOIN stores s USING (store_id) JOIN stores a ON a.store_id = m.anchor_id "
        "ORDER BY version"
    )
    assert list(map(tuple, rows)) == [
        ("aldi", 3, M, A, said[0].up_to_scrape, said[0].anchor_scrape, START + 3 * DAY),
        ("aldi", 5, "aldi:N", "aldi:N", None, None, START + 3 * DAY),
    ]
    # Stores nobody has described yet are kept all the same.
    assert {tuple(row) for row in await pool.fetch("SELECT store, company, name FROM stores")} == {
        (M, "aldi", None), (A, "aldi", None), ("aldi:N", "aldi", None),
    }  # fmt: skip


async def test_old_versions_and_what_is_no_marker_are_skipped_by_name(hand):
    first = ("aldi", confirmed(2, M, A, up_to=1, anchor_at=1))
    formed = events.GroupFormed(version=1, anchor=A, at=START)
    stale = events.AnchorWentStale(version=9, anchor=A, last_settled_at=None, at=START)
    assert await hand.group(("aldi", formed), first, first, ("aldi", stale)) == [
        Skip("no-marker"), Ok(), Skip("old-version"), Skip("no-marker"),
    ]  # fmt: skip
    # In a batch of its own, too; and versions are counted by company.
    again = await hand.group(first, ("aldi", ejected(1, M, START)), ("coles", ejected(1, "coles:1", START)))
    assert again == [Skip("old-version"), Skip("old-version"), Ok()]


@pytest.mark.parametrize(
    ("key", "event", "reason"),
    [
        ("coles", confirmed(1, M, A, up_to=1, anchor_at=1), Reason.WRONG_KEY),
        ("aldi", confirmed(1, M, "coles:A", up_to=1, anchor_at=1), Reason.WRONG_KEY),
        ("aldi", ejected(2**31, M, START), Reason.INVALID),
        ("aldi", ejected(1, M, datetime(1999, 1, 1, tzinfo=UTC)), Reason.INVALID),
        ("aldi", ejected(1, M, datetime(9999, 1, 1, tzinfo=UTC)), Reason.FROM_THE_FUTURE),
    ],
    ids=["of another company", "to another company", "version", "long ago", "not yet"],
)
async def test_what_cannot_be_folded_is_named(hand, key, event, reason):
    (outcome,) = await hand.group((key, event))
    assert isinstance(outcome, DeadLetter)
    assert outcome.reason == reason


async def test_a_message_that_cannot_be_read_stops_the_partition_and_nothing_else(database, broker, topic_prefix):
    used = (PRODUCT_OBSERVED, STORES, STORE_GROUPS, PRICE_CHANGED, LISTING_DESCRIBED)
    await ensure_topics(broker, topic_prefix, used)
    bad = say("coles", ejected(1, M, START), event_id=UUID(int=1), correlation_id=UUID(int=1), at=START)
    good = say("coles", ejected(1, "coles:1", START), event_id=UUID(int=2), correlation_id=UUID(int=2), at=START)
    await publish(broker, topic_prefix, [bad, good, *ingest.scrape(M, 1, {"000001": 100})])
    health, stop = Health(), asyncio.Event()
    given = ingest.settings(database, broker, topic_prefix)
    async with asyncio.TaskGroup() as group, asyncio.timeout(30):
        group.create_task(main(given, health, stop))
        while not any("has no dead letters" in why for why in health.missing.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await ingest.folded(database, 3)
        stop.set()
    async with asyncio.timeout(10):
        rows = await _fetch(database, "SELECT count(*) AS n FROM ingest_g1.group_markers")
    assert rows[0]["n"] == 0, "what comes after it waits"


async def _fetch(database, query):
    connection = await ingest.asyncpg.connect(database)
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


exceptions = st.dictionaries(st.sampled_from("abcdef"), st.none() | st.integers(100, 101), max_size=5)
numbers = iter(range(1_000_000))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(stated=st.lists(exceptions, min_size=1, max_size=7), cuts=st.lists(st.integers(1, 6)))
async def test_whatever_the_batches_each_statement_can_be_restored(hand, pool, stated, cuts):
    company = f"x{next(numbers)}"
    store, anchor = f"{company}:M", f"{company}:A"
    said = [
        (company, ejected(n, store, START) if not given else
         confirmed(n, store, anchor, up_to=n, anchor_at=1, exceptions=given))
        for n, given in enumerate(stated, 1)
    ]  # fmt: skip
    edges = sorted({0, len(said), *(cut for cut in cuts if cut < len(said))})
    for start, end in pairwise(edges):
        await hand.group(*said[start:end])
    rows = await pool.fetch(
        "SELECT e.* FROM group_exceptions e JOIN stores USING (store_id) WHERE store = $1 ORDER BY version DESC",
        store,
    )
    sku = {
        row["number"]: row["sku"]
        for row in await pool.fetch("SELECT * FROM group_skus WHERE company = $1", company)
    }
    at_hand, restored = {}, []
    for row in rows:
        assert list(row["numbers"]) == sorted(row["numbers"])
        columns = dict(zip(row["numbers"], map(GroupException, row["prices"], row["seen_at"]), strict=True))
        full = row["absent"] is None
        assert full == (not restored)
        at_hand = columns if full else restore(at_hand, Delta(columns, tuple(row["absent"])))
        restored.append({sku[x]: (e.price, e.seen_at) for x, e in at_hand.items()})
    assert restored[::-1] == [
        {name: (price, START + n * DAY) for name, price in given.items()} for n, given in enumerate(stated, 1)
    ]
