"""The import contracts of pyproject.toml hold, and each of them breaks on a planted violation.

Violations are planted in a copy of the packages; nothing is ever written into the tree.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
LAYERS, ROOMS, PURE = (contract["name"] for contract in LINTER["contracts"])


def lint(folder: Path) -> tuple[int, dict[str, str], str]:
    """Run the linter on the packages of a folder: exit code, verdict by contract, what it said."""
    run = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    options = ("--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo")
    done = subprocess.run(
        [sys.executable, "-c", run, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = dict(re.findall(r"^(.+?) (KEPT|BROKEN)$", done.stdout, re.MULTILINE))
    return done.returncode, verdicts, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages, copied to where they can be spoilt."""
    for package in LINTER["root_packages"]:
        (source,) = ROOT.glob(f"*/*/{package}")
        ignored = shutil.ignore_patterns("__pycache__", "data", "static", "templates", "sql")
        shutil.copytree(source, tmp_path / package, ignore=ignored)
    return tmp_path


def test_every_package_is_linted():
    there = {path.name for path in ROOT.glob("*/*/splitcart_*") if (path / "__init__.py").exists()}
    assert there == set(LINTER["root_packages"])


def test_every_service_is_named_in_every_contract():
    services = {path.name for path in ROOT.glob("services/*/splitcart_*") if (path / "__init__.py").exists()}
    layers, rooms, pure = LINTER["contracts"]
    assert services == set(layers["layers"][2].split(" | "))
    assert services == set(rooms["containers"])
    assert {f"{service}.domain" for service in services} == set(pure["source_modules"])


def test_the_contracts_hold(copy):
    code, verdicts, said = lint(copy)
    assert verdicts == {LAYERS: "KEPT", ROOMS: "KEPT", PURE: "KEPT"}, said
    assert code == 0


# contract -> (file of a package, line planted in it, what the linter has to say of it)
PLANTED = {
    LAYERS: (
        (
            "splitcart_ingest/app.py",
            "import splitcart_scraper.settings",
            "ingest is not allowed to import splitcart_scraper",
        ),
        (
            "splitcart_common/retry.py",
            "import splitcart_gateway.settings",
            "common is not allowed to import splitcart_gateway",
        ),
        (
            "splitcart_scraper/app.py",
            "def late():\n    import splitcart_sandbox.stack",
            "scraper is not allowed to import splitcart_sandbox",
        ),
        (
            "splitcart_cli/__main__.py",
            "import splitcart_sandbox",
            "cli is not allowed to import splitcart_sandbox",
        ),
    ),
    ROOMS: (
        (
            "splitcart_ingest/store.py",
            "import splitcart_ingest.handlers",
            "store is not allowed to import splitcart_ingest.handlers",
        ),
        (
            "splitcart_gateway/routes/stores.py",
            "import splitcart_gateway.app",
            "routes is not allowed to import splitcart_gateway.app",
        ),
        (
            "splitcart_scraper/fetch.py",
            "import splitcart_scraper.commands",
            "fetch is not allowed to import splitcart_scraper.commands",
        ),
    ),
    PURE: (
        (
            "splitcart_ingest/domain/sync.py",
            "import asyncpg",
            "splitcart_ingest.domain is not allowed to import asyncpg",
        ),
        (
            "splitcart_gateway/domain/prices.py",
            "from fastapi import Request",
            "splitcart_gateway.domain is not allowed to import fastapi",
        ),
        (
            "splitcart_scraper/domain/schedule.py",
            "from splitcart_common.clock import Clock",
            "splitcart_scraper.domain is not allowed to import splitcart_common.clock",
        ),
        # Through a helper: what a domain imports may import no client either.
        (
            "splitcart_scraper/domain/listing.py",
            "import splitcart_common.money",
            "splitcart_scraper.domain is not allowed to import httpx",
        ),
        ("splitcart_common/money.py", "import httpx", "splitcart_common.money -> httpx"),
    ),
}


def plant(folder: Path, file: str, line: str) -> None:
    with (folder / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")


@pytest.mark.parametrize("contract", PLANTED)
def test_planted_violations_break_their_contract_and_no_other(copy, contract):
    for file, line, _ in PLANTED[contract]:
        plant(copy, file, line)
    code, verdicts, said = lint(copy)
    assert code == 1
    assert verdicts == {LAYERS: "KEPT", ROOMS: "KEPT", PURE: "KEPT"} | {contract: "BROKEN"}, said
    for _, _, named in PLANTED[contract]:
        assert named in said


@pytest.mark.parametrize("contract", PLANTED)
def test_one_violation_is_enough(copy, contract):
    plant(copy, *PLANTED[contract][0][:2])
    code, verdicts, said = lint(copy)
    assert code == 1
    assert verdicts[contract] == "BROKEN", said
