"""`splitcart barcodes`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from splitcart_common.postgres import TRANSIENT
from splitcart_scraper.app import Parts, barcodes_of, export_of, pages_of
from splitcart_scraper.commands.shell import (
    NOT_WANTED,
    CommandError,
    connected,
    execute,
    publishing,
    settings_to_visit,
)
from splitcart_scraper.domain.barcodes import Finding
from splitcart_scraper.handlers.barcodes import BusyError, NoStoreError, Report, Watcher
from splitcart_scraper.handlers.prefill import export_address
from splitcart_scraper.store import LeaseLostError
from splitcart_scraper.store.barcodes import NoListingsError


class _Silent:
    """Nobody watches."""

    def begun(self, done: int, total: int) -> None:
        """Nothing."""

    def done(self, products: int, found: int) -> None:
        """Nothing."""


class Bar:
    """Products done of all, barcodes found by this run, estimated end."""

    def __init__(self, progress: Progress, company: str) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task(company, total=None, found=0)
        self._found = 0

    def begun(self, done: int, total: int) -> None:
        """The whole pass: what earlier runs did is done."""
        self._progress.update(self._task, completed=done, total=total)

    def done(self, products: int, found: int) -> None:
        """Some further."""
        self._found += found
        self._progress.update(self._task, advance=products, found=self._found)


def barcodes(
    company: str, base_url: str | None, limit: int | None, prefill_from: str | None, *, dev: bool, as_json: bool
) -> None:
    """The verb `barcodes`."""

    async def main() -> tuple[dict[str, object], str]:
        settings = settings_to_visit(company, base_url, dev=dev)
        try:
            pages_of(company)
            if prefill_from is not None:
                export_address(prefill_from)
        except ValueError as error:
            raise CommandError(str(error), 2) from None
        async with connected(settings) as made:
            report = await _read(made, company, limit, prefill_from)
        words = in_words(company, report)
        if report.source_failed:
            raise CommandError(
                f"{prefill_from} could not be read: {report.stopped}; {words}; what it gave is kept, and without "
                "--prefill-from the retailer is asked for the rest"
            )
        if report.stopped is not None:
            raise CommandError(f"stopped, {report.stopped}; {words}", NOT_WANTED)
        return _content(company, report), words

    execute(main(), as_json=as_json)


async def _read(made: Parts, company: str, limit: int | None, prefill_from: str | None) -> Report:
    reader = barcodes_of(made, company)
    elsewhere = None if prefill_from is None else export_of(made, company, prefill_from)
    try:
        async with publishing(made):
            with _watching(company) as watcher:
                return await reader.run(watcher, limit, elsewhere)
    except NoStoreError:
        raise CommandError(
            f"no store of {company} is on record: `splitcart stores discover {company}` finds them"
        ) from None
    except NoListingsError:
        raise CommandError(
            "there are no listings here to complete (the view read.listings): ingest has not run on this database"
        ) from None
    except BusyError:
        raise CommandError(f"another process is reading the barcodes of {company}: it goes on by itself") from None
    except LeaseLostError:
        raise CommandError(f"another process has taken over the barcodes of {company}") from None
    except TRANSIENT as error:
        raise CommandError(f"the database went away ({error}): what was read by then is kept") from None


def _content(company: str, report: Report) -> dict[str, object]:
    return {
        "company": company,
        "store": report.store,
        "done": report.done,
        "left": report.left,
        "resting": report.resting,
        "known": report.known,
        "prefilled": report.prefilled,
        "pages": report.pages,
        "requests": report.requests,
        "findings": {finding.value: report.findings.get(finding, 0) for finding in Finding},
        "published": report.published,
        "again_at": None if report.again_at is None else report.again_at.isoformat(timespec="seconds"),
    }


def in_words(company: str, report: Report) -> str:
    """What a run did, for people."""
    resting = f"; {report.resting} without a barcode were asked for before and rest" if report.resting else ""
    if not report.done and not report.left:
        return f"{company}: no product is to be asked for{resting or ', none lacks a barcode'}"
    findings = ", ".join(f"{count} {finding}" for finding, count in report.findings.items() if count)
    left = f"{report.left} left: the same command goes on with them" if report.left else "none left"
    if report.again_at is not None:
        left += f" from {report.again_at.isoformat(timespec='minutes')} on, as the day's budget is spent"
    return (
        f"{company}: {report.done} of {report.done + report.left} products without a barcode are done; now "
        f"{report.known} known before, {report.prefilled} prefilled, {report.pages} read from pages"
        f"{f' ({findings})' if findings else ''}, {report.published} published; {left}{resting}"
    )


@contextmanager
def _watching(company: str) -> Iterator[Watcher]:
    if not sys.stderr.isatty():
        yield _Silent()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[found]} barcodes"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        progress.console.print(
            f"reading barcodes of {company}; Ctrl-C stops, and the same command goes on from there"
        )
        yield Bar(progress, company)
