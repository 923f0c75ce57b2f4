"""What looks wrong as a whole waits for an operator, who publishes it or gives it up: on a real stack."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest

from splitcart_common.clock import ScaledClock
from splitcart_common.events import ProductsObserved, ScrapeAbandoned, ScrapeCompleted, ScrapeStarted
from splitcart_common.topics import PRODUCT_OBSERVED
from splitcart_scraper.domain.guards import ENOUGH
from splitcart_scraper.domain.schedule import NothingDue
from splitcart_scraper.handlers.observer import Finished
from splitcart_scraper.store import claims, judged, known, runs
from splitcart_scraper.store.claims import Claim
from tests.support.bus import read_events
from tests.support.scraper.cli import command
from tests.support.scraper.clocks import START
from tests.support.scraper.http import Reply
from tests.support.scraper.rig import Rig, later, rigged
from tests.support.scraper.tiny_aldi import BREAD, FRUIT, TinyAldi, tile

pytestmark = pytest.mark.stack

STORE = "aldi:G001"
Shelf = list[dict[str, object]]


def shelf(price: Callable[[int], object], listings: int = 150) -> Shelf:
    return [tile(n, price(n)) for n in range(1, listings + 1)]


def town(price: Callable[[int], object] = lambda n: 100 + n, listings: int = 150) -> TinyAldi:
    return TinyAldi(stores=[1], shelves={FRUIT: shelf(price, listings)})


async def scrape_again(rig: Rig, **span: float) -> Finished:
    later(rig, **(span or {"hours": 5}))
    claim = await claims.claim_store(rig.made.pool, STORE, rig.company.terms_of(1), rig.made.entropy)
    assert isinstance(claim, Claim)
    return await rig.company.scraper.scrape(claim, rig.company.terms_of(1))


async def quarantined(rig: Rig) -> UUID:
    """A good scrape, then one whose every price has moved."""
    await rig.discover()
    assert (await rig.scrape()).ending == "completed"
    await rig.hush(PRODUCT_OBSERVED)
    rig.aldi.shelves[FRUIT] = shelf(lambda n: 200 + n)
    finished = await scrape_again(rig)
    assert finished.ending == "quarantined"
    assert await rig.said() == []
    return finished.claim.run.scrape_id


async def test_prices_that_moved_with_no_turn_are_quarantined_and_those_that_turned_are_not(database: str) -> None:
    async with rigged(database, town()) as rig:
        await rig.discover()
        assert (await rig.scrape()).ending == "completed"  # Tuesday, 08:00
        rig.aldi.shelves[FRUIT] = shelf(lambda n: 200 + n)
        finished = await scrape_again(rig)  # 13:00; prices turn at 14:00
        assert finished.quarantined == (
            "prices moved: 150 of 150 (100.0%) since the scrape of 2026-09-01T08:00+00:00, "
            "with no turn in between; at most 60% may"
        )
        assert (await scrape_again(rig)).ending == "completed", "18:00: they have turned"
        kept = await known.load(rig.made.pool, STORE)
        assert kept is not None
        assert (kept.started_at, kept.prices["000000000000000007"]) == (rig.clock.now(), 207)
        rig.aldi.shelves[FRUIT] = shelf(lambda n: 200 + n + (n <= 90))
        assert (await scrape_again(rig)).ending == "completed", "60 % of 150"
        rig.aldi.shelves[FRUIT] = shelf(lambda n: 300 + n + (n <= 90))
        assert (await scrape_again(rig)).ending == "quarantined"


async def test_one_price_everywhere_is_quarantined_at_the_first_visit(database: str) -> None:
    async with rigged(database, town(lambda _: 250)) as rig:
        await rig.discover()
        assert (await rig.scrape()).quarantined == "one price everywhere: 150 listings at 250 cents"
        assert await known.load(rig.made.pool, STORE) is None


async def test_a_part_too_small_to_compare_does_not_take_the_place_of_what_is_known(database: str) -> None:
    async with rigged(database, town()) as rig:
        await rig.discover()
        await rig.scrape()
        later(rig, hours=5)
        company = rig.another(budget=3)
        claim = await claims.claim_store(rig.made.pool, STORE, company.terms_of(1), rig.made.entropy)
        assert isinstance(claim, Claim)
        part = await company.scraper.scrape(claim, company.terms_of(1))
        assert part.tally.listings < ENOUGH
        kept = await known.load(rig.made.pool, STORE)
        assert kept is not None
        assert (kept.started_at, len(kept.prices)) == (START, 150)


async def test_an_abandoned_scrape_that_is_accepted_is_published_as_abandoned(database: str) -> None:
    async with rigged(database, town(lambda _: 250, 200)) as rig:
        await rig.discover()
        rig.aldi.fault = lambda asked: Reply(403) if asked.query.get("offset") == "120" else None
        finished = await rig.scrape()
        assert finished.quarantined == "one price everywhere: 120 listings at 250 cents"
        scrape = finished.claim.run.scrape_id
        await judged.accept(rig.made.pool, scrape, rig.made.settings.topic_prefix)
        last = (await rig.said())[-1][2]
        assert isinstance(last, ScrapeAbandoned)
        assert last.reason == "bot-wall"
        assert await rig.state(scrape) == "abandoned"


async def test_what_is_accepted_is_published_as_it_would_have_been(database: str) -> None:
    async with rigged(database, town()) as rig:
        scrape = await quarantined(rig)
        read_at = rig.clock.now()
        later(rig, hours=1)
        await judged.accept(rig.made.pool, scrape, rig.made.settings.topic_prefix)
        said = await rig.said()
        events = [event for _, _, event in said]
        assert [type(event) for event in events] == [ScrapeStarted, ProductsObserved, ScrapeCompleted]
        assert {envelope.occurred_at for _, envelope, _ in said} == {read_at}
        assert {envelope.correlation_id for _, envelope, _ in said} == {scrape}
        assert await rig.state(scrape) == "completed"
        assert await runs.staged(rig.made.pool, scrape) == []
        kept = await known.load(rig.made.pool, STORE)
        assert kept is not None
        assert kept.started_at == read_at, "the next scrape has to agree with this one"
        row = await rig.made.pool.fetchrow("SELECT last_scraped_at, scraped_from FROM stores")
        assert row is not None
        assert (row["last_scraped_at"], row["scraped_from"]) == (read_at, read_at)
        assert (await scrape_again(rig)).ending == "completed"


async def test_what_a_later_scrape_has_replaced_is_refused(database: str) -> None:
    async with rigged(database, town()) as rig:
        scrape = await quarantined(rig)
        rig.aldi.shelves[FRUIT] = shelf(lambda n: 100 + n)
        assert (await scrape_again(rig)).ending == "completed"
        before = await rig.said()
        for decide in (
            judged.accept(rig.made.pool, scrape, "splitcart"),
            judged.reject(rig.made.pool, scrape, "no", rig.clock.now(), "splitcart"),
        ):
            with pytest.raises(judged.NotQuarantinedError, match="is replaced: a later scrape"):
                await decide
        assert await rig.said() == before


async def test_while_a_worker_has_the_store_in_hand_the_older_scrape_comes_first(database: str) -> None:
    async with rigged(database, town()) as rig:
        scrape = await quarantined(rig)
        later(rig, hours=5)
        claim = await claims.claim_store(rig.made.pool, STORE, rig.company.terms_of(1), rig.made.entropy)
        assert isinstance(claim, Claim)
        await judged.accept(rig.made.pool, scrape, rig.made.settings.topic_prefix)
        assert (await rig.company.scraper.scrape(claim, rig.company.terms_of(1))).ending == "completed"
        assert [event.TYPE for _, _, event in await rig.said()] == [
            "scrape-started", "products-observed", "scrape-completed",
        ] * 2  # fmt: skip
        started = [event.started_at for _, _, event in await rig.said() if isinstance(event, ScrapeStarted)]
        assert started == sorted(started)


def environment(rig: Rig, broker: str, prefix: str) -> dict[str, str]:
    return {
        "SPLITCART_POSTGRES_DSN": rig.made.settings.postgres_dsn,
        "SPLITCART_KAFKA_BOOTSTRAP": broker,
        "SPLITCART_TOPIC_PREFIX": prefix,
        "SPLITCART_CLOCK": str(ScaledClock(rig.clock.now(), datetime.now(UTC), 1.0)),
    }


async def test_the_verbs(database: str, broker: str, topic_prefix: str) -> None:
    async with rigged(database, town(), topic_prefix=topic_prefix) as rig:
        scrape = str(await quarantined(rig))
        told = environment(rig, broker, topic_prefix)

        code, said = await command("scrapes", "list", "aldi", **told)
        assert (code, [one["state"] for one in said["scrapes"]]) == (0, ["quarantined", "completed"])  # type: ignore[attr-defined] # JSON
        code, said = await command("scrapes", "list", "--state", "quarantined", **told)
        assert [(one["scrape_id"], one["store"]) for one in said["scrapes"]] == [(scrape, STORE)]  # type: ignore[attr-defined] # JSON
        assert (await command("scrapes", "list", "coles", **told))[1] == {"scrapes": []}

        code, said = await command("scrapes", "show", scrape, "-n", "2", **told)
        assert (code, said["state"], said["listings"], said["refused"]) == (0, "quarantined", 150, 0)
        moved = said["moved"]
        assert isinstance(moved, dict)
        assert (moved["common"], moved["moved"], moved["since"]) == (150, 150, "2026-09-01T08:00:00+00:00")
        first = {"sku": f"{1:018}", "name": "Thing 1", "before": 101, "now": 201}
        assert (len(moved["sample"]), moved["sample"][0]) == (2, first)

        code, said = await command("scrapes", "accept", scrape, **told)
        assert (code, said["store"], said["published"]) == (0, STORE, 150)
        events = [event for _, _, event in read_events(broker, topic_prefix, PRODUCT_OBSERVED)]
        assert [type(event) for event in events] == [ScrapeStarted, ProductsObserved, ScrapeCompleted]
        for verb in ("accept", "reject"):
            code, said = await command("scrapes", verb, scrape, **told)
            assert (code, "not quarantined but completed" in str(said["error"])) == (1, True)
        code, said = await command("scrapes", "show", str(UUID(int=5)), **told)
        assert (code, "there is no scrape" in str(said["error"])) == (1, True)
        assert (await command("scrapes", "accept", "G001", **told))[0] == 2


async def test_what_is_rejected_leaves_a_trace_in_the_log_and_no_price(
    database: str, broker: str, topic_prefix: str
) -> None:
    async with rigged(database, town(), topic_prefix=topic_prefix) as rig:
        scrape = await quarantined(rig)
        told = environment(rig, broker, topic_prefix)
        code, said = await command("scrapes", "reject", str(scrape), "--why", "it was Coles' prices", **told)
        assert (code, said["store"]) == (0, STORE)
        messages = read_events(broker, topic_prefix, PRODUCT_OBSERVED)
        started, abandoned = (event for _, _, event in messages)
        assert isinstance(started, ScrapeStarted)
        assert isinstance(abandoned, ScrapeAbandoned)
        assert (abandoned.reason, abandoned.batches) == ("quarantine-rejected", 0)
        assert abandoned.detail.startswith("it was Coles' prices; it was quarantined as: prices moved: 150 of 150")
        assert {envelope.correlation_id for _, envelope, _ in messages} == {scrape}
        assert await rig.state(scrape) == "rejected"
        assert await runs.staged(rig.made.pool, scrape) == []
        kept = await known.load(rig.made.pool, STORE)
        assert kept is not None
        assert kept.started_at == START, "what is known is still what was published"
        code, said = await command("scrapes", "show", str(scrape), **told)
        assert (code, said["state"], said["listings"]) == (0, "rejected", 150)
        assert "refusals" not in said


async def test_refused_tiles_are_shown_with_their_page(database: str, broker: str, topic_prefix: str) -> None:
    async with rigged(database, topic_prefix=topic_prefix) as rig:
        await rig.discover()
        rig.aldi.shelves[BREAD] = [tile(n, "2.50") for n in range(66, 111)]
        scrape = (await rig.scrape()).claim.run.scrape_id
        code, said = await command("scrapes", "show", str(scrape), **environment(rig, broker, topic_prefix))
        assert code == 0
        refusals = said["refusals"]
        assert isinstance(refusals, dict)
        assert refusals["reasons"] == {"price-not-a-number": 45}
        assert len(refusals["sample"]) == 10
        assert BREAD in refusals["sample"][0]["url"]
        assert isinstance(said["moved"], dict)
        assert said["moved"]["since"] is None


async def requests_made(rig: Rig) -> int:
    made: int = await rig.made.pool.fetchval("SELECT requests FROM requests_made WHERE company = 'aldi'")
    return made


async def test_over_budget_no_new_scrape_begins_and_one_that_has_begun_goes_on(
    database: str, broker: str, topic_prefix: str
) -> None:
    async with rigged(database, scraper_budget_per_day="12", topic_prefix=topic_prefix) as rig:
        await rig.discover()
        finding = await requests_made(rig)
        assert 0 < finding < 5, "the requests of a discovery count too"
        assert (await rig.scrape()).tally.requests == 7
        assert await requests_made(rig) == finding + 7
        begun = await rig.claim()
        assert isinstance(begun, Claim)
        await claims.interrupt(rig.made.pool, begun.owner, rig.clock.wall(), begun.store)
        assert (await rig.scrape()).claim.run.scrape_id == begun.run.scrape_id
        nothing = await rig.claim()
        assert isinstance(nothing, NothingDue)
        made = await requests_made(rig)
        assert made == finding + 14
        assert nothing.why.startswith(f"over budget: {made} of the 12 requests of 2026-09-01 (UTC) are made")
        assert nothing.next_due_at == datetime(2026, 9, 2, tzinfo=UTC)
        assert await rig.company.discovery.if_due() is None

        told = environment(rig, broker, topic_prefix) | {"SPLITCART_SCRAPER_BUDGET_PER_DAY": "aldi=12"}
        _, said = await command("schedule", "show", "aldi", **told)
        assert said["today"] == {
            "day": "2026-09-01", "requests": made, "budget": 12, "next_day_at": "2026-09-02T00:00:00+00:00",
        }  # fmt: skip
        assert str(said["why"]).startswith("over budget")
        _, said = await command("schedule", "policy", **told)
        assert (said["policy"], list(said["budgets"])) == ("oldest", ["aldi", "coles", "woolworths", "iga"])  # type: ignore[call-overload] # JSON
        assert said["budgets"]["aldi"]["requests"] == made  # type: ignore[index] # JSON
        assert said["budgets"]["iga"]["budget"] is None  # type: ignore[index] # JSON

        later(rig, hours=16)
        assert (await rig.scrape()).ending == "completed", "a new day"


async def test_a_begun_scrape_is_finished_though_it_spends_the_budget(database: str) -> None:
    async with rigged(database, scraper_budget_per_day="5") as rig:
        await rig.discover()
        assert (await rig.scrape()).tally.requests == 7
        assert isinstance(await rig.claim(), NothingDue)
        asked_for = await claims.claim_store(rig.made.pool, "aldi:G003", rig.company.terms_of(1), rig.made.entropy)
        assert isinstance(asked_for, Claim), "an operator may"
