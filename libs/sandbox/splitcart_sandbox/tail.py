"""The ends of logs, and what is added to them."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.folder import Folder

POLL_SECONDS: Final = 0.2


def read(folder: Folder, name: str | None, *, lines: int, follow: bool) -> Iterator[tuple[str, str]]:
    """(process, line) of the last `lines` of one log or of each, then of what is added if `follow`, for ever.

    SandboxError that names the logs there are if there is none of that name.
    """
    there = {path.stem: path for path in sorted(folder.logs.glob("*.log"))}
    if name is not None and name not in there:
        raise SandboxError(f"there is no log of {name!r}; there are {', '.join(there) or 'none yet'}")
    wanted = {name: there[name]} if name is not None else there
    positions: dict[str, int] = {}
    for process, path in wanted.items():
        with path.open("rb") as file:
            for line in deque(file, maxlen=lines):
                yield process, _text(line)
            positions[process] = file.tell()
    while follow:
        for process, path in wanted.items():
            for line in _added(path, positions, process):
                yield process, _text(line)
        time.sleep(POLL_SECONDS)


def _added(path: Path, positions: dict[str, int], process: str) -> list[bytes]:
    """Whole lines since the last look; from the beginning where the log was put aside."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return []
    if size < positions[process]:
        positions[process] = 0
    if size == positions[process]:
        return []
    with path.open("rb") as file:
        file.seek(positions[process])
        content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    positions[process] += len(whole)
    return whole.splitlines()


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r\n")
