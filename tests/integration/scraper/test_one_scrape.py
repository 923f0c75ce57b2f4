"""One scrape on a real server and over real HTTP: published, resumed, abandoned, quarantined."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from splitcart_common.events import ProductsObserved, ScrapeAbandoned, ScrapeCompleted, ScrapeStarted
from splitcart_scraper.handlers import scrape
from splitcart_scraper.handlers.observer import Silent
from splitcart_scraper.store import claims, runs
from splitcart_scraper.store.claims import Claim
from tests.support.scraper.http import Asked, Reply
from tests.support.scraper.rig import Rig, later, rigged
from tests.support.scraper.tiny_aldi import BREAD, FRUIT, TinyAldi, tile

pytestmark = pytest.mark.stack


async def test_a_scrape_is_published_in_order(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        finished = await rig.scrape()
        said = await rig.said()
        identity = finished.claim.run.scrape_id
        assert finished.ending == "completed"
        assert {key for key, _, _ in said} == {"aldi:G001"}
        assert all(envelope.correlation_id == identity for _, envelope, _ in said)
        events = [event for _, _, event in said]
        started, completed = events[0], events[-1]
        assert isinstance(started, ScrapeStarted)
        assert (started.store, started.reason, started.scope) == ("aldi:G001", "scheduled", "full")
        assert isinstance(completed, ScrapeCompleted)
        # 70, 45 and 10 listings, 5 of them in two categories; 30 a page, and one request for the tree.
        assert (completed.listings, completed.pages, completed.requests) == (120, 6, 7)
        assert (completed.categories_finished, completed.categories_planned, completed.batches) == (3, 3, 1)
        (batch,) = (event for event in events if isinstance(event, ProductsObserved))
        assert len({listing.sku for listing in batch.listings}) == 120
        assert [read.page for read in batch.pages] == [1, 2, 3, 4, 5, 6]
        row = await rig.made.pool.fetchrow("SELECT * FROM stores WHERE store = 'aldi:G001'")
        assert row is not None
        assert (row["last_scraped_at"], row["lease_owner"]) == (rig.clock.now(), None)
        assert await rig.made.pool.fetchval("SELECT count(*) FROM staged_pages") == 0


@dataclass
class KilledAt(Silent):
    """Ends the process, so to say, at the n-th page."""

    at: int
    pages: int = field(default=0)

    def page(self, _claim: Claim, _page: object) -> None:
        self.pages += 1
        if self.pages == self.at:
            raise KilledError


class KilledError(BaseException):
    pass


async def kill_sometimes(rig: Rig, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> int:
    """Scrape one store to its end, killed again and again; what had not reached the server by then is lost."""
    kills = 0
    while True:
        monkeypatch.setattr(scrape, "FLUSH_PAGES", chance.randint(1, 4))
        company = rig.another(observer=KilledAt(chance.randint(1, 4)) if kills < 10 else None)
        claim = await rig.claim(company)
        assert isinstance(claim, Claim)
        assert claim.resumed is (kills > 0)
        try:
            await company.scraper.scrape(claim, company.terms_of(1))
        except KilledError:
            kills += 1
            rig.clock.ahead += timedelta(seconds=rig.made.settings.scraper_lease_seconds)
        else:
            return kills


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_scrape_killed_again_and_again_says_the_same(
    database: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelves = {str(n): [tile(n * 100 + m, 100 + m) for m in range(20 + 15 * n)] for n in range(6)}
    async with rigged(database, TinyAldi(stores=[1], shelves=shelves)) as rig:
        await rig.discover()
        assert await kill_sometimes(rig, random.Random(seed), monkeypatch) >= 4
        disturbed = await rig.said()
        await rig.made.pool.execute("TRUNCATE outbox, runs, staged_pages, host_waiters, known_prices")
        await rig.made.pool.execute("UPDATE stores SET last_claimed_at = NULL, last_scraped_at = NULL")
        before = disturbed[0][1].correlation_id
        claim = await rig.claim()
        assert isinstance(claim, Claim)
        # The undisturbed one, under the same id: the clock has stood still.
        await rig.made.pool.execute("UPDATE runs SET scrape_id = $1", before)
        same = type(claim.run)(before, *[getattr(claim.run, n) for n in list(claim.run.__slots__)[1:]])
        again = Claim(claim.store, claim.owner, claim.outlet, same, claim.resumed, claim.why)
        await rig.company.scraper.scrape(again, rig.company.terms_of(1))
        assert await rig.said() == disturbed


async def test_a_checkpoint_that_is_too_old_is_published_as_abandoned_and_begun_anew(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrape, "FLUSH_PAGES", 1)
    async with rigged(database) as rig:
        await rig.discover()
        company = rig.another(observer=KilledAt(3))
        first = await rig.claim(company)
        assert isinstance(first, Claim)
        with pytest.raises(KilledError):
            await company.scraper.scrape(first, company.terms_of(1))
        later(rig, hours=25)
        finished = await rig.scrape()
        assert finished.claim.store == first.store
        assert finished.claim.run.scrape_id != first.run.scrape_id
        kinds = await rig.kinds()
        assert kinds == [
            "scrape-started", "products-observed", "scrape-abandoned",
            "scrape-started", "products-observed", "scrape-completed",
        ]  # fmt: skip
        abandoned = (await rig.said())[2][2]
        assert isinstance(abandoned, ScrapeAbandoned)
        assert abandoned.reason == "lease-lost"


def at_page(number: int, reply: Reply) -> Callable[[Asked], Reply | None]:
    """Every request from the n-th listing page on gets this answer."""
    seen = 0

    def fault(asked: Asked) -> Reply | None:
        nonlocal seen
        seen += asked.path.endswith("product-search")
        return reply if seen >= number and asked.path.endswith("product-search") else None

    return fault


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(500), "network"),
        (Reply(403, b"<html>", {"content-type": "text/html"}), "bot-wall"),
        (Reply(429, b"", {"retry-after": "600"}), "throttled"),
    ],
)
async def test_an_outage_ends_a_scrape_not_its_data(database: str, reply: Reply, reason: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        rig.aldi.fault = at_page(3, reply)
        finished = await rig.scrape()
        assert finished.ending == f"abandoned-{reason}"
        said = await rig.said()
        assert [event.TYPE for _, _, event in said] == [
            "scrape-started",
            "products-observed",
            "scrape-abandoned",
        ]
        observed, abandoned = said[1][2], said[2][2]
        assert isinstance(observed, ProductsObserved)
        assert len(observed.listings) == 60
        assert isinstance(abandoned, ScrapeAbandoned)
        assert (abandoned.reason, abandoned.batches) == (reason, 1)
        last = await rig.made.pool.fetchval("SELECT last_scraped_at FROM stores WHERE store = 'aldi:G001'")
        assert last is None


async def test_no_connection_at_all_is_an_abandoned_scrape_without_listings(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        rig.aldi.fault = lambda _: Reply(cut=0)
        assert (await rig.scrape()).ending == "abandoned-network"
        assert await rig.kinds() == ["scrape-started", "scrape-abandoned"]


async def test_a_store_the_retailer_does_not_know_is_no_fault_of_the_network(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        rig.aldi.fault = lambda asked: Reply(404) if asked.path.endswith("tree") else None
        finished = await rig.scrape()
        assert finished.ending == "abandoned-drift"
        rig.company.strikes.judge(finished)
        assert rig.company.strikes.count == 0


async def test_a_page_that_stays_broken_leaves_its_category_unfinished(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        broken = Reply(body=b'{"data":[{"sku"')
        rig.aldi.fault = lambda asked: (
            broken if asked.query.get("categoryKey") == FRUIT and asked.query["offset"] == "30" else None
        )
        finished = await rig.scrape()
        assert finished.ending == "completed"
        completed = (await rig.said())[-1][2]
        assert isinstance(completed, ScrapeCompleted)
        assert (completed.categories_finished, completed.categories_planned) == (2, 3)
        assert completed.listings == 30 + 45 + 10
        assert (completed.requests, completed.pages) == (1 + 1 + 3 + 2 + 1, 4)


async def test_a_scrape_over_its_parse_budget_is_quarantined(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        good = rig.aldi.shelves[BREAD]
        rig.aldi.shelves[BREAD] = [tile(n, "2.50") for n in range(66, 111)]
        finished = await rig.scrape()
        assert finished.ending == "quarantined"
        assert "parse budget: 45 of 125" in str(finished.quarantined)
        assert await rig.said() == []
        identity = finished.claim.run.scrape_id
        assert await rig.state(identity) == "quarantined"
        assert len(await runs.staged(rig.made.pool, identity)) == 6
        # The next good scrape of the store makes it obsolete.
        rig.aldi.shelves[BREAD] = good
        later(rig, hours=5)
        again = await claims.claim_store(rig.made.pool, "aldi:G001", rig.company.terms_of(1), rig.made.entropy)
        assert isinstance(again, Claim)
        assert (await rig.company.scraper.scrape(again, rig.company.terms_of(1))).ending == "completed"
        assert await rig.state(identity) == "replaced"
        assert await runs.staged(rig.made.pool, identity) == []


async def test_who_lost_the_lease_publishes_nothing(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        slow = await rig.claim()
        assert isinstance(slow, Claim)
        rig.clock.ahead += timedelta(minutes=1)
        quick = await rig.scrape(rig.another())
        assert quick.claim.run.scrape_id == slow.run.scrape_id
        published = await rig.said()
        finished = await rig.company.scraper.scrape(slow, rig.company.terms_of(1))
        assert finished.ending == "interrupted"
        assert await rig.said() == published


async def test_a_request_budget_ends_a_scrape_as_a_part(database: str) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        finished = await rig.scrape(rig.another(budget=4))
        assert finished.ending == "part"
        assert finished.tally.requests == 4
        started, completed = (await rig.said())[0][2], (await rig.said())[-1][2]
        assert isinstance(started, ScrapeStarted)
        assert started.scope == "part"
        assert isinstance(completed, ScrapeCompleted)
        assert completed.categories_finished == 1
        last = await rig.made.pool.fetchval("SELECT last_scraped_at FROM stores WHERE store = 'aldi:G001'")
        assert last is None, "a part is no visit: the store keeps its place in line"
