"""The company's day: every request counts, whatever it is for, and nothing new begins when the budget is spent."""

from datetime import UTC, datetime, timedelta

import pytest

from splitcart_scraper.domain.budgets import OverBudgetError
from splitcart_scraper.domain.schedule import NothingDue
from splitcart_scraper.store import claims
from splitcart_scraper.store.claims import Claim
from tests.support.scraper.cli import spoken
from tests.support.scraper.desk import at_desk
from tests.support.scraper.http import Asked, Reply, serving
from tests.support.scraper.rig import later, rigged
from tests.support.scraper.tiny_aldi import TinyAldi
from tests.support.scraper.tiny_coles import TinyExport, code_of, listed, sku_of

pytestmark = pytest.mark.stack

SPEND = "INSERT INTO requests_made (company, day, requests) VALUES ($1, '2026-09-01', $2)"


def with_rules_and_etags(asked: Asked) -> Reply | None:
    """A robots.txt, every third request in vain, and a tree that is known by an ETag."""
    with_rules_and_etags.asked += 1  # type: ignore[attr-defined] # a counter
    if asked.path.endswith("robots.txt"):
        return Reply(body=b"User-agent: *\nDisallow: /nothing\n")
    if with_rules_and_etags.asked % 3 == 0:  # type: ignore[attr-defined] # a counter
        return Reply(500)
    if asked.headers.get("if-none-match") == '"1"':
        return Reply(304, b"", {"etag": '"1"'})
    if asked.path.endswith("tree"):
        tree = TinyAldi()(asked)
        return Reply(tree.status, tree.body, {**tree.headers, "etag": '"1"'})
    return None


async def test_tries_robots_txt_and_what_has_not_changed_count(database: str) -> None:
    with_rules_and_etags.asked = 0  # type: ignore[attr-defined] # a counter
    async with rigged(database, TinyAldi(stores=[1], fault=with_rules_and_etags)) as rig:
        await rig.discover()
        assert await rig.requests_made() == len(rig.server.asked)
        for hours in (0, 5):
            later(rig, hours=hours)
            claim = await claims.claim_store(rig.made.pool, "aldi:G001", rig.company.terms_of(1), rig.made.entropy)
            assert isinstance(claim, Claim)
            assert (await rig.company.scraper.scrape(claim, rig.company.terms_of(1))).ending == "completed"
            assert await rig.requests_made() == len(rig.server.asked)
    paths = [asked.path for asked in rig.server.asked]
    assert paths.count("/aldi/robots.txt") == 1
    assert sum(asked.headers.get("if-none-match") == '"1"' for asked in rig.server.asked) >= 1
    assert len(paths) > 1 + 2 + 7 + 7, "and tries in vain"


