"""The data folder: its layout and version, who holds it, what runs for it, and what a crash left behind.

::

    .splitcart/           SPLITCART_HOME or --home put it elsewhere
        VERSION           what kind of folder this is; another version is never touched
        lock              held (flock) while a sandbox runs on it; names the holder
        state.json        ports, child processes, addresses, the virtual clock
        logs/<name>.log   one a process
        kafka/, postgres/ their settings and data
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.processes import MARKER, Recorded

VERSION: Final = "splitcart-sandbox 1"
"""Raised when a folder made before cannot be used any more."""

DEFAULT: Final = ".splitcart"
MINIMUM_FREE_BYTES: Final = 1_000_000_000
STOP_SECONDS: Final = 20.0


@dataclass(slots=True)
class State:
    """What the state file holds.

    `phase` is starting, up, stopping or stopped, as the process `pid` wrote it: where the folder's holder is
    another one, or nobody, that process was killed.

    `clock` is the setting of splitcart_common.clock of the last run, `virtual_at` the virtual moment it reached
    (RFC 3339), `seen_at` the wall moment that was written at; `addresses` what a client is given.
    """

    phase: str = "stopped"
    pid: int = 0
    ports: dict[str, int] = field(default_factory=dict)
    children: list[Recorded] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    clock: str | None = None
    virtual_at: str | None = None
    seen_at: str | None = None


def home_path(option: Path | None = None) -> Path:
    """Where the data folder is: the option, else SPLITCART_HOME, else `.splitcart` in the current directory."""
    chosen = option or (Path(os.environ["SPLITCART_HOME"]) if os.environ.get("SPLITCART_HOME") else Path(DEFAULT))
    return chosen.expanduser().absolute()


class Folder:
    """A data folder of this version; make one with `create` or `existing`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> "Folder":
        """The folder, made if it is not there. SandboxError if it is of another kind, or the disk is full."""
        folder = cls(path)
        try:
            if not folder._check():
                path.mkdir(parents=True, exist_ok=True)
                _replace(path / "VERSION", VERSION + "\n")
            folder.logs.mkdir(exist_ok=True)
        except OSError as error:
            raise SandboxError(f"the data folder {path} cannot be made: {error}") from error
        free = shutil.disk_usage(path).free
        if free < MINIMUM_FREE_BYTES:
            raise SandboxError(
                f"only {free / 1e9:.1f} GB are free where {path} is, and the sandbox needs at least "
                f"{MINIMUM_FREE_BYTES / 1e9:.0f} GB: make room, or put the folder elsewhere (--home)"
            )
        return folder

    @classmethod
    def existing(cls, path: Path) -> "Folder | None":
        """The folder, or None if there is none. SandboxError if it is of another kind."""
        folder = cls(path)
        return folder if folder._check() else None

    @property
    def logs(self) -> Path:
        """Where the logs are."""
        return self.path / "logs"

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.logs / f"{name}.log"

    def _check(self) -> bool:
        if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
            return False
        try:
            found = (self.path / "VERSION").read_text().strip()
        except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
            raise SandboxError(
                f"{self.path} is not a data folder of SplitCart; nothing in it was changed. "
                "Name another one (--home, or SPLITCART_HOME)"
            ) from None
        if found != VERSION:
            raise SandboxError(
                f"{self.path} is a data folder of another version ({found!r}, this is {VERSION!r}); nothing in it "
                "was changed. Use the version of SplitCart that made it, or name another folder (--home)"
            )
        return True

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for this process alone. SandboxError that names the holder if there is one.

        The kernel ends the hold with the process, so a lock that a kill -9 left behind holds nobody up; pid and
        start time are in the file so that `down` and `status` can find the holder.
        """
        path = self.path / "lock"
        with path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = self.holder()
                who = f" (pid {holder.pid})" if holder else ""
                raise SandboxError(
                    f"a sandbox{who} already runs on {self.path}: "
                    "see splitcart status, or stop it with splitcart down"
                ) from None
            me = psutil.Process()
            file.truncate(0)
            file.write(json.dumps({"pid": me.pid, "created": me.create_time(), "argv": sys.orig_argv}))
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)

    def holder(self) -> psutil.Process | None:
        """The process that holds the folder, or None."""
        try:
            entry = json.loads((self.path / "lock").read_text())
            recorded = Recorded("sandbox", int(entry["pid"]), float(entry["created"]), tuple(entry["argv"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return recorded.process()

    def load(self) -> State:
        """What the state file says; an empty state if there is none or it cannot be read."""
        try:
            content = json.loads((self.path / "state.json").read_text())
            content["children"] = [Recorded(**{**c, "argv": tuple(c["argv"])}) for c in content["children"]]
            return State(**content)
        except (OSError, ValueError, KeyError, TypeError):
            return State()

    def save(self, state: State) -> None:
        """Write the state file, whole or not at all."""
        _replace(self.path / "state.json", json.dumps(asdict(state), indent=1))

    def orphans(self) -> list[psutil.Process]:
        """Processes that were started for this folder and still run.

        Those of the state file whose start time and command line are still theirs, and whatever bears this
        folder's mark in its environment (what a child started itself). Call it only while holding the folder,
        or when nobody does.
        """
        found = {p.pid: p for child in self.load().children if (p := child.process()) is not None}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(MARKER) == str(self.path) and process.status() != psutil.STATUS_ZOMBIE:
                    found.setdefault(process.pid, process)
        mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        return [process for pid, process in found.items() if pid not in mine]

    def sweep(self, seconds: float = STOP_SECONDS) -> list[str]:
        """Stop every orphan: asked first, SIGKILL to what is left after `seconds`. What was stopped, in words."""
        orphans = self.orphans()
        words = []
        for process in orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                words.append(f"{process.name()} (pid {process.pid})")
                # SIGTERM would have Postgres wait for its clients; SIGINT is its fast shutdown.
                process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
        _, left = psutil.wait_procs(orphans, seconds)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, 5)
        return words

    def delete(self) -> None:
        """Remove the folder and everything in it."""
        shutil.rmtree(self.path)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)
