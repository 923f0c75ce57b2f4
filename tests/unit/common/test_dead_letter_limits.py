"""When dead letters stop a partition, and what a lane leaves behind: a lane without broker or database."""

import asyncio
from datetime import UTC, datetime

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from splitcart_common.clock import FrozenClock
from splitcart_common.dead_letters import Tolerance
from splitcart_common.lanes import Lane, Limits
from splitcart_common.outcomes import DeadLetter, Reason, SystemicError
from splitcart_common.positions import PositionError, check_position
from splitcart_common.settings import Settings
from splitcart_common.telemetry import Health
from splitcart_common.topics import CATALOGUE, PRODUCT_OBSERVED, Topic

BAD = DeadLetter(Reason.INVALID, "no good")
WHERE = TopicPartition("t.product-observed.v1", 3)
LIMITS = Limits(dead=Tolerance(in_a_row=4, window=20, share=0.5))


class Forgetful:
    """A handler of which only `forget` is used here."""

    forgot = 0

    def forget(self, where: TopicPartition) -> None:
        assert where == WHERE
        self.forgot += 1


def lane(topic: Topic = PRODUCT_OBSERVED, limits: Limits = LIMITS, pool: object = None) -> Lane:
    return Lane(
        service="ingest",
        topic=topic,
        where=WHERE,
        prefix="t",
        epoch=1,
        next_offset=0,
        handler=Forgetful(),
        pool=pool,
        clock=FrozenClock(datetime(2026, 9, 1, tzinfo=UTC)),
        health=Health(),
        limits=limits,
    )


def records(count: int, first: int = 0) -> list[ConsumerRecord]:
    return [
        ConsumerRecord(WHERE.topic, 3, first + n, 1_788_000_000_000, 0, b"k", b"v", None, 1, 1, ())
        for n in range(count)
    ]


def judge(of: Lane, marks: str) -> None:
    """Judge one batch: `x` a dead letter, `.` a message that was folded."""
    batch = records(len(marks))
    of._recent = of._judge(batch, {n: BAD for n, mark in enumerate(marks) if mark == "x"})
    of.next_offset += len(marks)


def test_so_many_in_a_row_stop_the_partition():
    held = lane()
    judge(held, "xxx.")
    judge(held, "xxx")
    judge(held, ".")
    with pytest.raises(SystemicError, match="4 dead letters in a row, 10 of the last 12"):
        judge(held, "xxxx")


def test_a_row_goes_on_from_batch_to_batch():
    held = lane()
    judge(held, ".xx")
    judge(held, "x")
    with pytest.raises(SystemicError, match="the position stays at 4, restart to try again"):
        judge(held, "x")


def test_a_share_of_the_last_ones_stops_the_partition():
    held = lane()
    for _ in range(5):
        judge(held, "xx..")
    judge(held, "x.")  # ten of the last twenty: no more than half
    with pytest.raises(SystemicError, match="2 dead letters in a row, 11 of the last 20"):
        judge(held, "xx")


def test_a_few_at_the_start_are_no_share():
    """One bad message among three is a third, and still one message."""
    judge(lane(), "x.x.x.")


def test_older_ones_are_forgotten():
    held = lane(limits=Limits(dead=Tolerance(in_a_row=100, window=4, share=0.5)))
    for _ in range(20):
        judge(held, "x.")
    judge(held, "....")
    judge(held, "xx")


def test_a_row_counts_wherever_it_stands_in_a_batch():
    with pytest.raises(SystemicError, match="4 dead letters in a row, 4 of the last 5"):
        judge(lane(), ".xxxx....")


