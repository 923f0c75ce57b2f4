"""Fetching the broker's jars, from a Maven repository of two jars on the loopback address."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from splitcart_sandbox import jars
from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.jars import Jar

CONTENT = {"one": b"first jar", "two": b"second jar"}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it is called with
        pass


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The repository's folder; jgo is configured for it, and the lock is of its jars."""
    root = tmp_path / "repository"
    lock = []
    for name, content in CONTENT.items():
        jar = Jar("org.example", name, "1.0", hashlib.sha256(content).hexdigest(), len(content))
        lock.append(jar)
        path = root / jars.path_in_repository(jar)
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        path.with_name(f"{path.name}.sha1").write_text(hashlib.sha1(content).hexdigest())
    monkeypatch.setattr(jars, "locked", lambda: tuple(lock))
    monkeypatch.setenv("SPLITCART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("M2_REPO", raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as server:
        (tmp_path / ".jgorc").write_text(f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield root
        server.shutdown()
        thread.join()


def test_jars_are_fetched_once_and_then_need_no_network(repository: Path) -> None:
    told: list[tuple[int, int]] = []
    assert jars.class_path() is None
    path = jars.fetch(lambda done, of: told.append((done, of)))
    assert told == [(1, 2), (2, 2)]
    assert [Path(p).read_bytes() for p in path.split(":")] == list(CONTENT.values())
    for file in repository.rglob("*.jar"):
        file.unlink()
    assert jars.fetch() == path
    assert sorted(p.name for p in jars.jar_directory().iterdir()) == ["one-1.0.jar", "two-1.0.jar"]


@pytest.mark.usefixtures("repository")
def test_half_a_jar_in_the_cache_is_fetched_again() -> None:
    path = Path(jars.fetch().split(":")[0])
    path.write_bytes(CONTENT["one"][:4])
    assert jars.class_path() is None
    jars.fetch()
    assert path.read_bytes() == CONTENT["one"]


def test_another_file_than_the_locked_one_is_refused(repository: Path) -> None:
    for file in repository.rglob("one-1.0.jar"):
        file.write_bytes(b"other jar")
        file.with_name(f"{file.name}.sha1").write_text(hashlib.sha1(b"other jar").hexdigest())
    with pytest.raises(SandboxError, match=r"org.example:one:1.0.*is not the file that was locked"):
        jars.fetch()
    assert jars.class_path() is None


def test_a_jar_that_cannot_be_fetched_says_what_to_do(repository: Path) -> None:
    for file in repository.rglob("two-1.0.jar"):
        file.unlink()
    with pytest.raises(SandboxError, match=r"cannot fetch org.example:two:1.0.*SPLITCART_KAFKA_BOOTSTRAP"):
        jars.fetch()


@pytest.mark.usefixtures("repository")
def test_fetching_can_be_stopped() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(SandboxError, match="stopped while fetching"):
        jars.fetch(stop=stop)


def test_the_lock_names_no_address() -> None:
    text = jars.LOCK.read_text()
    assert "://" not in text
    assert text.count("[[jar]]") == text.count("sha256 = ") > 40
