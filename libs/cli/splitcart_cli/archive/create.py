"""The verb `archive create`: partition after partition to files, and on from there where it was interrupted."""

import hashlib
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import typer
from aiokafka import ConsumerRecord, TopicPartition
from cramjam import zstd

from splitcart_cli.archive import manifest as manifests
from splitcart_cli.archive.lines import Record, record_of, to_lines
from splitcart_cli.archive.manifest import File, Kind, Manifest, Part
from splitcart_cli.log.choosing import Choice, Wish, choose
from splitcart_cli.log.looking import nothing_there
from splitcart_cli.log.seeing import see
from splitcart_cli.log.streams import STREAMS, Stream
from splitcart_cli.shell import CommandError, counting, execute, log_reader, settings_for
from splitcart_common.reading import LogReader, Span
from splitcart_common.settings import Settings

FILE_BYTES: Final = 16 << 20
"""Of lines in a file, before compression: what is held in memory, here and when it is restored."""
LEVEL: Final = 9


def create(folder: Path, wish: Wish, kind: Kind, *, dev: bool, as_json: bool) -> None:
    """The verb `archive create`."""

    async def main() -> None:
        settings = settings_for(dev=dev)
        choice = choose(wish, settings.topic_prefix, settings.clock.now(), tuple(STREAMS.values()))
        async with log_reader(settings) as reader:
            if kind == "parquet":
                from splitcart_cli.archive import parquet  # noqa: PLC0415 - it needs an extra

                done = await parquet.write_all(folder, await begin(folder, wish, choice, kind, reader, settings), reader, choice)
            else:
                done = await _write_all(folder, await begin(folder, wish, choice, kind, reader, settings), reader, choice)
        _say(folder, done, as_json=as_json)

    execute(main(), as_json=as_json)
