"""One sandbox lived through from the outside: up, refused twice, killed, up again, down, reset."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from splitcart_sandbox.commands import app
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.ports import is_free

pytestmark = pytest.mark.stack

SPEED = 14400


def splitcart(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a verb: `up` as a process of its own, the others in this one."""
    # A small country; an own broker and server whatever the run of the tests uses.
    outside = ("SPLITCART_KAFKA_BOOTSTRAP", "SPLITCART_POSTGRES_DSN")
    env = {k: v for k, v in os.environ.items() if k not in outside} | {"SPLITCART_SIMULATOR_STORES": "3"}
    argv = [sys.executable, "-m", "splitcart_sandbox", *words, "--home", str(home)]
    if words[0] != "up":
        done = CliRunner().invoke(app, argv[3:])
        return subprocess.CompletedProcess(argv, done.exit_code, done.stdout, done.stderr)
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


def answer(*words: str, home: Path, code: int = 0) -> dict[str, Any]:
    done = splitcart(*words, "--json", home=home)
    assert done.returncode == code, done.stdout + done.stderr
    content = json.loads(done.stdout)
    assert isinstance(content, dict)
    return content


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def home(tmp_path: Path) -> Any:
    path = tmp_path / "home"
    yield path
    if path.exists():
        splitcart("down", home=path)


def test_a_sandbox_lives_through_a_kill(home: Path) -> None:
    up = ("up", "--detach", "--services", "simulator")
    first = answer(*up, "--speed", str(SPEED), "--start", "2026-09-01", home=home)
    assert [process["name"] for process in first["processes"]][-1] == "simulator"
    assert {process["state"] for process in first["processes"]} == {"running"}
    assert datetime.fromisoformat(first["clock"]["now"]) - datetime.fromisoformat(
        "2026-09-01T00:00:00+00:00"
    ) < timedelta(seconds=60 * SPEED)

    assert "already runs" in answer("up", "--services", "none", home=home, code=1)["error"]
    assert "already runs" in answer("reset", "--yes", home=home, code=1)["error"]
    shown = splitcart("status", home=home)
    assert shown.returncode == 0
    assert "simulator\trunning" in shown.stdout
    lines = splitcart("logs", "simulator", "--json", home=home).stdout.splitlines()
    assert json.loads(lines[-1])["process"] == "simulator"
    assert "there are kafka, postgres" in answer("logs", "nobody", home=home, code=1)["error"]

    folder = Folder(home)
    holder = folder.holder()
    assert holder is not None
    children = [process["pid"] for process in first["processes"]]
    holder.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 15
    while any(map(alive, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, children))
    assert answer("status", home=home, code=3)["orphans"] == []
    assert all(is_free(port) for port in folder.load().ports.values())

    second = answer(*up, home=home)
    assert second["addresses"] == first["addresses"]
    assert second["clock"]["speed"] == SPEED
    assert second["clock"]["now"] > first["clock"]["now"]
    assert not {process["pid"] for process in second["processes"]} & set(children)
    assert all(alive(process["pid"]) for process in second["processes"])

    stopped = answer("down", home=home)
    assert len(stopped["stopped"]) == 1
    assert not any(alive(process["pid"]) for process in second["processes"])
    assert answer("down", home=home)["stopped"] == []
    assert splitcart("reset", home=home).returncode == 1
    assert home.exists()
    assert answer("reset", "--yes", home=home)["deleted"]
    assert not home.exists()


def test_ctrl_c_while_it_starts_leaves_nothing_running(home: Path) -> None:
    argv = [sys.executable, "-m", "splitcart_sandbox", "up", "--services", "none", "--home", str(home)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "starting Kafka" not in process.stderr.readline():
            pass
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert Folder(home).orphans() == []
    assert Folder(home).load().phase == "stopped"


def test_a_port_that_is_taken_is_named(home: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        done = splitcart("up", "--services", "none", "--kafka-port", str(port), home=home)
    assert done.returncode == 1
    assert f"port {port}, asked for kafka, is taken" in done.stderr
    assert "Traceback" not in done.stderr
    assert Folder(home).orphans() == []


def test_a_folder_of_another_version_is_left_alone(home: Path) -> None:
    home.mkdir()
    (home / "VERSION").write_text("splitcart-sandbox 0\n")
    for verb in (("up",), ("status",), ("down",), ("logs",), ("reset", "--yes")):
        assert "another version" in answer(*verb, home=home, code=1)["error"]
    assert [path.name for path in home.iterdir()] == ["VERSION"]
    (home / "VERSION").unlink()


def test_nothing_to_show_is_said(home: Path) -> None:
    assert splitcart("status", home=home).returncode == 3
    assert answer("down", home=home)["stopped"] == []
    assert answer("reset", "--yes", home=home) == {"home": str(home), "deleted": False}
    assert "no data folder" in answer("logs", home=home, code=1)["error"]
    assert "no service is called" in answer("up", "--services", "x", home=home, code=1)["error"]
    assert not home.exists()
