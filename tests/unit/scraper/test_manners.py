"""Manners at a host: its robots.txt, its patience, its caches, who we are, and how much we read; on real HTTP."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from splitcart_scraper.answers import PACKING
from splitcart_scraper.domain.contact import is_public, names_contact
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.fetch import (
    BadPage,
    BotWall,
    Disallowed,
    Fetcher,
    NetworkDown,
    Patience,
    Read,
    Throttled,
    make_client,
)
from splitcart_scraper.pace import Pace
from splitcart_scraper.retailers.base import Request
from splitcart_scraper.robots import Robots, agent_of
from splitcart_scraper.settings import ContactError, ScraperSettings
from tests.support.scraper.clocks import TwoHands
from tests.support.scraper.http import Answering, Asked, Reply, Server, serving
from tests.support.scraper.tokens import MemoryRobots, MemoryTokens

PAGE, TREE = Request("/v3/product-search?q=1"), Request("/v2/tree?store=1")
RULES = b"User-agent: *\nDisallow: /v3/\nUser-agent: SplitCart\nDisallow: /private\nCrawl-delay: 4\n"


class Site:
    """A host with a robots.txt; everything else is `{}`."""

    def __init__(self, *robots: Reply) -> None:
        self.robots, self.paths = list(robots), list[str]()

    def __call__(self, asked: Asked) -> Reply:
        self.paths.append(asked.path)
        if asked.path != "/robots.txt":
            return Reply()
        return self.robots.pop(0) if len(self.robots) > 1 else self.robots[0]


@asynccontextmanager
async def visiting(
    site: Answering, *, clock: TwoHands | None = None, shelf: MemoryRobots | None = None, permission: str = ""
) -> AsyncIterator[tuple[Fetcher, Server]]:
    clock, tokens = clock or TwoHands(), MemoryTokens()
    async with serving(site) as server, make_client("SplitCart/0.1 (tests)", 5) as client:
        pace = Pace("host", "me", tokens, clock, gap_seconds=1, lease_seconds=10, share_seconds=5)
        robots = Robots("aldi", "host", "SplitCart", shelf or MemoryRobots(), permission)
        patience = Patience(attempts=2, backoff_seconds=0.01, timeout_seconds=1, longest_wait_seconds=5)
        async with pace.visit():
            yield Fetcher("aldi", server.url, client, pace, clock, patience, robots), server


def text(body: bytes) -> str:
    return body.decode()


async def test_robots_txt_is_read_once_a_day_before_anything_else() -> None:
    site, clock, shelf = Site(Reply(body=b"User-agent: *\nDisallow:\n")), TwoHands(), MemoryRobots()
    async with visiting(site, clock=clock, shelf=shelf) as (fetcher, _):
        for _ in range(3):
            answer = await fetcher.read(PAGE, text)
            assert isinstance(answer, Read)
            assert answer.requests == 1, "robots.txt is no part of what was asked for"
        assert site.paths == ["/robots.txt", *["/v3/product-search"] * 3]
        clock.at += timedelta(hours=25)
        await fetcher.read(PAGE, text)
        assert site.paths.count("/robots.txt") == 2
    async with visiting(site, clock=clock, shelf=shelf) as (fetcher, _):
        await fetcher.read(PAGE, text)
        assert site.paths.count("/robots.txt") == 2, "another process finds it on the shelf"


async def test_what_is_disallowed_is_not_asked_for_and_the_operator_is_told_what_to_do() -> None:
    site = Site(Reply(body=b"User-agent: *\nDisallow: /v3/\n"))
    async with visiting(site) as (fetcher, _):
        refused = await fetcher.read(PAGE, text)
        assert isinstance(refused, Disallowed)
        assert isinstance(refused, BotWall), "a scrape that meets it is abandoned"
        assert refused.requests == 0
        assert refused.detail.startswith("robots-disallowed: robots.txt of host asks SplitCart to leave /v3/")
        assert "SPLITCART_SCRAPER_PERMISSION_ALDI" in refused.detail
        assert isinstance(await fetcher.read(TREE, text), Read)
        assert site.paths == ["/robots.txt", "/v2/tree"]
    async with visiting(site, permission="Jo Doe, Aldi, 1 March 2026") as (fetcher, _):
        assert isinstance(await fetcher.read(PAGE, text), Read)


async def test_our_own_group_of_rules_goes_before_that_of_all_and_its_delay_is_kept() -> None:
    clock = TwoHands()
    async with visiting(Site(Reply(body=RULES)), clock=clock) as (fetcher, _):
        began = clock.at
        for _ in range(3):
            assert isinstance(await fetcher.read(PAGE, text), Read)
        assert (clock.at - began).total_seconds() >= 3 * 4, "the frozen clock is moved by what is waited"
        assert isinstance(await fetcher.read(Request("/private/x"), text), Disallowed)


async def test_a_delay_beyond_all_reason_is_a_refusal() -> None:
    async with visiting(Site(Reply(body=b"User-agent: *\nCrawl-delay: 86400\n"))) as (fetcher, _):
        refused = await fetcher.read(PAGE, text)
        assert isinstance(refused, Disallowed)
        assert "86400 s between two requests" in refused.detail


@pytest.mark.parametrize(
    "none",
    [
        Reply(404),
        Reply(403),
        Reply(401),
        Reply(body=b""),
        Reply(body=b"\xff\xfe\0not a robots.txt"),
        Reply(200, b"<!DOCTYPE html><html>", {"content-type": "text/html"}),
        Reply(301, b"", {"location": "https://elsewhere.invalid/robots.txt"}),
        Reply(301, b"", {"location": "/robots.txt"}),
    ],
)
async def test_a_host_without_rules_lets_everything_be_asked_for(none: Reply) -> None:
    async with visiting(Site(none)) as (fetcher, _):
        assert isinstance(await fetcher.read(PAGE, text), Read)


async def test_a_page_for_people_in_its_place_is_looked_at_again_within_the_day() -> None:
    html = Reply(200, b"<html>please wait</html>", {"content-type": "text/html"})
    site, clock = Site(html, Reply(body=b"User-agent: *\nDisallow: /")), TwoHands()
    async with visiting(site, clock=clock) as (fetcher, _):
        assert isinstance(await fetcher.read(PAGE, text), Read)
        clock.at += timedelta(hours=2)
        assert isinstance(await fetcher.read(PAGE, text), Disallowed)


async def test_a_redirection_on_the_same_host_is_followed() -> None:
    def site(asked: Asked) -> Reply:
        if asked.path == "/robots.txt":
            return Reply(302, b"", {"location": "/files/robots.txt"})
        return Reply(body=b"User-agent: *\nDisallow: /v3\n" if asked.path.startswith("/files") else b"{}")

    async with visiting(site) as (fetcher, _):
        assert isinstance(await fetcher.read(PAGE, text), Disallowed)


@pytest.mark.parametrize(("reply", "kind"), [(Reply(500), NetworkDown), (Reply(429), Throttled)])
async def test_while_it_cannot_be_read_nothing_else_is_asked_for(reply: Reply, kind: type[object]) -> None:
    site, clock = Site(reply), TwoHands()
    async with visiting(site, clock=clock) as (fetcher, _):
        trouble = await fetcher.read(PAGE, text)
        assert type(trouble) is kind
        assert trouble.requests == 0
        assert "robots.txt could not be read" in trouble.detail  # type: ignore[union-attr] # a trouble
        assert site.paths == ["/robots.txt"] * 2
        site.robots = [Reply(404)]
        assert isinstance(await fetcher.read(PAGE, text), Read)
        site.robots = [reply]
        clock.at += timedelta(days=2)
        assert isinstance(await fetcher.read(PAGE, text), Read), "the last one holds meanwhile"
        clock.at += timedelta(days=31)
        assert type(await fetcher.read(PAGE, text)) is kind


def test_robots_know_us_by_the_first_word() -> None:
    assert agent_of("SplitCart/0.1 (price comparison; contact: a@b.org)") == "SplitCart"


async def test_the_gap_follows_the_latency_and_errors_do_not_shorten_it() -> None:
    clock, latency, status = TwoHands(), timedelta(0), 200

    def site(asked: Asked) -> Reply:
        if asked.path == "/robots.txt":
            return Reply(404)
        clock.ahead += latency
        return Reply(status)

    async with visiting(site, clock=clock) as (fetcher, _):
        await fetcher.read(PAGE, text)
        assert fetcher.pace.gap_seconds == 1
        latency = timedelta(seconds=8)
        for _ in range(20):
            await fetcher.read(PAGE, text)
            clock.ahead = timedelta(0)
        slow = fetcher.pace.gap_seconds
        assert 7.9 < slow <= 8
        latency, status = timedelta(0), 404
        await fetcher.read(PAGE, text)
        assert fetcher.pace.gap_seconds == slow
        status = 403
        await fetcher.read(PAGE, text)
        assert fetcher.pace.gap_seconds == 2 * slow, "a wall lengthens it"
        status = 200
        for _ in range(60):
            await fetcher.read(PAGE, text)
        assert 1 <= fetcher.pace.gap_seconds < 1.1


async def test_a_host_that_asks_for_more_patience_than_we_have_is_not_asked_again_before() -> None:
    clock, answers = TwoHands(), [Reply(404), Reply(429, b"", {"retry-after": "600"}), Reply()]
    async with visiting(lambda _: answers.pop(0), clock=clock) as (fetcher, server):
        assert isinstance(await fetcher.read(PAGE, text), Throttled)
        asked = len(server.asked)
        clock.ahead += timedelta(seconds=300)
        early = await fetcher.read(PAGE, text)
        assert isinstance(early, Throttled)
        assert (early.requests, len(server.asked)) == (0, asked)
        assert "another 300 s" in early.detail
        clock.ahead += timedelta(seconds=300)
        assert isinstance(await fetcher.read(PAGE, text), Read)


async def test_patience_has_a_bound() -> None:
    clock, answers = TwoHands(), [Reply(404), Reply(429, b"", {"retry-after": "9" * 400})]
    async with visiting(lambda _: answers.pop(0), clock=clock) as (fetcher, _):
        assert isinstance(await fetcher.read(PAGE, text), Throttled)
        assert fetcher.pace.closed_seconds() == 86_400


def caching(asked: Asked) -> Reply:
    """A host that knows its answers by an ETag."""
    if asked.path == "/robots.txt":
        return Reply(404)
    if asked.headers.get("if-none-match") == '"1"':
        return Reply(304, b"", {"etag": '"1"'})
    return Reply(200, b'{"a":1}', {"etag": '"1"', "cache-control": "public, max-age=900"})


async def test_a_tree_that_has_not_changed_is_not_sent_again_and_a_listing_always_is() -> None:
    async with visiting(caching) as (fetcher, server):
        first, again = await fetcher.read(TREE, text), await fetcher.read(TREE, text)
        assert isinstance(first, Read)
        assert isinstance(again, Read)
        assert again.value == first.value
        assert again.requests == 1, "the host is asked each time, whatever max-age says"
        assert server.asked[-1].headers["if-none-match"] == '"1"'
        third = await fetcher.read(TREE, text)
        assert isinstance(third, Read), "what a 304 confirms is kept"
        other = Request(TREE.target, headers={"cookie": "store=2"})
        await fetcher.read(other, text)
        assert "if-none-match" not in server.asked[-1].headers, "another store's answer is another answer"
        for _ in range(2):
            await fetcher.read(PAGE, lambda _: PageContent())
            assert "if-none-match" not in server.asked[-1].headers


async def test_what_must_not_be_stored_is_not() -> None:
    secret = Reply(200, b"{}", {"etag": '"1"', "cache-control": "no-store"})
    async with visiting(lambda _: secret) as (fetcher, server):
        for _ in range(2):
            await fetcher.read(TREE, text)
        assert "if-none-match" not in server.asked[-1].headers


@pytest.mark.parametrize(
    "headers",
    [{"content-encoding": "gzip"}, {"content-encoding": "gzip, gzip"}, {"content-encoding": "br"}],
)
async def test_a_packed_bomb_does_not_go_off(headers: dict[str, str]) -> None:
    bomb = gzip.compress(b"{" + b" " * 400_000_000, 9)
    assert len(bomb) < 1 << 19
    body = gzip.compress(bomb) if "," in headers["content-encoding"] else bomb
    async with serving(lambda _: Reply(200, body, headers)) as server, make_client("a/1 b@c.org", 5) as client:
        pace = Pace("h", "me", MemoryTokens(), TwoHands(), gap_seconds=0, lease_seconds=9, share_seconds=5)
        patience = Patience(attempts=1, timeout_seconds=10, max_bytes=1 << 20)
        fetcher = Fetcher("aldi", server.url, client, pace, TwoHands(), patience)
        tracemalloc.start()
        try:
            assert isinstance(await fetcher.read(PAGE, text), BadPage)
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()
        assert server.asked[0].headers["accept-encoding"] == PACKING


async def test_half_a_packed_answer_is_no_answer() -> None:
    packed = gzip.compress(b'{"a": "' + bytes(range(48, 120)) * 99 + b'"}')
    cut = Reply(200, packed[: len(packed) // 2], {"content-encoding": "gzip"})
    async with visiting(lambda asked: Reply(404) if asked.path == "/robots.txt" else cut) as (fetcher, _):
        half = await fetcher.read(PAGE, text)
        assert isinstance(half, BadPage)
        assert "ends in the middle" in half.detail


async def test_an_answer_that_drips_is_cut_off_by_the_clock() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        try:
            for _ in range(1000):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, make_client("a/1 b@c.org", 5) as client:
        pace = Pace("h", "me", MemoryTokens(), TwoHands(), gap_seconds=0, lease_seconds=9, share_seconds=5)
        fetcher = Fetcher("aldi", address, client, pace, TwoHands(), Patience(1, timeout_seconds=0.3))
        down = await fetcher.read(PAGE, text)
        assert isinstance(down, NetworkDown)
        assert "no whole answer within 0.3 s" in down.detail


@pytest.mark.parametrize(
    ("user_agent", "named"),
    [
        ("SplitCart/0.1 (contact: jo@shop.net.au)", True),
        ("SplitCart/0.1 (+https://splitcart.org/robot)", True),
        ("SplitCart/0.1 (contact: admin@splitcart.example)", False),
        ("SplitCart/0.1 (contact: jo@example.com)", False),
        ("SplitCart/0.1 (contact: you@localhost)", False),
        ("Mozilla/5.0 (Windows NT 10.0)", False),
    ],
)
def test_a_contact_is_one_that_can_be_somebodys(user_agent: str, named: bool) -> None:
    assert names_contact(user_agent) is named


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("https://api.aldi.com.au", True),
        ("http://127.0.0.1:8090/aldi", False),
        ("http://localhost:8090", False),
        ("http://[::1]:8090", False),
        ("http://10.1.2.3/x", False),
        ("http://simulator:8090/aldi", False),
        ("http://sandbox.internal", False),
        ("http://93.184.216.34/", True),
    ],
)
def test_addresses_of_ones_own_need_no_contact(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_live_address_without_a_contact_is_refused() -> None:
    settings = ScraperSettings(postgres_dsn="postgresql:///x")
    with pytest.raises(ContactError, match="SPLITCART_SCRAPER_USER_AGENT"):
        settings.check_contact("https://api.aldi.com.au")
    assert settings.anonymous("aldi") is not None
    settings.check_contact("http://127.0.0.1:1/aldi")
    named = ScraperSettings(postgres_dsn="postgresql:///x", scraper_user_agent="SplitCart/0.1 (jo@shop.net.au)")
    assert named.anonymous("aldi") is None
    own = ScraperSettings(postgres_dsn="postgresql:///x", scraper_base_url={"iga": "http://127.0.0.1:1/iga"})
    assert own.anonymous("iga") is None, "its store finder stands there too"
