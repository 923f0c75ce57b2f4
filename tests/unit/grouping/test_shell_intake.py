"""What comes out of Faust's stream is folded only where it follows what the lane has."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from splitcart_common.clock import FrozenClock
from splitcart_common.lanes import Limits
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRICE_CHANGED
from splitcart_grouping.intake import Fetched, Intake

WHERE = TopicPartition(PRICE_CHANGED.on_broker("t"), 3)


def record(offset: int, where: TopicPartition = WHERE) -> ConsumerRecord:
    return ConsumerRecord(*where, offset, 0, 0, b"aldi", b"", None, 4, 0, ())


@dataclass
class Lane:
    """What the intake asks of a lane."""

    where: TopicPartition = WHERE
    next_offset: int = 10
    topic: object = PRICE_CHANGED
    full: bool = False
    held: int = 0
    got: list[int] = field(default_factory=list)
    stopped: bool = False

    def put(self, records: list[ConsumerRecord]) -> None:
        self.got += [one.offset for one in records]

    def start(self, _fail: object) -> None:
        return

    async def stop(self) -> None:
        self.stopped = True


@dataclass
class Consumer:
    """Where reading was told to go on, and how far it has come."""

    sought: list[dict[TopicPartition, int]] = field(default_factory=list)
    seek: int = 0
    read: int = 0
    bounds: None = None

    async def go_on_at(self, positions: dict[TopicPartition, int], seek: int) -> None:
        self.sought.append(positions)
        self.seek = seek

    def read_until(self, _where: TopicPartition) -> int:
        return self.read


@pytest.fixture
async def opened(monkeypatch):
    """An intake with one lane at offset 10, and its consumer."""
    lane, consumer = Lane(), Consumer()

    async def claim(_self, _where, _bounds):
        return lane

    async def before(_consumer):
        return

    monkeypatch.setattr(Intake, "claim", claim)
    intake = Intake(
        service="grouping", topics=[PRICE_CHANGED], handler=None, pool=None, prefix="t",
        clock=FrozenClock(datetime(2026, 1, 1, tzinfo=UTC)), health=Health(), limits=Limits(messages=5, held=8),
        before=before,
    )  # fmt: skip
    intake.begin()
    intake.assigned(consumer, [WHERE])
    await intake._task
    return intake, lane, consumer


async def test_what_follows_is_folded_and_repeats_are_not(opened):
    intake, lane, consumer = opened
    assert consumer.sought == [{WHERE: 10}]
    for offset in (8, 9, 10, 10, 11, 10):
        await intake.put(Fetched(record(offset), offset, consumer.seek))
    assert lane.got == [10, 11]


async def test_offsets_that_compaction_has_taken_are_no_gap(opened):
    intake, lane, consumer = opened
    await intake.put(Fetched(record(17), 10, consumer.seek))
    await intake.put(Fetched(record(30), 18, consumer.seek))
    assert lane.got == [17, 30]
    assert len(consumer.sought) == 1


async def test_what_does_not_follow_is_read_again_from_where_the_lane_is(opened):
    intake, lane, consumer = opened
    first = consumer.seek
    for offset in (11, 12, 13):  # the tenth is missing; what is on its way behind the gap asks for nothing more
        await intake.put(Fetched(record(offset), offset, first))
    assert lane.got == []
    assert consumer.sought[1:] == [{WHERE: 10}]
    await intake.put(Fetched(record(11), 11, consumer.seek))  # missing again
    assert consumer.sought[2:] == [{WHERE: 10}]
    for offset in (10, 11, 12):
        await intake.put(Fetched(record(offset), offset, consumer.seek))
    await intake.put(Fetched(record(13), 13, first))
    assert lane.got == [10, 11, 12]


async def test_what_was_read_before_it_was_ours_is_dropped(opened):
    intake, lane, consumer = opened
    await intake.put(Fetched(record(10), 10, 0))
    await intake.put(Fetched(record(5, TopicPartition(WHERE.topic, 4)), 5, consumer.seek))
    await intake.give_up()
    await intake.put(Fetched(record(10), 10, consumer.seek))
    assert lane.got == []
    assert lane.stopped


async def test_the_last_message_is_missed_though_none_comes_after_it(opened):
    intake, lane, consumer = opened
    await intake.put(Fetched(record(10), 10, consumer.seek))
    consumer.read = 12
    await intake.look_back()
    assert len(consumer.sought) == 1, "it may be on its way"
    await intake.look_back()
    assert consumer.sought[1:] == [{WHERE: 11}]
    await intake.put(Fetched(record(11), 11, consumer.seek))
    await intake.look_back()
    await intake.look_back()
    assert lane.got == [10, 11]
    assert len(consumer.sought) == 2


async def test_a_full_lane_is_not_fetched_for(opened):
    intake, lane, _ = opened
    assert intake.wanted() == ({WHERE}, 5)
    lane.held = 6
    assert intake.wanted() == ({WHERE}, 2)
    lane.full = True
    assert WHERE not in intake.wanted()[0]
    lane.full, lane.held = False, 8
    nowhere, most = intake.wanted()
    assert WHERE not in nowhere
    assert (len(nowhere), most) == (1, 1), "it asks all the same, or is put out of the group"


async def test_a_claim_that_fails_ends_the_service(opened, monkeypatch):
    intake, _, consumer = opened

    async def refused(_self, _where, _bounds):
        raise RuntimeError("the position is beyond the log")

    monkeypatch.setattr(Intake, "claim", refused)
    failed = intake.begin()
    intake.assigned(consumer, [TopicPartition(WHERE.topic, WHERE.partition + 1)])
    with pytest.raises(RuntimeError, match="beyond the log"):
        await asyncio.wait_for(failed, 1)
