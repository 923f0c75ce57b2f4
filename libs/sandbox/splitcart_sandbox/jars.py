"""The jars of the broker: locked in ``kafka.lock.toml``, fetched once, verified, kept in the user's cache.

The lock holds Maven coordinates, sha256 and size of every jar, and no addresses: where they come from is the
repository that jgo is configured for. A start that finds all of them in the cache (by name and size; the
sha256 was checked when they were put there) reads no network at all.

``python -m splitcart_sandbox.jars`` resolves `COORDINATES` again and rewrites the lock.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import threading
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from splitcart_sandbox.errors import SandboxError

COORDINATES: Final = ("org.apache.kafka:kafka_2.13:4.2.0", "org.slf4j:slf4j-simple:1.7.36")
"""The broker and its log writer. The broker's jar has the storage tool; kafka-tools would add Kafka Connect
(47 more jars), which nothing here uses."""

LOCK: Final = Path(__file__).with_name("kafka.lock.toml")
ATTEMPTS: Final = 3
DOWNLOADS_AT_ONCE: Final = 8

Progress = Callable[[int, int], None]
"""Told how many jars of how many are there."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked jar; `size` in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def file(self) -> str:
        """Its name in the cache."""
        return f"{self.artifact}-{self.version}.jar"


def cache_directory() -> Path:
    """Where this user keeps what can be fetched again: SPLITCART_CACHE, else the platform's cache directory."""
    if chosen := os.environ.get("SPLITCART_CACHE"):
        return Path(chosen).expanduser().resolve()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "splitcart"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "splitcart"


@cache
def locked() -> tuple[Jar, ...]:
    """The jars of the lock, in class path order."""
    return tuple(Jar(**entry) for entry in tomllib.loads(LOCK.read_text())["jar"])


def jar_directory() -> Path:
    """Where the jars of this very lock are; another lock has another directory."""
    digest = hashlib.sha256("".join(jar.sha256 for jar in locked()).encode()).hexdigest()[:12]
    return cache_directory() / f"kafka-{digest}"


def class_path() -> str | None:
    """Java's class path if every jar is in the cache, else None."""
    directory = jar_directory()
    if not all(_there(directory / jar.file, jar.size) for jar in locked()):
        return None
    return os.pathsep.join(str(directory / jar.file) for jar in locked())


def fetch(progress: Progress | None = None, stop: threading.Event | None = None) -> str:
    """Java's class path; the jars that are missing are fetched and verified first. Blocking, for a thread.

    Setting `stop` from another thread ends it soon. SandboxError if it was stopped, or if a jar cannot be
    fetched or is not the one that was locked.
    """
    if (ready := class_path()) is not None:
        return ready
    directory = jar_directory()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        missing = [jar for jar in locked() if not _there(directory / jar.file, jar.size)]
        with (
            tempfile.TemporaryDirectory(dir=directory, prefix=".fetching-") as staging,
            ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
        ):
            fetched = pool.map(lambda jar: _fetch_one(jar, directory, Path(staging), stop), missing)
            for done, _ in enumerate(fetched, len(locked()) - len(missing) + 1):
                if progress:
                    progress(done, len(locked()))
    except OSError as error:
        raise SandboxError(f"cannot write the broker's jars to {directory}: {error}") from error
    ready = class_path()
    if ready is None:
        raise SandboxError(f"the jars in {directory} are not those of {LOCK.name}: make the lock again")
    return ready


def _fetch_one(jar: Jar, directory: Path, staging: Path, stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise SandboxError("stopped while fetching Kafka; what was fetched is kept")
    from jgo.config import GlobalSettings  # noqa: PLC0415 - slow to import, and needed once a machine
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
    from jgo.maven import MavenContext  # noqa: PLC0415

    settings = GlobalSettings.load()
    # A jar in the user's own Maven repository is used, and nothing half-written is ever left there.
    context = MavenContext(
        repo_cache=staging,
        local_repos=[Path(settings.repo_cache)],
        remote_repos={"central": MAVEN_CENTRAL_URL, **settings.repositories},
        timeout=30,
    )
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            path: Path = artifact.resolve()
            if _sha256(path) == jar.sha256:
                break
            error = f"{path} is not the file that was locked: its sha256 is not {jar.sha256}"
        except Exception as caught:  # noqa: BLE001 - jgo raises whatever its HTTP client and file system raise
            error = f"{type(caught).__name__}: {caught}"
        if attempt == ATTEMPTS:
            raise SandboxError(
                f"cannot fetch {jar.group}:{jar.artifact}:{jar.version}, a part of Kafka ({error}). "
                "Check the connection to your Maven repository and try again; once all jars are in "
                f"{directory} no network is needed. Or set SPLITCART_KAFKA_BOOTSTRAP to a broker you have."
            )
        # Half a download, or another file in the user's repository: the next attempt asks the remote one.
        (staging / path_in_repository(jar)).unlink(missing_ok=True)
        context.local_repos.clear()
    partial = staging / f"{jar.file}.verified"
    shutil.copyfile(path, partial)
    partial.replace(directory / jar.file)


def _there(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def path_in_repository(jar: Jar) -> Path:
    """Where a Maven repository keeps the jar."""
    return Path(*jar.group.split("."), jar.artifact, jar.version, jar.file)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def lock() -> None:
    """Resolve `COORDINATES` and write the lock."""
    import jgo  # noqa: PLC0415 - as above

    lines = ["# Made by python -m splitcart_sandbox.jars: coordinates and sha256 of jars, no addresses."]
    for artifact in jgo.resolve("+".join(COORDINATES)):
        content = artifact.resolve().read_bytes()
        lines += [
            "",
            "[[jar]]",
            f'group = "{artifact.groupId}"',
            f'artifact = "{artifact.artifactId}"',
            f'version = "{artifact.version}"',
            f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
            f"size = {len(content)}",
        ]
    LOCK.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    lock()
