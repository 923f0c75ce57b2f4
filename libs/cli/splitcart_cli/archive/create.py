"""The verb `archive create`: partition after partition to files, and on from there where it was interrupted."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import typer
from aiokafka import ConsumerRecord, TopicPartition
from cramjam import zstd

from splitcart_cli.archive import manifest as manifests
from splitcart_cli.archive.lines import record_of, to_lines
from splitcart_cli.archive.manifest import File, Kind, Manifest, Part
from splitcart_cli.log.choosing import Choice, Wish, choose
from splitcart_cli.log.looking import nothing_there
from splitcart_cli.log.seeing import Seen, see
from splitcart_cli.log.streams import STREAMS
from splitcart_cli.shell import CommandError, counting, execute, log_reader, settings_for
from splitcart_common.reading import LogReader, Span
from splitcart_common.settings import Settings

FILE_BYTES: Final = 16 << 20
"""Of values in a file, before compression: what is held in memory, here and when it is restored."""
LEVEL: Final = 6

Written = tuple[File, bytes]
Write = Callable[[Part, Sequence[Seen]], list[Written]]
"""Some messages of a partition as files with their content; what cannot be read may be left out."""


def create(folder: Path, wish: Wish, kind: Kind, *, dev: bool, as_json: bool) -> None:
    """The verb `archive create`."""

    async def main() -> None:
        _say(folder, await write_archive(settings_for(dev=dev), folder, wish, kind), as_json=as_json)

    execute(main(), as_json=as_json)


async def write_archive(settings: Settings, folder: Path, wish: Wish, kind: Kind) -> Manifest:
    """Write what is wished for of what stands in the log now, or go on with it; CommandError if that cannot be."""
    write = _writer(kind)
    choice = choose(wish, settings.topic_prefix, settings.clock.now(), tuple(STREAMS.values()))
    async with log_reader(settings) as reader:
        manifest = await _begin(folder, wish, choice, kind, reader, settings)
        # A resumed one means what it meant when it was begun: "2h ago" is later by now.
        choice = replace(choice, since=manifest.since, until=manifest.until)
        await _write_all(folder, manifest, reader, choice, write)
    return manifest


def _writer(kind: Kind) -> Write:
    if kind == "jsonl":
        return write_lines
    try:
        from splitcart_cli.archive.parquet import write_tables  # noqa: PLC0415 - it needs what few have installed
    except ModuleNotFoundError:
        raise CommandError(
            "parquet needs pyarrow, which is not installed: `pip install splitcart-cli[parquet]`"
        ) from None
    return write_tables


async def _begin(
    folder: Path, wish: Wish, choice: Choice, kind: Kind, reader: LogReader, settings: Settings
) -> Manifest:
    """The manifest of what is to be written: of an archive that was interrupted, or a new one."""
    asked = asdict(wish) | {"kind": kind, "prefix": settings.topic_prefix}
    options = msgspec.json.decode(msgspec.json.encode(asked), type=dict[str, object])
    found = manifests.load(folder)
    if found is not None:
        if found.finished_at is not None:
            raise CommandError(
                f"{folder} is a complete archive of {found.created_at:%Y-%m-%d}: name another folder"
            )
        if found.options != options:
            raise CommandError(
                f"{folder} was begun with other options, {found.options}: give the same to go on, or name another "
                "folder"
            )
        return found
    manifests.check_free(folder)
    spans = await choice.spans(reader, settings.topic_prefix, settings.clock)
    if not spans:
        raise CommandError(nothing_there(choice, settings))
    names = {stream.on_broker(settings.topic_prefix): stream.name for stream in choice.streams}
    manifest = Manifest(
        kind=kind,
        prefix=settings.topic_prefix,
        created_at=datetime.now(UTC),
        options=options,
        since=choice.since,
        until=choice.until,
        partitions={short: reader.partitions[full] for full, short in names.items() if full in reader.partitions},
        parts=[
            Part(
                topic=names[span.where.topic],
                partition=span.where.partition,
                start=span.start,
                end=max(span.start, span.end),
                next=span.start,
            )
            for span in spans
        ],
        files=[],
    )
    manifests.save(folder, manifest)
    return manifest


async def _write_all(folder: Path, manifest: Manifest, reader: LogReader, choice: Choice, write: Write) -> None:
    done_before = sum(part.next - part.start for part in manifest.parts)
    with counting(f"writing {folder}", sum(part.end - part.start for part in manifest.parts)) as done:
        for part in manifest.parts:
            async for next_offset, group in _groups(manifest, part, reader, choice):
                written = write(part, group)
                for file, content in written:
                    manifests.write(folder / file.path, content)
                manifest.files += [file for file, _ in written]
                manifest.unreadable += len(group) - sum(file.messages for file, _ in written)
                part.next = next_offset
                manifests.save(folder, manifest)
                done(done_before + reader.passed)
    manifest.finished_at = datetime.now(UTC)
    manifests.save(folder, manifest)


async def _groups(
    manifest: Manifest, part: Part, reader: LogReader, choice: Choice
) -> AsyncIterator[tuple[int, list[Seen]]]:
    """What is wanted of a partition, in groups of a file's size, each with the offset after it."""
    stream = STREAMS[part.topic]
    where = TopicPartition(stream.on_broker(manifest.prefix), part.partition)
    group: list[Seen] = []
    size = 0
    async for records in reader.batches([Span(where, part.next, part.end)]):
        for record in records:
            if not choice.may_be(record):
                continue
            seen = see(stream, record)
            if not choice.wants(seen):
                continue
            group.append(seen)
            size += _size(record)
            if size >= FILE_BYTES:
                yield record.offset + 1, group
                group, size = [], 0
    if group or part.next < part.end:
        yield part.end, group


def _size(record: ConsumerRecord) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return headers + len(record.key or b"") + len(record.value or b"")


def write_lines(part: Part, group: Sequence[Seen]) -> list[Written]:
    """All of a group in one file of lines (`archive.lines`), compressed with zstd: nothing is lost."""
    if not group:
        return []
    records = [record_of(seen.record) for seen in group]
    content = bytes(zstd.compress(to_lines(records), LEVEL))
    first, last = records[0].offset, records[-1].offset
    path = f"{part.topic}/{part.partition:03d}-{first:020d}.jsonl.zst"
    return [(file_of(part, path, content, len(records), first, last), content)]


def file_of(part: Part, path: str, content: bytes, messages: int, first: int, last: int) -> File:
    """What the manifest says of a file."""
    return File(
        path=path,
        topic=part.topic,
        partition=part.partition,
        messages=messages,
        first_offset=first,
        last_offset=last,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _say(folder: Path, manifest: Manifest, *, as_json: bool) -> None:
    by_topic = {topic: manifest.messages_in(topic) for topic in manifest.partitions}
    size = sum(file.bytes for file in manifest.files)
    if as_json:
        content = {"archive": str(folder), "kind": manifest.kind, "messages": manifest.messages, "bytes": size}
        content |= {"files": len(manifest.files), "topics": by_topic, "unreadable": manifest.unreadable}
        typer.echo(msgspec.json.encode(content))
        return
    for topic, count in by_topic.items():
        if count:
            typer.echo(f"{topic}: {count:,} messages")
    typer.echo(f"{folder}: {manifest.messages:,} messages in {len(manifest.files):,} files, {size / 1e6:,.1f} MB")
    if manifest.unreadable:
        typer.echo(
            f"{manifest.unreadable:,} messages cannot be read and are left out, as {manifest.kind} needs fields"
        )
