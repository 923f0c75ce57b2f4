"""Bring dead letters back: what a scrape has lost as a scrape of its own, other messages said again.

Nothing here repairs the past: the log keeps the dead offsets, and what is appended says now what they could not
say then. A letter is brought back once; what is not brought back says what to do instead.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from aiokafka import ConsumerRecord, TopicPartition

from splitcart_common.clock import Clock
from splitcart_common.codec import DecodeError, decode
from splitcart_common.dead_letters import Letter, LetterError
from splitcart_common.events import BarcodesObserved, ProductsObserved, ScrapeStarted
from splitcart_common.ids import scrape_id
from splitcart_common.postgres import Pool
from splitcart_common.reading import LogReader, Span
from splitcart_common.topics import PRODUCT_OBSERVED, STORES
from splitcart_scraper.domain.redrive import UNKNOWN_PARSER, Lost, each_batch_once, instead, run_of
from splitcart_scraper.handlers.letters import Verdict, fetch, judge, without_value
from splitcart_scraper.store import judged, redrives
from splitcart_scraper.store.redrives import DoneError, NotRedrivenError, Place

Action = Literal["redrive", "say-again", "done", "refused"]


@dataclass(frozen=True, slots=True)
class Step:
    """What was done with a letter, or would be. `scrape_id` is the scrape it became, where it became one."""

    letter: Letter
    action: Action
    why: str
    scrape_id: UUID | None = None


@dataclass(slots=True)
class Group:
    """What is to be brought back of one scrape: letters of batches, and of its start.

    `ignored` are the offsets of batches that can be read and were not folded, as their start could not be.
    """

    store: str
    scrape: UUID
    partition: int
    began_at: datetime
    parser_version: str
    batches: list[Letter] = field(default_factory=list)
    starts: list[Letter] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)
    refused: str | None = None

    @property
    def letters(self) -> list[Letter]:
        """All of them."""
        return [*self.starts, *self.batches]

    @property
    def first(self) -> int:
        """Where the first of them stood."""
        return min(letter.offset for letter in self.letters)


@dataclass(slots=True)
class Redriver:
    """What it takes to bring letters back."""

    pool: Pool
    clock: Clock
    prefix: str
    reader: LogReader
    entropy: Callable[[int], bytes]

    async def run(self, found: AsyncIterator[Letter | LetterError], *, act: bool) -> list[Step]:
        """A step for each letter, in their order; with `act` it is done, else it is what would be done."""
        done = await redrives.redriven(self.pool)
        groups: dict[tuple[str, UUID], Group] = {}
        seen: set[Place] = set()
        alone: list[tuple[Letter, Verdict]] = []
        steps: list[Step] = []
        async for letter in found:
            if isinstance(letter, LetterError):
                continue
            verdict = judge(letter, self.clock)
            before = done.get(place_of(letter))
            if place_of(letter) in seen:  # a relay that was killed says it twice
                steps.append(Step(without_value(letter), "done", "another letter is of the same message"))
            elif before is not None:
                steps.append(Step(without_value(letter), "done", _done(before), before.scrape_id))
            elif verdict.dead is not None:
                why = f"{verdict.words(letter)}: {verdict.dead.reason}: {verdict.dead.error}"
                steps.append(Step(without_value(letter), "refused", why))
            elif isinstance(verdict.event, ProductsObserved | ScrapeStarted):
                await self._add(groups, without_value(letter), verdict.event)
            else:
                alone.append((letter, verdict))
            seen.add(place_of(letter))
        for letter, verdict in alone:
            steps.append(await self._alone(letter, verdict, act=act))
        for partition in sorted({group.partition for group in groups.values()}):
            await self._survey(partition, [group for group in groups.values() if group.partition == partition])
        for group in sorted(groups.values(), key=lambda group: (group.partition, group.first)):
            steps += await self._bring_back(group, act=act)
        return sorted(steps, key=lambda step: (step.letter.topic.name, step.letter.service, step.letter.number))

    async def _add(
        self, groups: dict[tuple[str, UUID], Group], letter: Letter, event: ProductsObserved | ScrapeStarted
    ) -> None:
        store = (letter.key or b"").decode()
        group = groups.get((store, event.scrape_id))
        if group is None:
            known = await judged.record(self.pool, event.scrape_id)
            began_at = _claimed_at(event.scrape_id, letter) if known is None else known.run.started_at
            parser = UNKNOWN_PARSER if known is None else known.run.parser_version
            group = Group(store, event.scrape_id, letter.partition, began_at, parser)
            groups[store, event.scrape_id] = group
        if isinstance(event, ScrapeStarted):
            group.parser_version = event.parser_version
            group.starts.append(letter)
        else:
            group.batches.append(letter)

    async def _survey(self, partition: int, groups: Sequence[Group]) -> None:
        """Look at what follows the letters of a partition: later scrapes, and batches whose start was dead."""
        where = TopicPartition(PRODUCT_OBSERVED.on_broker(self.prefix), partition)
        by_key: dict[bytes | None, list[Group]] = {}
        for group in groups:
            by_key.setdefault(group.store.encode(), []).append(group)
        own = {group.scrape: await redrives.redrives_of(self.pool, group.scrape) for group in groups}
        for span in await self.reader.spans([where]):
            start = max(span.start, min(group.first for group in groups) + 1)
            async for records in self.reader.batches([Span(where, start, span.end)]):
                for record in records:
                    for group in by_key.get(record.key, ()):
                        if record.offset > group.first:
                            _heed(group, record, own[group.scrape])
                if all(group.refused for group in groups):
                    return

    async def _bring_back(self, group: Group, *, act: bool) -> list[Step]:
        scrape = None
        try:
            lost = await self._lost(group)
            now = self.clock.now()
            run = run_of(scrape_id(now, self.entropy(10)), group.store, group.parser_version, lost)
            await redrives.check(self.pool, group.store, group.scrape, group.began_at)
            if act:
                places = [place_of(letter) for letter in group.letters]
                await redrives.publish(
                    self.pool, run, lost, places, group.scrape, group.began_at, now, self.prefix
                )
                scrape = run.scrape_id
        except NotRedrivenError as error:
            return [Step(letter, "refused", str(error)) for letter in group.letters]
        except DoneError:
            return [Step(letter, "done", "brought back by somebody else just now") for letter in group.letters]
        listings = sum(len(one.observed.listings) for one in lost)
        since = run.started_at.isoformat(timespec="minutes")
        why = f"{listings} listings that scrape {group.scrape} saw from {since} on"
        return [Step(letter, "redrive", why, scrape) for letter in group.letters]

    async def _lost(self, group: Group) -> list[Lost]:
        """The batches to bring back; NotRedrivenError where there are none, or they are of the past."""
        if group.refused is not None:
            raise NotRedrivenError(group.refused)
        lost = each_batch_once([one async for one in self._batches(group)])
        if not lost:
            raise NotRedrivenError("nothing that its scrape saw can be read: there is nothing to bring back")
        return lost

    async def _batches(self, group: Group) -> AsyncIterator[Lost]:
        for light in group.batches:
            try:
                verdict = judge(await fetch(self.reader, self.prefix, light), self.clock)
            except LetterError as error:
                raise NotRedrivenError(str(error)) from None
            if verdict.envelope is not None and isinstance(verdict.event, ProductsObserved):
                yield Lost(verdict.event, verdict.envelope.event_id, verdict.envelope.occurred_at)
        where = TopicPartition(PRODUCT_OBSERVED.on_broker(self.prefix), group.partition)
        for offset in group.ignored:
            record = await self.reader.one(where, offset)
            if record is not None:
                envelope, event = decode(PRODUCT_OBSERVED, record.headers, record.value)
                if isinstance(event, ProductsObserved):
                    yield Lost(event, envelope.event_id, envelope.occurred_at)

    async def _alone(self, letter: Letter, verdict: Verdict, *, act: bool) -> Step:
        """A message that depends on no other: said again, or left to whom it belongs."""
        light, store = without_value(letter), (letter.key or b"").decode()
        assert verdict.envelope is not None  # noqa: S101 - it was accepted
        try:
            if letter.topic is STORES:
                why = f"what is known of {store} now is said again"
                if act:
                    again, now = scrape_id(self.clock.now(), self.entropy(10)), self.clock.now()
                    await redrives.say_outlet(
                        self.pool, store, place_of(letter), again, verdict.envelope.event_id, now, self.prefix
                    )
            elif isinstance(verdict.event, BarcodesObserved):
                why = f"{len(verdict.event.items)} barcodes, as they were read"
                if act:
                    said = (verdict.event, verdict.envelope)
                    await redrives.say_again(
                        self.pool, *said, store, place_of(letter), self.clock.now(), self.prefix
                    )
            else:
                return Step(light, "refused", instead(letter.topic.name, letter.service, verdict.event))
            if not act:
                await redrives.check_store(self.pool, store)
        except NotRedrivenError as error:
            return Step(light, "refused", str(error))
        except DoneError:
            return Step(light, "done", "brought back by somebody else just now")
        return Step(light, "say-again", why)


def place_of(letter: Letter) -> Place:
    """Where its message stood."""
    return letter.topic.name, letter.partition, letter.offset


def _heed(group: Group, record: ConsumerRecord, own: set[UUID]) -> None:
    """A message of the group's store that follows its letters."""
    try:
        _, event = decode(PRODUCT_OBSERVED, record.headers, record.value)
    except DecodeError:
        return
    match event:
        case ScrapeStarted() if event.scrape_id == group.scrape:
            if group.starts:
                group.refused = "its start came again and was folded, and so was what followed it"
        case ScrapeStarted() if event.reason != "redrive" or event.started_at > group.began_at:
            if event.scrape_id not in own:
                group.refused = redrives.superseded(event.scrape_id, event.started_at)
        case ProductsObserved() if event.scrape_id == group.scrape and group.starts:
            group.ignored.append(record.offset)


def _claimed_at(scrape: UUID, letter: Letter) -> datetime:
    """When a scrape began that is not on record here: its id bears the (virtual) moment of its claim."""
    if scrape.version == 7:
        return datetime.fromtimestamp((scrape.int >> 80) / 1000, UTC)
    return letter.written_at


def _done(before: redrives.Redriven) -> str:
    how = "said again" if before.scrape_id is None else f"brought back as scrape {before.scrape_id}"
    return f"{how} at {before.at.isoformat(timespec='minutes')} (virtual)"
