"""What looks wrong as a whole waits for an operator, who publishes it or gives it up: on a real stack."""

from collections.abc import Callable
from uuid import UUID

import pytest

from splitcart_common.events import ProductsObserved, ScrapeAbandoned, ScrapeCompleted, ScrapeStarted
from splitcart_common.topics import PRODUCT_OBSERVED
from splitcart_scraper.domain.guards import ENOUGH
from splitcart_scraper.handlers.observer import Finished
from splitcart_scraper.store import claims, judged, known, runs
from splitcart_scraper.store.claims import Claim
from tests.support.bus import read_events
from tests.support.scraper.cli import spoken
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


async def test_one_page_of_another_shape_is_quarantined_with_its_address(database: str) -> None:
    async with rigged(database, town()) as rig:
        rig.aldi.shelves[BREAD] = [tile(n, 250) for n in range(500, 528)] + [tile(n, "2.50") for n in (528, 529)]
        await rig.discover()
        why = str((await rig.scrape()).quarantined)
        assert why.startswith("parse budget: 2 of the 30 tiles of one page (6.7%) could not be read")
        assert f"categoryKey={BREAD}" in why
        assert await rig.said() == []


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


async def test_the_verbs(database: str, broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with rigged(database, town(), topic_prefix=topic_prefix) as rig:
        scrape = str(await quarantined(rig))

        async def say(*words: str) -> tuple[int, dict[str, object]]:
            said = await spoken(monkeypatch, "scrapes", *words, **rig.environment(broker, topic_prefix))
            return said.code, said.content

        code, said = await say("list", "aldi")
        assert (code, [one["state"] for one in said["scrapes"]]) == (0, ["quarantined", "completed"])  # type: ignore[attr-defined] # JSON
        code, said = await say("list", "--state", "quarantined")
        assert [(one["scrape_id"], one["store"]) for one in said["scrapes"]] == [(scrape, STORE)]  # type: ignore[attr-defined] # JSON
        assert (await say("list", "coles"))[1] == {"scrapes": []}

        code, said = await say("show", scrape, "-n", "2")
        assert (code, said["state"], said["listings"], said["refused"]) == (0, "quarantined", 150, 0)
        moved = said["moved"]
        assert isinstance(moved, dict)
        assert (moved["common"], moved["moved"], moved["since"]) == (150, 150, "2026-09-01T08:00:00+00:00")
        first = {"sku": f"{1:018}", "name": "Thing 1", "before": 101, "now": 201}
        assert (len(moved["sample"]), moved["sample"][0]) == (2, first)

        code, said = await say("accept", scrape)
        assert (code, said["store"], said["published"]) == (0, STORE, 150)
        events = [event for _, _, event in read_events(broker, topic_prefix, PRODUCT_OBSERVED)]
        assert [type(event) for event in events] == [ScrapeStarted, ProductsObserved, ScrapeCompleted]
        for verb in ("accept", "reject"):
            code, said = await say(verb, scrape)
            assert (code, "not quarantined but completed" in str(said["error"])) == (1, True)
        code, said = await say("show", str(UUID(int=5)))
        assert (code, "there is no scrape" in str(said["error"])) == (1, True)
        assert (await say("accept", "G001"))[0] == 2


async def test_what_is_rejected_leaves_a_trace_in_the_log_and_no_price(
    database: str, broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rigged(database, town(), topic_prefix=topic_prefix) as rig:
        scrape = await quarantined(rig)
        told = rig.environment(broker, topic_prefix)
        words = ("scrapes", "reject", str(scrape), "--why", "it was Coles' prices")
        assert (
            await spoken(monkeypatch, *words, **told)
        ).words == f"{STORE}: rejected; its prices stay as they were"
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
        said = (await spoken(monkeypatch, "scrapes", "show", str(scrape), **told)).content
        assert (said["state"], said["listings"]) == ("rejected", 150)
        assert "refusals" not in said


async def test_refused_tiles_are_shown_with_their_page(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with rigged(database) as rig:
        await rig.discover()
        rig.aldi.shelves[BREAD] = [tile(n, "2.50") for n in range(66, 111)]
        scrape = (await rig.scrape()).claim.run.scrape_id
        shown = await spoken(monkeypatch, "scrapes", "show", str(scrape), **rig.environment())
        said, refusals = shown.content, shown.content["refusals"]
        assert "refused: 45 price-not-a-number" in shown.words
        assert isinstance(refusals, dict)
        assert refusals["reasons"] == {"price-not-a-number": 45}
        assert len(refusals["sample"]) == 10
        assert BREAD in refusals["sample"][0]["url"]
        assert isinstance(said["moved"], dict)
        assert said["moved"]["since"] is None
