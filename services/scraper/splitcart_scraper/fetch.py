"""The one HTTP client: a named user agent, time and size caps, retries with back-off, and outcomes with names.

What comes back is a value: what was read, or which trouble there was. Only trouble that may pass is tried again,
and the host is left alone in between: back-off happens within the turn, so no other worker fills the pause. There
is no evasion of bot walls.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Generic, TypeVar

import httpx

from splitcart_common.clock import Clock
from splitcart_scraper import metrics
from splitcart_scraper.pace import Pace
from splitcart_scraper.retailers.base import DriftError, Meaning, PageError, Request

T = TypeVar("T")

_HTML_STARTS: Final = (b"<!doctype", b"<html", b"<head")


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """An answer that was understood. The moments are virtual; `requests` counts the tries."""

    value: T
    requested_at: datetime
    received_at: datetime
    requests: int


@dataclass(frozen=True, slots=True)
class PastEnd:
    """The retailer's way to say that a listing has no such page, or a store no such category."""

    meaning: Meaning
    requested_at: datetime
    received_at: datetime
    requests: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """No answer to use. `detail` is for people; `requests` counts the tries."""

    detail: str
    requests: int = 0


@dataclass(frozen=True, slots=True)
class NetworkDown(Trouble):
    """No connection, no answer in time, or a server that cannot serve (5xx)."""


@dataclass(frozen=True, slots=True)
class Throttled(Trouble):
    """The host asks for patience; `retry_after` in wall seconds where it says how much."""

    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class BotWall(Trouble):
    """The host does not serve robots: HTML where data was due, or 403."""


@dataclass(frozen=True, slots=True)
class BadPage(Trouble):
    """An answer that is cut off, too large, or not of the expected shape."""


@dataclass(frozen=True, slots=True)
class NotFound(Trouble):
    """The host refuses this very request (another 4xx): asking again would not help."""


@dataclass(frozen=True, slots=True)
class Drifted(Trouble):
    """The answer is about another store."""


_PASSING: Final = (NetworkDown, Throttled, BadPage)
_NAMES: Final = {
    NetworkDown: "network-down",
    Throttled: "throttled",
    BotWall: "bot-wall",
    BadPage: "bad-page",
    NotFound: "not-found",
    Drifted: "drifted",
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is tried and how long is waited between; all wall seconds."""

    attempts: int = 3
    backoff_seconds: float = 1.0
    longest_wait_seconds: float = 120.0
    timeout_seconds: float = 20.0
    max_bytes: int = 8 << 20


def make_client(user_agent: str, timeout_seconds: float) -> httpx.AsyncClient:
    """The process's client: no redirects, no cookies of ours, connections kept."""
    return httpx.AsyncClient(
        headers={"user-agent": user_agent, "accept": "application/json, text/html;q=0.5"},
        timeout=httpx.Timeout(timeout_seconds),
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=60),
        follow_redirects=False,
    )


