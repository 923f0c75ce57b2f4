"""What `splitcart barcodes` says before it reaches for anything, and what it says at the end."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

from splitcart_scraper.commands import app
from splitcart_scraper.commands.barcodes import Bar, in_words
from splitcart_scraper.domain.barcodes import Finding
from splitcart_scraper.handlers.barcodes import Report
from splitcart_scraper.handlers.prefill import export_address, read_export
from splitcart_scraper.retailers.base import PageError

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A verb sends all logs to its own standard error, which the runner closes behind it."""
    handlers = logging.root.handlers[:]
    yield
    logging.root.handlers[:] = handlers
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_the_help_teaches() -> None:
    result = RUNNER.invoke(app, ["barcodes", "--help"])
    assert result.exit_code == 0
    for word in ("--json", "--dev", "--limit", "--prefill-from", "--base-url", "Ctrl-C", "exit code 3", "90 days"):
        assert word in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("coals",), "there is no retailer 'coals'"),
        (("aldi",), "only coles has a pass"),
        (("coles", "--prefill-from", "nowhere"), "no gateway's address"),
        (("coles", "--limit", "0"), None),
    ],
)
def test_a_wrong_word_is_explained(words: tuple[str, ...], message: str | None) -> None:
    result = RUNNER.invoke(app, ["barcodes", *words, "--base-url", "http://127.0.0.1:9", "--json"])
    assert result.exit_code == 2
    assert message is None or message in json.loads(result.stdout)["error"]


def test_the_words_at_the_end() -> None:
    assert in_words("coles", Report("coles:1")) == "coles: no product is to be asked for, none lacks a barcode"
    resting = in_words("coles", Report("coles:1", resting=3))
    assert resting == "coles: no product is to be asked for; 3 without a barcode were asked for before and rest"
    some = Report("coles:1", done=7, left=2, known=1, prefilled=2, findings={Finding.FOUND: 3, Finding.NONE: 1})
    assert in_words("coles", some) == (
        "coles: 7 of 9 products without a barcode are done; now 1 known before, 2 prefilled, 4 read from pages "
        "(3 found, 1 none), 0 published; 2 left: the same command goes on with them"
    )


def test_the_bar_counts_what_earlier_runs_did() -> None:
    progress = Progress(console=Console(file=io.StringIO()))
    bar = Bar(progress, "coles")
    bar.begun(40, 100)
    bar.done(3, 2)
    (task,) = progress.tasks
    assert (task.completed, task.total, task.fields["found"]) == (43, 100, 2)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://a.example", ("https://a.example", "/api/export/listings/")),
        ("http://a.example:8080/shop/", ("http://a.example:8080", "/shop/api/export/listings/")),
        ("https://a.example/api/export/prices/?own=true", ("https://a.example", "/api/export/prices/?own=true")),
    ],
)
def test_where_an_export_is(url: str, address: tuple[str, str]) -> None:
    assert export_address(url) == address


@pytest.mark.parametrize(
    "body", [b"", b"[", b"7", b'"x"', b"{}", b'{"results":{}}', b"<html></html>", b"[" * 99_999]
)
def test_what_is_no_page_of_an_export(body: bytes) -> None:
    with pytest.raises(PageError):
        read_export(body, "coles", "https://a.example/api/export/listings/")


def test_rows_that_are_no_rows_are_passed_over() -> None:
    rows: list[object] = [
        None,
        7,
        [],
        {},
        {"sku": None, "barcode": "1"},
        {"sku": "7", "barcode": {}},
        {"sku": 8, "barcode": [1]},
    ]
    page = read_export(json.dumps(rows).encode(), "coles", "https://a.example/api/")
    assert page.barcodes == (("8", [1]),)
    assert page.following is None
