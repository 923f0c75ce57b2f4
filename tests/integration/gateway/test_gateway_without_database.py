"""The database is not there yet, goes away, or is not prepared: said plainly, and over as soon as it is back."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from splitcart_sandbox.database import service_dsn
from tests.support import gateway_data as data
from tests.support.gateway import Proxy, running, until_ready

ASKED = (
    "/api/v1/stores?near=3000",
    "/api/v1/products?q=milk",
    f"/api/v1/products/{data.MILK}",
    f"/api/v1/prices?product={data.MILK}&near=3000",
)


@pytest.fixture
async def proxy(catalogue: str) -> AsyncIterator[Proxy]:
    door = Proxy(service_dsn(catalogue, "gateway"))
    await door.open()
    yield door
    await door.shut()


async def expect_unavailable(client: httpx.AsyncClient) -> None:
    for path in ASKED:
        response = await client.get(path)
        assert response.status_code == 503, (path, response.text)
        assert response.json()["type"] == "/api/v1/problems/unavailable"
        assert int(response.headers["retry-after"]) > 0
        # Where the database is, and as whom we ask it, is nobody's business.
        assert "127.0.0.1" not in response.text
        assert "splitcart_" not in response.text
    page = await client.get("/?q=milk&near=3000")
    assert page.status_code == 503
    assert page.headers["content-type"].startswith("text/html")
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/")).status_code == 200


async def test_it_answers_before_there_is_a_database_and_is_ready_once_there_is(proxy: Proxy) -> None:
    await proxy.shut()
    async with running(proxy.dsn) as client:
        waiting = await until_ready(client, 503)
        assert waiting.headers["content-type"] == "application/problem+json"
        assert "postgres" in waiting.json()["waiting_for"]
        await expect_unavailable(client)
        await proxy.open()
        await until_ready(client)
        assert all([(await client.get(path)).status_code == 200 for path in ASKED])


async def test_a_database_that_goes_away_and_comes_back(proxy: Proxy) -> None:
    async with running(proxy.dsn, gateway_refresh_seconds=0.05) as client:
        await until_ready(client)
        assert all([(await client.get(path)).status_code == 200 for path in ASKED])
        for _ in range(2):
            await proxy.shut()
            await until_ready(client, 503)
            # Known stores and postcodes need no database; what needs it says so.
            missing = await client.get(ASKED[3].replace(str(data.MILK), str(data.TEA)))
            assert missing.status_code == 503
            await proxy.open()
            await until_ready(client)
            assert all([(await client.get(path)).status_code == 200 for path in ASKED])


async def test_requests_under_way_when_it_breaks_are_answered(proxy: Proxy) -> None:
    async with running(proxy.dsn) as client:
        await until_ready(client)
        under_way = [asyncio.create_task(client.get(ASKED[3])) for _ in range(50)]
        await asyncio.sleep(0.01)
        await proxy.shut()
        answers = await asyncio.gather(*under_way)
        assert {answer.status_code for answer in answers} <= {200, 503}


async def test_a_database_that_does_not_answer_costs_a_request_only_so_long(catalogue: str) -> None:
    async with running(
        service_dsn(catalogue, "gateway"), gateway_query_seconds=0.3, gateway_connections=1
    ) as client:
        await until_ready(client)
        gateway = client._transport.app.state.gateway  # type: ignore[attr-defined] # of httpx.ASGITransport
        async with gateway.read._pool.acquire():
            async with asyncio.timeout(5):
                await expect_unavailable(client)
        assert (await client.get(ASKED[0])).status_code == 200


async def test_a_database_that_is_not_prepared_yet(database: str) -> None:
    async with running(service_dsn(database, "gateway")) as client:
        waiting = await until_ready(client, 503)
        for _ in range(100):
            if "read.stores" in waiting.text:
                break
            await asyncio.sleep(0.02)
            waiting = await client.get("/readyz")
        assert 'relation "read.stores" does not exist' in waiting.json()["waiting_for"]["postgres"]
        await expect_unavailable(client)
        await data.install(database)
        await until_ready(client)
        # No store yet: nothing near. The next store is seen at the very next request.
        assert (await client.get("/api/v1/stores?near=3000")).json()["total"] == 0
        async with data.Shelf(database) as shelf:
            await shelf.add_stores(data.OUTLETS[0])
        await asyncio.sleep(1.0)
        assert (await client.get("/api/v1/stores?near=3000")).json()["total"] == 1


async def test_new_stores_are_noticed(database: str) -> None:
    await data.install(database)
    async with data.Shelf(database) as shelf:
        await shelf.add_stores(*data.OUTLETS[:2])
        async with running(service_dsn(database, "gateway"), gateway_refresh_seconds=0.05) as client:
            await until_ready(client)
            assert (await client.get("/api/v1/stores?near=3000")).json()["total"] == 2
            await shelf.add_stores(*data.OUTLETS[2:])
            async with asyncio.timeout(5):
                for _ in range(100):
                    if (await client.get("/api/v1/stores?near=3000")).json()["total"] == 6:
                        break
                    await asyncio.sleep(0.02)
            assert (await client.get("/api/v1/stores?near=3000")).json()["total"] == 6
