"""What comes back from a host, under its name; on real HTTP."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest

from splitcart_common.clock import ScaledClock
from splitcart_scraper.answers import retry_after_of
from splitcart_scraper.fetch import (
    BadPage,
    BotWall,
    Drifted,
    Fetcher,
    NetworkDown,
    NotFound,
    PastEnd,
    Patience,
    Read,
    Throttled,
    Trouble,
    make_client,
)
from splitcart_scraper.outcomes import Moved
from splitcart_scraper.pace import Pace
from splitcart_scraper.retailers.base import DriftError, Meaning, PageError, Request
from tests.support.scraper.http import Answering, Asked, Reply, Server, serving
from tests.support.scraper.tokens import MemoryTokens

CLOCK = ScaledClock.real()
HTML = {"content-type": "text/html"}


@asynccontextmanager
async def fetching(
    answer: Answering, *, gap: float = 0.0, delay: float = 0.0, **patience: float
) -> AsyncIterator[tuple[Fetcher, Server]]:
    async with (
        serving(answer, delay) as server,
        make_client("SplitCart tests (contact: x@y.example)", 5) as client,
    ):
        pace = Pace(
            "host",
            "me",
            MemoryTokens(),
            CLOCK,
            gap_seconds=gap,
            lease_seconds=10,
            share_seconds=5,
            longest_gap_seconds=gap,
        )
        terms = Patience(**{"backoff_seconds": 0.01, "timeout_seconds": 1.0, **patience})  # type: ignore[arg-type]
        async with pace.visit():
            yield Fetcher("aldi", server.url, client, pace, CLOCK, terms), server


def text_of(body: bytes) -> str:
    if body.startswith(b"{"):
        return body.decode()
    raise PageError("no JSON")


async def outcome_of(*replies: Reply, **patience: float) -> Read[str] | PastEnd | Trouble:
    left = list(replies)

    def answer(_: Asked) -> Reply:
        return left.pop(0) if len(left) > 1 else left[0]

    async with fetching(answer, **patience) as (fetcher, _):
        return await fetcher.read(Request("/x", meanings={400: Meaning.PAST_END}), text_of)


@pytest.mark.parametrize(
    ("reply", "kind", "tries"),
    [
        (Reply(400), PastEnd, 1),
        (Reply(403, b"<html>Access Denied</html>", HTML), BotWall, 1),
        (Reply(200, b"<!DOCTYPE html><html>", HTML), BotWall, 1),
        (Reply(200, b"\n <html>hello", {}), BotWall, 1),
        (Reply(404), NotFound, 1),
        (Reply(418), NotFound, 1),
        (Reply(429, b"", {"retry-after": "9999"}), Throttled, 1),
        (Reply(429), Throttled, 3),
        (Reply(503, b"", {"retry-after": "0"}), Throttled, 3),
        (Reply(503), NetworkDown, 3),
        (Reply(500), NetworkDown, 3),
        (Reply(302, b"", {"location": "/elsewhere"}), Moved, 1),
        (Reply(200, b""), BadPage, 3),
        (Reply(200, b'[{"half'), BadPage, 3),
        (Reply(200, b"{}" * 1000, cut=100), NetworkDown, 3),
        (Reply(200, b"not packed", {"content-encoding": "gzip"}), BadPage, 3),
    ],
)
async def test_outcomes_have_names(reply: Reply, kind: type[object], tries: int) -> None:
    outcome = await outcome_of(reply)
    assert type(outcome) is kind
    assert outcome.requests == tries


async def test_jsonp_may_come_under_any_type_but_a_page_for_people_is_still_a_wall() -> None:
    async def kind_of(body: bytes) -> type[object]:
        async with fetching(lambda _: Reply(200, body, HTML)) as (fetcher, _):
            return type(await fetcher.read(Request("/x", expects="jsonp"), bytes.decode))

    assert await kind_of(b'cb({"content":"<html>"})') is Read
    assert await kind_of(b"<!DOCTYPE html><html>") is BotWall


async def test_trouble_that_passes_is_tried_again() -> None:
    outcome = await outcome_of(Reply(500), Reply(200, b"{"[:0]), Reply(200, b'{"a":1}'))
    assert isinstance(outcome, Read)
    assert (outcome.value, outcome.requests) == ('{"a":1}', 3)


async def test_packed_answers_are_unpacked_and_large_ones_refused() -> None:
    small = Reply(200, gzip.compress(b"{" + b" " * 500), {"content-encoding": "gzip"})
    assert isinstance(await outcome_of(small), Read)
    bomb = Reply(200, gzip.compress(b"{" + b" " * 5_000_000), {"content-encoding": "gzip"})
    assert isinstance(await outcome_of(bomb, max_bytes=1 << 20), BadPage)


async def test_silence_and_no_server_are_network_down() -> None:
    silent = await outcome_of(Reply(silent=True), timeout_seconds=0.1, attempts=2)
    assert isinstance(silent, NetworkDown)
    assert "within 0.1 s" in silent.detail
    async with fetching(lambda _: Reply()) as (fetcher, server):
        gone = Fetcher(
            "aldi",
            "http://127.0.0.1:9",
            fetcher._client,
            fetcher.pace,
            CLOCK,
            Patience(backoff_seconds=0.01),
        )
        outcome = await gone.read(Request("/x"), text_of)
        assert isinstance(outcome, NetworkDown)
        assert outcome.requests == 3
        assert not server.asked


async def test_an_answer_about_another_store_is_drift() -> None:
    def drifting(_: bytes) -> str:
        raise DriftError("asked about G1, told about G2")

    async with fetching(lambda _: Reply()) as (fetcher, _):
        assert isinstance(await fetcher.read(Request("/x"), drifting), Drifted)


async def test_a_mistake_in_a_parser_costs_the_page_and_is_named() -> None:
    def failing(body: bytes) -> str:
        return str({}[body])

    async with fetching(lambda _: Reply()) as (fetcher, _):
        outcome = await fetcher.read(Request("/x"), failing)
        assert isinstance(outcome, BadPage)
        assert outcome.detail == "the parser failed on it: KeyError: b'{}'"


async def test_retry_after_is_waited_for() -> None:
    began = time.monotonic()
    outcome = await outcome_of(Reply(429, b"", {"retry-after": "1"}), Reply(200, b"{}"))
    assert isinstance(outcome, Read)
    assert time.monotonic() - began > 0.9


def test_retry_after_has_two_forms() -> None:
    wall = datetime(2026, 9, 1, tzinfo=UTC)
    date = format_datetime(wall + timedelta(seconds=90), usegmt=True)
    found = [retry_after_of(text, wall) for text in ("7", " 8 ", date, "soon", "-1", None)]
    assert found == [7.0, 8.0, 90.0, None, None, None]
    assert retry_after_of(format_datetime(wall - timedelta(days=1), usegmt=True), wall) == 0.0


async def test_we_say_who_we_are() -> None:
    async with fetching(lambda _: Reply()) as (fetcher, server):
        await fetcher.read(Request("/x?a=1", headers={"x-extra": "yes"}), text_of)
    (asked,) = server.asked
    assert "contact" in asked.headers["user-agent"]
    assert (asked.headers["x-extra"], asked.query) == ("yes", {"a": "1"})


async def many(fetcher: Fetcher, count: int, each: Callable[[int], Request]) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(fetcher.read(each(number), text_of))


async def test_one_request_at_a_time_with_a_gap_also_after_errors() -> None:
    moments: list[float] = []

    def answer(asked: Asked) -> Reply:
        moments.append(time.monotonic())
        return Reply(500 if asked.path == "/3" and len(moments) < 6 else 200)

    async with fetching(answer, gap=0.03, delay=0.01) as (fetcher, server):
        await many(fetcher, 6, lambda n: Request(f"/{n}"))
    assert server.most_in_hand == 1
    assert len(moments) > 6
    assert min(b - a for a, b in pairwise(moments)) >= 0.029


async def test_a_gap_below_a_millisecond_is_kept_without_a_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    timers: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        timers.append(seconds)
        await real(seconds)

    fast = ScaledClock(datetime.now(UTC), datetime.now(UTC), 20_000)
    pace = Pace("host", "me", MemoryTokens(), fast, gap_seconds=4, lease_seconds=10, share_seconds=5)
    async with pace.visit():
        began = time.monotonic()
        monkeypatch.setattr(asyncio, "sleep", sleep)
        for _ in range(100):
            async with pace.turn():
                await pace.ready()
                pace.done()
        assert time.monotonic() - began >= 0.0002 * 99
    assert set(timers) == {0}, "a timer would take five times as long"
