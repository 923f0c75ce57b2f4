"""The verbs `events read`, `search` and `tail`: messages as lines, in the order of the broker's times."""

import re
import sys
from collections.abc import AsyncIterator, Callable

import typer
from aiokafka import ConsumerRecord, TopicPartition
from rich.console import Console

from splitcart_cli.log.choosing import Choice, Wish, choose
from splitcart_cli.log.seeing import Seen, as_json, as_line, see
from splitcart_cli.log.streams import Stream
from splitcart_cli.shell import CommandError, counting, execute, log_reader, settings_for
from splitcart_common.reading import LogReader
from splitcart_common.settings import Settings

Show = Callable[[Seen], None]


def read(wish: Wish, limit: int | None, *, dev: bool, as_json: bool) -> None:
    """The verb `events read`."""
    execute(_print(wish, limit, dev=dev, show=_show(as_json=as_json)), as_json=as_json)


def search(text: str, wish: Wish, limit: int | None, *, regex: bool, dev: bool, as_json: bool) -> None:
    """The verb `events search`."""

    async def main() -> None:
        await _print(wish, limit, dev=dev, show=_show(as_json=as_json), pattern=pattern_of(text, regex=regex))

    execute(main(), as_json=as_json)


def tail(wish: Wish, lines: int, limit: int | None, *, dev: bool, as_json: bool) -> None:
    """The verb `events tail`."""

    async def main() -> None:
        settings = settings_for(dev=dev)
        choice = choose(wish, settings.topic_prefix, settings.clock.now())
        show = _show(as_json=as_json)
        async with log_reader(settings) as reader:
            spans = await choice.spans(reader, settings.topic_prefix, settings.clock)
            if not spans:
                raise CommandError(nothing_there(choice, settings))
            starts = {span.where: max(span.start, span.end - lines) for span in spans}
            shown = 0
            async for seen in _wanted(choice, settings, reader.follow(starts)):
                show(seen)
                shown += 1
                if shown == limit:
                    return

    execute(main(), as_json=as_json)


async def _print(
    wish: Wish, limit: int | None, *, dev: bool, show: Show, pattern: re.Pattern[str] | None = None
) -> None:
    async for seen in messages(settings_for(dev=dev), wish, limit, pattern):
        show(seen)


def pattern_of(text: str, *, regex: bool) -> re.Pattern[str]:
    """What is looked for; CommandError where it is no regular expression."""
    try:
        return re.compile(text if regex else re.escape(text), re.IGNORECASE)
    except re.error as error:
        raise CommandError(f"{text!r} is no regular expression: {error}", 2) from None


async def messages(
    settings: Settings, wish: Wish, limit: int | None = None, pattern: re.Pattern[str] | None = None
) -> AsyncIterator[Seen]:
    """What is wished for of what stands in the log now, merged by the broker's times."""
    choice = choose(wish, settings.topic_prefix, settings.clock.now())
    async with log_reader(settings) as reader:
        spans = await choice.spans(reader, settings.topic_prefix, settings.clock)
        if not spans:
            raise CommandError(nothing_there(choice, settings))
        shown = 0
        with counting("reading", sum(span.size for span in spans)) as done:
            async for seen in _wanted(choice, settings, _watched(reader.in_time_order(spans), reader, done)):
                if pattern is None or _found(pattern, seen.record):
                    yield seen
                    shown += 1
                    if shown == limit:
                        return


async def _wanted(
    choice: Choice, settings: Settings, records: AsyncIterator[ConsumerRecord]
) -> AsyncIterator[Seen]:
    """The messages that are wanted, decoded."""
    by_name = {stream.on_broker(settings.topic_prefix): stream for stream in choice.streams}
    async for record in records:
        if choice.may_be(record):
            seen = see(by_name[record.topic], record)
            if choice.wants(seen):
                yield seen


async def _watched(
    records: AsyncIterator[ConsumerRecord], reader: LogReader, done: Callable[[int], None]
) -> AsyncIterator[ConsumerRecord]:
    async for record in records:
        done(reader.passed)
        yield record


def nothing_there(choice: Choice, settings: Settings) -> str:
    """Why there was nothing to read."""
    names = ", ".join(stream.on_broker(settings.topic_prefix) for stream in choice.streams)
    return (
        f"{settings.kafka_bootstrap} has none of the topics {names}: a service makes them when it first starts; "
        "SPLITCART_TOPIC_PREFIX names another prefix"
    )


def where_of(stream: Stream, prefix: str, partition: int) -> TopicPartition:
    """A partition as the broker knows it."""
    return TopicPartition(stream.on_broker(prefix), partition)


def _found(pattern: re.Pattern[str], record: ConsumerRecord) -> bool:
    parts = [record.key, record.value, *(value for _, value in record.headers)]
    return any(part is not None and pattern.search(part.decode(errors="replace")) for part in parts)


def _show(*, as_json: bool) -> Show:
    if as_json:
        return lambda seen: typer.echo(_json(seen))
    if sys.stdout.isatty():
        console = Console(soft_wrap=True)
        return lambda seen: console.print(as_line(seen), highlight=False)
    return lambda seen: typer.echo(as_line(seen).plain)


def _json(seen: Seen) -> bytes:
    return as_json(seen)
