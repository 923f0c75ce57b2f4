"""The one HTTP client: a named user agent, time and size caps, retries with back-off, and outcomes with names.

What comes back is a value: what was read, or which trouble there was. Only trouble that may pass is tried again,
and the host is left alone in between: back-off happens within the turn, so no other worker fills the pause. What a
host's robots.txt disallows is not asked for. There is no evasion of bot walls.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urljoin

import httpx
import structlog

from splitcart_common.clock import Clock
from splitcart_scraper import metrics
from splitcart_scraper.answers import PACKING, UnreadableError, body_of, outcome_of
from splitcart_scraper.outcomes import (
    NAMES,
    PASSING,
    BadPage,
    BotWall,
    Disallowed,
    Drifted,
    Moved,
    NetworkDown,
    NotFound,
    PastEnd,
    Read,
    T,
    Throttled,
    Trouble,
    sign_of,
)
from splitcart_scraper.pace import Pace
from splitcart_scraper.retailers.base import BotWallError, DriftError, Meaning, PageError, Request
from splitcart_scraper.revalidation import KeptAnswers
from splitcart_scraper.robots import MOST_REDIRECTIONS, ROBOTS, Robots

log = structlog.get_logger()

__all__ = [
    "BadPage",
    "BotWall",
    "Disallowed",
    "Drifted",
    "Fetcher",
    "NetworkDown",
    "NotFound",
    "PastEnd",
    "Patience",
    "Read",
    "Throttled",
    "Trouble",
    "make_client",
]

NOT_MODIFIED: Final = 304
LONGEST_DETAIL: Final = 200


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is tried and how long is waited between; all wall seconds.

    `longest_gap_seconds` is virtual: a robots.txt that asks for a longer gap asks for too much.
    """

    attempts: int = 3
    backoff_seconds: float = 1.0
    longest_wait_seconds: float = 120.0
    timeout_seconds: float = 20.0
    max_bytes: int = 8 << 20
    longest_gap_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class _Answer:
    """A body with status 200, or the one we had and the host says still holds, and the headers it came with."""

    body: bytes
    headers: httpx.Headers


def make_client(user_agent: str, timeout_seconds: float) -> httpx.AsyncClient:
    """The process's client: no redirects, no cookies of ours, connections kept."""
    return httpx.AsyncClient(
        headers={
            "user-agent": user_agent,
            "accept": "application/json, text/html;q=0.5",
            "accept-encoding": PACKING,
        },
        timeout=httpx.Timeout(timeout_seconds),
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=60),
        follow_redirects=False,
    )


