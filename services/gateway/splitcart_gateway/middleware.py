"""Around every request: HEAD, a limit on its length, headers that keep browsers safe, and how long it took."""

import asyncio
from collections.abc import Mapping
from time import perf_counter
from typing import Final

import structlog
from prometheus_client import Histogram
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from splitcart_gateway import problems
from splitcart_gateway.problems import Problem

log = structlog.get_logger()

REQUEST_SECONDS: Final = Histogram(
    "splitcart_http_request_seconds",
    "Time to answer a request of the gateway, by route and status",
    ["route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)

LONGEST_QUERY_BYTES: Final = 8192
LONGEST_BODY_BYTES: Final = 4 << 20
BODY_SECONDS: Final = 5.0

_HEADERS: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    # Nothing is loaded from elsewhere, no script runs, no frame shows us; forms come back to us alone.
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
}
_SAFE: Final = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
_CLOSING: Final = [*_SAFE, (b"connection", b"close")]


class Around:
    """The one middleware, as bare ASGI: a class per concern would cost a fifth of the rate."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        # No route reads a body. One that is left makes the server reset the connection, perhaps before the client
        # has read the answer: so a body of reasonable size is read away first.
        extra = _SAFE if await _read_away(scope, receive) else _CLOSING
        head = scope["method"] == "HEAD"
        if head:
            scope["method"] = "GET"
        status = 500
        started = False

        async def answer(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                message["headers"] = [*message["headers"], *extra]
            elif head:
                if message.get("more_body"):
                    return
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        try:
            if len(scope["query_string"]) > LONGEST_QUERY_BYTES:
                await _respond(_too_long(), scope, receive, answer)
            else:
                await self._app(scope, receive, answer)
        except Exception:
            request = Request(scope)
            log.exception("a request failed", instance=problems.instance_of(request))
            if started:
                raise
            await _respond(Problem(problems.INTERNAL, "This is logged."), scope, receive, answer)
        route = getattr(scope.get("route"), "path", "none")
        REQUEST_SECONDS.labels(route, status).observe(perf_counter() - began)


async def _read_away(scope: Scope, receive: Receive) -> bool:
    """Read what body there is; False where it is longer, or comes slower, than one can wait for."""
    if not any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]):
        return True
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while size <= LONGEST_BODY_BYTES:
                part = await receive()
                size += len(part.get("body", b""))
                if not part.get("more_body"):
                    return True
    except TimeoutError:
        pass
    return False


def _too_long() -> Problem:
    return Problem(
        problems.REQUEST_TOO_LONG,
        f"The query of this address is longer than {LONGEST_QUERY_BYTES} bytes.",
        most_bytes=LONGEST_QUERY_BYTES,
    )


async def _respond(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    await problems.respond(problem, Request(scope))(scope, receive, send)
