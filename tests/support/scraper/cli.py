"""`splitcart` as a process of its own."""

import asyncio
import json
import sys

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
        async with asyncio.timeout(20):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, json.loads(out)
