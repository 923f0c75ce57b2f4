"""No test talks to a live host: a client of ours that leaves loopback fails the test it runs in."""

import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import pytest

NOWHERE: Final = "http://127.0.0.1:9"
"""A proxy that is none: nothing listens there."""


class LeftLoopbackError(AssertionError):
    """Not an httpx error, so that nothing takes it for trouble with the network and goes on."""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine; a name other than localhost might be anybody."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def without_network() -> dict[str, str]:
    """The environment for a process of its own, in which httpx finds its way to loopback only."""
    proxies = {f"{scheme}_proxy": NOWHERE for scheme in ("http", "https", "all")}
    direct = {"no_proxy": "127.0.0.1,localhost,::1"}
    return {
        **os.environ,
        **{name.upper(): value for name, value in (proxies | direct).items()},
        **proxies,
        **direct,
    }


@contextmanager
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Watch every connection httpx makes; LeftLoopbackError at once, and again at the end if it was swallowed."""
    left: list[str] = []

    def check(request: httpx.Request) -> None:
        if not is_loopback(request.url.host):
            left.append(str(request.url))
            raise LeftLoopbackError(f"a test asked a live host: {request.method} {request.url}")

    asynchronous, plain = httpx.AsyncHTTPTransport.handle_async_request, httpx.HTTPTransport.handle_request

    async def handle_async_request(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        check(request)
        return await asynchronous(self, request)

    def handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        check(request)
        return plain(self, request)

    with monkeypatch.context() as patched:
        patched.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle_async_request)
        patched.setattr(httpx.HTTPTransport, "handle_request", handle_request)
        yield
    if left:
        raise LeftLoopbackError(f"a test asked live hosts: {', '.join(left)}")
