"""Housekeeping and the fold, in every order they can meet in: nothing served changes, nothing folded is lost."""

import asyncio
import json
from datetime import timedelta

import pytest

from splitcart_common.outcomes import Ok, Skip
from splitcart_ingest.handlers.observations import ObservationHandler
from splitcart_ingest.housekeeping import SQL, Collected, Housekeeper, collect, collect_store
from tests.support.ingest import START, ByHand, by_hand, confirmed, ejected, visit

M, A = "aldi:M", "aldi:A"
FIRST = {"01": 100, "02": 200, "03": 300, "04": 400}
SECOND = {"01": 100, "02": 210, "03": 300, "05": 500}


async def prices(pool, at=START + timedelta(days=3)):
    """All that is served at a moment."""
    what = "store, sku, price, seen_store, seen_at, seen_scrape, changed_at, was_price, special, source, anchor"
    return set(map(tuple, await pool.fetch(f"SELECT {what} FROM read.prices($1, $2)", at, json.dumps({}))))


async def rows_of(pool, store=M):
    return await pool.fetchval(
        "SELECT count(*) FROM latest_prices JOIN stores USING (store_id) WHERE store = $1", store
    )


async def head(pool, store=M):
    return await pool.fetchrow(
        "SELECT h.* FROM store_heads h JOIN stores USING (store_id) WHERE store = $1", store
    )


async def pure(pool):
    """The record: what no housekeeping touches."""
    tables = ("scrapes", "price_history", "group_markers", "group_exceptions", "group_skus")
    return {name: set(map(tuple, await pool.fetch(f"SELECT x::text FROM {name} x"))) for name in tables}


async def cache_is_the_history(pool):
    """Where nothing is collected, the latest prices are the last rows of the history."""
    latest = await pool.fetch("SELECT store_id, listing_id, price, changed_seq FROM latest_prices")
    last = await pool.fetch(
        "SELECT DISTINCT ON (store_id, listing_id) store_id, listing_id, price, seq FROM price_history "
        "ORDER BY store_id, listing_id, seq DESC"
    )
    return set(map(tuple, latest)) == set(map(tuple, last))


@pytest.fixture
async def member(hand):
    """M and its anchor A, each scraped once, M confirmed with one exception."""
    await hand.observe(*visit(M, 1, FIRST), *visit(A, 1, FIRST | {"04": 410}))
    await hand.group(("aldi", confirmed(1, M, A, up_to=1, anchor_at=1, exceptions={"04": 400})))
    return hand


@pytest.mark.usefixtures("member")
async def test_rows_below_the_floor_are_dropped_and_nothing_served_changes(pool):
    before, record = await prices(pool), await pure(pool)
    assert await collect(pool) == Collected(looked_at=1, stores=1, rows=4)
    assert (await head(pool))["collected"]
    assert (await rows_of(pool), await rows_of(pool, A)) == (0, 4)
    assert (await prices(pool), await pure(pool)) == (before, record)
    assert {row[1]: row[9] for row in before if row[0] == M} == {
        "01": "anchor", "02": "anchor", "03": "anchor", "04": "exception",
    }  # fmt: skip
    assert await collect(pool) == Collected(), "nothing new: not even looked at"


async def test_a_store_without_a_confirmation_is_left_alone(hand, pool):
    await hand.observe(*visit(M, 1, FIRST))
    await hand.group(("aldi", ejected(1, M, START)))
    assert await collect(pool) == Collected()
    assert await rows_of(pool) == 4


async def test_what_was_seen_above_the_floor_stays(member, pool):
    # A partial scrape after the confirmed one: its two listings have evidence above the floor.
    await member.observe(*visit(M, 2, {"01": 100, "02": 250}, finished=False))
    before = await prices(pool)
    assert await collect(pool) == Collected(looked_at=1, stores=1, rows=2)
    assert await prices(pool) == before
    assert {row[1]: row[2] for row in before if row[9] == "own" and row[0] == M} == {"01": 100, "02": 250}


