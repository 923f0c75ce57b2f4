"""`splitcart`, as a process of its own, or, where starting one adds nothing, its verbs in the test's own loop."""

import asyncio
import json
import sys
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from splitcart_scraper.commands import app, barcodes, canary, judging, scheduling, scraping
from splitcart_scraper.commands.shell import CommandError
from tests.support.loopback import without_network


async def command(*words: str, **environment: str) -> tuple[int, dict[str, object]]:
    """Run `splitcart …`; the exit code and the JSON it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "splitcart_cli",
        *words,
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=None,
        env={**without_network(), **environment},
    )
    try:
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, json.loads(out)


@dataclass(frozen=True, slots=True)
class Said:
    """What a verb said: exit code, JSON, and words for people."""

    code: int
    content: dict[str, object]
    words: str


async def spoken(monkeypatch: pytest.MonkeyPatch, *words: str, **environment: str) -> Said:
    """Run a verb of the scraper in this loop: what it would print, and leave with but for the canary's verdict."""
    found = []
    with monkeypatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        for module in (barcodes, canary, judging, scheduling, scraping):
            patched.setattr(module, "execute", lambda main, as_json: found.append(main))  # noqa: ARG005 - its name
        result = CliRunner().invoke(app, words)
        if not found:
            return Said(result.exit_code, {}, result.output)
        try:
            content, said = await found[0]
        except CommandError as error:
            return Said(error.code, {"error": str(error)}, str(error))
    return Said(0, json.loads(json.dumps(content)), said)
