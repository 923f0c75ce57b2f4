import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.processes import Program
from splitcart_sandbox.supervisor import Backoff, State, Supervisor

QUICK = Backoff(first=0.05, most=0.2, healthy=0.5)

Make = Callable[..., Program]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def program(name: str, code: str, **options: object) -> Program:
        return Program(name, (sys.executable, "-c", code), tmp_path / f"{name}.log", **options)  # type: ignore[arg-type]

    return program


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    running = Supervisor(backoff=QUICK)
    yield running
    await running.stop()


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - another process fulfils it
            await asyncio.sleep(0.01)


async def test_a_crash_is_followed_by_a_restart_with_back_off(supervisor: Supervisor, make: Make) -> None:
    began = time.monotonic()
    supervisor.add(make("crash", "import sys; print('last words'); sys.exit(3)"))
    seen: list[State] = []
    supervisor.on_change = lambda: seen.append(supervisor.status()[0].state)
    await until(lambda: supervisor.status()[0].restarts >= 3)
    assert supervisor.status()[0].exit_code == 3
    assert time.monotonic() - began >= 0.05 + 0.1
    assert State.BACKING_OFF in seen
    await supervisor.stop()
    assert supervisor.status()[0].state is State.STOPPED
    restarts = supervisor.status()[0].restarts
    await asyncio.sleep(0.3)
    assert supervisor.status()[0].restarts == restarts


async def test_back_off_begins_anew_after_a_healthy_time(supervisor: Supervisor, make: Make) -> None:
    supervisor.add(make("long", "import time; time.sleep(0.6)"))
    pauses = []
    for _ in range(2):
        await until(lambda: supervisor.status()[0].state is State.BACKING_OFF)
        since = time.monotonic()
        await until(lambda: supervisor.status()[0].pid is not None)
        pauses.append(time.monotonic() - since)
    assert max(pauses) < 0.1


async def test_kill_9_of_a_child_is_a_crash(supervisor: Supervisor, make: Make) -> None:
    supervisor.add(make("child", "import time; time.sleep(60)"))
    await until(lambda: supervisor.status()[0].state is State.RUNNING)
    first = supervisor.status()[0].pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: supervisor.status()[0].pid not in (None, first))
    assert supervisor.status()[0].exit_code == -signal.SIGKILL
    assert [recorded.pid for recorded in supervisor.recorded()] == [supervisor.status()[0].pid]


async def test_everything_is_stopped_in_reverse_order(make: Make, tmp_path: Path) -> None:
    code = (
        "import signal, sys, time, pathlib\n"
        f"log = pathlib.Path({str(tmp_path / 'order')!r})\n"
        "def stop(*_):\n    log.open('a').write(sys.argv[1] + ' '); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        f"pathlib.Path({str(tmp_path)!r}, 'ready-' + sys.argv[1]).touch()\n"
        "time.sleep(60)\n"
    )
    supervisor = Supervisor()
    for name in ("first", "second", "third"):
        program = make(name, code)
        supervisor.add(Program(name, (*program.argv, name), program.log))
    await until(lambda: all((tmp_path / f"ready-{n}").exists() for n in ("first", "second", "third")))
    await supervisor.stop()
    assert (tmp_path / "order").read_text().split() == ["third", "second", "first"]
    assert [status.exit_code for status in supervisor.status()] == [0, 0, 0]


async def test_who_does_not_stop_in_time_is_killed_with_its_whole_group(make: Make, tmp_path: Path) -> None:
    code = (
        "import signal, subprocess, sys, time, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(tmp_path / 'child')!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    supervisor = Supervisor()
    supervisor.add(make("deaf", code, grace_seconds=0.2))
    await until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "")
    grandchild = int((tmp_path / "child").read_text())
    await supervisor.stop()
    assert supervisor.status()[0].exit_code == -signal.SIGKILL
    await until(lambda: not alive(grandchild))


async def test_ready_is_waited_for(supervisor: Supervisor, make: Make) -> None:
    ready = asyncio.Event()

    async def probe() -> bool:
        return ready.is_set()

    supervisor.add(make("slow", "import time; time.sleep(60)"), probe)
    with pytest.raises(SandboxError, match=r"slow is not ready after 0\.3 s"):
        await supervisor.wait_ready("slow", 0.3)
    ready.set()
    await supervisor.wait_ready("slow", 5)
    assert supervisor.status()[0].state is State.RUNNING


async def test_who_ends_before_it_is_ready_is_quoted(supervisor: Supervisor, make: Make) -> None:
    async def never() -> bool:
        return False

    supervisor.add(make("broken", "import sys; print('no such setting'); sys.exit(2)"), never)
    with pytest.raises(SandboxError, match=r"broken ended with exit code 2 (?s:.*)no such setting"):
        await supervisor.wait_ready("broken", 10, tries=2)


async def test_a_program_that_is_not_there_is_quoted(supervisor: Supervisor, tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    supervisor.add(Program("nothing", ("/nowhere/at-all",), tmp_path / "nothing.log"), never)
    with pytest.raises(SandboxError, match=r"exit code 127 (?s:.*)cannot start /nowhere/at-all"):
        await supervisor.wait_ready("nothing", 10)


async def test_a_restart_that_is_asked_for_is_at_once(make: Make) -> None:
    supervisor = Supervisor(backoff=Backoff(first=60, most=60))
    try:
        supervisor.add(make("child", "import time; time.sleep(60)"))
        await supervisor.wait_ready("child", 5)
        for kill in (False, True):
            before = supervisor.status()[0].pid
            await supervisor.restart("child", kill=kill, timeout=10)
            assert supervisor.status()[0].pid not in (None, before)
    finally:
        await supervisor.stop()


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start sweeps orphans: see test_folder")
def test_children_do_not_outlive_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys, pathlib\n"
        "from splitcart_sandbox.processes import Program\n"
        "from splitcart_sandbox.supervisor import Supervisor\n"
        "async def main():\n"
        "    supervisor = Supervisor()\n"
        "    for n in '12':\n"
        "        argv = (sys.executable, '-c', 'import time; time.sleep(60)')\n"
        f"        supervisor.add(Program(n, argv, pathlib.Path({str(tmp_path)!r}, n)))\n"
        "        await supervisor.wait_ready(n, 10)\n"
        "    print(*(r.pid for r in supervisor.recorded()), flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        time.sleep(0.3)  # the launcher has made its request by now
        assert len(children) == 2
        assert all(alive(pid) for pid in children)
        parent.kill()
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(alive(pid) for pid in children)
