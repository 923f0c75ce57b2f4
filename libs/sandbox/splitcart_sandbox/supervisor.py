"""Keeps child processes running: restarts on a crash with back-off, tells what is going on, stops in reverse.

All times here are wall-clock: a back-off protects a machine, not the domain.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.processes import Child, Program, Recorded, last_lines

Report = Callable[[str], None]
"""Told, in a few words for people, what is being done or has happened."""

Probe = Callable[[], Awaitable[bool]]
"""Whether a program does its work yet; it answers within seconds and raises nothing."""

PROBE_SECONDS: Final = 0.05


class State(StrEnum):
    """What a supervised program is doing."""

    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing-off"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after a crash: doubling from `first` to `most` seconds, anew after `healthy` seconds."""

    first: float = 0.5
    most: float = 30.0
    healthy: float = 30.0

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many crashes in a row, 1 or more."""
        return float(min(self.most, self.first * 2 ** min(failures - 1, 30)))


@dataclass(frozen=True, slots=True)
class Status:
    """What one program is doing: `restarts` since the start, the last exit code, the state's wall moment."""

    name: str
    state: State
    pid: int | None
    restarts: int
    exit_code: int | None
    since: datetime
    log: str


async def until(probe: Probe) -> None:
    """Return when the probe says yes; the caller sets the time-out."""
    while not await probe():  # noqa: ASYNC110 - another process gets ready, and no event of ours tells when
        await asyncio.sleep(PROBE_SECONDS)


class _Member:
    """One supervised program: its loop is its task."""

    def __init__(
        self,
        program: Program,
        ready: Probe | None,
        backoff: Backoff,
        changed: Callable[[], None],
        report: Report,
    ) -> None:
        self.program = program
        self.child: Child | None = None
        self.state = State.STARTING
        self.restarts = 0
        self.exits = 0
        self.exit_code: int | None = None
        self.since = datetime.now(UTC)
        self.moved = asyncio.Condition()
        self.restart_asked = False
        self._ready = ready
        self._backoff = backoff
        self._changed = changed
        self._report = report
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(self._run(), name=f"supervise {program.name}")

    async def _move(self, state: State) -> None:
        self.state, self.since = state, datetime.now(UTC)
        self._changed()
        async with self.moved:
            self.moved.notify_all()

    async def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            began = time.monotonic()
            self.child = await Child.start(self.program)
            await self._move(State.STARTING)
            probe = asyncio.create_task(self._watch_ready())
            try:
                self.exit_code = await self.child.wait()
            finally:
                probe.cancel()
                await asyncio.gather(probe, return_exceptions=True)
            self.child = None
            self.exits += 1
            if self._stop.is_set():
                break
            self.restarts += 1
            if self.restart_asked:
                self.restart_asked = False
                continue
            failures = 1 if time.monotonic() - began >= self._backoff.healthy else failures + 1
            delay = self._backoff.delay(failures)
            self._report(
                f"{self.program.name} ended with exit code {self.exit_code}, starting it again in {delay:g} s; "
                f"its log: {self.program.log}"
            )
            await self._move(State.BACKING_OFF)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stop.wait()
        await self._move(State.STOPPED)

    async def _watch_ready(self) -> None:
        if self._ready is not None:
            await until(self._ready)
        await self._move(State.RUNNING)

    async def stop(self) -> None:
        self._stop.set()
        if not self.task.done() and self.child is not None:
            await self._move(State.STOPPING)
        if self.child is not None:
            await self.child.stop()
        await asyncio.gather(self.task, return_exceptions=True)

    def status(self) -> Status:
        pid = self.child.pid if self.child else None
        return Status(
            self.program.name, self.state, pid, self.restarts, self.exit_code, self.since, str(self.program.log)
        )


class Supervisor:
    """Runs programs in the order they are added.

    `on_change` is called after every change of state, `report` is told of crashes; both may be set at any time.

    Use it on the main thread's loop (see `Child.start`).
    """

    def __init__(self, backoff: Backoff | None = None) -> None:
        self._backoff = backoff or Backoff()
        self.on_change: Callable[[], None] = lambda: None
        self.report: Report = lambda _: None
        self._stopped = False
        self._members: dict[str, _Member] = {}

    def add(self, program: Program, ready: Probe | None = None) -> None:
        """Start a program and keep it running.

        ValueError if one of this name is there already, RuntimeError after `stop`.
        """
        if self._stopped:
            raise RuntimeError(f"{program.name} cannot be started: the supervisor has stopped")
        if program.name in self._members:
            raise ValueError(f"{program.name} is supervised already")
        self._members[program.name] = _Member(program, ready, self._backoff, self._changed, self._report)

    def _changed(self) -> None:
        self.on_change()

    def _report(self, text: str) -> None:
        self.report(text)

    async def wait_ready(self, name: str, timeout: float, *, tries: int = 1) -> None:
        """Wait until the program is ready; SandboxError with its last words if it ends `tries` times before.

        SandboxError, too, if it is not ready within `timeout` seconds.
        """
        member = self._members[name]
        until = member.exits + tries

        def over() -> bool:
            return member.state is State.RUNNING or member.exits >= until or member.task.done()

        try:
            async with asyncio.timeout(timeout), member.moved:
                await member.moved.wait_for(over)
        except TimeoutError:
            raise SandboxError(
                f"{name} is not ready after {timeout:g} s; its log {member.program.log} ends:\n"
                f"{last_lines(member.program.log)}"
            ) from None
        if member.state is not State.RUNNING:
            error = member.task.exception() if member.task.done() and not member.task.cancelled() else None
            raise SandboxError(
                f"{name} ended with exit code {member.exit_code} before it was ready; its log "
                f"{member.program.log} ends:\n{last_lines(member.program.log)}"
            ) from error

    def status(self) -> list[Status]:
        """What every program is doing, in the order they were added."""
        return [member.status() for member in self._members.values()]

    def recorded(self) -> list[Recorded]:
        """The processes that run now, as the state file records them."""
        return [member.child.recorded() for member in self._members.values() if member.child is not None]

    async def restart(self, name: str, *, kill: bool = False, timeout: float = 60.0) -> None:
        """Stop (or kill -9) a program and start it again without back-off; returns when it is ready."""
        member = self._members[name]
        if member.child is None:
            raise SandboxError(f"{name} is not running ({member.state})")
        before, member.restart_asked = member.restarts, True
        await (member.child.kill() if kill else member.child.stop())
        async with asyncio.timeout(timeout), member.moved:
            await member.moved.wait_for(lambda: member.restarts > before)
        await self.wait_ready(name, timeout)

    async def remove(self, name: str) -> None:
        """Stop a program for good."""
        await self._members[name].stop()
        del self._members[name]

    async def stop(self) -> None:
        """Stop everything, the last added first; each has its grace, then it is killed. May be repeated."""
        self._stopped = True
        for member in reversed(self._members.values()):
            await member.stop()

    async def kill(self) -> None:
        """Kill everything at once: for the second Ctrl-C."""
        for member in self._members.values():
            member._stop.set()  # noqa: SLF001 - a member is a part of the supervisor
        await asyncio.gather(*(m.child.kill() for m in self._members.values() if m.child is not None))