async def test_a_store_being_scraped_is_left_for_the_next_time(member, pool):
    scrape = visit(M, 2, SECOND)
    await member.observe(*scrape[:-1])
    assert (await collect(pool)).rows == 0
    assert await rows_of(pool) == 5
    await member.observe(scrape[-1])
    assert (await collect(pool)).rows == 0, "a full scrape: all of it is above the floor"


async def test_a_confirmation_of_a_scrape_not_folded_yet_waits(hand, pool):
    await hand.observe(*visit(M, 1, FIRST), *visit(A, 1, FIRST))
    await hand.group(("aldi", confirmed(1, M, A, up_to=2, anchor_at=1)))
    assert await collect(pool) == Collected(looked_at=1)
    await hand.observe(*visit(M, 2, FIRST))
    assert await collect(pool) == Collected(looked_at=1, stores=1, rows=4)


async def test_the_next_scrape_restores_them_for_who_holds_the_state(member, pool):
    await collect(pool)
    await member.observe(*visit(M, 2, SECOND))  # the same process: its state was in memory all the while
    assert not (await head(pool))["collected"]
    assert await cache_is_the_history(pool)
    (old, new) = await pool.fetch(
        "SELECT price FROM price_history WHERE seq = 2 AND batch = 1 ORDER BY listing_id"
    )
    assert (old["price"], new["price"]) == (210, 500), "only what changed: the others were known"


@pytest.mark.usefixtures("member")
async def test_and_for_who_has_to_load_it(pool):
    await collect(pool)
    other = ByHand(pool)
    await other.observe(*visit(M, 2, SECOND))
    assert await cache_is_the_history(pool)
    assert await pool.fetchval("SELECT count(*) FROM price_history WHERE seq = 2") == 3
    changed = await pool.fetchrow("SELECT created, updated, unchanged, withdrawn FROM scrapes WHERE seq = 2")
    assert tuple(changed) == (1, 1, 2, 1)


@pytest.mark.usefixtures("member")
async def test_whoever_loads_between_scrapes_knows_it_all(pool):
    """A message that is ignored loads the state, and it is the state that the next scrape is folded on."""
    await collect(pool)
    other = ByHand(pool)
    repeat = visit(M, 1, FIRST)
    assert await other.observe(repeat[0], repeat[1]) == [Skip("repeat"), Skip("not-open")]
    assert (await head(pool))["collected"], "nothing was begun: nothing is restored"
    await collect(pool)
    await other.observe(*visit(M, 2, SECOND))
    assert await cache_is_the_history(pool)
    assert await pool.fetchval("SELECT count(*) FROM price_history WHERE seq = 2") == 3


async def test_a_scrape_that_is_rolled_back_leaves_it_collected(member, pool):
    await collect(pool)
    messages = [by_hand(member.observations, n, *said) for n, said in enumerate(visit(M, 2, SECOND))]
    await member.observations.prepare(member.observed, messages)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await member.observations.fold(connection, member.observed, messages)
        assert await connection.fetchval("SELECT count(*) FROM latest_prices") == 9
        await transaction.rollback()
    member.observations.forget(member.observed)
    assert ((await head(pool))["collected"], await rows_of(pool)) == (True, 0)
    await member.observe(*visit(M, 2, SECOND))
    assert await cache_is_the_history(pool)


async def begun(hand, connection, said):
    """Fold messages in an open transaction."""
    messages = [by_hand(hand.observations, n, *one) for n, one in enumerate(said)]
    await hand.observations.prepare(hand.observed, messages)
    return await hand.observations.fold(connection, hand.observed, messages)


async def test_housekeeping_passes_over_a_store_whose_scrape_is_just_beginning(member, pool):
    scrape = visit(M, 2, SECOND)
    async with pool.acquire() as connection, connection.transaction():
        await begun(member, connection, scrape[:2])
        assert await collect(pool) == Collected(looked_at=1), "its head is locked"
    assert (await rows_of(pool), (await head(pool))["collected"]) == (5, False)
    await member.observe(*scrape[2:])
    assert await cache_is_the_history(pool)


