"""A retailer's module builds requests and reads bytes: no client, no clock, no chance, no state."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import splitcart_scraper.retailers

MODULES = sorted(Path(splitcart_scraper.retailers.__file__).parent.glob("*.py"))
ALLOWED = (
    "collections", "dataclasses", "datetime", "decimal", "email", "enum", "functools", "hashlib", "html",
    "itertools", "json", "math", "msgspec", "operator", "re", "typing", "urllib.parse", "uuid",
    "splitcart_common.events", "splitcart_common.ids", "splitcart_common.money",
    "splitcart_scraper.domain", "splitcart_scraper.retailers",
)  # fmt: skip


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_it_imports_nothing_that_reaches_out_and_asks_no_clock(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    alien = [name for name in imported(tree) if not any(name == a or name.startswith(f"{a}.") for a in ALLOWED)]
    assert alien == []
    called = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert called & {"now", "utcnow", "today", "uuid4", "uuid1"} == set()
    assert not any(isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.Global) for node in ast.walk(tree))
