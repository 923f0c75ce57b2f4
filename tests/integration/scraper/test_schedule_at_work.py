"""Claims, discovery, messages and pauses on a real server."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from aiokafka import TopicPartition

from splitcart_common.clock import ScaledClock
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event, RescrapeRequested, StoreClosed, StoreDiscovered, StoreSettled
from splitcart_common.lanes import Message
from splitcart_common.outcomes import Ok, Skip
from splitcart_common.topics import STORES
from splitcart_scraper import pace
from splitcart_scraper.domain.schedule import NothingDue
from splitcart_scraper.handlers.messages import ScraperHandler
from splitcart_scraper.handlers.observer import Finished
from splitcart_scraper.pace import Pace
from splitcart_scraper.store import claims
from splitcart_scraper.store.claims import Claim
from splitcart_scraper.store.tokens import PostgresTokens
from tests.support.scraper.clocks import START
from tests.support.scraper.http import Asked, Reply
from tests.support.scraper.rig import later, rigged
from tests.support.scraper.tiny_aldi import TinyAldi

pytestmark = pytest.mark.stack

TURN = datetime(2026, 9, 1, 14, tzinfo=UTC)
"""The turn of prices that comes first after the clock's START."""


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not what():  # noqa: ASYNC110 - what is waited for is another's state
            await asyncio.sleep(0.005)


async def test_many_workers_never_get_the_same_store(database: str) -> None:
    async with rigged(database, TinyAldi(stores=list(range(1, 41)))) as rig:
        await rig.discover()

        async def take_all(number: int) -> list[str]:
            taken = []
            while isinstance(claim := await rig.claim(number=number), Claim):
                taken.append(claim.store)
                await asyncio.sleep(0)
            return taken

        taken = await asyncio.gather(*(take_all(number) for number in range(12)))
        stores = [store for each in taken for store in each]
        assert sorted(stores) == [f"aldi:G{n:03}" for n in range(1, 41)]
        nothing = await rig.claim()
        assert isinstance(nothing, NothingDue)
        assert "40 being scraped now" in nothing.why


async def test_a_lease_that_ends_gives_claim_and_checkpoint_back(database: str) -> None:
    async with rigged(database, TinyAldi(stores=[1])) as rig:
        await rig.discover()
        first = await rig.claim()
        assert isinstance(first, Claim)
        assert isinstance(await rig.claim(rig.another()), NothingDue)
        rig.clock.ahead += timedelta(seconds=rig.made.settings.scraper_lease_seconds)
        second = await rig.claim(rig.another())
        assert isinstance(second, Claim)
        assert second.resumed
        assert second.run == first.run


async def test_a_store_rests_after_its_scrape_and_a_flag_brings_it_forward(database: str) -> None:
    async with rigged(database, TinyAldi(stores=[1, 2])) as rig:
        await rig.discover()
        assert [(await rig.scrape()).claim.store for _ in range(2)] == ["aldi:G001", "aldi:G002"]
        nothing = await rig.claim()
        assert isinstance(nothing, NothingDue)
        assert nothing.next_due_at == TURN, "scraped completely, the turn of prices comes before 20 hours are over"
        later(rig, hours=4)
        await claims.flag(rig.made.pool, "aldi:G002", rig.clock.now(), "a test")
        later(rig, minutes=1)
        finished = await rig.scrape()
        assert (finished.claim.store, finished.claim.run.reason) == ("aldi:G002", "flagged")
        assert await rig.made.pool.fetchval("SELECT count(flagged_at) FROM stores") == 0


async def test_what_an_operator_takes_from_a_worker_stays_taken(database: str) -> None:
    async with rigged(database, TinyAldi(stores=[1])) as rig:
        await rig.discover()
        first = await rig.claim()
        assert isinstance(first, Claim)
        assert await claims.release(rig.made.pool, "aldi", rig.clock.wall()) == ["aldi:G001"]
        until = rig.clock.wall() + timedelta(seconds=15)
        assert not await claims.renew(rig.made.pool, first, until), "a living worker's next heart-beat"
        second = await rig.claim(rig.another())
        assert isinstance(second, Claim)
        assert (second.resumed, second.run) == (True, first.run)
        finished = await rig.company.scraper.scrape(first, rig.company.terms_of(1))
        assert finished.ending == "interrupted"
        assert await rig.said() == []


