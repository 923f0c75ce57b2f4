"""Rules of the house that a program can check."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for folder in ("services", "libs") for path in ROOT.glob(f"{folder}/*/splitcart_*/**/*.py"))
SQL = sorted(path for folder in ("services", "libs", "deploy") for path in ROOT.glob(f"{folder}/**/*.sql"))

# Each reads the server's clock; \b keeps names such as now_seen out.
CLOCKS = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\("
    r"|\b(current_timestamp|current_date|current_time|localtimestamp|localtime)\b",
    re.IGNORECASE,
)


def test_there_is_something_to_check():
    assert len(MODULES) > 100
    assert len(SQL) >= 6


def test_modules_are_at_most_300_lines():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > 300} == {}


def without_comments(sql: str) -> str:
    return re.sub(r"--.*", "", sql)


def test_the_database_is_never_asked_the_time():
    """Two clocks, and neither is the server's: moments come in as parameters (platform.md)."""
    asked = [path.relative_to(ROOT) for path in SQL if CLOCKS.search(without_comments(path.read_text("utf-8")))]
    assert asked == []


def test_nor_is_it_in_queries_within_the_code():
    texts = {
        path: re.findall(r'"[^"\n]*\b(?:SELECT|INSERT|UPDATE|DELETE|VALUES)\b[^"\n]*"', path.read_text("utf-8"))
        for path in MODULES
    }
    asked = [path.relative_to(ROOT) for path, found in texts.items() if any(map(CLOCKS.search, found))]
    assert asked == []


@pytest.mark.parametrize(
    "sql",
    ["SELECT now()", "DEFAULT CURRENT_TIMESTAMP", "at < Now ( )", "SELECT LOCALTIMESTAMP", "x > current_date - 1"],
)
def test_the_check_finds_a_planted_clock(sql):
    assert CLOCKS.search(without_comments(sql))


@pytest.mark.parametrize("sql", ["-- never now()", "SELECT now_seen FROM t", "SELECT 'unknown'"])
def test_the_check_lets_others_be(sql):
    assert not CLOCKS.search(without_comments(sql))


def test_migrations_are_numbered_and_say_when_they_run():
    for folder in ROOT.glob("*/*/splitcart_*/sql/migrations"):
        names = sorted(path.name for path in folder.iterdir() if path.suffix == ".sql")
        numbers = [int(re.fullmatch(r"(\d{4})_(pre|post)_[a-z0-9_]+\.sql", name).group(1)) for name in names]
        assert numbers == list(range(1, len(names) + 1)), folder
