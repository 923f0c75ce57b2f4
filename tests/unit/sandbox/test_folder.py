import json
import os
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path
from typing import Any

import psutil
import pytest

from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.folder import VERSION, Folder, State, home_path
from splitcart_sandbox.processes import MARKER, Recorded

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


def sleeper(**options: Any) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(SLEEP, **options)
    # Between exec and its first instruction a process has no command line.
    while not psutil.Process(process.pid).cmdline():
        time.sleep(0.001)
    return process


def test_the_option_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPLITCART_HOME", raising=False)
    assert home_path() == tmp_path / ".splitcart"
    monkeypatch.setenv("SPLITCART_HOME", str(tmp_path / "there"))
    assert home_path() == tmp_path / "there"
    assert home_path(Path("here")) == tmp_path / "here"


def test_state_survives(tmp_path: Path) -> None:
    folder = Folder.create(tmp_path / "home")
    assert folder.load() == State()
    state = State(ports={"kafka": 1}, children=[Recorded("kafka", 2, 3.5, ("java", "x"))], clock="c")
    folder.save(state)
    assert Folder.create(tmp_path / "home").load() == state


def test_a_damaged_state_file_is_an_empty_state(tmp_path: Path) -> None:
    folder = Folder.create(tmp_path)
    (tmp_path / "state.json").write_text('{"ports": ')
    assert folder.load() == State()


@pytest.mark.parametrize("version", ["splitcart-sandbox 0\n", "splitcart-sandbox 99\n", "something else"])
def test_a_folder_of_another_version_is_left_alone(tmp_path: Path, version: str) -> None:
    (tmp_path / "VERSION").write_text(version)
    (tmp_path / "state.json").write_text("precious")
    for opening in (Folder.create, Folder.existing):
        with pytest.raises(SandboxError, match=r"another version.*nothing in it was changed"):
            opening(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["VERSION", "state.json"]
    assert (tmp_path / "VERSION").read_text() == version
    assert (tmp_path / "state.json").read_text() == "precious"


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(SandboxError, match="not a data folder"):
        Folder.create(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    Folder.create(tmp_path)
    assert (tmp_path / "VERSION").read_text().strip() == VERSION


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**10, 10**10, 5 * 10**8))
    with pytest.raises(SandboxError, match=r"only 0\.5 GB are free"):
        Folder.create(tmp_path / "home")


def test_a_second_holder_is_refused_and_told_who_holds(tmp_path: Path) -> None:
    folder = Folder.create(tmp_path)
    with folder.held():
        assert folder.holder() == psutil.Process()
        with pytest.raises(SandboxError, match=rf"\(pid {os.getpid()}\) already runs"), Folder(tmp_path).held():
            pass
    assert folder.holder() is None
    with folder.held():
        pass


@pytest.mark.parametrize("age", [0.0, 1000.0])
def test_a_stale_lock_is_taken_over(tmp_path: Path, age: float) -> None:
    """What a kill -9 leaves: a pid nobody has any more, or one that another program has by now."""
    folder = Folder.create(tmp_path)
    me = psutil.Process()
    pid = me.pid if age else 2**22 - 1
    lock = {"pid": pid, "created": me.create_time() - age, "argv": me.cmdline()}
    (tmp_path / "lock").write_text(json.dumps(lock))
    assert folder.holder() is None
    with folder.held():
        assert folder.holder() == me


def test_a_recorded_process_is_told_from_a_later_one() -> None:
    process = sleeper()
    try:
        created = psutil.Process(process.pid).create_time()
        recorded = Recorded("x", process.pid, created, SLEEP)
        assert recorded.process() is not None
        assert Recorded("x", process.pid, created - 60, SLEEP).process() is None
        assert Recorded("x", process.pid, created, ("python", "-m", "other")).process() is None
    finally:
        process.kill()
        process.wait()
    assert recorded.process() is None


def test_a_sweep_stops_orphans_and_nothing_else(tmp_path: Path) -> None:
    folder = Folder.create(tmp_path)
    clean = {k: v for k, v in os.environ.items() if k != MARKER}
    recorded = sleeper(env=clean, start_new_session=True)
    marked = sleeper(env={**clean, MARKER: str(tmp_path)}, start_new_session=True)
    foreign = sleeper(env={**clean, MARKER: str(tmp_path / "other")}, start_new_session=True)
    stranger = sleeper(env=clean, start_new_session=True)
    every = (recorded, marked, foreign, stranger)
    try:
        times = {p.pid: psutil.Process(p.pid).create_time() for p in every}
        folder.save(
            State(
                children=[
                    Recorded("recorded", recorded.pid, times[recorded.pid], SLEEP),
                    # The pid of a process that died, now borne by one that is none of ours.
                    Recorded("died", stranger.pid, times[stranger.pid] - 1000, SLEEP),
                ]
            )
        )
        assert len(folder.sweep()) == 2
        assert [p.poll() is None for p in every] == [False, False, True, True]
        assert folder.sweep() == []
    finally:
        for process in every:
            process.kill()
            process.wait()
