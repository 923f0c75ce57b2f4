"""The verb `archive restore`: every file checked, then partition after partition into topics that are empty."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
import typer
from aiokafka import AIOKafkaProducer, TopicPartition
from cramjam import DecompressionError, zstd

from splitcart_cli.archive import manifest as manifests
from splitcart_cli.archive.lines import Record, from_line, record_of
from splitcart_cli.archive.manifest import File, Manifest
from splitcart_cli.log.choosing import stream_named
from splitcart_cli.log.streams import STREAMS, Stream
from splitcart_cli.shell import CommandError, counting, execute, log_reader, settings_for
from splitcart_common.kafka import ensure_topics, start_producer
from splitcart_common.reading import LogReader
from splitcart_common.settings import Settings

MOST_IN_FLIGHT: Final = 4
"""Batches of one partition that the broker has not acknowledged yet."""

There = Mapping[TopicPartition, int]
"""How many messages stand in each partition already: the beginning of what is restored."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored. `moved` are the topics whose messages have other offsets than they had."""

    prefix: str
    topics: Mapping[str, int]
    there_before: int
    moved: tuple[str, ...]


def restore(
    folder: Path, topics: Sequence[str], prefix: str | None, *, resume: bool, dev: bool, as_json: bool
) -> None:
    """The verb `archive restore`."""

    async def main() -> None:
        settings = settings_for(dev=dev)
        if prefix is not None:
            settings = Settings(**{**settings.model_dump(), "topic_prefix": prefix})
        _say(await restore_archive(settings, folder, topics, resume=resume), as_json=as_json)

    execute(main(), as_json=as_json)


async def restore_archive(
    settings: Settings, folder: Path, topics: Sequence[str] = (), *, resume: bool = False
) -> Restored:
    """Publish an archive under the settings' prefix; CommandError, and nothing is written, if that cannot be."""
    manifest = _complete(folder)
    streams = _chosen(manifest, topics, settings)
    _check(folder, [file for file in manifest.files if STREAMS[file.topic] in streams])
    async with log_reader(settings) as reader:
        there = await _standing(reader, manifest, settings, streams, resume=resume)
        if resume:
            await _same_so_far(folder, manifest, reader, settings, streams, there)
        records = {stream.topic.name: stream.topic for stream in streams}
        try:
            await ensure_topics(settings.kafka_bootstrap, settings.topic_prefix, records.values())
        except RuntimeError as error:
            raise CommandError(f"{error}; nothing was restored") from None
        await _publish(folder, manifest, settings, streams, there)
    await _verify(manifest, settings, streams)
    return Restored(
        settings.topic_prefix,
        {stream.name: manifest.messages_in(stream.name) for stream in streams},
        sum(there.values()),
        tuple(stream.name for stream in streams if not manifest.keeps_offsets(stream.name)),
    )


def _complete(folder: Path) -> Manifest:
    manifest = manifests.load(folder)
    if manifest is None:
        raise CommandError(f"{folder} is no archive: it has no {manifests.NAME}", 2)
    if manifest.kind != "jsonl":
        raise CommandError(f"{folder} is {manifest.kind}, for analysis: only archives of lines can be restored", 2)
    if manifest.finished_at is None:
        raise CommandError(
            f"{folder} is not complete: the `archive create` that began it goes on with the same options"
        )
    unknown = sorted(manifest.partitions.keys() - STREAMS.keys())
    if unknown:
        raise CommandError(f"{folder} has topics that this release does not know: {', '.join(unknown)}")
    return manifest


def _chosen(manifest: Manifest, topics: Sequence[str], settings: Settings) -> list[Stream]:
    """What is to be restored, each with the number of partitions it had; CommandError where it has another now."""
    streams = []
    for name in topics or manifest.partitions:
        stream = stream_named(name, settings.topic_prefix)
        if stream.name not in manifest.partitions:
            raise CommandError(f"the archive has no {name}: it has {', '.join(manifest.partitions)}", 2)
        had = manifest.partitions[stream.name]
        if had != stream.partitions:
            raise CommandError(
                f"the archive has {had} partitions of {stream.name}, this release {stream.partitions}: those "
                "of one key would not follow each other any more; restore it with the release that wrote it"
            )
        streams.append(stream)
    return streams


def _check(folder: Path, files: Sequence[File]) -> None:
    with counting("checking", sum(file.bytes for file in files)) as done:
        checked = 0
        for file in files:
            manifests.check(folder, file)
            checked += file.bytes
            done(checked)


async def _standing(
    reader: LogReader, manifest: Manifest, settings: Settings, streams: Sequence[Stream], *, resume: bool
) -> There:
    """What stands in the topics; CommandError where that is something and nothing is to be resumed."""
    there: dict[TopicPartition, int] = {}
    for stream in streams:
        name = stream.on_broker(settings.topic_prefix)
        count = reader.partitions.get(name, manifest.partitions[stream.name])
        if count != manifest.partitions[stream.name]:
            raise CommandError(
                f"{name} has {count} partitions, the archive {manifest.partitions[stream.name]}: nothing was "
                "restored. Restore under another prefix (--prefix)"
            )
        for span in await reader.spans([TopicPartition(name, n) for n in range(reader.partitions.get(name, 0))]):
            there[span.where] = span.end
            if span.end and not resume:
                raise CommandError(
                    f"{name} is not empty (partition {span.where.partition} goes to offset {span.end}): nothing "
                    "was restored. Restore under another prefix (--prefix), or, where a restore of this archive "
                    "was interrupted, go on with it (--resume)"
                )
    return there


