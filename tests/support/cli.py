"""`splitcart` as a process of its own, with all it prints: lines of JSON, or text."""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

from tests.support.loopback import without_network


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Each line as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def one(self) -> dict[str, Any]:
        """The only line as JSON."""
        (found,) = self.lines
        return found


async def splitcart(*words: str, seconds: float = 60, **environment: str) -> Ran:
    """Run `splitcart …` to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "splitcart_cli", *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**without_network(), **environment},
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ran(process.returncode or 0, out.decode(), err.decode())
