"""A sandbox in the background: started detached, and stopped from another process."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil

from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.folder import Folder, State
from splitcart_sandbox.processes import last_lines

START_SECONDS: Final = 300.0
"""Enough to fetch the broker's jars over a slow line."""

STOP_SECONDS: Final = 90.0
"""More than the graces of all its processes together usually take."""


def start(home: Path, options: Sequence[str]) -> State:
    """Run ``up`` with `options` in a session of its own and return its state once everything is ready.

    SandboxError with its last words if it ends before, or is not ready in `START_SECONDS`; in the latter case
    it goes on trying.
    """
    folder = Folder.create(home)
    if (holder := folder.holder()) is not None:
        raise SandboxError(f"a sandbox (pid {holder.pid}) already runs on {home}: see splitcart status")
    log = folder.log("up")
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "splitcart_sandbox", "up", "--home", str(home), *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SandboxError(f"the sandbox did not start:\n{last_lines(log)}")
        holder, state = folder.holder(), folder.load()
        if holder is not None and holder.pid == state.pid == process.pid and state.phase == "up":
            return state
        time.sleep(0.1)
    raise SandboxError(f"the sandbox is not ready after {START_SECONDS:g} s; it goes on trying, see {log}")


def stop(folder: Folder) -> list[str]:
    """Stop the sandbox that holds the folder, and what a crash left behind. What was stopped, in words."""
    stopped = []
    holder = folder.holder()
    if holder is not None:
        try:
            holder.terminate()
            holder.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            holder.kill()
            holder.wait(5)
        except psutil.NoSuchProcess:
            pass
        stopped.append(f"the sandbox (pid {holder.pid})")
    with folder.held():
        stopped += folder.sweep()
        state = folder.load()
        if state.phase != "stopped":
            state.phase, state.children, state.statuses = "stopped", [], []
            folder.save(state)
    return stopped
