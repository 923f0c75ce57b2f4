"""One partition being folded: decode, one transaction a batch, dead letters, and what to do when it fails."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from splitcart_common import dead_letters, outbox
from splitcart_common.admission import admit
from splitcart_common.clock import Clock
from splitcart_common.dead_letters import Tolerance
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.outcomes import DeadLetter, Ok, Outcome, Skip, SystemicError
from splitcart_common.positions import FencedError, MovedError, check_not_set_back
from splitcart_common.postgres import TRANSIENT, Connection, Pool
from splitcart_common.telemetry import BATCH_SECONDS, DEAD_LETTERS, MESSAGES, STOPPED_PARTITIONS, Health
from splitcart_common.topics import Topic

log = structlog.get_logger()

_POSITION = "SELECT next_offset FROM positions WHERE topic = $1 AND partition = $2"
_LOCK = "SELECT epoch, next_offset FROM positions WHERE topic = $1 AND partition = $2 FOR UPDATE"
_ADVANCE = "UPDATE positions SET next_offset = $3 WHERE topic = $1 AND partition = $2"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is held and how much is borne.

    `messages` of one fetch, which is one transaction at most; `held` of all partitions, whether waiting or in
    work; `working` partitions at a time have a batch decoded, what others hold waits as bytes (None: all at once,
    as it must be where the fold of one waits for another's); the dead letters with which a partition goes on; the
    seconds after which one is stalled.
    """

    messages: int = 100
    held: int = 400
    working: int | None = None
    dead: Tolerance = field(default_factory=Tolerance)
    first_retry_seconds: float = 0.2
    longest_retry_seconds: float = 10.0
    stalled_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded message and where it stood.

    `event` is the event, or what the handler's `digest` keeps of it. `published_at` is the broker's timestamp as
    a virtual moment.
    """

    envelope: Envelope
    event: object
    key: str
    offset: int
    published_at: datetime


class Handler(Protocol):
    """What a service does with a partition's messages, in their order."""

    def digest(self, key: str, envelope: Envelope, event: Event) -> object:
        """What is kept of an event until its batch is folded: the event itself, or less.

        Called right after it is decoded. Holding some 20,000 listings at once doubles the time of decoding them
        and of every later look, as they outgrow the processor's cache. No effects: a batch that is rolled back
        is decoded again.
        """
        ...

    async def prepare(self, where: TopicPartition, messages: Sequence[Message]) -> None:
        """Effects that are folds of their own and may commit on their own, before the batch's transaction."""
        ...

    async def fold(
        self, connection: Connection, where: TopicPartition, messages: Sequence[Message]
    ) -> Sequence[Outcome]:
        """Write the batch's effect and outbox rows in the caller's transaction; one outcome a message."""
        ...

    def forget(self, where: TopicPartition) -> None:
        """Drop what is cached of a partition: its transaction was rolled back, or another owns it now."""
        ...


