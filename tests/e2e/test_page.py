"""The page, from a gateway in its own process, as a visitor sees it: in Chromium, and over plain HTTP.

Where there is no Chromium the run says so, and the HTTP visitor goes through the same tests alone.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from splitcart_sandbox.database import service_dsn
from tests.support import gateway_data as data
from tests.support.gateway import gateway_process
from tests.support.stack import Server, fresh_database
from tests.support.visitor import NO_BROWSER, Visitor, find_chromium, visitor_in_browser, visitor_over_http

CHROMIUM = find_chromium()


@pytest.fixture(scope="module")
async def url(postgres: Server, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    if CHROMIUM is None:
        with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
            sys.stdout.write(f"\n{NO_BROWSER}\n")
    async with fresh_database(postgres) as dsn:
        await data.install(dsn)
        await data.fill(dsn)
        async with gateway_process(service_dsn(dsn, "gateway")) as address:
            yield address


@pytest.fixture(scope="module", params=["http", "chromium"] if CHROMIUM else ["http"])
async def visitor(url: str, request: pytest.FixtureRequest) -> AsyncIterator[Visitor]:
    async with AsyncExitStack() as stack:
        if request.param == "chromium" and CHROMIUM:
            yield await stack.enter_async_context(visitor_in_browser(url, CHROMIUM))
        else:
            yield await stack.enter_async_context(visitor_over_http(url))


def in_order(text: str, *parts: str) -> bool:
    """Whether the parts stand in the text one after the other."""
    at = 0
    for part in parts:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


async def test_from_the_form_to_the_prices_near(visitor: Visitor) -> None:
    home = await visitor.open("/")
    assert (home.status, home.heading) == (200, "What does it cost near you today?")
    assert "10 stores followed: ALDI, Coles, Woolworths, IGA" in home.text
    await visitor.check()

    found = await visitor.search(q="2", near="3000")
    assert found.heading == "2 matches for “2”"
    assert in_order(found.text, "Full Cream Milk 2L", "Farmdale · 2l", "from", "$2.99", "ALDI, 1.8 km")
    await visitor.check()

    prices = await visitor.follow("Full Cream Milk")
    assert (prices.status, prices.heading) == (200, "Full Cream Milk 2L")
    assert in_order(
        prices.text,
        *("Cheapest within 10 km of 3000", "$2.99", "On special, save 6%", "was $3.19", "ALDI Melbourne Central"),
        *("seen 3 hours ago", "Dearest near you", "$3.29", "$0.30 more", "4 of 6"),
        *("4 stores sell it", "$2.99", "$3.10", "Coles Melbourne City", "1.5 km", "seen 2 hours ago"),
        *("The same at 1 more Coles store", "$3.29", "ALDI Carlton", "seen 30 hours ago"),
        *("Not looked at yet", "Never Scraped"),
    )
    assert "Richmond" in prices.text
    assert "Closed For Ever" not in prices.text
    await visitor.check()


async def test_one_match_is_shown_at_once_and_says_where_it_is_not_sold(visitor: Visitor) -> None:
    await visitor.open("/")
    prices = await visitor.search(q="vegimite", near="3000")
    assert prices.heading == "Vegemite Spread"
    assert in_order(prices.text, "$4.60", "$7.50", "Not sold at 3 stores", "Not looked at yet")
    await visitor.check()
    tea = await visitor.open(f"/?product={data.TEA}&near=3000")
    assert in_order(tea.text, "$2.99", "seen 3 hours ago, first at this price 4 days ago")


async def test_a_price_says_whose_it_is_and_since_when(visitor: Visitor) -> None:
    milk = await visitor.open(f"/?product={data.MILK}&near=7000")
    assert in_order(
        milk.text,
        *("ALDI Hobart", "seen 4 hours ago", "The same at 1 more ALDI store"),
        *("Sandy Bay", "seen 4 hours ago at Hobart, whose prices it shares"),
    )
    tea = await visitor.open(f"/?product={data.TEA}&near=7000")
    assert in_order(tea.text, "$2.55", "Sandy Bay", "seen 10 hours ago here, a price of its own", "$2.85")
    await visitor.check()


async def test_without_a_postcode_the_products_are_shown(visitor: Visitor) -> None:
    found = await visitor.open("/?q=milk")
    assert in_order(found.text, "1 match for", "add your postcode", "Full Cream Milk 2L", "ALDI", "Coles")
    prices = await visitor.follow("Full Cream Milk")
    assert in_order(prices.text, "Add your postcode", "Sold by ALDI, Coles, Woolworths")


async def test_nothing_found_is_said_plainly(visitor: Visitor) -> None:
    await visitor.open("/")
    nothing = await visitor.search(q="zzzzqqqq", near="3000")
    assert (nothing.status, nothing.heading) == (200, "Nothing found for “zzzzqqqq”")
    away = await visitor.open("/?q=milk&near=0800")
    assert "We follow no store within 10 km of 0800 (NT)" in away.text
    unsold = await visitor.open(f"/?product={data.COKE}&near=2000")
    assert "No store we have looked at within 10 km of 2000 sells it." in unsold.text
    await visitor.check()


async def test_a_postcode_that_does_not_exist_is_answered_with_ones_that_do(visitor: Visitor) -> None:
    await visitor.open("/")
    unknown = await visitor.search(q="milk", near="1999")
    assert (unknown.status, unknown.heading) == (404, "There is no such postcode")
    await visitor.check()
    sydney = await visitor.follow("2000")
    assert (sydney.status, sydney.heading) == (200, "Full Cream Milk 2L")
    assert in_order(sydney.text, "$3.05", "ALDI Sydney", "One store sells it")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/?q=milk&near=300", 422, "Postcode: a postcode has four digits, like 3000"),
        ("/?q=milk&near=800", 422, "Postcode: a postcode has four digits, like 0800"),
        ("/?q=milk&near=3000&radius_km=7000", 422, "Within: choose one of 2, 5, 10, 25, 50 km"),
        (f"/?q={'x' * 201}&near=3000", 422, "Product: please keep it under 200 characters"),
        ("/?q=mi%00lk&near=3000", 422, "Product: has characters in it that cannot be searched for"),
        ("/?near=3000&product=vegimite", 422, "Vegemite Spread"),
        ("/?near=3000&product=00000000-0000-4000-8000-000000000000", 404, "The link may be old"),
        ("/nothing", 404, "There is no page at this address"),
        ("/?utm_source=x&q=milk&near=3000", 200, "4 stores sell it"),
    ],
)
async def test_what_cannot_be_answered_is_a_page_that_helps_on(
    visitor: Visitor, path: str, status: int, words: str
) -> None:
    shown = await visitor.open(path)
    assert shown.status == status
    assert words in shown.text
    await visitor.check()


async def test_hostile_names_are_text(visitor: Visitor) -> None:
    await visitor.open("/")
    prices = await visitor.search(q="drop table listings", near="3000")
    assert prices.heading == data.HOSTILE
    assert prices.title.startswith(data.HOSTILE)
    await visitor.check()
    reflected = '"><script>alert(1)</script>'
    echoed = await visitor.open(f"/?{httpx.QueryParams(q=reflected, near=reflected)}")
    assert echoed.status == 422
    await visitor.check()
    nothing = await visitor.search(q="<b>zzzz</b>", near="3000")
    assert nothing.heading == "Nothing found for “<b>zzzz</b>”"


async def test_the_real_server_bears_what_is_sent_to_it(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.get(f"/api/v1/products?q={'a' * 60_000}")).status_code == 414
        assert (await client.get("/api/v1/products?q=%ff%00")).status_code == 422
        for _ in range(20):  # a body that no route reads must not cost the client its answer, nor the next one
            posted = await client.post("/api/v1/prices", content=b"x" * 1_000_000)
            assert posted.status_code == 405
            head = await client.head("/")
            assert (head.status_code, head.content) == (200, b"")
        style = next(line for line in (await client.get("/")).text.splitlines() if "style.css" in line)
        sheet = await client.get(style.split('href="')[1].split('"')[0])
        assert sheet.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert sheet.headers["content-type"] == "text/css; charset=utf-8"


async def test_a_port_that_is_taken_is_said_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        environment = os.environ | {"SPLITCART_GATEWAY_PORT": str(other.getsockname()[1])}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "splitcart_gateway"), env=environment, stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
    assert process.returncode == 2
    assert "cannot listen on 127.0.0.1" in said.decode()
    assert "Traceback" not in said.decode()
