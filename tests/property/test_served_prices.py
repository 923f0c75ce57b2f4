"""`read.prices` is rule 8: on the real server, over random logs of both streams, it serves what the model does.

Each example has a company of its own in one database. Its logs go through the real handlers, batch by batch, with
housekeeping and restarts in between, and again and again every price served is compared.
"""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from splitcart_common.postgres import Pool
from splitcart_ingest.housekeeping import collect
from tests.support.fold_model import group_logs, streams, visits
from tests.support.ingest import ByHand
from tests.support.served import SPANS, Example, fresh_pool
from tests.support.stack import Server


@pytest.fixture(scope="module")
async def pool(postgres: Server) -> AsyncIterator[Pool]:
    async with fresh_pool(postgres) as pool:
        yield pool


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(scraped=visits(), groups=group_logs(), data=st.data())
async def test_prices_served_are_those_of_the_reference(pool, scraped, groups, data):
    example = Example(pool)
    await example.describe_all()
    queues = [list(part) for part in (*streams(scraped).values(), groups) if part]
    while queues:
        queue = data.draw(st.sampled_from(queues))
        size = data.draw(st.integers(1, 8))
        await example.fold(queue[:size])
        del queue[:size]
        queues = [queue for queue in queues if queue]
        match data.draw(st.sampled_from(("go on", "go on", "collect", "restart", "compare"))) if queues else "end":
            case "collect":
                await collect(pool)
            case "restart":
                example.hand = ByHand(pool)
            case "compare":
                await look(example, data)
    await look(example, data)
    await collect(pool)
    await look(example, data)


async def look(example: Example, data: st.DataObject) -> None:
    """Compare at the latest moment and on the edges after it, with and without a turn before."""
    latest, times = example.latest(), example.times()
    edges = sorted({at for at in (time + span for time in times for span in SPANS) if at > latest})
    asked = [latest, *(data.draw(st.lists(st.sampled_from(edges), max_size=8, unique=True)) if edges else ())]
    for at in asked:
        turns = [time for time in times if time <= at]
        await example.compare(at, data.draw(st.none() | st.sampled_from(turns)))
