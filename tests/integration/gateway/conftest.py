"""The gateway on a real database: one catalogue for the run, read only, as the gateway's own role."""

from collections.abc import AsyncIterator

import httpx
import pytest

from splitcart_sandbox.database import service_dsn
from tests.support import gateway_data as data
from tests.support.gateway import running, until_ready
from tests.support.stack import Server, fresh_database


@pytest.fixture(scope="session")
async def catalogue(postgres: Server) -> AsyncIterator[str]:
    """The superuser's address of a database with the catalogue of tests/support/gateway_data.py."""
    async with fresh_database(postgres) as dsn:
        await data.install(dsn)
        await data.fill(dsn)
        yield dsn


@pytest.fixture(scope="session")
async def client(catalogue: str) -> AsyncIterator[httpx.AsyncClient]:
    """A ready gateway over the catalogue."""
    async with running(service_dsn(catalogue, "gateway")) as ready:
        await until_ready(ready)
        yield ready
