"""``splitcart demo``: options to a course, and its end to people or scripts."""

import asyncio
import json
import re
import signal
from pathlib import Path

import typer

from splitcart_sandbox import imports
from splitcart_sandbox.demo.course import Course, speed_of
from splitcart_sandbox.demo.run import demonstrate
from splitcart_sandbox.demo.screen import Screen, print_summary
from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.services import COMPANIES

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, None: 1}


def run(
    *,
    home: Path,
    seconds: str | None,
    speed: float | None,
    companies: str,
    stores: int,
    listings: int,
    seed: int,
    faults: str,
    products: Path | None,
    port: int,
    as_json: bool,
) -> None:
    """Run the demo; SandboxError for options that make no course."""
    known, lasting = _known(companies), None if seconds is None else duration(seconds)
    course = Course(
        home=home,
        seconds=lasting,
        speed=speed_of(lasting) if speed is None else speed,
        companies=known,
        stores=max(1, stores // len(known)),
        listings=listings,
        seed=seed,
        faults=faults,
        port=port,
        imported=imports.variables(products, known),
    )

    async def main() -> None:
        stop = asyncio.Event()
        screen = Screen()
        loop = asyncio.get_running_loop()

        def interrupted() -> None:
            # Once: finish in order. Twice: at once.
            screen.say("ending in order: what is on its way is folded and checked; Ctrl-C again ends at once")
            stop.set()
            for name in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(name)

        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, interrupted)
        with screen:
            summary = await demonstrate(course, screen, stop)
        if as_json:
            typer.echo(json.dumps(summary.content()))
        else:
            print_summary(summary, screen.page)

    asyncio.run(main())


def duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``2m`` or ``1h``; SandboxError for anything else."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise SandboxError(f"--for {text} is no duration: write 90s, 2m or 1h")
    return float(match[1]) * _SECONDS[match[2]]


def _known(companies: str) -> tuple[str, ...]:
    if companies == "all":
        return COMPANIES
    names = tuple(filter(None, companies.replace(" ", "").split(",")))
    unknown = [name for name in names if name not in COMPANIES]
    if unknown or not names:
        raise SandboxError(
            f"there is no simulated {', '.join(unknown) or 'retailer'}: choose from {', '.join(COMPANIES)}, or all"
        )
    return names
