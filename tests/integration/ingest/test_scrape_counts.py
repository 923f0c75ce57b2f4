"""What scrapes came to, as metrics: counted once what they did is committed, and never twice."""

import asyncpg
import pytest
from prometheus_client import REGISTRY

from splitcart_common.topics import PRODUCT_OBSERVED
from tests.support.ingest import scrape
from tests.support.lane import folding

COMPANY = "countless"
STORE = f"{COMPANY}:1"


def counts() -> dict[str, float]:
    effects = ("created", "updated", "unchanged", "withdrawn")
    found = {name: _value("splitcart_observations_total", effect=name) for name in effects}
    outcomes = ("full", "partial", "abandoned", "superseded")
    return found | {name: _value("splitcart_scrapes_total", outcome=name) for name in outcomes}


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"company": COMPANY, **labels}) or 0


def messages(*args, **more):
    return [(said.key, said.value, said.headers) for said in scrape(STORE, *args, **more)]


async def test_what_became_of_prices_is_counted_by_company(pool, hand):
    lane = await folding(pool, PRODUCT_OBSERVED, hand.observations)
    before = counts()
    await lane.fold(*messages(1, {"01": 100, "02": 200, "03": 300}))
    await lane.fold(*messages(2, {"01": 110, "02": 200}))  # two thirds: too little
    await lane.fold(*messages(3, {"01": 110}, end="lost"), *messages(4, {"01": 110, "02": 200, "03": 300}))
    await lane.fold(*messages(4, {"01": 110, "02": 200, "03": 300}))  # a repeat
    found = {name: value - before[name] for name, value in counts().items()}
    assert found == {
        "created": 3, "updated": 1, "unchanged": 1 + 1 + 3, "withdrawn": 0,
        "full": 2, "partial": 1, "abandoned": 0, "superseded": 1,
    }  # fmt: skip


async def test_what_is_rolled_back_is_not_counted(pool, hand):
    lane = await folding(pool, PRODUCT_OBSERVED, hand.observations)
    before = counts()
    # The last statement of the transaction fails, after everything was folded.
    await pool.execute("ALTER TABLE positions ADD CONSTRAINT stays CHECK (next_offset = 0)")
    with pytest.raises(asyncpg.CheckViolationError):
        await lane.fold(*messages(1, {"01": 100}))
    assert counts() == before
