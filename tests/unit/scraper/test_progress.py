"""What a terminal shows while stores are scraped: categories x of y, pages, listings, requests, estimated end."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from rich.console import Console
from rich.progress import Progress

from splitcart_common.events import ObservedListing
from splitcart_scraper.commands import progress as shown
from splitcart_scraper.commands.progress import Bars, watching
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.domain.scrape import Category, Plan, Run, StagedPage, tally
from splitcart_scraper.handlers.observer import Finished, Silent
from splitcart_scraper.store.claims import Claim

AT = datetime(2026, 9, 1, tzinfo=UTC)
RUN = Run(UUID(int=1), "aldi:G1", "scheduled", "full", AT, "aldi-2")
CLAIM = Claim("aldi:G1", "me", None, RUN, resumed=False, why="never scraped")  # type: ignore[arg-type] # not looked at
PLAN = Plan(
    (
        Category("all", ("All",), divisible=True),
        Category("left", ("All", "Left"), part_of="all"),
        Category("bread", ("Bread",)),
    ),
    requests=2,
)


def page(number: int, category: int, listings: int, ended: str | None = None) -> StagedPage:
    found = (
        ObservedListing(sku=f"{number}-{n}", name="x", price=1, page=number, raw_hash="") for n in range(listings)
    )
    return StagedPage(number, category, "u", 2, AT, AT, PageContent(tuple(found), ended=ended))


def watched() -> tuple[Bars, Progress, io.StringIO]:
    out = io.StringIO()
    progress = Progress(console=Console(file=out, width=200))
    return Bars(progress), progress, out


def test_a_bar_counts_categories_pages_listings_and_requests() -> None:
    bars, progress, _ = watched()
    bars.planned(CLAIM, PLAN, 0)
    (task,) = progress.tasks
    assert (task.description, task.completed, task.total) == ("aldi:G1", 0, 2)  # parts are not counted
    bars.page(CLAIM, page(1, 0, 30))
    assert (task.completed, task.fields["counts"]) == (0, "1 pages, 30 listings, 4 requests")
    bars.page(CLAIM, page(2, 0, 12, ended=""))
    assert (task.completed, task.fields["counts"]) == (1, "2 pages, 42 listings, 6 requests")
    bars.page(CLAIM, page(3, 2, 5, ended=""))
    assert (task.completed, task.fields["counts"]) == (2, "3 pages, 47 listings, 8 requests")


def test_a_resumed_scrape_says_from_which_page_it_goes_on() -> None:
    bars, progress, _ = watched()
    bars.planned(CLAIM, PLAN, 7)
    assert progress.tasks[0].description == "aldi:G1 from page 8"


def test_a_line_stays_in_place_of_the_bar() -> None:
    bars, progress, out = watched()
    bars.planned(CLAIM, PLAN, 0)
    pages = [page(1, 0, 30, ended=""), page(2, 2, 5, ended="")]
    bars.finished(Finished(CLAIM, tally(replace(RUN, plan=PLAN), pages)))
    assert progress.tasks == []
    assert out.getvalue() == "aldi:G1: completed, 35 listings, 6 requests\n"


def test_there_is_an_estimate_of_the_end_on_a_terminal_and_nothing_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(shown.sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    with watching("aldi") as observer:
        observer.planned(CLAIM, PLAN, 0)
        observer.page(CLAIM, page(1, 0, 30, ended=""))
    text = screen.getvalue()
    assert "scraping aldi; Ctrl-C stops, and the next scrape goes on from there" in text
    assert "1/2 categories" in text
    assert "1 pages, 30 listings, 4 requests" in text
    assert ":--" in text or "0:" in text, "the time that is left, known or not yet"
    monkeypatch.setattr(shown.sys, "stderr", io.StringIO())
    with watching("aldi") as observer:
        assert isinstance(observer, Silent)
