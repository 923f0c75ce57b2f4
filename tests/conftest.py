"""Fixtures every test may ask for; the broker and the server start when the first test needs them."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

from splitcart_sandbox.stack import Stack
from tests.support.loopback import loopback_only
from tests.support.stack import Server, fresh_database, fresh_prefix, session_stack, template_server

# The laws are searched briefly in every run, and at length in the long one (make test-long).
settings.register_profile("brief", max_examples=50, deadline=None)
settings.register_profile("long", max_examples=2_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "brief"))


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test reaches a live host."""
    with loopback_only(monkeypatch):
        yield


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[Stack]:
    """The run's broker and server; `stack.supervisor.restart("kafka", kill=True)` kills and restarts one."""
    async with session_stack() as running:
        yield running


@pytest.fixture(scope="session")
def broker(stack: Stack) -> str:
    """The address of the run's broker, host:port."""
    return stack.bootstrap


@pytest.fixture(scope="session")
async def postgres(stack: Stack) -> AsyncIterator[Server]:
    """The run's server: `.dsn` is the superuser's address, `.template` a prepared database."""
    async with template_server(stack.dsn) as server:
        yield server


@pytest.fixture
async def database(postgres: Server) -> AsyncIterator[str]:
    """The superuser's address of a database of the test's own, with roles, schemas and extensions."""
    async with fresh_database(postgres) as dsn:
        yield dsn


@pytest.fixture
async def topic_prefix(broker: str) -> AsyncIterator[str]:
    """A topic prefix of the test's own; make its topics with splitcart_common.kafka.ensure_topics."""
    async with fresh_prefix(broker) as prefix:
        yield prefix
