"""What grouping decides is what the schedule does: on a real server, and over a real broker."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from aiokafka import TopicPartition

from splitcart_common.envelope import Envelope
from splitcart_common.events import (
    AnchorHandedOver,
    AnchorWentStale,
    Event,
    GroupFormed,
    GroupsMerged,
    MemberConfirmed,
    MemberEjected,
    RescrapeNeeded,
    StoreSettled,
)
from splitcart_common.ids import derived_id
from splitcart_common.lanes import Message
from splitcart_common.outcomes import Ok, Outcome, Skip
from splitcart_common.postgres import Pool, create_pool
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRICE_CHANGED, STORE_GROUPS
from splitcart_scraper import app
from splitcart_scraper.domain.rests import Standing
from splitcart_scraper.domain.schedule import NothingDue, waiting
from splitcart_scraper.handlers.messages import ScraperHandler
from splitcart_scraper.store import SCHEMA, claims
from splitcart_scraper.store.claims import Claim
from tests.support.bus import publish, say
from tests.support.scraper.cli import spoken
from tests.support.scraper.clocks import START
from tests.support.scraper.http import serving
from tests.support.scraper.rig import Rig, later, rigged, settings_of
from tests.support.scraper.tiny_aldi import TinyAldi

pytestmark = pytest.mark.stack

A, B, C = "aldi:G001", "aldi:G002", "aldi:G003"


def confirmed(version: int, at: datetime, store: str = B, anchor: str = A) -> MemberConfirmed:
    return MemberConfirmed(
        version=version, store=store, anchor=anchor, up_to_scrape=uuid4(), anchor_scrape=uuid4(), shared=1_000,
        equal=990, exceptions=(), rule_version="98-percent-1", at=at,
    )  # fmt: skip


def ejected(version: int, at: datetime, store: str = B) -> MemberEjected:
    return MemberEjected(
        version=version, store=store, from_anchor=A, shared=1_000, equal=900, differing=("1",), at=at
    )


def settled(store: str, scrape: UUID, outcome: str, started_at: datetime, settled_at: datetime) -> StoreSettled:
    return StoreSettled(
        store=store, scrape_id=scrape, seq=1, outcome=outcome, started_at=started_at, settled_at=settled_at,  # type: ignore[arg-type] # one of four
        created=1, updated=0, unchanged=0, withdrawn=0, listings=1,
    )  # fmt: skip


async def hear(rig: Rig, *events: Event) -> Sequence[Outcome]:
    at = rig.clock.now()
    messages = [
        Message(Envelope(uuid4(), event.TYPE, 1, at, uuid4(), "tests"), event, "aldi", n, at)
        for n, event in enumerate(events)
    ]
    async with rig.made.pool.acquire() as connection, connection.transaction():
        return await ScraperHandler().fold(connection, TopicPartition("t", 0), messages)


async def standings(rig: Rig) -> dict[str, Standing]:
    known = await claims.candidates(rig.made.pool, "aldi")
    rests = rig.made.settings.rests
    return {one.store: wait.standing for one, wait in waiting(known, rig.clock.now(), rig.clock.wall(), rests)}


async def flags(rig: Rig) -> dict[str, str]:
    rows = await rig.made.pool.fetch("SELECT store, flagged_why FROM stores WHERE flagged_at IS NOT NULL")
    return {row["store"]: row["flagged_why"] for row in rows}


async def scrape_all(rig: Rig, stores: int = 3) -> list[Claim]:
    return [(await rig.scrape()).claim for _ in range(stores)]


async def test_a_confirmed_member_is_released_for_five_days_and_its_anchor_is_not(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        await scrape_all(rig)
        assert await hear(rig, GroupFormed(version=1, anchor=A, at=START), confirmed(2, START)) == [Ok(), Ok()]
        assert await standings(rig) == {A: Standing.FRESH, B: Standing.RELEASED, C: Standing.FRESH}
        for day in range(1, 5):
            rig.clock.at = START + timedelta(days=day)
            assert [claim.store for claim in await scrape_all(rig, 2)] == [A, C]
            nothing = await rig.claim()
            assert isinstance(nothing, NothingDue)
            assert "1 released" in nothing.why
        rig.clock.at = START + timedelta(days=5)
        assert (await rig.scrape()).claim.store == B


@pytest.mark.parametrize(
    "event",
    [
        ejected(3, START),
        GroupFormed(version=3, anchor=B, at=START),
        AnchorHandedOver(version=3, old=A, new=B, reason="closed", at=START),
    ],
    ids=lambda event: event.TYPE,
)
async def test_who_leaves_its_group_stands_on_its_own_again(database: str, event: Event) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        await scrape_all(rig)
        await hear(rig, confirmed(2, START))
        assert (await standings(rig))[B] is Standing.RELEASED
        assert await hear(rig, event) == [Ok()]
        assert (await standings(rig))[B] is Standing.FRESH


async def test_decisions_that_come_again_or_out_of_order_are_ignored_by_name(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        await scrape_all(rig)
        merged = GroupsMerged(version=4, survivor=A, dissolved=C, shared=500, equal=500, at=START)
        outcomes = await hear(
            rig, confirmed(2, START), ejected(3, START), confirmed(2, START), merged, ejected(4, START)
        )
        before = Skip("a decision that was folded before")
        merge = Skip("a merge: the confirmations of those who moved follow it")
        assert outcomes == [Ok(), Ok(), before, merge, before]
        assert (await standings(rig))[B] is Standing.FRESH
        other = GroupFormed(version=1, anchor="coles:1", at=START)
        assert await hear(rig, other) == [Ok()], "each company counts for itself"


async def test_a_store_that_is_discovered_later_is_a_member_from_the_start(database: str) -> None:
    async with rigged(database) as rig:
        assert await hear(rig, confirmed(1, START)) == [Ok()]
        await rig.discover()
        await scrape_all(rig)
        assert (await standings(rig))[B] is Standing.RELEASED


async def test_what_grouping_asks_for_is_flagged_released_or_not(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        await scrape_all(rig)
        later(rig, hours=5)
        at = rig.clock.now()
        outcomes = await hear(
            rig,
            confirmed(1, START),
            AnchorWentStale(version=2, anchor=A, last_settled_at=START + timedelta(hours=1), at=at),
            RescrapeNeeded(version=3, store=B, why="it differs in part", at=at),
            RescrapeNeeded(version=4, store="aldi:G999", why="no such store", at=at),
        )
        assert outcomes == [Ok(), Ok(), Ok(), Skip("a store that is unknown or closed")]
        assert await flags(rig) == {
            A: "the anchor of its group, settled last at 2026-09-01T09:00+00:00",
            B: "it differs in part",
        }
        scraped = await scrape_all(rig, 2)
        assert [(claim.store, claim.run.reason) for claim in scraped] == [(A, "flagged"), (B, "flagged")]
        assert await flags(rig) == {}


async def test_a_wish_that_was_met_meanwhile_is_skipped(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        asked_at = rig.clock.now()
        later(rig, minutes=10)
        _, b, c = await scrape_all(rig)
        met = Skip("a store that has been scraped since")
        assert await hear(rig, RescrapeNeeded(version=1, store=A, why="x", at=asked_at)) == [met]
        # One that began before the wish counts once it has settled after it, and in full.
        now = rig.clock.now()
        later(rig, minutes=10)
        assert await hear(
            rig,
            settled(B, b.run.scrape_id, "full", b.run.started_at, rig.clock.now()),
            settled(C, c.run.scrape_id, "partial", c.run.started_at, rig.clock.now()),
        ) == [Ok(), Ok()]
        wishes = [
            RescrapeNeeded(version=n, store=s, why="x", at=now + timedelta(minutes=1)) for n, s in ((2, B), (3, C))
        ]
        assert await hear(rig, *wishes) == [met, Ok()]
        assert await flags(rig) == {C: "x"}


async def test_a_late_message_does_not_date_an_operators_flag_back(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        claim = await rig.claim()
        assert isinstance(claim, Claim)
        later(rig, minutes=5)
        await claims.flag(rig.made.pool, A, rig.clock.now(), "a shopper complains")
        await hear(rig, RescrapeNeeded(version=1, store=A, why="old news", at=START - timedelta(hours=1)))
        await rig.company.scraper.scrape(claim, rig.company.terms_of(1))
        assert await flags(rig) == {A: "a shopper complains"}


@pytest.mark.parametrize("outcome", ["partial", "abandoned", "superseded"])
async def test_a_member_that_was_not_read_in_full_is_not_kept_resting(database: str, outcome: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        scraped = {claim.store: claim.run for claim in await scrape_all(rig)}
        await hear(rig, confirmed(1, START))
        run = scraped[B]
        await hear(rig, settled(B, run.scrape_id, outcome, run.started_at, START))
        assert (await standings(rig))[B] is Standing.RESTING
        later(rig, hours=4)
        assert (await rig.scrape()).claim.store == B
        # The news of the former scrape says nothing of this one, nor does what comes late.
        later(rig, hours=5)
        assert (await standings(rig))[B] is Standing.RELEASED
        await hear(rig, settled(B, run.scrape_id, outcome, run.started_at, START))
        assert (await standings(rig))[B] is Standing.RELEASED


async def test_the_schedule_says_who_is_released_and_until_when(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        await scrape_all(rig, 2)
        await hear(rig, confirmed(1, START))
        rig.clock.at = START + timedelta(hours=1)
        environment = rig.environment()
        said = (await spoken(monkeypatch, "schedule", "show", "aldi", **environment)).content
        assert [one["store"] for one in said["next"]] == [C]  # type: ignore[attr-defined] # JSON
        until_turn, five_days = "2026-09-01T14:00:00+00:00", "2026-09-06T08:00:00+00:00"
        released = {"standing": "released", "due_at": five_days, "anchor": A, "confirmed_at": START.isoformat()}
        assert said["later"] == [
            {"store": A, "standing": "fresh", "due_at": until_turn},
            {"store": B, **released},
        ]
        assert {k: n for k, n in said["stores"].items() if n} == {"due": 1, "fresh": 1, "released": 1}  # type: ignore[attr-defined] # JSON
        told = await spoken(monkeypatch, "schedule", "explain", B, **environment)
        assert (told.content["standing"], told.content["anchor"], told.content["due_at"]) == (
            "released",
            A,
            five_days,
        )
        assert f"is released under {A} since 2026-09-01T08:00:00+00:00, which lapses 2026-09-08" in told.words


async def until(pool: Pool, sql: str) -> None:
    async with asyncio.timeout(20):
        while not await pool.fetchval(sql):  # noqa: ASYNC110 - a table, not an event
            await asyncio.sleep(0.05)


async def test_decisions_on_the_broker_flag_and_release(database: str, broker: str, topic_prefix: str) -> None:
    async with serving(TinyAldi(outlets_page=100)) as server:
        settings = settings_of(database, server.url, kafka_bootstrap=broker, topic_prefix=topic_prefix)
        stop, health = asyncio.Event(), Health()
        service = asyncio.create_task(app.run(settings, health, stop))
        pool = await create_pool(settings.postgres_dsn, schema=SCHEMA, service="tests")
        try:
            async with asyncio.timeout(20):
                while health.missing:  # noqa: ASYNC110 - what is waited for is another's state
                    await asyncio.sleep(0.05)
            await until(pool, "SELECT count(last_scraped_at) = 3 FROM stores")
            run = await pool.fetchrow("SELECT scrape_id, started_at FROM runs WHERE store = $1", A)
            assert run is not None
            at = settings.clock.now()
            decisions: list[Event] = [
                confirmed(1, at),
                RescrapeNeeded(version=2, store=C, why="it differs in part", at=at),
                confirmed(1, at, anchor=C),
            ]
            told = settled(A, UUID(bytes=run["scrape_id"].bytes), "full", run["started_at"], at)
            messages = [
                say("aldi", event, event_id=derived_id(UUID(int=n), "x"), correlation_id=UUID(int=n), at=at)
                for n, event in enumerate(decisions)
            ]
            messages.append(
                say("aldi", told, event_id=uuid4(), correlation_id=uuid4(), at=at, topic=PRICE_CHANGED)
            )
            assert messages[0].topic is STORE_GROUPS
            await publish(broker, topic_prefix, messages)
            await until(pool, "SELECT count(*) = 1 FROM stores WHERE settled_outcome = 'full'")
            await until(pool, "SELECT flagged_why IS NOT NULL FROM stores WHERE store = 'aldi:G003'")
            member = await pool.fetchrow("SELECT * FROM memberships")
            assert member is not None
            assert (member["store"], member["anchor"], member["version"]) == (B, A, 1)
            assert await pool.fetchval("SELECT version FROM group_versions") == 2
        finally:
            stop.set()
            await asyncio.gather(service, return_exceptions=True)
            await pool.close()
        assert service.exception() is None
