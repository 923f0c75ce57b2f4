"""The simulator as a process, for scrapes of a country whose truth is known."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from splitcart_common.clock import ScaledClock


@contextmanager
def simulating(company: str, clock: ScaledClock, *, stores: int, listings: int, **more: str) -> Iterator[str]:
    """Its address, with one small company in it (or several, comma separated); ends with the block.

    `more` are further settings by the end of their name, as in ``crawl_delay_seconds="2"``.
    """
    variables = {
        "SPLITCART_CLOCK": str(clock),
        "SPLITCART_SIMULATOR_PORT": "0",
        "SPLITCART_SIMULATOR_COMPANIES": company,
        "SPLITCART_SIMULATOR_STORES": str(stores),
        "SPLITCART_SIMULATOR_LISTINGS": str(listings),
        "SPLITCART_SIMULATOR_LATENCY_SECONDS": "0",
        **{f"SPLITCART_SIMULATOR_{name.upper()}": value for name, value in more.items()},
    }
    command = [sys.executable, "-m", "splitcart_sandbox.retailers"]
    process = subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield orjson.loads(process.stdout.readline())["listening"]
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
