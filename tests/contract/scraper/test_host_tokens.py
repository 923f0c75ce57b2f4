"""One suite for the host tokens in memory and those in Postgres."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from splitcart_common.migrations import migrate
from splitcart_common.postgres import create_pool
from splitcart_sandbox.database import service_dsn
from splitcart_scraper.pace import HostTokens, Trace
from splitcart_scraper.store.tokens import PostgresTokens
from tests.support.scraper.clocks import START
from tests.support.scraper.tokens import MemoryTokens

HOST = "api.example"
LEASE = timedelta(seconds=10)
NOW = START


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


class Contract:
    """What every `HostTokens` does."""

    async def test_one_owner_at_a_time(self, tokens: HostTokens) -> None:
        held = await tokens.take(HOST, "a", NOW, NOW, NOW + LEASE)
        assert held is not None
        assert held.trace == Trace()
        assert await tokens.take(HOST, "b", NOW, NOW + seconds(1), NOW + LEASE) is None
        assert await tokens.take("other.example", "b", NOW, NOW, NOW + LEASE) is not None
        assert await tokens.take(HOST, "a", NOW, NOW + seconds(2), NOW + LEASE) is not None, "its own"

    async def test_the_last_request_goes_with_the_token(self, tokens: HostTokens) -> None:
        await tokens.take(HOST, "a", NOW, NOW, NOW + LEASE)
        await tokens.give_back(HOST, "a", Trace(NOW + seconds(3), 2.5, NOW + seconds(60)))
        held = await tokens.take(HOST, "b", NOW, NOW + seconds(4), NOW + LEASE)
        assert held is not None
        assert held.trace == Trace(NOW + seconds(3), 2.5, NOW + seconds(60))
        renewed = await tokens.renew(HOST, "b", Trace(), NOW, NOW + LEASE)
        assert renewed is not None
        assert renewed.trace == held.trace, "who knows nothing takes nothing away"
        await tokens.give_back(HOST, "b", Trace(NOW + seconds(5), 1.5, NOW + seconds(30)))
        held = await tokens.take(HOST, "c", NOW, NOW + seconds(6), NOW + LEASE)
        assert held is not None
        assert held.trace == Trace(NOW + seconds(5), 1.5, NOW + seconds(60)), "patience asked for is not cut short"

    async def test_a_lease_that_ended_can_be_taken_and_cannot_be_renewed(self, tokens: HostTokens) -> None:
        await tokens.take(HOST, "a", NOW, NOW, NOW + LEASE)
        late = NOW + LEASE
        assert await tokens.take(HOST, "b", late, late, late + LEASE) is not None
        assert await tokens.renew(HOST, "a", Trace(), late, late + LEASE) is None
        await tokens.give_back(HOST, "a", Trace())
        assert await tokens.renew(HOST, "b", Trace(), late, late + LEASE) is not None, (
            "giving back what is not ours"
        )

    async def test_a_holder_is_told_that_others_wait(self, tokens: HostTokens) -> None:
        await tokens.take(HOST, "a", NOW, NOW, NOW + LEASE)
        alone = await tokens.renew(HOST, "a", Trace(NOW), NOW + seconds(1), NOW + LEASE)
        assert alone is not None
        assert not alone.waited_for
        await tokens.take(HOST, "b", NOW + seconds(1), NOW + seconds(1), NOW + LEASE)
        waited = await tokens.renew(HOST, "a", Trace(NOW), NOW + seconds(2), NOW + LEASE)
        assert waited is not None
        assert waited.waited_for

    async def test_who_has_waited_longest_is_next(self, tokens: HostTokens) -> None:
        await tokens.take(HOST, "a", NOW, NOW, NOW + LEASE)
        await tokens.take(HOST, "b", NOW + seconds(1), NOW + seconds(1), NOW + LEASE)
        await tokens.give_back(HOST, "a", Trace())
        again = NOW + seconds(2)
        assert await tokens.take(HOST, "a", again, again, again + LEASE) is None
        assert await tokens.take(HOST, "b", NOW + seconds(1), again, again + LEASE) is not None
        await tokens.give_back(HOST, "b", Trace())
        assert await tokens.take(HOST, "a", again, again, again + LEASE) is not None

    async def test_a_waiter_that_stopped_asking_keeps_nobody_out(self, tokens: HostTokens) -> None:
        await tokens.take(HOST, "a", NOW, NOW, NOW + LEASE)
        await tokens.take(HOST, "b", NOW, NOW, NOW + LEASE)
        await tokens.give_back(HOST, "a", Trace())
        later = NOW + seconds(5)
        assert await tokens.take(HOST, "c", later, later, later + LEASE) is not None


class TestMemoryTokens(Contract):
    @pytest.fixture
    def tokens(self) -> HostTokens:
        return MemoryTokens()


@pytest.mark.stack
class TestPostgresTokens(Contract):
    @pytest.fixture
    async def tokens(self, database: str) -> AsyncIterator[HostTokens]:
        dsn = service_dsn(database, "scraper")
        await asyncio.to_thread(migrate, dsn, "scraper", ["splitcart_scraper"])
        pool = await create_pool(dsn, schema="scraper", service="scraper")
        try:
            yield PostgresTokens(pool)
        finally:
            await pool.close()
