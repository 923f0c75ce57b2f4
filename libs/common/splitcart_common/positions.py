"""How far a partition is folded and who may go on: rows beside the effects (protocol.md, rule 12)."""

from aiokafka import TopicPartition

from splitcart_common.postgres import Pool


class PositionError(RuntimeError):
    """A stored position that the log does not hold; reading on would lose or repeat without a word."""


class FencedError(RuntimeError):
    """Another process has taken the partition over; this one's batch was rolled back."""


class MovedError(Exception):
    """A commit whose answer was lost went through only after the position was read again."""


async def claim(pool: Pool, where: TopicPartition) -> tuple[int, int]:
    """Become the owner of a partition: the new epoch, and the offset to go on at (0 for a first reader)."""
    row = await pool.fetchrow(
        "INSERT INTO positions AS p (topic, partition, epoch, next_offset) VALUES ($1, $2, 1, 0) "
        "ON CONFLICT (topic, partition) DO UPDATE SET epoch = p.epoch + 1 RETURNING epoch, next_offset",
        where.topic,
        where.partition,
    )
    assert row is not None  # noqa: S101 - RETURNING of an upsert always returns
    return row["epoch"], row["next_offset"]


def check_position(where: TopicPartition, position: int, start: int, end: int) -> None:
    """Refuse a position outside the log; PositionError says what an operator can do."""
    if start <= position <= end:
        return
    what = "the log now begins" if position < start else "the log ends"
    raise PositionError(
        f"{where.topic}/{where.partition}: the stored position is {position}, but {what} at "
        f"{start if position < start else end}. Either fold the log anew into a fresh schema, or, "
        "if what is missing is known to be lost, set the position by hand in `positions`; nothing was changed"
    )


def check_not_set_back(stored: int, reached: int) -> None:
    """Refuse to go on from beyond the stored position: FencedError, as what lies between would be skipped."""
    if stored < reached:
        raise FencedError(f"the position was set back from {reached} to {stored}: restart to go on from there")
