"""The guard of tests/support/loopback.py: what it lets through, and what fails a test."""

from contextlib import suppress

import httpx
import pytest

from tests.support.loopback import LeftLoopbackError, is_loopback, loopback_only
from tests.support.scraper.http import serving
from tests.support.scraper.tiny_aldi import TinyAldi

LIVE = "https://api.aldi.com.au/v3/product-search"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["api.aldi.com.au", "10.0.0.1", "8.8.8.8", "localhost.example", ""])
def test_nothing_else_is(host: str) -> None:
    assert not is_loopback(host)


async def swallowed() -> None:
    async with httpx.AsyncClient() as client:
        with suppress(LeftLoopbackError):
            await client.get(LIVE)


async def test_a_live_host_fails_the_test_even_where_that_is_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = loopback_only(monkeypatch)
    guard.__enter__()
    await swallowed()
    with pytest.raises(LeftLoopbackError, match="a test asked live hosts"):
        guard.__exit__(None, None, None)


def test_nor_is_it_reached_without_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = loopback_only(monkeypatch)
    guard.__enter__()
    with pytest.raises(LeftLoopbackError, match="a test asked a live host: GET"):
        httpx.get(LIVE)
    with pytest.raises(LeftLoopbackError):
        guard.__exit__(None, None, None)


def test_every_test_runs_under_it() -> None:
    assert httpx.AsyncHTTPTransport.handle_async_request.__module__ == "tests.support.loopback"
    assert httpx.HTTPTransport.handle_request.__module__ == "tests.support.loopback"


async def test_a_server_of_our_own_is_asked_as_ever() -> None:
    async with serving(TinyAldi()) as server, httpx.AsyncClient() as client:
        assert (await client.get(f"{server.url}/aldi/v2/product-category-tree")).status_code == 200
