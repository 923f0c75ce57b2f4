"""What `splitcart dlq` answers before it reaches for anything, and what it says of what it found."""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog
from typer.testing import CliRunner

from splitcart_common.clock import FrozenClock
from splitcart_common.dead_letters import Letter
from splitcart_common.outcomes import Reason
from splitcart_common.topics import PRICE_CHANGED, PRODUCT_OBSERVED, REQUESTS
from splitcart_scraper.commands import app, lettering
from splitcart_scraper.domain.redrive import instead
from splitcart_scraper.handlers.letters import Wanted, judge
from splitcart_scraper.handlers.redrive import Step
from tests.golden import GOLDEN

RUNNER = CliRunner()
AT = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    handlers = logging.root.handlers[:]
    yield
    logging.root.handlers[:] = handlers
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--topic", "catalogue"], "catalogue of any service names no dead letters: there are "),
        (["list", "--topic", "product-observed", "--service", "gateway"], "product-observed of gateway names no"),
        (["diff", "--store", "G452"], "'G452' is not a store key"),
        (["show", "17"], "17 names no dead letters"),
        (["show", "product-observed.ingest.dlq/1/17"], "and a letter is <one of these>/0/17"),
        (["redrive", "--yes", "--dry-run"], "--dry-run and --yes are opposites"),
    ],
)
def test_a_wrong_word_is_explained(words: list[str], said: str) -> None:
    result = RUNNER.invoke(app, ["dlq", *words, "--json"])
    assert result.exit_code == 2
    assert said in json.loads(result.stdout)["error"]


def letter(**fields: object) -> Letter:
    golden = next(one for one in GOLDEN if one.headers["event-type"] == "products-observed")
    given: dict[str, object] = {
        "topic": PRODUCT_OBSERVED, "service": "ingest", "number": 17, "written_at": AT, "partition": 3,
        "offset": 41, "key": b"aldi:G452", "value": golden.value, "headers": golden.wire_headers,
        "reason": "invalid", "error": "old", "service_version": "0.1.0",
    }  # fmt: skip
    return Letter(**(given | fields))  # type: ignore[arg-type] # of the test's own making


CLOCK = FrozenClock(AT)


def test_what_the_code_of_today_says() -> None:
    later = letter(written_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert judge(later, CLOCK).words(later) == "accepted"
    dead = letter(value=b"{", reason="undecodable")
    assert judge(dead, CLOCK).words(dead) == "still dead"
    other = letter(value=b"{", reason="unknown-version")
    assert judge(other, CLOCK).words(other) == "dead for another reason"
    moved = letter(key=b"G452", written_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert judge(moved, CLOCK).dead.reason is Reason.WRONG_KEY  # type: ignore[union-attr] # it is dead
    early = letter(reason="from-the-future", written_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert judge(early, CLOCK).words(early) == "still dead", "that its time has come makes it no truer"


def test_what_is_asked_for() -> None:
    assert Wanted(reason="invalid", store="aldi:G452", since=AT, names=frozenset({letter().name})).has(letter())
    for wanted in (Wanted(reason="wrong-key"), Wanted(store="aldi:G45"), Wanted(names=frozenset({"x"}))):
        assert not wanted.has(letter())
    assert not Wanted(since=datetime(2026, 9, 2, tzinfo=UTC)).has(letter())
    assert Wanted(names=frozenset({letter().name})).sources() == [(PRODUCT_OBSERVED, "ingest")]
    assert {service for _, service in Wanted(topic="stores").sources()} == {"ingest", "grouping"}


def test_hostile_bytes_are_shown_and_not_obeyed() -> None:
    hostile = letter(
        key=b"\x1b[2J\xff", value=b"\x1b]0;x\x07", error="\u202e", headers=[("\x1b", None), ("a", b"\x1b")]
    )
    for text in (
        lettering.line(lettering.content(hostile)),
        lettering.in_full(hostile, judge(hostile, CLOCK), AT),
        lettering.step(Step(hostile, "refused", "\x1b")),
    ):
        assert all(character.isprintable() or character == "\n" for character in text)


def test_what_was_done_in_a_line() -> None:
    assert lettering.summary(Counter({"redrive": 2, "done": 1}), yes=False) == (
        "2 would be brought back, 1 were done before, 0 refused; nothing was done: --yes does it"
    )
    assert (
        lettering.summary(Counter({"say-again": 1}), yes=True) == "1 brought back, 0 were done before, 0 refused"
    )


def test_what_is_not_redriven_says_what_to_do() -> None:
    assert instead(PRICE_CHANGED.name, "grouping", None).startswith("price-changed is derived from other topics")
    assert (
        instead(REQUESTS.name, "ingest", None) == "people say it through the gateway, and may say it again there"
    )