async def _same_so_far(
    folder: Path,
    manifest: Manifest,
    reader: LogReader,
    settings: Settings,
    streams: Sequence[Stream],
    there: There,
) -> None:
    """Hold what stands there to the archive; CommandError where it is anything but its beginning."""
    places = {
        TopicPartition(stream.on_broker(settings.topic_prefix), n): stream
        for stream in streams
        for n in range(stream.partitions)
    }
    with counting("comparing", sum(there.values())) as done:
        for where, count in there.items():
            other = CommandError(
                f"{where.topic}/{where.partition} holds other messages than the archive: nothing more was "
                "restored. Restore under another prefix (--prefix)"
            )
            (span,) = await reader.spans([where])
            wanted = _records(folder, manifest, places[where].name, where.partition, 0)
            matched = 0
            async for messages in reader.batches([span]):
                for message in messages:
                    record = next(wanted, None)
                    if record is None or msgspec.structs.replace(record, offset=message.offset) != record_of(
                        message
                    ):
                        raise other
                    matched += 1
                done(reader.passed)
            if matched != count:
                raise other


async def _publish(
    folder: Path, manifest: Manifest, settings: Settings, streams: Sequence[Stream], there: There
) -> None:
    producer = await start_producer(settings.kafka_bootstrap, "splitcart-restore")
    try:
        total = sum(manifest.messages_in(stream.name) for stream in streams)
        restored = sum(there.values())
        with counting("restoring", total) as done:

            def count(messages: int) -> None:
                nonlocal restored
                restored += messages
                done(restored)

            for stream in streams:
                for number in range(stream.partitions):
                    where = TopicPartition(stream.on_broker(settings.topic_prefix), number)
                    records = _records(folder, manifest, stream.name, number, there.get(where, 0))
                    await _send(producer, where, records, count)
    finally:
        await producer.stop()


async def _send(
    producer: AIOKafkaProducer, where: TopicPartition, records: Iterator[Record], count: Callable[[int], None]
) -> None:
    """Messages in their order with their own times.

    In batches of our own, as `send` takes no message that has neither key nor value.
    """
    flying: deque[asyncio.Future[object]] = deque()
    batch = producer.create_batch()

    async def flush() -> None:
        count(batch.record_count())
        batch.close()
        flying.append(await producer.send_batch(batch, where.topic, partition=where.partition))
        if len(flying) > MOST_IN_FLIGHT:
            await flying.popleft()

    for record in records:
        fields = {"key": record.key, "value": record.value, "headers": list(record.headers)}
        if batch.append(timestamp=record.timestamp, **fields) is None:
            await flush()
            batch = producer.create_batch()
            batch.append(timestamp=record.timestamp, **fields)
    if batch.record_count():
        await flush()
    await asyncio.gather(*flying)


def _records(folder: Path, manifest: Manifest, topic: str, partition: int, skip: int) -> Iterator[Record]:
    """The messages of a partition but for the first so many, one file in memory at a time."""
    for file in manifest.files_of(topic, partition):
        if skip >= file.messages:
            skip -= file.messages
            continue
        yield from islice(_read(folder, file), skip, None)
        skip = 0


def _read(folder: Path, file: File) -> Iterator[Record]:
    try:
        lines = bytes(zstd.decompress(manifests.path_of(folder, file).read_bytes())).splitlines()
        if len(lines) != file.messages:
            raise CommandError(f"{file.path} is damaged: it has {len(lines)} messages, not {file.messages}")
        yield from map(from_line, lines)
    except (OSError, DecompressionError, ValueError) as error:
        raise CommandError(f"{file.path} is damaged: {error}") from None


async def _verify(manifest: Manifest, settings: Settings, streams: Sequence[Stream]) -> None:
    """Hold the topics to the manifest: as many messages in each partition."""
    async with log_reader(settings) as reader:
        for stream in streams:
            name = stream.on_broker(settings.topic_prefix)
            for span in await reader.spans([TopicPartition(name, n) for n in range(stream.partitions)]):
                wanted = manifest.messages_of(stream.name, span.where.partition)
                if span.end != wanted:
                    raise CommandError(
                        f"{name}/{span.where.partition} now ends at {span.end}, the archive has {wanted} messages "
                        "of it: something else writes there. Restore under another prefix (--prefix)"
                    )


def _say(done: Restored, *, as_json: bool) -> None:
    total = sum(done.topics.values())
    if as_json:
        content = {"prefix": done.prefix, "messages": total, "of_these_there_before": done.there_before}
        typer.echo(msgspec.json.encode(content | {"topics": done.topics, "other_offsets": done.moved}))
        return
    for name, number in done.topics.items():
        if number:
            typer.echo(f"{name}: {number:,} messages")
    typer.echo(f"{total:,} messages restored under {done.prefix}, {done.there_before:,} of them before")
    if done.moved:
        typer.echo(
            f"their offsets are other ones in {', '.join(done.moved)}: an archive of all of a topic that was "
            "never compacted keeps them. Dead letters name the offsets of the log they are from"
        )