class Fetcher:
    """Requests to one company's host, at its pace and within its robots.txt; None: without reading that.

    `sent` is called for each request that goes out, robots.txt included.
    """

    def __init__(
        self,
        company: str,
        base_url: str,
        client: httpx.AsyncClient,
        pace: Pace,
        clock: Clock,
        patience: Patience,
        robots: Robots | None = None,
        sent: Callable[[], None] | None = None,
    ) -> None:
        self.pace = pace
        self._company, self._base_url, self._client = company, base_url, client
        self._clock, self._patience, self._robots, self._sent = clock, patience, robots, sent
        self._kept = KeptAnswers()
        self._read_count = metrics.REQUESTS.labels(company, "read")

    def url(self, request: Request) -> str:
        """The address a request goes to."""
        return self._base_url + request.target

    async def read(self, request: Request, parse: Callable[[bytes], T]) -> Read[T] | PastEnd | Trouble:
        """Ask, and read the answer with `parse` (which raises PageError or DriftError); try again what may pass.

        Holds the host's turn throughout. Errors never shorten the gap to the next request. Reading robots.txt,
        once a day, is not counted among the tries: it is no part of what is asked for here.
        """
        async with self.pace.turn():
            if self._robots is not None:
                refused = await self._consult(self._robots, request)
                if refused is not None:
                    self._count(refused)
                    return refused
            return await self._tries(request, parse)

    async def _consult(self, robots: Robots, request: Request) -> Trouble | None:
        """Why robots.txt keeps us from a request, or why it cannot be read; None where the request may be made."""
        if not await robots.known(self._clock.now()):
            await self.pace.ready(self._patience.longest_wait_seconds)
            # With the host's token in hand: another process may have read it while we waited for that.
            trouble = None if await robots.known(self._clock.now()) else await self._learn(robots)
            if trouble is not None and not robots.outdated(self._clock.now()):
                return replace(trouble, detail=f"robots.txt could not be read: {trouble.detail}", requests=0)
        self.pace.keep_apart(robots.gap_seconds())
        return robots.objection(request, self._patience.longest_gap_seconds)

    async def _learn(self, robots: Robots) -> Trouble | None:
        """Read robots.txt, following it on its own host; None: it is known, if only that there is none."""
        asked = ROBOTS
        for _ in range(MOST_REDIRECTIONS + 1):
            outcome = await self._tries(asked, bytes)
            if isinstance(outcome, Moved):
                there = urljoin(self.url(asked), outcome.location)
                if there.startswith(self._base_url + "/"):
                    asked = replace(ROBOTS, target=there.removeprefix(self._base_url))
                    continue
            elif isinstance(outcome, Trouble):
                return outcome
            await robots.learn(outcome.value if isinstance(outcome, Read) else b"", self._clock.now())
            return None
        await robots.learn(b"", self._clock.now())
        return None

    async def _tries(self, request: Request, parse: Callable[[bytes], T]) -> Read[T] | PastEnd | Trouble:
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
        closed = await self.pace.ready(self._patience.longest_wait_seconds)
        if closed:
            detail = f"the host asked not to be asked for another {closed:.0f} s"
            return Throttled(detail, attempt - 1, retry_after=closed)
        requested_at, began = self._clock.now(), self._clock.wall()
        if self._sent is not None:
            self._sent()
        try:
            answer = await self._ask(request)
        finally:
            self.pace.done()
        received_at, latency = self._clock.now(), (self._clock.wall() - began).total_seconds()
        outcome: Read[T] | PastEnd | Trouble
        if isinstance(answer, _Answer):
            value = self._understood(request, answer, parse)
            outcome = value if isinstance(value, Trouble) else Read(value[0], requested_at, received_at, attempt)
        elif answer is Meaning.BOT_WALL:
            outcome = BotWall("the retailer refuses robots here")
        elif isinstance(answer, Meaning):
            outcome = PastEnd(answer, requested_at, received_at, attempt)
        else:
            outcome = answer
        self.pace.heed(sign_of(outcome), latency, outcome.retry_after if isinstance(outcome, Throttled) else None)
        self._count(outcome)
        return replace(outcome, requests=attempt) if isinstance(outcome, Trouble) else outcome

    def _understood(self, request: Request, answer: _Answer, parse: Callable[[bytes], T]) -> tuple[T] | Trouble:
        """What `parse` makes of an answer, which is kept where it may be."""
        try:
            value = parse(answer.body)
        except BotWallError as error:
            return BotWall(str(error))
        except PageError as error:
            return BadPage(str(error))
        except DriftError as error:
            return Drifted(str(error))
        except Exception as error:
            # A mistake of ours that a page brings to light: it costs that page, not the other companies' workers.
            log.exception("parser failed", url=self.url(request))
            return BadPage(f"the parser failed on it: {type(error).__name__}: {error}"[:LONGEST_DETAIL])
        self._kept.remember(request, answer.headers, answer.body, value)
        return (value,)

    def _wait_after(self, trouble: Trouble, attempt: int) -> float | None:
        """Wall seconds until the next try, None where there is none."""
        patience = self._patience
        if attempt >= patience.attempts or not isinstance(trouble, PASSING) or isinstance(trouble, Moved):
            return None
        wait = patience.backoff_seconds * 2 ** (attempt - 1)
        if isinstance(trouble, Throttled) and trouble.retry_after is not None:
            wait = max(wait, trouble.retry_after)
        return wait if wait <= patience.longest_wait_seconds else None

    async def _ask(self, request: Request) -> _Answer | Meaning | Trouble:
        patience = self._patience
        kept = self._kept.of(request)
        headers = request.headers if kept is None else {**request.headers, **kept.conditions}
        try:
            async with asyncio.timeout(patience.timeout_seconds):
                response = await self._client.send(
                    self._client.build_request(
                        request.method, self.url(request), headers=headers, content=request.body
                    ),
                    stream=True,
                )
                try:
                    body = await body_of(response, patience.max_bytes)
                finally:
                    await response.aclose()
        except TimeoutError:
            return NetworkDown(f"no whole answer within {patience.timeout_seconds:g} s")
        except UnreadableError as error:
            return BadPage(f"the answer is not read: {error}")
        except httpx.TransportError as error:
            return NetworkDown(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        if kept is not None and response.status_code == NOT_MODIFIED:
            return _Answer(kept.body, httpx.Headers({**kept.validators, **response.headers}))
        outcome = outcome_of(request, response, body, self._clock.wall())
        return _Answer(outcome, response.headers) if isinstance(outcome, bytes) else outcome

    def _count(self, outcome: Read[T] | PastEnd | Trouble) -> None:
        match outcome:
            case Read():
                self._read_count.inc()
            case PastEnd():
                metrics.REQUESTS.labels(self._company, "past-end").inc()
            case _:
                metrics.REQUESTS.labels(self._company, NAMES[type(outcome)]).inc()
