"""Manners between processes, and what a company's workers make of a retailer that does not want them."""

import asyncio
from datetime import timedelta

import pytest

from splitcart_common.events import ScrapeAbandoned
from splitcart_common.telemetry import Health
from splitcart_scraper import app
from splitcart_scraper.settings import ContactError
from tests.support.scraper.cli import command
from tests.support.scraper.http import Asked, Reply
from tests.support.scraper.rig import Rig, rigged, settings_of
from tests.support.scraper.tiny_aldi import TinyAldi

pytestmark = pytest.mark.stack

ABANDONED = "SELECT count(*) FROM runs WHERE state = 'abandoned'"
RULES = Reply(body=b"User-agent: *\nDisallow: /v3/\n")


def with_rules(asked: Asked) -> Reply | None:
    return RULES if asked.path == "/aldi/robots.txt" else None


def robots_asked(rig: Rig) -> int:
    return sum(asked.path.endswith("robots.txt") for asked in rig.server.asked)


async def test_robots_txt_is_read_once_for_all_processes(database: str) -> None:
    async with rigged(database, TinyAldi(fault=with_rules)) as rig:
        await rig.discover()
        assert robots_asked(rig) == 1
        for company in (rig.another(), rig.another()):
            finished = await rig.scrape(company)
            assert finished.abandoned is not None
            assert finished.abandoned.reason == "bot-wall"
            assert finished.abandoned.detail.startswith("robots-disallowed: ")
        assert robots_asked(rig) == 1
        assert not any(asked.path.endswith("product-search") for asked in rig.server.asked)
        abandoned = [event for _, _, event in await rig.said() if isinstance(event, ScrapeAbandoned)]
        assert [event.detail[:17] for event in abandoned] == ["robots-disallowed"] * 2
        rig.clock.at += timedelta(days=1, minutes=1)
        await rig.scrape()
        assert robots_asked(rig) == 2


async def test_a_discovery_is_refused_too(database: str) -> None:
    everything = Reply(body=b"User-agent: splitcart\nDisallow: /\n")
    aldi = TinyAldi(fault=lambda asked: everything if asked.path.endswith("robots.txt") else None)
    async with rigged(database, aldi) as rig:
        found = await rig.company.discovery.now()
        assert found is not None
        assert found.stores == 0
        assert "robots-disallowed" in str(found.trouble)
        assert len(rig.server.asked) == 1


async def test_with_a_permission_it_is_scraped(database: str) -> None:
    aldi = TinyAldi(fault=with_rules)
    async with rigged(database, aldi, scraper_permission={"aldi": "Jo Doe of Aldi, 1 March 2026"}) as rig:
        await rig.discover()
        assert (await rig.scrape()).ending == "completed"


async def test_a_retry_after_holds_for_every_process(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        wait = Reply(429, b"", {"retry-after": "900"})
        rig.aldi.fault = lambda asked: wait if asked.path.endswith("product-search") else None
        assert (await rig.scrape()).ending == "abandoned-throttled"
        asked = len(rig.server.asked)
        finished = await rig.scrape(rig.another())
        assert finished.ending == "abandoned-throttled"
        assert len(rig.server.asked) == asked, "it was not asked again"
        rig.clock.ahead += timedelta(minutes=15)
        rig.aldi.fault = lambda _: None
        assert (await rig.scrape(rig.another())).ending == "completed"


async def test_the_gap_goes_from_process_to_process(database: str) -> None:
    async with rigged(database, scraper_longest_gap_seconds=8) as rig:
        await rig.discover()
        rig.aldi.fault = lambda _: Reply(403)
        await rig.scrape()
        gap = await rig.made.pool.fetchval("SELECT gap_seconds FROM hosts")
        assert gap >= 1
        rig.aldi.fault = lambda _: None
        other = rig.another()
        began = rig.clock.at
        await rig.scrape(other)
        assert (rig.clock.at - began).total_seconds() >= gap
        assert other.scraper.walker.fetcher.pace.gap_seconds < gap, "it comes down as the host answers"


async def run_until_given_up(rig: Rig) -> str:
    async with asyncio.timeout(20):
        return await rig.company.run(2)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(200, b"<html>robot?</html>", {"content-type": "text/html"}), "bot-wall"),
        (Reply(cut=0), "network"),
    ],
)
async def test_workers_rest_longer_each_time_and_then_stop(database: str, reply: Reply, reason: str) -> None:
    stores = list(range(1, 30))
    aldi = TinyAldi(stores=stores, outlets_page=100)
    async with rigged(database, aldi, scraper_pause_seconds=0.02, scraper_pauses=3) as rig:
        await rig.discover()
        aldi.fault = lambda asked: None if "service-points" in asked.path else reply
        began, loop = asyncio.get_running_loop().time(), asyncio.get_running_loop()
        why = await run_until_given_up(rig)
        assert why.startswith(f"aldi: stopped after 3 pauses in vain; last {reason}: ")
        assert loop.time() - began >= 0.02 + 0.04 + 0.08
        assert "stopped after 3 pauses" in rig.company.health.missing["retailer aldi"]
        abandoned = [event for _, _, event in await rig.said() if isinstance(event, ScrapeAbandoned)]
        assert {event.reason for event in abandoned} == {reason}
        assert len(abandoned) <= 12, "far from all the stores"


async def test_a_page_read_in_between_begins_the_count_anew(database: str) -> None:
    aldi = TinyAldi(stores=list(range(1, 12)), outlets_page=100)
    async with rigged(database, aldi, scraper_pause_seconds=0.01, scraper_pauses=2) as rig:
        await rig.discover()
        wall = Reply(403)
        aldi.fault = lambda asked: wall if int(asked.query.get("offset", 0)) > 0 else None
        task = asyncio.create_task(rig.company.run(1))
        async with asyncio.timeout(20):
            while await rig.made.pool.fetchval(ABANDONED) < 6:  # noqa: ASYNC110 - a table, not an event
                await asyncio.sleep(0.02)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_live_address_is_not_visited_anonymously(database: str) -> None:
    settings = settings_of(database, "http://x", scraper_base_url={}, scraper_companies="aldi")
    async with app.parts(settings, Health()) as made:
        with pytest.raises(ContactError, match="live address"):
            app.company_of(made, "aldi")
    code, said = await command("scrape", "aldi", SPLITCART_POSTGRES_DSN=settings.postgres_dsn)
    assert code == 2
    assert "SPLITCART_SCRAPER_USER_AGENT" in str(said["error"])
