"""One child process: started in a group of its own, logged to a file, stopped with patience and then without."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import psutil

from splitcart_sandbox.errors import SandboxError

LAUNCHER: Final = str(Path(__file__).with_name("launch.py"))
MARKER: Final = "SPLITCART_SANDBOX_HOME"
"""Environment variable every child bears: the data folder it belongs to, so that an orphan can be told."""

LOG_BYTES: Final = 20_000_000
"""A log larger than this is put aside (`<name>.log.1`) when its process is started again."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `grace_seconds` pass between the stop signal and SIGKILL.

    `death_signal` is what the program gets if the supervisor is killed; `user` is whom root becomes for it.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    grace_seconds: float = 10.0
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A process as written down in the state file; enough to tell it from a later one of the same pid."""

    name: str
    pid: int
    created: float
    argv: tuple[str, ...]

    def process(self) -> psutil.Process | None:
        """The process, if it still runs and really is the one recorded, else None.

        The start times may differ by 2 s, as the kernel's idea of the boot time moves when the clock is set.
        The command line may still be the launcher's, which ends in the program's.
        """
        try:
            process = psutil.Process(self.pid)
            ours = abs(process.create_time() - self.created) < 2 and process.status() != psutil.STATUS_ZOMBIE
            tail = process.cmdline()[-len(self.argv) :]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None
        # argv[0] aside: macOS shows another path there for a framework build of Python.
        return process if ours and tail[1:] == list(self.argv[1:]) else None


class Child:
    """A running process; make one with `Child.start`."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process, created: float) -> None:
        self.program = program
        self._process = process
        self._created = created

    @classmethod
    async def start(cls, program: Program) -> Self:
        """Start the program; SandboxError if even the launcher cannot be started.

        Call it on the main thread's loop: Linux counts the death of the starting *thread* as the parent's.
        """
        program.log.parent.mkdir(parents=True, exist_ok=True)
        _put_aside(program.log)
        launcher = (sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), str(int(program.death_signal)))
        try:
            with program.log.open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    *launcher,
                    program.user or "-",
                    *program.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=asyncio.subprocess.STDOUT,
                    env={**os.environ, **program.env},
                    start_new_session=True,
                )
        except OSError as error:
            raise SandboxError(f"cannot start {program.name}: {error}") from error
        try:
            created = psutil.Process(process.pid).create_time()
        except psutil.NoSuchProcess:
            created = 0.0
        return cls(program, process, created)

    @property
    def pid(self) -> int:
        """Its process id, also its group's and session's."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.returncode

    def recorded(self) -> Recorded:
        """What to write down of it."""
        return Recorded(self.program.name, self.pid, self._created, self.program.argv)

    async def wait(self) -> int:
        """Wait for its end; what it left running in its group is killed. The exit code."""
        code = await self._process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        return code

    async def stop(self) -> int:
        """Ask it to stop, wait for its grace, then kill its whole group. The exit code."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(self.program.stop_signal)
        try:
            async with asyncio.timeout(self.program.grace_seconds):
                return await self.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """Kill its whole group at once. The exit code."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return await self.wait()


async def run_to_end(program: Program) -> int:
    """Run a program that ends by itself; killed if this is cancelled. Its exit code."""
    child = await Child.start(program)
    try:
        return await child.wait()
    except asyncio.CancelledError:
        await child.kill()
        raise


def last_lines(log: Path, lines: int = 15) -> str:
    """The end of a log, indented to stand in an error message."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 20_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return "    (no log)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (the log is empty)"


def _put_aside(log: Path) -> None:
    with contextlib.suppress(OSError):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_name(log.name + ".1"))
