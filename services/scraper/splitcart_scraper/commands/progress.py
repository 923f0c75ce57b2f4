"""Progress of scrapes on a terminal, one line a store; nothing where there is none."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from splitcart_scraper.domain.scrape import Plan, StagedPage
from splitcart_scraper.handlers.observer import Finished, Observer, Silent
from splitcart_scraper.store.claims import Claim


class Bars:
    """An observer that draws: categories done of those planned, pages, listings, requests, estimated end."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._counts: dict[str, list[int]] = {}
        self._plans: dict[str, Plan] = {}

    def planned(self, claim: Claim, plan: Plan, staged: int) -> None:
        """A new bar; a resumed scrape says from which page it goes on."""
        begun = f" from page {staged + 1}" if staged else ""
        self._tasks[claim.store] = self._progress.add_task(
            f"{claim.store}{begun}", total=len(plan.wholes), counts=""
        )
        self._plans[claim.store] = plan
        self._counts[claim.store] = [0, 0, plan.requests]

    def page(self, claim: Claim, page: StagedPage) -> None:
        """One page further."""
        counts = self._counts[claim.store]
        counts[0] += 1
        counts[1] += len(page.content.listings)
        counts[2] += page.requests
        shown = f"{counts[0]} pages, {counts[1]} listings, {counts[2]} requests"
        behind = self._plans[claim.store].categories[: page.category + (page.content.ended is not None)]
        done = sum(category.part_of is None for category in behind)
        self._progress.update(self._tasks[claim.store], completed=done, counts=shown)

    def finished(self, finished: Finished) -> None:
        """A line that stays instead of the bar."""
        store, counts = finished.claim.store, finished.tally
        task = self._tasks.pop(store, None)
        if task is not None:
            self._progress.remove_task(task)
        self._progress.console.print(
            f"{store}: {finished.ending}, {counts.listings} listings, {counts.requests} requests", highlight=False
        )


@contextmanager
def watching(company: str) -> Iterator[Observer]:
    """An observer for the length of a command."""
    if not sys.stderr.isatty():
        yield Silent()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} categories"),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        progress.console.print(f"scraping {company}; Ctrl-C stops, and the next scrape goes on from there")
        yield Bars(progress)
