"""Requests a company may be sent a day: the setting, the day, and what is said when it is spent."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from splitcart_scraper.domain.budgets import DailyBudgets, Spent, day_of
from splitcart_scraper.domain.schedule import NothingDue, over_budget
from splitcart_scraper.settings import ScraperSettings
from splitcart_scraper.store.budgets import Account
from tests.support.scraper.clocks import TwoHands


def test_one_for_all_or_one_a_company() -> None:
    budgets = DailyBudgets.parse("20000, iga=5000,aldi=0")
    assert (budgets.of("coles"), budgets.of("iga"), budgets.of("aldi")) == (20_000, 5_000, None)
    assert DailyBudgets.parse("iga=5000").of("coles") is None
    assert DailyBudgets.parse(str(budgets)) == budgets
    assert DailyBudgets().of("coles") is None


@pytest.mark.parametrize("text", ["", "many", "-1", "iga=", "=5", "1,2", "iga=1,iga=2", "1.5", "1;2"])
def test_what_is_no_budget_is_explained(text: str) -> None:
    with pytest.raises(ValueError, match="budget"):
        DailyBudgets.parse(text)


def test_the_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITCART_SCRAPER_BUDGET_PER_DAY", "100,iga=5")
    settings = ScraperSettings()
    assert settings.scraper_budget_per_day.of("iga") == 5
    assert ScraperSettings(**settings.model_dump()).scraper_budget_per_day == settings.scraper_budget_per_day


def test_a_budget_for_a_company_there_is_none_of_is_no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITCART_SCRAPER_BUDGET_PER_DAY", "igga=5")
    with pytest.raises(ValueError, match="there is no retailer 'igga'"):
        ScraperSettings()


def test_an_unknown_policy_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ScraperSettings().policy.name == "oldest"
    monkeypatch.setenv("SPLITCART_SCRAPER_POLICY", "newest")
    with pytest.raises(ValueError, match="there is no policy 'newest': there are oldest"):
        ScraperSettings()


def test_a_day_is_a_day_in_utc() -> None:
    sydney = timezone(timedelta(hours=10))
    assert day_of(datetime(2026, 9, 2, 9, 59, tzinfo=sydney)) == date(2026, 9, 1)
    assert day_of(datetime(2026, 9, 2, 10, 0, tzinfo=sydney)) == date(2026, 9, 2)


def test_it_is_over_when_it_is_reached_and_says_when_the_next_day_begins() -> None:
    day = date(2026, 9, 30)
    assert not Spent(day, 99, 100).over
    assert not Spent(day, 10**9, None).over
    spent, lease = Spent(day, 100, 100), datetime(2026, 9, 30, 23, tzinfo=UTC)
    assert spent.over
    nothing = over_budget(spent, NothingDue("", None, lease))
    assert nothing.why.startswith("over budget: 100 of the 100 requests of 2026-09-30 (UTC) are made")
    assert nothing.next_due_at == datetime(2026, 10, 1, tzinfo=UTC)
    assert nothing.next_lease_end_at == lease, "a scrape whose worker died goes on, budget or not"


class Book:
    """A pool that writes down what it is told, unless it is `down`."""

    def __init__(self) -> None:
        self.written, self.down = list[tuple[object, ...]](), False

    async def execute(self, _query: str, *row: object) -> None:
        if self.down:
            raise ConnectionError
        self.written.append(row)


async def test_a_request_is_on_the_day_it_goes_out_and_none_is_lost_to_an_outage() -> None:
    clock, book = TwoHands(datetime(2026, 9, 1, 23, 59, 59, tzinfo=UTC)), Book()
    account = Account("aldi", book, clock, 5)  # type: ignore[arg-type] # what it asks of a pool
    account.sent()
    clock.at += timedelta(seconds=2)
    account.sent()
    account.sent()
    book.down = True
    with pytest.raises(ConnectionError):
        await account.book()
    assert book.written == []
    book.down = False
    account.sent()
    await account.book()
    await account.book()
    assert book.written == [("aldi", date(2026, 9, 1), 1), ("aldi", date(2026, 9, 2), 3)]