@pytest.mark.parametrize(
    ("marks", "stops"),
    [
        ("x" * 49 + ".", None),
        ("x" * 50, "50 dead letters in a row, 50 of the last 50"),
        ("x." * 100 + "." * 50, None),
        ("x." * 99 + "xx", "2 dead letters in a row, 101 of the last 200"),
    ],
)
def test_what_is_borne_unless_it_is_set_otherwise(marks, stops):
    held = lane(limits=Limits())
    for at in range(0, len(marks) - 2, 2):
        judge(held, marks[at : at + 2])
    if stops is None:
        judge(held, marks[-2:])
    else:
        with pytest.raises(SystemicError, match=stops):
            judge(held, marks[-2:])


def test_it_is_set_by_the_environment(monkeypatch):
    assert Tolerance.of(Settings()) == Tolerance()
    monkeypatch.setenv("SPLITCART_DEAD_LETTERS_IN_A_ROW", "1000000")
    monkeypatch.setenv("SPLITCART_DEAD_LETTERS_SHARE", "1")
    monkeypatch.setenv("SPLITCART_DEAD_LETTERS_WINDOW", "10")
    held = lane(limits=Limits(dead=Tolerance.of(Settings())))
    for _ in range(20):
        judge(held, "x" * 100)
    assert held.next_offset == 2_000, "an operator lets them through"


def test_a_stop_says_what_there_is_to_do_and_where_to_look():
    held = lane(limits=Limits(dead=Tolerance(in_a_row=2)))
    with pytest.raises(SystemicError) as caught:
        judge(held, ".xx")
    said = str(caught.value)
    assert "restart to try again: with a release that reads them" in said
    assert "SPLITCART_DEAD_LETTERS_IN_A_ROW" in said
    assert "docs/runbooks/dead-letters.md" in said
    assert "2 invalid" in said
    assert "`splitcart events show product-observed/3/2`: no good" in said


def test_a_topic_without_dead_letters_stops_at_the_first():
    judge(lane(CATALOGUE), "....")
    with pytest.raises(SystemicError, match=r"offset 2 cannot be read .*no good.* catalogue has no dead letters"):
        judge(lane(CATALOGUE), "..x.")


async def test_a_lane_that_is_stopped_is_waited_for_no_more():
    """The partition is another process's now: this one must not stay unready because of it."""

    asked = asyncio.Event()

    class Gone:
        async def fetchval(self, *_: object) -> int:
            asked.set()
            raise ConnectionResetError("the server is away")

    held = lane(pool=Gone())
    held._position_known = False
    held.health.has("start")
    held.start(lambda error: pytest.fail(str(error)))
    held.put(records(1))
    await asked.wait()
    await asyncio.sleep(0.01)
    assert held.health.missing == {f"folding {WHERE.topic}/3": "ConnectionResetError: the server is away"}
    await held.stop()
    assert held.health.missing == {}
    assert held.handler.forgot >= 1


def test_a_dead_letter_bears_where_it_stood_and_why():
    record = records(1, first=41)[0]
    row = lane()._dead_letter(record, DeadLetter(Reason.INVALID, "ü" * 3000))
    assert (row.topic, row.key, row.value) == ("t.product-observed.v1.ingest.dlq", b"k", b"v")
    headers = dict(row.headers)
    assert headers["dlq-topic"] == b"t.product-observed.v1"
    assert (headers["dlq-partition"], headers["dlq-offset"]) == (b"3", b"41")
    assert (headers["dlq-reason"], headers["dlq-service"]) == (b"invalid", b"ingest")
    assert headers["dlq-service-version"]
    assert len(headers["dlq-error"]) <= 2000
    assert set(headers["dlq-error"].decode()) == {"ü"}, "cut between two letters"


@pytest.mark.parametrize("position", [5, 7, 9])
def test_a_position_inside_the_log_is_taken(position):
    check_position(WHERE, position, 5, 9)


@pytest.mark.parametrize(("position", "said"), [(4, "the log now begins at 5"), (10, "the log ends at 9")])
def test_a_position_outside_the_log_is_refused(position, said):
    with pytest.raises(
        PositionError, match=f"product-observed.v1/3: the stored position is {position}, but {said}"
    ):
        check_position(WHERE, position, 5, 9)
