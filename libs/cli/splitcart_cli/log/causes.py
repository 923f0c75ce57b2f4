"""The verb `events show`: one message in full, and what it follows from, back to the scrape it began with."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import typer
from aiokafka import TopicPartition

from splitcart_cli.log.choosing import Choice, Wish, choose, stores_of, stream_named
from splitcart_cli.log.looking import nothing_there
from splitcart_cli.log.seeing import Seen, as_json, as_line, header_text, in_full, printable, see
from splitcart_cli.log.streams import EVENTS, Stream
from splitcart_cli.shell import CommandError, counting, execute, log_reader, settings_for
from splitcart_common.events import ScrapeStarted
from splitcart_common.ids import derived_id
from splitcart_common.reading import LogReader
from splitcart_common.settings import Settings

MOST_CAUSES: Final = 20
"""A chain is three or four long; one that is longer goes round in a circle."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What a message follows from, the nearest cause first; `missing` says what is not in the log."""

    causes: tuple[Seen, ...]
    missing: str | None


def show(what: str, wish: Wish, *, causes: bool, dev: bool, as_json: bool) -> None:
    """The verb `events show`."""

    async def main() -> None:
        seen, chain = await look(settings_for(dev=dev), what, wish, causes=causes)
        if as_json:
            typer.echo(_content(seen, chain))
        else:
            typer.echo(_words(seen, chain))

    execute(main(), as_json=as_json)


async def look(settings: Settings, what: str, wish: Wish, *, causes: bool = True) -> tuple[Seen, Chain]:
    """The message of an event id or a place, and what it follows from; CommandError where there is none."""
    async with log_reader(settings) as reader:
        seen = await _find(reader, settings, what, wish)
        return seen, await _chain(reader, settings, seen) if causes else Chain((), None)


async def _find(reader: LogReader, settings: Settings, what: str, wish: Wish) -> Seen:
    """The message of a place or an event id; CommandError where there is none."""
    if "/" in what:
        return await _at(reader, settings, what)
    try:
        event_id = UUID(what)
    except ValueError:
        raise CommandError(
            f"{what!r} is neither an event id nor a place like product-observed/3/41 (topic, partition, offset)", 2
        ) from None
    choice = choose(wish, settings.topic_prefix, settings.clock.now())
    if not await choice.spans(reader, settings.topic_prefix, settings.clock):
        raise CommandError(nothing_there(choice, settings))
    found = await _by_id(reader, settings, choice, event_id)
    if found is None:
        names = ", ".join(stream.name for stream in choice.streams)
        raise CommandError(f"there is no event {event_id} in {names}; dead letters are looked at with --topic")
    return found


async def _at(reader: LogReader, settings: Settings, place: str) -> Seen:
    name, *numbers = place.split("/")
    stream = stream_named(name, settings.topic_prefix)
    try:
        partition, offset = map(int, numbers)
    except ValueError:
        raise CommandError(
            f"{place!r} is no place: give topic/partition/offset, like product-observed/3/41", 2
        ) from None
    on_broker = stream.on_broker(settings.topic_prefix)
    count = reader.partitions.get(on_broker, 0)
    if not 0 <= partition < count:
        raise CommandError(f"{on_broker} has {count} partitions, from 0 on", 2)
    where = TopicPartition(on_broker, partition)
    record = await reader.one(where, offset)
    if record is None:
        (span,) = await reader.spans([where])
        raise CommandError(
            f"there is no message at {place}: the partition has offsets {span.start} to {span.end - 1}"
        )
    return see(stream, record)


async def _by_id(reader: LogReader, settings: Settings, choice: Choice, event_id: UUID) -> Seen | None:
    """The first message with an event id; a repeat of it says the same."""
    wanted = str(event_id).encode()
    streams = {stream.on_broker(settings.topic_prefix): stream for stream in choice.streams}
    spans = await choice.spans(reader, settings.topic_prefix, settings.clock)
    before = reader.passed
    with counting(f"looking for {event_id}", sum(span.size for span in spans)) as done:
        async for records in reader.batches(spans):
            for record in records:
                if ("event-id", wanted) in record.headers:
                    return see(streams[record.topic], record)
            done(reader.passed - before)
    return None


async def _chain(reader: LogReader, settings: Settings, seen: Seen) -> Chain:
    """Each cause's cause, then the start of the scrape that all of it began with."""
    found: list[Seen] = []
    at = seen
    while at.envelope is not None and len(found) < MOST_CAUSES:
        cause = at.envelope.causation_id
        if cause is None:
            break
        before = await _cause(reader, settings, at, cause)
        if before is None:
            return Chain(tuple(found), f"the cause of it, event {cause}, is not in the log")
        found.append(before)
        at = before
    if at.envelope is not None and not isinstance(at.event, ScrapeStarted) and at.stream.topic.key == "store":
        start = await _cause(reader, settings, at, derived_id(at.envelope.correlation_id, ScrapeStarted.TYPE))
        if start is not None:
            found.append(start)
    return Chain(tuple(found), None)


async def _cause(reader: LogReader, settings: Settings, seen: Seen, cause: UUID) -> Seen | None:
    """A cause of a message, looked for where its producer reads, and since it can have been published."""
    for choice in _where_causes_are(settings, seen):
        found = await _by_id(reader, settings, choice, cause)
        if found is not None:
            return found
    return None


def _where_causes_are(settings: Settings, seen: Seen) -> Iterator[Choice]:
    envelope = seen.envelope
    assert envelope is not None  # noqa: S101 - only what was decoded has a cause
    since = None
    if envelope.correlation_id.version == 7:  # a scrape's id bears the (virtual) moment of its claim
        since = datetime.fromtimestamp((envelope.correlation_id.int >> 80) / 1000, UTC).isoformat()
    named = [seen.key, *sorted(stores_of(seen.event))]
    store = next((name for name in named if ":" in name), None)
    own = Stream(seen.stream.topic)
    heard = [stream for stream in EVENTS if envelope.producer in stream.topic.consumers and stream != own]
    for stream in (*heard, own):
        wish = Wish(topics=(stream.name,), store=store, since=since)
        yield choose(wish, settings.topic_prefix, settings.clock.now())


def _content(seen: Seen, chain: Chain) -> bytes:
    content: dict[str, Any] = {
        "message": msgspec.Raw(as_json(seen, headers=True)),
        "causes": [msgspec.Raw(as_json(cause)) for cause in chain.causes],
        "missing": chain.missing,
    }
    return msgspec.json.encode(content)


def _words(seen: Seen, chain: Chain) -> str:
    lines = [
        f"{seen.place}, published {seen.published_at.isoformat(timespec='seconds')}",
        f"key: {printable(seen.key)}",
    ]
    lines += [f"{printable(name)}: {header_text(value)}" for name, value in seen.record.headers]
    lines += ["", in_full(seen)]
    if seen.problem is not None:
        lines += ["", f"it cannot be read: {printable(str(seen.problem))}"]
    if chain.causes or chain.missing:
        lines += ["", "it follows from:"]
        lines += [f"  {as_line(cause).plain}" for cause in chain.causes]
    if chain.missing:
        lines.append(f"  {chain.missing}")
    return "\n".join(lines)
