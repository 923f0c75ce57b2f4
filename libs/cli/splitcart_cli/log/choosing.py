"""What is read of the log, and what of it is shown: options to partitions, offsets and a test of each message."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from aiokafka import ConsumerRecord, TopicPartition

from splitcart_cli.log.seeing import Seen
from splitcart_cli.log.streams import EVENTS, STREAMS, Stream, stream_of
from splitcart_cli.shell import CommandError
from splitcart_common.admission import FUTURE_LIMIT
from splitcart_common.clock import ScaledClock, earliest_wall
from splitcart_common.events import Event
from splitcart_common.ids import company_of, split_store_key
from splitcart_common.reading import LogReader, Span, partition_of
from splitcart_common.topics import EVENT_TYPES

_AGO = re.compile(r"(\d+)(m|h|d)")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_PARTS: Final = ("listings", "changes", "items", "exceptions")
"""Fields that hold structs with a SKU; those of `_SKUS` hold the SKUs themselves."""
_SKUS: Final = ("skus", "seen", "refused_skus", "differing")
_STORES: Final = ("store", "anchor", "from_anchor", "survivor", "dissolved", "old", "new", "subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The options of a verb as they were given."""

    topics: tuple[str, ...] = ()
    partition: int | None = None
    from_offset: int | None = None
    store: str | None = None
    company: str | None = None
    sku: str | None = None
    scrape: str | None = None
    types: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The streams that are read, and which of their messages are wanted."""

    streams: tuple[Stream, ...]
    partition: int | None
    from_offset: int | None
    store: str | None
    company: str | None
    sku: str | None
    scrape: UUID | None
    types: frozenset[str]
    since: datetime | None
    until: datetime | None

    def may_be(self, record: ConsumerRecord) -> bool:
        """Whether a message is worth decoding: a look at its key, its headers and its bytes."""
        headers = dict(record.headers)
        key, value = record.key or b"", record.value or b""
        if self.types and headers.get("event-type", b"").decode(errors="replace") not in self.types:
            return False
        if self.scrape is not None:
            text = str(self.scrape).encode()
            if text != headers.get("correlation-id") and text not in value:
                return False
        if self.store is not None and self.store.encode() != key and self.store.encode() not in value:
            return False
        if self.sku is not None and self.sku.encode() not in value:
            return False
        return (self.since is None and self.until is None) or self._in_time(headers.get("occurred-at"))

    def wants(self, seen: Seen) -> bool:
        """Whether a message that may be is the one, now that it is decoded."""
        if self.store is not None and seen.key != self.store and self.store not in stores_of(seen.event):
            return False
        if self.company is not None and self.company not in companies_of(seen):
            return False
        return self.sku is None or self.sku in skus_of(seen.event)

    def _in_time(self, header: bytes | None) -> bool:
        try:
            at = datetime.fromisoformat((header or b"").decode())
        except ValueError:
            return False
        if at.tzinfo is None:
            return False
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    async def spans(self, reader: LogReader, prefix: str, clock: ScaledClock) -> list[Span]:
        """Which parts of which partitions can hold what is wanted, as they stand now."""
        places = list(self._places(reader, prefix))
        # What occurred since a moment was published since: virtual times are mapped to the broker's wall time, and
        # one that came so much too early is a dead letter. No upper bound follows: it may be published much later.
        since = None if self.since is None else earliest_wall(clock, self.since - FUTURE_LIMIT)
        spans = await reader.spans(places, since)
        if self.from_offset is None:
            return spans
        return [Span(span.where, max(span.start, self.from_offset), span.end) for span in spans]

    def _places(self, reader: LogReader, prefix: str) -> Iterator[TopicPartition]:
        for stream in self.streams:
            name = stream.on_broker(prefix)
            count = reader.partitions.get(name, 0)
            if self.partition is not None:
                if self.partition >= count:
                    raise CommandError(f"{stream.name} has {count} partitions, from 0 on", 2)
                yield TopicPartition(name, self.partition)
                continue
            for number in _numbers(stream, count, self.store, self.company):
                yield TopicPartition(name, number)


def choose(wish: Wish, prefix: str, now: datetime, default: tuple[Stream, ...] = EVENTS) -> Choice:
    """The options checked, times read; CommandError that says which one is wrong and what it should be."""
    streams = tuple(dict.fromkeys(stream_named(name, prefix) for name in wish.topics)) or default
    if (wish.partition is not None or wish.from_offset is not None) and len(streams) != 1:
        raise CommandError("--partition and --from-offset mean one --topic: name it", 2)
    for kind in wish.types:
        if kind not in EVENT_TYPES:
            raise CommandError(f"there is no event {kind!r}: there are {', '.join(sorted(EVENT_TYPES))}", 2)
    try:
        if wish.store is not None:
            split_store_key(wish.store)
        scrape = None if wish.scrape is None else UUID(wish.scrape)
    except ValueError as error:
        raise CommandError(str(error), 2) from None
    return Choice(
        streams=streams,
        partition=wish.partition,
        from_offset=wish.from_offset,
        store=wish.store,
        company=wish.company,
        sku=wish.sku,
        scrape=scrape,
        types=frozenset(wish.types),
        since=None if wish.since is None else moment(wish.since, now),
        until=None if wish.until is None else moment(wish.until, now),
    )


def stream_named(name: str, prefix: str) -> Stream:
    """The stream of a name; CommandError that names those there are."""
    try:
        return stream_of(name, prefix)
    except KeyError:
        raise CommandError(f"there is no topic {name!r}: there are {', '.join(STREAMS)}", 2) from None


def moment(text: str, now: datetime) -> datetime:
    """A time as it is given to an option: ``2026-09-01``, ``2026-09-01T08:00``, UTC or with a zone; ``2h`` ago."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        try:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            raise CommandError(f"{text!r} is before the beginning of time", 2) from None
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise CommandError(
            f"{text!r} is no time: give one like 2026-09-01, 2026-09-01T08:00+10:00 (UTC unless it says so), or "
            "90m, 2h, 3d for so long ago",
            2,
        ) from None


def _numbers(stream: Stream, partitions: int, store: str | None, company: str | None) -> Iterable[int]:
    """The partitions that can hold what is about a store or a company."""
    key = None
    if stream.service is None and stream.topic.key == "store":
        key = store
    elif stream.service is None and stream.topic.key == "company":
        key = company if store is None else company_of(store)
    return range(partitions) if key is None or not partitions else [partition_of(key, partitions)]


def skus_of(event: Event | None) -> set[str]:
    """Every SKU an event speaks of."""
    found = {getattr(event, "sku", None)}
    for name in _PARTS:
        parts = getattr(event, name, ())
        # The listings of a completed scrape are a number.
        found.update(part.sku for part in (parts if isinstance(parts, tuple) else ()))
    for name in _SKUS:
        found.update(getattr(event, name, ()))
    return {sku for sku in found if sku is not None}


def stores_of(event: Event | None) -> set[str]:
    """Every store an event speaks of."""
    return {named for field in _STORES if isinstance(named := getattr(event, field, None), str)}


def companies_of(seen: Seen) -> set[str]:
    """The companies a message is about, by its key and its event."""
    keys = {seen.key, *stores_of(seen.event)}
    found = {re.split("[:/]", key, maxsplit=1)[0] for key in keys if key}
    named = getattr(seen.event, "company", None)
    return found | {named} if isinstance(named, str) else found