async def test_over_budget_no_new_scrape_begins_and_one_that_has_begun_goes_on(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rigged(database, scraper_budget_per_day="12") as rig:
        await rig.discover()
        finding = await rig.requests_made()
        assert 0 < finding < 5, "the requests of a discovery count too"
        assert (await rig.scrape()).tally.requests == 7
        assert await rig.requests_made() == finding + 7
        begun = await rig.claim()
        assert isinstance(begun, Claim)
        await claims.interrupt(rig.made.pool, begun.owner, rig.clock.wall(), begun.store)
        assert (await rig.scrape()).claim.run.scrape_id == begun.run.scrape_id
        nothing = await rig.claim()
        assert isinstance(nothing, NothingDue)
        made = await rig.requests_made()
        assert made == finding + 14 == len(rig.server.asked)
        assert nothing.why == (
            f"over budget: {made} of the 12 requests of 2026-09-01 (UTC) are made, and no new scrape begins on "
            "that day unless SPLITCART_SCRAPER_BUDGET_PER_DAY allows more"
        )
        assert nothing.next_due_at == datetime(2026, 9, 2, tzinfo=UTC)

        told = rig.environment() | {"SPLITCART_SCRAPER_BUDGET_PER_DAY": "aldi=12"}
        said = (await spoken(monkeypatch, "schedule", "show", "aldi", **told)).content
        assert said["today"] == {
            "day": "2026-09-01", "requests": made, "budget": 12, "next_day_at": "2026-09-02T00:00:00+00:00",
        }  # fmt: skip
        assert str(said["why"]).startswith("over budget")
        said = (await spoken(monkeypatch, "schedule", "policy", **told)).content
        assert (said["policy"], list(said["budgets"])) == ("oldest", ["aldi", "coles", "woolworths", "iga"])  # type: ignore[call-overload] # JSON
        assert said["budgets"]["aldi"]["requests"] == made  # type: ignore[index] # JSON
        assert said["budgets"]["iga"]["budget"] is None  # type: ignore[index] # JSON

        later(rig, hours=16)
        assert (await rig.scrape()).ending == "completed", "a new day"


async def test_what_has_begun_is_finished_though_it_spends_the_budget(database: str) -> None:
    async with rigged(database, scraper_budget_per_day="3") as rig:
        assert await rig.company.discovery.if_due() is not None
        found = len(rig.server.asked)
        assert found >= 3, "a discovery has asked more than a scrape may begin with"
        later(rig, hours=16)
        assert (await rig.scrape()).tally.requests == 7
        assert isinstance(await rig.claim(), NothingDue)
        assert await rig.requests_made() == len(rig.server.asked)


async def test_nor_does_an_operator_get_more_out_of_the_day(database: str) -> None:
    async with rigged(database, scraper_budget_per_day="5") as rig:
        await rig.discover()
        begun = await rig.claim()
        assert isinstance(begun, Claim)
        await rig.made.pool.execute("UPDATE requests_made SET requests = 5")
        asked = len(rig.server.asked)
        assert await rig.company.discovery.if_due() is None
        with pytest.raises(OverBudgetError, match=r"over budget: 5 of the 5 .* and no discovery begins on"):
            await rig.company.discovery.now()
        terms = rig.company.terms_of(2)
        nothing = await claims.claim_store(rig.made.pool, "aldi:G003", terms, rig.made.entropy)
        assert isinstance(nothing, NothingDue)
        assert nothing.why.startswith("over budget: 5 of the 5 requests of 2026-09-01 (UTC) are made")
        await claims.interrupt(rig.made.pool, begun.owner, rig.clock.wall())
        again = await claims.claim_store(rig.made.pool, begun.store, terms, rig.made.entropy)
        assert isinstance(again, Claim)
        assert again.resumed, "what has begun goes on"
        assert len(rig.server.asked) == asked


async def test_the_verbs_say_so_and_ask_nothing(
    database: str, broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rigged(database, topic_prefix=topic_prefix) as rig:
        told = rig.environment(broker, topic_prefix)
        looked = await spoken(monkeypatch, "canary", "aldi", **told)
        assert looked.content["requests"] == len(rig.server.asked) - 1, "robots.txt is no look at a shape"
        assert await rig.requests_made() == len(rig.server.asked), "but it counts"
        await rig.discover()
        tried = await spoken(monkeypatch, "scrape", "aldi", "--store", "G001", "--dry-run", **told)
        assert (tried.code, tried.content["requests"]) == (0, 7)
        made = await rig.requests_made()
        assert made == len(rig.server.asked)

        spent = told | {"SPLITCART_SCRAPER_BUDGET_PER_DAY": str(made)}
        for code, what, words in (
            (3, "the canary does not look", ("canary", "aldi")),
            (1, "no discovery begins", ("stores", "discover", "aldi")),
            (1, "no new scrape begins", ("scrape", "aldi", "--store", "G001")),
            (1, "no store is tried out", ("scrape", "aldi", "--store", "G001", "--dry-run")),
        ):
            said = await spoken(monkeypatch, *words, **spent)
            assert (said.code, said.words) == (
                code,
                f"over budget: {made} of the {made} requests of 2026-09-01 (UTC) are made, and {what} on that day "
                "unless SPLITCART_SCRAPER_BUDGET_PER_DAY allows more",
            )
        due = await spoken(monkeypatch, "scrape", "aldi", **spent)
        assert (due.code, due.words[:12], due.content["scrapes"]) == (0, "over budget:", [])
        assert due.content["next_due_at"] == "2026-09-02T00:00:00+00:00"
        assert len(rig.server.asked) == made, "nothing was asked for"


async def test_the_barcode_pass_shares_the_day_with_scrapes_and_stops_in_mid_pass(database: str) -> None:
    await listed(database, range(1, 6))
    async with at_desk(database, scraper_budget_per_day="4") as desk:
        await desk.made.pool.execute(SPEND, "coles", 1)
        report = await desk.run()
        assert (desk.asked(), report.left, report.stopped) == ([1, 2], 3, None), "robots.txt is the fourth"
        assert report.again_at == datetime(2026, 9, 2, tzinfo=UTC)
        assert (await desk.run()).pages == 0
        desk.clock.at = report.again_at
        assert (await desk.run()).left == 0
        assert desk.asked() == [3, 4, 5]


async def test_another_gateway_is_on_nobodys_account(database: str) -> None:
    await listed(database, range(1, 9))
    rows: list[dict[str, object]] = [{"sku": sku_of(n), "barcode": code_of(n)} for n in range(1, 8)]
    async with at_desk(database, scraper_budget_per_day="2") as desk, serving(TinyExport(rows)) as gateway:
        report = await desk.run(prefill_from=gateway.url)
        assert (report.prefilled, desk.asked(), len(gateway.asked)) == (7, [8], 3)
        assert await desk.made.pool.fetch("SELECT company, requests FROM requests_made") == [("coles", 2)]
        await desk.made.pool.execute("UPDATE requests_made SET requests = 9")
        desk.clock.at += timedelta(hours=1)
        assert (await desk.run(prefill_from=gateway.url)).left == 0, "nothing is left to ask the retailer for"