class Fetcher:
    """Requests to one company's host, at its pace."""

    def __init__(
        self,
        company: str,
        base_url: str,
        client: httpx.AsyncClient,
        pace: Pace,
        clock: Clock,
        patience: Patience,
    ) -> None:
        self.pace = pace
        self._company, self._base_url, self._client = company, base_url, client
        self._clock, self._patience = clock, patience
        self._read_count = metrics.REQUESTS.labels(company, "read")

    def url(self, request: Request) -> str:
        """The address a request goes to."""
        return self._base_url + request.target

    async def read(self, request: Request, parse: Callable[[bytes], T]) -> Read[T] | PastEnd | Trouble:
        """Ask, and read the answer with `parse` (which raises PageError or DriftError); try again what may pass.

        Holds the host's turn throughout. Errors never shorten the gap to the next request.
        """
        async with self.pace.turn():
            attempt = 1
            while True:
                outcome = await self._attempt(request, parse, attempt)
                wait = self._wait_after(outcome, attempt) if isinstance(outcome, Trouble) else None
                if wait is None:
                    return outcome
                await asyncio.sleep(wait)
                attempt += 1

    async def _attempt(
        self, request: Request, parse: Callable[[bytes], T], attempt: int
    ) -> Read[T] | PastEnd | Trouble:
        await self.pace.ready()
        requested_at = self._clock.now()
        try:
            answer = await self._ask(request)
        finally:
            self.pace.done()
        received_at = self._clock.now()
        if isinstance(answer, bytes):
            try:
                value = parse(answer)
            except PageError as error:
                answer = BadPage(str(error))
            except DriftError as error:
                answer = Drifted(str(error))
            else:
                self._read_count.inc()
                return Read(value, requested_at, received_at, attempt)
        elif answer is Meaning.BOT_WALL:
            answer = BotWall("the retailer refuses robots here")
        if isinstance(answer, Meaning):
            self._count("past-end")
            return PastEnd(answer, requested_at, received_at, attempt)
        self._count(_NAMES[type(answer)])
        return replace(answer, requests=attempt)

    def _wait_after(self, trouble: Trouble, attempt: int) -> float | None:
        """Wall seconds until the next try, None where there is none."""
        patience = self._patience
        if attempt >= patience.attempts or not isinstance(trouble, _PASSING):
            return None
        wait = patience.backoff_seconds * 2 ** (attempt - 1)
        if isinstance(trouble, Throttled) and trouble.retry_after is not None:
            wait = max(wait, trouble.retry_after)
        return wait if wait <= patience.longest_wait_seconds else None

    async def _ask(self, request: Request) -> bytes | Meaning | Trouble:
        patience = self._patience
        try:
            async with asyncio.timeout(patience.timeout_seconds):
                response = await self._client.send(
                    self._client.build_request(
                        request.method, self.url(request), headers=request.headers, content=request.body
                    ),
                    stream=True,
                )
                try:
                    body = await _body(response, patience.max_bytes)
                finally:
                    await response.aclose()
        except TimeoutError:
            return NetworkDown(f"no whole answer within {patience.timeout_seconds:g} s")
        except httpx.DecodingError as error:
            return BadPage(f"the answer cannot be unpacked: {error}")
        except httpx.TransportError as error:
            return NetworkDown(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        return _outcome(request, response, body, self._clock.wall())

    def _count(self, outcome: str) -> None:
        metrics.REQUESTS.labels(self._company, outcome).inc()


async def _body(response: httpx.Response, most: int) -> bytes | None:
    """The whole body, None where it is larger than `most`."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > most:
            return None
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _outcome(
    request: Request, response: httpx.Response, body: bytes | None, wall: datetime
) -> bytes | Meaning | Trouble:
    """What a whole answer means."""
    if body is None:
        return BadPage("the answer is larger than we read")
    meaning = request.meanings.get(response.status_code)
    if meaning is not None:
        return meaning
    if response.status_code != httpx.codes.OK:
        return _refusal(response, body, wall)
    if request.expects != "html" and _is_html(response, body, typed=request.expects == "json"):
        return BotWall(f"HTML where data was due: {_first_words(body)}")
    return body


def _refusal(response: httpx.Response, body: bytes, wall: datetime) -> Trouble:
    """What a status other than 200 means where the request gives it no meaning of its own."""
    status, header = response.status_code, response.headers.get("retry-after")
    retry_after = _retry_after(header, wall)
    detail = f"HTTP {status}: {_first_words(body)}"
    match status:
        case 429:
            trouble: Trouble = Throttled(detail, retry_after=retry_after)
        case 503 if retry_after is not None:
            trouble = Throttled(detail, retry_after=retry_after)
        case 401 | 403:
            trouble = BotWall(detail)
        case _ if status >= 500 or status == 408:
            trouble = NetworkDown(detail)
        case _ if status >= 400:
            trouble = NotFound(detail)
        case _:
            trouble = BadPage(f"HTTP {status} to {response.headers.get('location', 'nowhere')}")
    return trouble


def _is_html(response: httpx.Response, body: bytes, *, typed: bool) -> bool:
    """Whether an answer is a page for people; where it is not `typed`, its content type says nothing (JSONP)."""
    if body[:1] in (b"{", b"["):
        return False
    kind = str(response.headers.get("content-type", ""))
    return (typed and kind.startswith("text/html")) or body[:200].lstrip().lower().startswith(_HTML_STARTS)


def _retry_after(text: str | None, wall: datetime) -> float | None:
    """Wall seconds of a Retry-After in either of its forms, None where there is none to be understood."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - wall).total_seconds())


def _first_words(body: bytes) -> str:
    return " ".join(body[:300].decode("utf-8", "replace").split())[:120]
