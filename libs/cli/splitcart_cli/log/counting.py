"""The verb `events stats`: how much stands in the log, of what, from when to when."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import typer
from aiokafka import ConsumerRecord
from rich.console import Console
from rich.table import Table

from splitcart_cli.log.choosing import Choice, Wish, choose
from splitcart_cli.log.looking import nothing_there
from splitcart_cli.log.seeing import printable, see
from splitcart_cli.log.streams import Stream
from splitcart_cli.shell import CommandError, counting, execute, log_reader, settings_for
from splitcart_common.settings import Settings


@dataclass(slots=True)
class Count:
    """What was found of one type of one company in one topic. `bytes` are those of the values, before compression.

    The first and the last time each by when it occurred (virtual) and when the broker had it (wall).
    """

    messages: int = 0
    bytes: int = 0
    largest: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    first_published_at: datetime | None = None
    last_published_at: datetime | None = None

    def add(self, record: ConsumerRecord) -> None:
        """One message more."""
        size = len(record.value or b"")
        self.messages += 1
        self.bytes += size
        self.largest = max(self.largest, size)
        published_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        self.first_published_at = min(self.first_published_at or published_at, published_at)
        self.last_published_at = max(self.last_published_at or published_at, published_at)
        occurred_at = _occurred_at(record)
        if occurred_at is not None:
            self.first_at = min(self.first_at or occurred_at, occurred_at)
            self.last_at = max(self.last_at or occurred_at, occurred_at)

    @property
    def per_hour(self) -> float | None:
        """Messages an hour of the time in which they occurred; None where that is no time."""
        if self.first_at is None or self.last_at is None or self.first_at == self.last_at:
            return None
        return round(self.messages * 3600 / (self.last_at - self.first_at).total_seconds(), 3)


Counts = dict[tuple[str, str, str], Count]
"""By topic, type and company."""


def stats(wish: Wish, *, dev: bool, as_json: bool) -> None:
    """The verb `events stats`."""

    async def main() -> None:
        _say(await count(settings_for(dev=dev), wish), as_json=as_json)

    execute(main(), as_json=as_json)


async def count(settings: Settings, wish: Wish) -> Counts:
    """What is wished for of what stands in the log now, counted."""
    choice = choose(wish, settings.topic_prefix, settings.clock.now())
    by_name = {stream.on_broker(settings.topic_prefix): stream for stream in choice.streams}
    counts: Counts = {}
    async with log_reader(settings) as reader:
        spans = await choice.spans(reader, settings.topic_prefix, settings.clock)
        if not spans:
            raise CommandError(nothing_there(choice, settings))
        with counting("counting", sum(span.size for span in spans)) as done:
            async for records in reader.batches(spans):
                _add(counts, by_name[records[0].topic], records, choice)
                done(reader.passed)
    return counts


def _add(counts: Counts, stream: Stream, records: Iterable[ConsumerRecord], choice: Choice) -> None:
    # Only where it matters what they say are they decoded: headers are read ten times as fast.
    exact = choice.store is not None or choice.company is not None or choice.sku is not None
    for record in records:
        if choice.may_be(record) and (not exact or choice.wants(see(stream, record))):
            headers = dict(record.headers)
            kind = (headers.get("event-type") or b"(no type)").decode(errors="backslashreplace")
            key = (record.key or b"").decode(errors="backslashreplace")
            company = re.split("[:/]", key, maxsplit=1)[0]
            counts.setdefault((stream.name, kind, company), Count()).add(record)


def _occurred_at(record: ConsumerRecord) -> datetime | None:
    try:
        at = datetime.fromisoformat((dict(record.headers).get("occurred-at") or b"").decode())
        return None if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _say(counts: Counts, *, as_json: bool) -> None:
    rows = sorted(counts.items())
    if as_json:
        for (topic, kind, company), count in rows:
            content = {"topic": topic, "type": kind, "company": company, "per_hour": count.per_hour}
            typer.echo(msgspec.json.encode(content | msgspec.to_builtins(count)))
        return
    table = Table(
        "topic", "type", "company", "messages", "an hour", "kB", "kB each", "first", "last",
        title="by when they occurred",
    )  # fmt: skip
    for (topic, kind, company), count in rows:
        table.add_row(
            topic,
            printable(kind),
            printable(company),
            f"{count.messages:,}",
            "" if count.per_hour is None else f"{count.per_hour:,.1f}",
            f"{count.bytes / 1000:,.0f}",
            f"{count.bytes / 1000 / count.messages:,.1f}",
            _short(count.first_at),
            _short(count.last_at),
        )
    total = sum(count.messages for _, count in rows)
    table.add_section()
    table.add_row("all", "", "", f"{total:,}", "", f"{sum(count.bytes for _, count in rows) / 1000:,.0f}")
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _short(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"
