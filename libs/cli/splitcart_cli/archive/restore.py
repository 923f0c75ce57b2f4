"""The verb `archive restore`: every file checked, then partition after partition into topics that are empty."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

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
from splitcart_common.kafka import UNAVAILABLE, ensure_topics, start_producer
from splitcart_common.reading import LogReader, Span
from splitcart_common.settings import Settings

MOST_IN_FLIGHT: Final = 4
"""Batches of one partition that the broker has not acknowledged yet."""


def restore(folder: Path, topics: tuple[str, ...], *, resume: bool, dev: bool, as_json: bool) -> None:
    """The verb `archive restore`."""

    async def main() -> None:
        settings = settings_for(dev=dev)
        manifest = _complete(folder)
        streams = _chosen(manifest, topics, settings)
        for stream in streams:
            if manifest.partitions[stream.name] != stream.partitions:
                raise CommandError(
                    f"the archive has {manifest.partitions[stream.name]} partitions of {stream.name}, this release "
                    f"{stream.partitions}: the order of a store's past would be another"
                )
        files = [file for file in manifest.files if STREAMS[file.topic] in streams]
        with counting("checking", sum(file.bytes for file in files)) as done:
            checked = 0
            for file in files:
                manifests.check(folder, file)
                checked += file.bytes
                done(checked)
        async with log_reader(settings) as reader:
            there = await _standing(reader, settings, streams, resume=resume)
            for stream in streams:
                await _same_so_far(folder, manifest, reader, settings, stream, there)
            await _prepare(settings, streams)
            await _publish(folder, manifest, settings, streams, there)
        await _verify(manifest, settings, streams)
        _say(folder, manifest, streams, settings, as_json=as_json)

    execute(main(), as_json=as_json)
