"""What the verbs print: tables on a terminal, plain lines elsewhere, JSON where asked."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from splitcart_common.clock import ScaledClock
from splitcart_sandbox.folder import State
from splitcart_sandbox.supervisor import State as ProcessState


def progress(text: str) -> None:
    """Tell what is being done, on standard error: standard output is for the result."""
    typer.echo(text, err=True)


def content(state: State, home: Path) -> dict[str, Any]:
    """What `status --json` and `up --json` print of a sandbox that runs."""
    clock = ScaledClock.parse(state.clock) if state.clock else ScaledClock.real()
    return {
        "home": str(home),
        "phase": state.phase,
        "clock": {"now": clock.now().isoformat(), "speed": clock.speed, "setting": str(clock)},
        "addresses": state.addresses,
        "processes": state.statuses,
    }


def print_up(state: State, home: Path) -> None:
    """The processes, the addresses and the clock, for people."""
    shown = content(state, home)
    if state.phase != "up":
        typer.echo(f"the sandbox is {state.phase}")
    rows = [
        (
            process["name"],
            process["state"],
            str(process["pid"] or ""),
            str(process["restarts"]),
            "" if process["exit_code"] is None else str(process["exit_code"]),
            _ago(process["since"]),
            state.addresses.get(process["name"], ""),
        )
        for process in state.statuses
    ]
    heads = ("process", "state", "pid", "restarts", "last exit", "since", "address")
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415 - slow to import, and every verb imports this module
        from rich.table import Table  # noqa: PLC0415

        table = Table(*heads)
        for row in rows:
            good = row[1] == ProcessState.RUNNING
            table.add_row(row[0], f"[{'green' if good else 'red'}]{row[1]}[/]", *row[2:])
        Console().print(table)
    else:
        for row in (heads, *rows):
            typer.echo("\t".join(row))
    given = {row[0] for row in rows}
    for name, address in state.addresses.items():
        if name not in given:
            typer.echo(f"{name}: {address} (not ours)")
    speed = shown["clock"]["speed"]
    now = datetime.fromisoformat(shown["clock"]["now"]).isoformat(timespec="seconds")
    typer.echo(f"virtual time: {now}, {'real time' if speed == 1 else f'{speed:g} times as fast'}")
    typer.echo(f"data folder: {home}")


def _ago(since: str) -> str:
    seconds = int((datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(0, seconds)} s"
