"""Progress of a replay: a bar on a terminal, lines elsewhere, lines of JSON where that is asked for."""

import io
import json

import pytest

from splitcart_ingest.commands.shell import Watching


class Terminal(io.StringIO):
    """Somebody looks at it."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_is_a_bar_with_so_many_of_so_many(monkeypatch: pytest.MonkeyPatch):
    seen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", seen)
    with Watching(as_json=False) as watching:
        watching.folded(3, 10)
        watching.folded(10, 10)
    assert "10/10" in seen.getvalue()


def test_elsewhere_it_is_a_line(capsys: pytest.CaptureFixture[str]):
    with Watching(as_json=False) as watching:
        watching.folded(3, 10)
    assert capsys.readouterr().err == "3 of 10 messages, 0 a second\n"


def test_for_scripts_it_is_json_on_standard_output(capsys: pytest.CaptureFixture[str]):
    with Watching(as_json=True) as watching:
        watching.folded(3, 10)
        watching.say("for people")
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == ({"folded": 3, "total": 10, "rate": 0.0, "seconds_left": None}, "")