async def test_prices_that_turn_end_the_rest_of_a_store_that_stands_alone(database: str) -> None:
    async with rigged(database, TinyAldi(stores=[1])) as rig:
        await rig.discover()
        await rig.scrape()
        rig.clock.at = TURN - timedelta(seconds=1)
        nothing = await rig.claim()
        assert isinstance(nothing, NothingDue)
        assert "1 scraped within the last 20.0 hours, and no turn of prices since" in nothing.why
        rig.clock.at = TURN
        assert (await rig.scrape()).claim.why == "scraped longest ago: 6.0 hours"
        rig.clock.at += timedelta(hours=20)
        assert (await rig.scrape()).claim.why == "scraped longest ago: 20.0 hours"


async def test_a_flag_set_during_a_scrape_asks_for_another(database: str) -> None:
    async with rigged(database, TinyAldi(stores=[1])) as rig:
        await rig.discover()
        claim = await rig.claim()
        assert isinstance(claim, Claim)
        later(rig, minutes=1)
        await claims.flag(rig.made.pool, "aldi:G001", rig.clock.now(), "a test")
        await rig.company.scraper.scrape(claim, rig.company.terms_of(1))
        assert await rig.made.pool.fetchval("SELECT flagged_why FROM stores") == "a test"


async def test_discovery_says_what_is_new_changed_or_gone(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        said = await rig.said(STORES)
        assert [(key, event.TYPE) for key, _, event in said] == [
            (f"aldi:G00{n}", "store-discovered") for n in (1, 2, 3)
        ]
        await rig.hush()
        rig.aldi.stores = [1, 2, 4]
        await rig.discover()
        ((_, _, new),) = await rig.said(STORES)
        assert isinstance(new, StoreDiscovered)
        assert new.store == "aldi:G004"
        await rig.hush()
        await rig.discover()
        ((_, _, closed),) = await rig.said(STORES)
        assert isinstance(closed, StoreClosed)
        assert closed.store == "aldi:G003"
        chosen = [(await rig.scrape()).claim.store for _ in range(3)]
        assert chosen == ["aldi:G001", "aldi:G002", "aldi:G004"]


async def test_a_discovery_that_broke_off_is_due_again_and_closes_nothing(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        rig.aldi.fault = lambda _: Reply(500)
        later(rig, days=8)
        assert await rig.company.discovery.if_due() is not None
        assert await rig.company.discovery.if_due() is None, "it waits before it tries again"
        rig.aldi.fault = lambda _: None
        rig.clock.ahead += timedelta(minutes=1)
        again = await rig.company.discovery.if_due()
        assert again is not None
        assert again.trouble is None
        assert await rig.company.discovery.if_due() is None, "a week has not passed"
        assert await rig.made.pool.fetchval("SELECT max(missed) FROM stores") == 0


async def test_a_discovery_that_took_long_and_is_not_complete_is_not_tried_again_at_once(database: str) -> None:
    async with rigged(database) as rig:

        def slow(_: Asked) -> Reply:
            rig.clock.ahead += timedelta(minutes=10)
            return Reply(body=b'{"data":')

        rig.aldi.fault = slow
        assert await rig.company.discovery.if_due() is not None
        asked = len(rig.server.asked)
        rig.clock.ahead += timedelta(minutes=10 * asked * 9 - 1)
        assert await rig.company.discovery.if_due() is None
        rig.clock.ahead += timedelta(minutes=1)
        assert await rig.company.discovery.if_due() is not None


async def test_settled_scrapes_and_requests_are_heeded(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        scrape = (await rig.scrape()).claim.run.scrape_id
        at = rig.clock.now()
        settled = StoreSettled(
            store="aldi:G001", scrape_id=scrape, seq=1, outcome="full", started_at=at, settled_at=at,
            created=1, updated=0, unchanged=0, withdrawn=0, listings=1,
        )  # fmt: skip
        wish = RescrapeRequested(subject="aldi:G002", by="key-1", reason="it looks old")
        events: list[Event] = [
            settled,
            StoreSettled(**{**{f: getattr(settled, f) for f in settled.__struct_fields__}, "scrape_id": uuid4()}),
            wish,
            RescrapeRequested(subject="aldi:G999", by="key-1", reason="no such store"),
        ]
        messages = [
            Message(Envelope(uuid4(), event.TYPE, 1, at, uuid4(), "tests"), event, "k", n, at)
            for n, event in enumerate(events)
        ]
        async with rig.made.pool.acquire() as connection, connection.transaction():
            outcomes = await ScraperHandler().fold(connection, TopicPartition("t", 0), messages)
        assert [type(outcome) for outcome in outcomes] == [Ok, Skip, Ok, Skip]
        assert await rig.made.pool.fetchval("SELECT outcome FROM runs WHERE settled_at IS NOT NULL") == "full"
        chosen = await rig.claim()
        assert isinstance(chosen, Claim)
        assert (chosen.store, chosen.why) == ("aldi:G002", "flagged: key-1: it looks old")


async def test_workers_pause_after_repeated_errors_and_say_so(database: str) -> None:
    aldi = TinyAldi(stores=list(range(1, 30)))
    async with rigged(database, aldi, scraper_attempts=1) as rig:
        await rig.discover()
        asked = len(rig.server.asked)
        aldi.fault = lambda _: Reply(500)
        working = asyncio.create_task(rig.company.run(2))
        try:
            await until(lambda: "retailer aldi" in rig.made.health.missing)
            assert "network: category tree: HTTP 500" in rig.made.health.missing["retailer aldi"]
            assert len(rig.server.asked) - asked <= 4, "three strikes, and the other worker's last"
            aldi.fault = lambda _: None
            await until(lambda: "retailer aldi" not in rig.made.health.missing)
            done = len(rig.server.asked)
            await until(lambda: len(rig.server.asked) > done + 10)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


def test_what_counts_as_a_strike() -> None:
    from splitcart_scraper.domain.scrape import Abandoned  # noqa: PLC0415 - one test's
    from splitcart_scraper.handlers.workers import Strikes  # noqa: PLC0415 - one test's

    def ended(reason: str | None) -> Finished:
        abandoned = None if reason is None else Abandoned(reason, "why", START)  # type: ignore[arg-type]
        return Finished(None, None, abandoned=abandoned)  # type: ignore[arg-type]

    strikes = Strikes(3)
    for reason in ("network", "network", None, "network", "network", "drift", "network"):
        strikes.judge(ended(reason))
    assert not strikes.out
    strikes.judge(ended("bot-wall"))
    assert strikes.out
    assert strikes.why == "bot-wall: why"


async def test_two_processes_share_a_host_without_ever_meeting(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "BEAT_SECONDS", 0.1)
    clock = ScaledClock.real()
    async with rigged(database) as rig:
        busy, most, turns = 0, 0, dict.fromkeys("ab", 0)
        order: list[str] = []

        async def process(name: str) -> None:
            nonlocal busy, most
            tokens = PostgresTokens(rig.made.pool)
            own = Pace("host", name, tokens, clock, gap_seconds=0.01, lease_seconds=5, share_seconds=0.15)
            async with own.visit():
                while turns[name] < 50:
                    async with own.turn():
                        await own.ready()
                        busy += 1
                        most = max(most, busy)
                        await asyncio.sleep(0.005)
                        busy -= 1
                        own.done()
                    turns[name] += 1
                    order.append(name)

        async with asyncio.timeout(15):
            await asyncio.gather(process("a"), process("b"))
        assert most == 1
        changes = sum(x != y for x, y in pairwise(order))
        assert changes >= 2, "the host was handed over and back, not kept to the end"
