"""What an archive holds: its manifest, which names every file with its checksum, and the files themselves."""

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from splitcart_cli.shell import CommandError

NAME: Final = "manifest.json"
FORMAT: Final = "splitcart-archive 1"
_READ_BYTES: Final = 1 << 20

Kind = Literal["jsonl", "parquet"]


class File(Struct, frozen=True, kw_only=True):
    """One file: messages of one partition in their order. `path` is within the folder, `bytes` its size there."""

    path: str
    topic: str
    partition: int
    messages: int
    first_offset: int
    last_offset: int
    bytes: int
    sha256: str


class Part(Struct, kw_only=True):
    """One partition's share: the offsets from `start` to before `end`, written as far as `next`."""

    topic: str
    partition: int
    start: int
    end: int
    next: int


class Manifest(Struct, kw_only=True):
    """`options` are those the archive was asked with; `since` and `until` what they meant then."""

    format: str = FORMAT
    kind: Kind
    prefix: str
    created_at: datetime
    options: dict[str, object]
    since: datetime | None
    until: datetime | None
    partitions: dict[str, int]
    parts: list[Part]
    files: list[File]
    unreadable: int = 0
    finished_at: datetime | None = None

    def files_of(self, topic: str, partition: int) -> list[File]:
        """The files of a partition, in order."""
        return [file for file in self.files if (file.topic, file.partition) == (topic, partition)]

    def messages_of(self, topic: str, partition: int) -> int:
        """How many messages of a partition there are."""
        return sum(file.messages for file in self.files_of(topic, partition))

    def messages_in(self, topic: str) -> int:
        """How many messages of a topic there are."""
        return sum(file.messages for file in self.files if file.topic == topic)

    @property
    def messages(self) -> int:
        """How many there are in all."""
        return sum(file.messages for file in self.files)

    def keeps_offsets(self, topic: str) -> bool:
        """Whether messages restored into an empty topic have the offsets they had."""
        for partition in range(self.partitions[topic]):
            files = self.files_of(topic, partition)
            if files and (
                files[0].first_offset > 0 or files[-1].last_offset + 1 != sum(f.messages for f in files)
            ):
                return False
        return True


def load(folder: Path) -> Manifest | None:
    """The manifest of a folder, None where it has none; CommandError where it is not one of ours."""
    try:
        text = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CommandError(f"{folder / NAME} cannot be read: {error}") from None
    try:
        found = msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise CommandError(f"{folder / NAME} is damaged, or no manifest of an archive: {error}") from None
    if found.format != FORMAT:
        raise CommandError(f"{folder} is an archive of another format ({found.format!r}, this is {FORMAT!r})")
    return found


def check_free(folder: Path) -> None:
    """CommandError where a folder is there already and holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CommandError(f"{folder} is there and is no archive: name another folder")


def save(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest; a crash leaves the old one or the new one."""
    write(folder / NAME, msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def write(path: Path, content: bytes) -> None:
    """Put a file in its place in one step, once its bytes are on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def check(folder: Path, file: File) -> None:
    """Hold a file to its size and checksum; CommandError that says what is wrong with it."""
    digest, size = hashlib.sha256(), 0
    try:
        with path_of(folder, file).open("rb") as opened:
            while block := opened.read(_READ_BYTES):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise CommandError(f"{file.path} cannot be read: {error}; nothing was restored") from None
    if size != file.bytes or digest.hexdigest() != file.sha256:
        what = f"it has {size:,} bytes, not {file.bytes:,}" if size != file.bytes else "its checksum is another"
        raise CommandError(
            f"{file.path} is damaged: {what}; nothing was restored. Take another copy of the archive"
        )


def path_of(folder: Path, file: File) -> Path:
    """Where a file is; CommandError for one that is said to be outside of the folder."""
    path = (folder / file.path).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise CommandError(f"{file.path} is outside of the archive: its manifest is not one of ours")
    return path