async def test_a_scrape_that_begins_meanwhile_waits_and_restores(member, pool):
    async with pool.acquire() as connection:
        async with connection.transaction():
            store = (await head(pool))["store_id"]
            assert await collect_store(connection, store) == 4
            fold = asyncio.create_task(member.observe(*visit(M, 2, SECOND)))
            await _waits_for_a_lock(pool)
            assert not fold.done()
        assert set(await fold) == {Ok()}
    assert not (await head(pool))["collected"]
    assert await cache_is_the_history(pool)


@pytest.mark.usefixtures("member")
async def test_collected_between_loading_and_writing(pool, monkeypatch):
    """The state is loaded, then housekeeping commits, then the facts are written."""
    other = ByHand(pool)
    load = ObservationHandler._load

    async def load_and_be_overtaken(self, connection, where, messages):
        states = await load(self, connection, where, messages)
        assert (await collect(pool)).rows == 4
        return states

    monkeypatch.setattr(ObservationHandler, "_load", load_and_be_overtaken)
    await other.observe(*visit(M, 2, SECOND))
    assert not (await head(pool))["collected"]
    assert await cache_is_the_history(pool)


async def test_a_scrape_that_began_before_it_looked_is_seen(member, pool):
    """The candidates were chosen before: what counts is what stands once the head is locked."""
    store = (await head(pool))["store_id"]
    scrape = visit(M, 2, SECOND)
    await member.observe(scrape[0])
    async with pool.acquire() as connection, connection.transaction():
        assert await collect_store(connection, store) == 0
    await member.observe(*scrape[1:])
    assert await cache_is_the_history(pool)


async def test_an_anchors_own_rows_may_go_and_its_members_exceptions_lapse_all_the_same(hand, pool):
    """Whether the anchor changed a price since is asked of its history: its row may have been dropped."""
    await hand.observe(*visit(A, 1, FIRST), *visit(M, 1, FIRST | {"01": 90}), *visit("aldi:B", 1, FIRST))
    await hand.observe(*visit(A, 2, FIRST | {"01": 110}))
    await hand.group(
        ("aldi", confirmed(1, M, A, up_to=1, anchor_at=1, exceptions={"01": 90})),
        ("aldi", confirmed(2, A, "aldi:B", up_to=2, anchor_at=1)),
    )
    before = await prices(pool)
    assert (M, "01") not in {row[:2] for row in before}
    assert (await collect(pool)).rows == 8
    assert await prices(pool) == before


async def test_the_memo_of_floors_says_what_the_markers_say(member, pool):
    await member.observe(*visit(M, 2, FIRST))
    await member.group(("aldi", confirmed(2, M, A, up_to=2, anchor_at=1, exceptions={"04": 400})))
    before = await prices(pool)
    await collect(pool)
    (memo,) = await pool.fetch("SELECT version, seq, next_seq FROM floors")
    assert tuple(memo) == (2, 2, 3)
    with_memo = await prices(pool)
    await pool.execute("TRUNCATE floors")
    assert await prices(pool) == with_memo == before


@pytest.mark.usefixtures("member")
async def test_two_housekeepers_do_not_meet(pool):
    done = await asyncio.gather(collect(pool), collect(pool))
    assert sum(one.rows for one in done) == 4


@pytest.mark.usefixtures("member")
async def test_it_runs_by_itself_and_outlives_a_lost_connection(pool, monkeypatch):
    tries = []

    async def lost_once(pool):
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionResetError
        return await collect(pool)

    monkeypatch.setattr("splitcart_ingest.housekeeping.collect", lost_once)
    async with asyncio.timeout(10), Housekeeper(pool, 0.01).running():
        while await rows_of(pool):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert len(tries) > 1


async def _waits_for_a_lock(pool):
    async with asyncio.timeout(10):
        while not await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_a_head_that_is_locked_is_not_waited_for():
    assert "SKIP LOCKED" in SQL["lock_head"]
