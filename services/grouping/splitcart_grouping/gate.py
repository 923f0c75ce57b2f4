"""First fold what was decided, then decide (protocol.md, rule 11).

The log of store-groups may know more than the database: where the schema is new, or was brought back from a copy.
So whenever partitions are assigned, the ends of store-groups are read, and nothing is decided for a company before
its partition is folded up to there, by whomever: the position in Postgres says so. What this service itself
publishes after that is in the database before it is in the log.

Where the log did know more, what had been observed by then is history: it is folded, and not decided on again.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiokafka import TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from splitcart_common.postgres import Pool
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRICE_CHANGED, STORE_GROUPS
from splitcart_grouping.store import position

LOOK_SECONDS = 0.1
_PARTITIONS: Final = list(range(STORE_GROUPS.partitions))
_PARTITIONER: Final = DefaultPartitioner()


def shard_of(company: str) -> int:
    """The partition of price-changed and of store-groups that a company's messages are in."""
    return int(_PARTITIONER(company.encode(), _PARTITIONS, _PARTITIONS))


class Gate:
    """Closed for a company until what was decided of it is folded."""

    def __init__(self, pool: Pool, prefix: str, health: Health) -> None:
        self._pool = pool
        self._topic = STORE_GROUPS.on_broker(prefix)
        self._prices = PRICE_CHANGED.on_broker(prefix)
        self._health = health
        self._ends: dict[int, int] = {}
        self._history: dict[int, int] = {}

    @property
    def partitions(self) -> list[TopicPartition]:
        """Those whose ends it has to know."""
        return [TopicPartition(topic, n) for topic in (self._topic, self._prices) for n in _PARTITIONS]

    def close(self, ends: Mapping[TopicPartition, int]) -> None:
        """Begin anew, with where each partition ends now."""
        for shard in self._ends:
            self._health.has(self._what(shard))  # it may be another process's to wait for by now
        self._ends = {where.partition: end for where, end in ends.items() if where.topic == self._topic and end}
        self._history = {where.partition: end for where, end in ends.items() if where.topic == self._prices}

    def history_of(self, company: str) -> int:
        """Where a company's observations ended at the assignment: an offset in its partition of price-changed."""
        return self._history[shard_of(company)]

    async def is_open(self, company: str) -> bool:
        """Whether all that was decided of a company is folded."""
        shard = shard_of(company)
        end = self._ends.get(shard)
        if end is None:
            return True
        at = await position(self._pool, self._topic, shard)
        if at < end:
            self._health.wait_for(self._what(shard), f"folded to {at} of {end}, nothing is decided before")
            return False
        self._health.has(self._what(shard))
        self._ends.pop(shard, None)
        return True

    async def passed(self, company: str) -> None:
        """Wait until it is."""
        while not await self.is_open(company):  # noqa: ASYNC110 - a row, not an event
            await asyncio.sleep(LOOK_SECONDS)

    def _what(self, shard: int) -> str:
        return f"{self._topic}/{shard} to be folded"
