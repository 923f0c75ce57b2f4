"""What the verbs answer before they reach for anything."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import structlog
from typer.testing import CliRunner

from splitcart_scraper.commands import app
from splitcart_scraper.commands.scrapes import State
from splitcart_scraper.retailers import RETAILERS
from splitcart_scraper.store.runs import State as RunState

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A verb sends all logs to its own standard error, which the runner closes behind it."""
    handlers = logging.root.handlers[:]
    yield
    logging.root.handlers[:] = handlers
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("scrape", "aldy"), f"there is no retailer 'aldy': there are {', '.join(RETAILERS)}"),
        (
            ("schedule", "explain", "G452"),
            "'G452' is not a store key: expected <company>:<store_id>, like aldi:G452",
        ),
        (("schedule", "flag", "aldy:1"), f"there is no retailer 'aldy': there are {', '.join(RETAILERS)}"),
    ],
)
def test_a_wrong_word_is_explained(words: tuple[str, ...], message: str) -> None:
    result = RUNNER.invoke(app, [*words, "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {"error": message}


def test_the_states_that_are_offered_are_those_there_are() -> None:
    assert [state.value for state in State] == list(get_args(RunState))


def test_a_wrong_id_or_state_is_explained() -> None:
    for verb in ("show", "accept", "reject"):
        result = RUNNER.invoke(app, ["scrapes", verb, "aldi:G1", "--json"])
        assert (result.exit_code, "is no scrape id" in result.stdout) == (2, True)
    assert RUNNER.invoke(app, ["scrapes", "list", "--state", "bad"]).exit_code == 2


def test_no_sandbox_is_explained(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITCART_HOME", str(tmp_path))
    result = RUNNER.invoke(app, ["scrape", "aldi", "--dev", "--json"])
    assert result.exit_code == 1
    assert "splitcart up" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize(
    "verb",
    [
        "scrape",
        "stores discover",
        *(f"schedule {verb}" for verb in ("show", "explain", "policy", "flag", "release")),
        *(f"scrapes {verb}" for verb in ("list", "show", "accept", "reject")),
    ],
)
def test_every_verb_teaches(verb: str) -> None:
    result = RUNNER.invoke(app, [*verb.split(), "--help"])
    assert result.exit_code == 0
    assert "--json" in result.stdout
    assert "--dev" in result.stdout


def test_the_readme_shows_every_verb_at_work() -> None:
    readme = (Path(__file__).parents[3] / "services" / "scraper" / "README.md").read_text("utf-8")
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    verbs = [(command.name or command.callback.__name__, "") for command in app.registered_commands]  # type: ignore[union-attr] # there is one
    verbs += [
        (name or "", verb.name or "") for name, group in groups.items() for verb in group.registered_commands
    ]  # type: ignore[union-attr] # as made here
    assert len(verbs) == 17
    shown = [" ".join(filter(None, verb)) for verb in verbs]
    assert [verb for verb in shown if f"$ splitcart {verb}" not in readme] == []


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"SPLITCART_SCRAPER_BUDGET_PER_DAY": "lots"}, "SPLITCART_SCRAPER_BUDGET_PER_DAY: 'lots' is no budget"),
        (
            {"SPLITCART_SCRAPER_BUDGET_PER_DAY": "igga=5"},
            "SPLITCART_SCRAPER_BUDGET_PER_DAY: there is no retailer 'igga'",
        ),
        (
            {"SPLITCART_SCRAPER_BASE_URL_ALDY": "http://x"},
            "SPLITCART_SCRAPER_BASE_URL: there is no retailer 'aldy'",
        ),
        (
            {"SPLITCART_SCRAPER_WORKERS": "0"},
            "SPLITCART_SCRAPER_WORKERS: Input should be greater than or equal to 1",
        ),
        ({"SPLITCART_SCRAPER_POLICY": "newest"}, "SPLITCART_SCRAPER_POLICY: there is no policy 'newest'"),
    ],
)
def test_a_wrong_setting_is_named_as_it_is_in_the_environment(
    variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = RUNNER.invoke(app, ["schedule", "show", "aldi", "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"].startswith(message)


@pytest.mark.parametrize("address", ["simulator:8090/aldi", "ftp://host", "https://", "aldi"])
def test_a_wrong_address_is_explained(address: str) -> None:
    result = RUNNER.invoke(app, ["scrape", "aldi", "--base-url", address, "--json"])
    assert result.exit_code == 2
    assert f"{address!r} is no address for aldi: expected http(s)://host" in json.loads(result.stdout)["error"]
