"""What the verbs answer before they reach for anything."""

import json
import logging
from collections.abc import Iterator
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
