"""Rule 9: `read.prices_as_of` and `read.served_history` say of any moment what the reference says of it.

That the reference itself equals the fold stopped at that moment is a law of its own (test_fold_laws.py). Each
example has a company of its own; housekeeping collects in between, as what it drops must not matter.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from splitcart_common.postgres import Pool
from splitcart_ingest.domain.served import served
from splitcart_ingest.housekeeping import collect
from tests.support.fold_model import EPOCH, LISTINGS, STORES, group_logs, streams, visits
from tests.support.served import SPANS, Example, fresh_pool, of_company, sku
from tests.support.stack import Server

BEFORE = EPOCH - timedelta(days=30)


@pytest.fixture(scope="module")
async def pool(postgres: Server) -> AsyncIterator[Pool]:
    async with fresh_pool(postgres) as pool:
        yield pool


async def folded(pool: Pool, scraped, groups, data: st.DataObject) -> Example:
    """Logs folded batch by batch in any interleaving, collected in between or at the end."""
    example = Example(pool)
    await example.describe_all()
    queues = [list(part) for part in (*streams(scraped).values(), groups) if part]
    while queues:
        queue = data.draw(st.sampled_from(queues))
        size = data.draw(st.integers(1, 12))
        await example.fold(queue[:size])
        del queue[:size]
        queues = [queue for queue in queues if queue]
        if data.draw(st.integers(0, 4)) == 0:
            await collect(pool)
    return example


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(scraped=visits(), groups=group_logs(), data=st.data())
async def test_prices_of_the_past_are_those_of_the_reference(pool, scraped, groups, data):
    example = await folded(pool, scraped, groups, data)
    times = example.times()
    edges = sorted({at + span for at in times for span in (timedelta(0), *SPANS)})
    for at in data.draw(st.lists(st.sampled_from(edges), min_size=1, max_size=8, unique=True)):
        turn = data.draw(st.none() | st.sampled_from([time for time in times if time <= at]))
        await example.compare(at, turn, "read.prices_as_of")
    latest = example.latest()
    await example.compare(latest, None, "read.prices_as_of")
    await example.compare(latest, None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(scraped=visits(), groups=group_logs(), data=st.data())
async def test_a_history_says_of_each_moment_what_was_served_at_it(pool, scraped, groups, data):
    example = await folded(pool, scraped, groups, data)
    times = example.times()
    turns = sorted(data.draw(st.lists(st.sampled_from(times), max_size=3, unique=True)))
    store, listing = data.draw(st.sampled_from(STORES)), data.draw(st.sampled_from(LISTINGS))
    start = data.draw(st.sampled_from([BEFORE, *times]))
    end = example.latest() + timedelta(days=9)
    rows = await pool.fetch(
        "SELECT * FROM read.served_history($1, $2, $3, $4, $5)",
        of_company(store, example.company), sku(listing), start, end, turns,
    )  # fmt: skip
    if not rows:
        known = await pool.fetchval(
            "SELECT count(*) FROM read.stores WHERE store = $1", of_company(store, example.company)
        )
        assert known == 0, "only of a store nobody has heard of there is nothing to say"
        return
    assert rows[0]["since"] == start
    assert rows[-1]["until"] is None
    assert all(row["until"] == after["since"] for row, after in pairwise(rows))
    said = [tuple(row[name] for name in ("price", "source", "anchor", "seen_store")) for row in rows]
    assert all(one != other for one, other in pairwise(said)), "change-only"
    records = example.model.records()
    second = timedelta(seconds=1)
    moments = {at + span for at in times for span in (timedelta(0), -second, *SPANS)} | {start, end}
    for at in sorted(at for at in moments if start <= at <= end):
        turn = max((turn for turn in turns if turn <= at), default=None)
        expected = served(store, listing, at, records, turn)
        (row,) = [row for row in rows if row["since"] <= at and (row["until"] is None or at < row["until"])]
        assert row["price"] == (expected and expected.price)
        if expected is not None:
            assert row["seen_store"] == of_company(expected.store, example.company)
            assert row["first_seen"] <= expected.seen_at <= row["last_seen"]