@dataclass(slots=True)
class Lane:
    """One assigned partition: a queue of at most two batches and the task that folds them.

    `held` counts the messages waiting and in work. `turns` are shared with the other lanes of the process.
    """

    service: str
    topic: Topic
    where: TopicPartition
    prefix: str
    epoch: int
    next_offset: int
    handler: Handler
    pool: Pool
    clock: Clock
    health: Health
    limits: Limits
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    _queue: asyncio.Queue[list[ConsumerRecord]] = field(default_factory=asyncio.Queue)
    _recent: deque[bool] = field(default_factory=deque)
    _arrived: deque[tuple[int, int]] = field(default_factory=deque)
    held: int = 0
    _task: asyncio.Task[None] | None = None
    _position_known: bool = True
    _over: bool = False
    _stopped: bool = False

    @property
    def full(self) -> bool:
        """One batch waits behind the one in work, or nothing is folded any more: fetch no more."""
        return self._over or not self._queue.empty()

    @property
    def oldest_at(self) -> float | None:
        """When the broker had the first message of the oldest batch held, in seconds; None where none is held."""
        return next((at / 1000 for last, at in self._arrived if last >= self.next_offset), None)

    def put(self, records: list[ConsumerRecord]) -> None:
        """Hand over a batch, in the order of its offsets."""
        if not self._over:
            self.held += len(records)
            while self._arrived and self._arrived[0][0] < self.next_offset:
                self._arrived.popleft()
            self._arrived.append((records[-1].offset, records[0].timestamp))
            self._queue.put_nowait(records)

    def start(self, fail: Callable[[BaseException], None]) -> None:
        """Begin to fold; an error that ends the lane goes to `fail`, but for a systemic stop."""
        self._task = asyncio.create_task(self._run(fail), name=f"lane {self._name}")

    async def stop(self) -> None:
        """Stop folding; the transaction in work is rolled back."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self.handler.forget(self.where)
        if self._stopped:
            STOPPED_PARTITIONS.labels(self.service, self.topic.name).dec()
        for what in (self._name, f"folding {self._name}"):
            self.health.has(what)  # another process's to wait for, from now on

    @property
    def _name(self) -> str:
        return f"{self.where.topic}/{self.where.partition}"

    async def _run(self, fail: Callable[[BaseException], None]) -> None:
        try:
            while True:
                records = await self._queue.get()
                while not self._queue.empty() and len(records) < self.limits.messages:
                    records = records + self._queue.get_nowait()  # put one by one, they are folded together
                await self._fold_until_done(records)
                self.held -= len(records)
        except SystemicError as error:
            STOPPED_PARTITIONS.labels(self.service, self.topic.name).inc()
            self._stopped = True
            self.health.wait_for(self._name, str(error))
            log.error("partition stopped", topic=self.where.topic, partition=self.where.partition, why=str(error))
        except FencedError as error:
            self.health.wait_for(self._name, str(error))
            log.warning("partition lost", topic=self.where.topic, partition=self.where.partition, why=str(error))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - handed on to the loop, which ends with it
            fail(error)
        finally:
            self._over, self.held = True, 0

    async def _fold_until_done(self, records: list[ConsumerRecord]) -> None:
        wait = self.limits.first_retry_seconds
        what = f"folding {self._name}"
        while True:
            try:
                async with self.turns:
                    with BATCH_SECONDS.labels(self.service, self.topic.name).time():
                        await self._fold(records)
            except MovedError:
                self.handler.forget(self.where)
                self._position_known = False
            except TRANSIENT as error:
                self.handler.forget(self.where)
                self._position_known = False  # the commit may have gone through, its answer not
                why = f"{type(error).__name__}: {error}"
                self.health.wait_for(what, why)
                log.warning("waiting", what=what, why=why, next_try_in_seconds=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, self.limits.longest_retry_seconds)
            except BaseException:
                self.handler.forget(self.where)
                raise
            else:
                self.health.has(what)
                return

    async def _fold(self, records: list[ConsumerRecord]) -> None:
        if not self._position_known:
            stored: int = await self.pool.fetchval(_POSITION, self.where.topic, self.where.partition)
            check_not_set_back(stored, self.next_offset)
            self.next_offset = stored
            self._position_known = True
        # After such a commit, or where a fetch overtook the seek, offsets below the position come again.
        records = [record for record in records if record.offset >= self.next_offset]
        if not records:
            return
        messages, dead = self._decode(records)
        await self.handler.prepare(self.where, messages)
        after = records[-1].offset + 1
        async with self.pool.acquire() as connection, connection.transaction():
            held = await connection.fetchrow(_LOCK, self.where.topic, self.where.partition)
            if held is None or held["epoch"] != self.epoch:
                raise FencedError(f"epoch {self.epoch} is over, the position is {held}")
            check_not_set_back(held["next_offset"], self.next_offset)
            if held["next_offset"] > self.next_offset:
                raise MovedError
            outcomes = await self.handler.fold(connection, self.where, messages)
            for message, outcome in zip(messages, outcomes, strict=True):
                if isinstance(outcome, DeadLetter):
                    dead[message.offset] = outcome
            recent = self._judge(records, dead)
            letters = [self._dead_letter(r, dead[r.offset]) for r in records if r.offset in dead]
            await outbox.append(connection, letters)
            await connection.execute(_ADVANCE, self.where.topic, self.where.partition, after)
        self.next_offset, self._recent = after, recent
        self._count(outcomes, dead)

    def _decode(self, records: list[ConsumerRecord]) -> tuple[list[Message], dict[int, DeadLetter]]:
        messages: list[Message] = []
        dead: dict[int, DeadLetter] = {}
        for record in records:
            published_at = self.clock.virtual_at(datetime.fromtimestamp(record.timestamp / 1000, UTC))
            found = admit(self.topic, record.key, record.headers, record.value, published_at)
            if isinstance(found, DeadLetter):
                dead[record.offset] = found
            else:
                envelope, event, key = found
                kept = self.handler.digest(key, envelope, event)
                messages.append(Message(envelope, kept, key, record.offset, published_at))
        return messages, dead

    def _judge(self, records: list[ConsumerRecord], dead: dict[int, DeadLetter]) -> deque[bool]:
        """Stop before a fault of ours empties the topic into its dead letters; nothing of it is kept."""
        if dead and not self.topic.dead_letters:
            offset, why = min(dead.items(), key=lambda item: item[0])
            raise SystemicError(
                f"offset {offset} cannot be read ({why.reason}: {why.error}) and {self.topic.name} has no dead "
                "letters: nothing after it is folded until this release can read it"
            )
        recent, too_many = self.limits.dead.add(self._recent, [r.offset in dead for r in records])
        if too_many is not None:
            raise SystemicError(self._choices(too_many, dead))
        return recent

    def _choices(self, too_many: str, dead: dict[int, DeadLetter]) -> str:
        reasons = ", ".join(f"{n} {why}" for why, n in Counter(why.reason for why in dead.values()).most_common())
        offset, why = max(dead.items(), key=lambda item: item[0])
        return (
            f"{too_many}: that looks like a fault of ours; the position stays at {self.next_offset}, restart to "
            "try again: with a release that reads them, or, if they shall be dead letters all the same, once with "
            "SPLITCART_DEAD_LETTERS_IN_A_ROW and _SHARE raised (docs/runbooks/dead-letters.md). In this batch: "
            f"{reasons}; the last, `splitcart events show {self.topic.name}/{self.where.partition}/{offset}`: "
            f"{why.error}"
        )

    def _dead_letter(self, record: ConsumerRecord, why: DeadLetter) -> outbox.OutboxRow:
        return dead_letters.to_row(self.topic, self.prefix, self.service, record, why)

    def _count(self, outcomes: Sequence[Outcome], dead: dict[int, DeadLetter]) -> None:
        skipped = sum(isinstance(outcome, Skip) for outcome in outcomes)
        folded = sum(isinstance(outcome, Ok) for outcome in outcomes)
        for outcome, count in (("folded", folded), ("skipped", skipped), ("dead", len(dead))):
            MESSAGES.labels(self.service, self.topic.name, outcome).inc(count)
        for outcome_of_one in outcomes:
            if isinstance(outcome_of_one, Ok) and outcome_of_one.committed is not None:
                outcome_of_one.committed()
        for why in dead.values():
            DEAD_LETTERS.labels(self.service, self.topic.name, why.reason).inc()
