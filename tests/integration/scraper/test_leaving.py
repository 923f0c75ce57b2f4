"""How the scraper leaves: exit codes and words after trouble, at Ctrl-C, and where what it needs is not there."""

import asyncio
import json
import signal
import sys

import pytest

from splitcart_scraper.commands import shell
from splitcart_scraper.store import claims
from splitcart_scraper.store.claims import Claim
from tests.support.loopback import without_network
from tests.support.scraper.cli import spoken
from tests.support.scraper.http import Asked, Reply
from tests.support.scraper.rig import later, rigged
from tests.support.scraper.tiny_aldi import TinyAldi, tile

pytestmark = pytest.mark.stack

HTML = {"content-type": "text/html"}
TROUBLE = [
    (Reply(cut=0), "3 abandoned scrapes in a row: network: "),
    (Reply(403, b"<html>Access Denied</html>", HTML), "1 abandoned scrape: bot-wall: "),
    (Reply(429, b"", {"retry-after": "9999"}), "1 abandoned scrape: throttled: "),
]


async def started(*words: str, **environment: str) -> asyncio.subprocess.Process:
    """A process of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, env={**without_network(), **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize(("reply", "words"), TROUBLE, ids=["network", "bot-wall", "throttled"])
async def test_a_command_stops_with_3_and_says_after_what(
    database: str, broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch, reply: Reply, words: str
) -> None:
    aldi = TinyAldi(stores=list(range(1, 9)), outlets_page=100)
    async with rigged(database, aldi, topic_prefix=topic_prefix) as rig:
        await rig.discover()
        rig.aldi.fault = lambda _: reply
        told = rig.environment(broker, topic_prefix)
        said = await spoken(monkeypatch, "scrape", "aldi", "--workers", "1", **told)
        assert said.code == 3
        assert said.words.startswith(f"stopped after {words}category tree: ")
        tried = await rig.made.pool.fetchval("SELECT count(*) FROM runs WHERE state = 'abandoned'")
        assert tried == int(words[0]), "the other stores were left alone"
        said = await spoken(monkeypatch, "stores", "discover", "aldi", **told)
        assert (said.code, "no store could be found: " in said.words) == (3, True)


async def test_the_service_leaves_with_3_when_no_retailer_wants_it(
    database: str, broker: str, topic_prefix: str
) -> None:
    async with rigged(database, TinyAldi(outlets_page=100), topic_prefix=topic_prefix) as rig:
        await rig.discover()
        rig.aldi.fault = lambda _: Reply(403, b"<html>Access Denied</html>", HTML)
        process = await started(
            "splitcart_scraper",
            **rig.environment(broker, topic_prefix),
            SPLITCART_SCRAPER_COMPANIES="aldi",
            SPLITCART_SCRAPER_PAUSES="1",
            SPLITCART_SCRAPER_PAUSE_SECONDS="0.05",
        )
        async with asyncio.timeout(60):
            _, words = await process.communicate()
        assert process.returncode == 3
        last = words.decode().strip().splitlines()[-1]
        assert last.startswith(
            "scraper: aldi: stopped after 1 pauses in vain; last bot-wall: category tree: HTTP "
        )


async def test_the_service_visits_nobody_anonymously() -> None:
    process = await started("splitcart_scraper", SPLITCART_SCRAPER_COMPANIES="aldi,iga")
    async with asyncio.timeout(60):
        _, words = await process.communicate()
    assert process.returncode == 2
    lines = words.decode().strip().splitlines()
    assert [line.split(" is a live address")[0] for line in lines] == [
        "scraper: https://api.aldi.com.au",
        "scraper: https://www.igashop.com.au",
    ]
    assert all("SPLITCART_SCRAPER_USER_AGENT" in line for line in lines)


async def test_ctrl_c_leaves_with_130_and_the_next_command_goes_on(
    database: str, broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelves = {str(n): [tile(n * 1000 + m, 100 + m) for m in range(30)] for n in range(20)}
    half, enough = asyncio.Event(), 10

    def fault(asked: Asked) -> Reply | None:
        pages = sum(one.path.endswith("product-search") for one in rig.server.asked)
        if asked.path.endswith("product-search") and pages > enough:
            half.set()
            return Reply(silent=True)
        return None

    async with rigged(database, TinyAldi(stores=[1], shelves=shelves), topic_prefix=topic_prefix) as rig:
        await rig.discover()
        rig.aldi.fault = fault
        told = rig.environment(broker, topic_prefix)
        process = await started("splitcart_cli", "scrape", "aldi", "--json", **told)
        async with asyncio.timeout(60):
            await half.wait()
            process.send_signal(signal.SIGINT)
            out, _ = await process.communicate()
        assert (process.returncode, json.loads(out)) == (130, {"error": shell.STOPPED})
        staged = await rig.made.pool.fetchval("SELECT count(*) FROM staged_pages")
        assert staged == enough, "what was read is staged"
        rig.aldi.fault = lambda _: None
        rig.server.asked.clear()
        said = await spoken(monkeypatch, "scrape", "aldi", **told)
        (scrape,) = said.content["scrapes"]  # type: ignore[misc] # JSON
        assert (scrape["resumed"], scrape["ending"], scrape["listings"]) == (True, "completed", 600)
        assert sum(one.path.endswith("product-search") for one in rig.server.asked) == 20 - enough


async def test_what_is_not_there_is_named_after_a_while(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "CONNECT_SECONDS", 0.3)
    nowhere = {"SPLITCART_POSTGRES_DSN": "postgresql://splitcart_scraper@127.0.0.1:9/splitcart"}
    said = await spoken(monkeypatch, "schedule", "show", "aldi", **nowhere)
    assert said.code == 1
    assert said.words.startswith("there is no postgres (")
    assert "`splitcart up` starts a stack to use with --dev; SPLITCART_POSTGRES_DSN" in said.words
    async with rigged(database) as rig:
        said = await spoken(monkeypatch, "stores", "discover", "aldi", **rig.environment())
        assert (said.code, said.words.startswith("there is no kafka (")) == (1, True)
        assert not rig.server.asked, "nothing is asked for that could not be published"


async def test_a_store_in_another_workers_hand_is_not_scraped_twice(
    database: str, broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rigged(database, TinyAldi(stores=[1]), topic_prefix=topic_prefix) as rig:
        await rig.discover()
        claim = await rig.claim()
        assert isinstance(claim, Claim)
        later(rig, days=1000)  # no lease ends while the test lasts
        await claims.renew(rig.made.pool, claim, rig.clock.wall())
        said = await spoken(
            monkeypatch, "scrape", "aldi", "--store", "G001", **rig.environment(broker, topic_prefix)
        )
        assert (said.code, said.words) == (1, "aldi:G001 is leased")
