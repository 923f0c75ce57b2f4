"""`splitcart replay plan`: what a replay would fold, and how long it would take; or why it cannot be."""

from dataclasses import dataclass
from typing import Final

from splitcart_common.reading import reading
from splitcart_ingest.replay import log
from splitcart_ingest.replay.building import SQL
from splitcart_ingest.replay.registry import all_generations
from splitcart_ingest.replay.run import live_connection
from splitcart_ingest.settings import IngestSettings

USUAL_RATE: Final = 1_500.0
"""Messages a second where no run has been measured here: two workers on two cores (benchmarks, `rebuild`)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay of the whole log would be. `problems` are why it cannot be; none, and it can.

    `parts` are the partitions; `dead_letters` counts by topic those that would be skipped; `bytes` is what the
    live generation takes on disk, and so what another one would beside it.
    """

    live: int
    parts: tuple[log.Part, ...]
    dead_letters: dict[str, int]
    problems: tuple[str, ...]
    rate: float
    measured: bool
    bytes: int
    unfinished: tuple[int, ...]

    @property
    def messages(self) -> int:
        """How many messages would be folded."""
        return sum(part.until for part in self.parts)

    @property
    def seconds(self) -> float:
        """How long that would take."""
        return self.messages / self.rate

    def as_json(self) -> dict[str, object]:
        """For a script."""
        return {
            "possible": not self.problems,
            "problems": list(self.problems),
            "live": self.live,
            "messages": self.messages,
            "dead_letters": self.dead_letters,
            "seconds": round(self.seconds, 1),
            "rate": round(self.rate, 1),
            "rate_measured": self.measured,
            "bytes": self.bytes,
            "unfinished": list(self.unfinished),
            "partitions": [
                {
                    "topic": part.topic.name,
                    "partition": part.where.partition,
                    "start": part.start,
                    "end": part.end,
                    "live": part.live,
                }
                for part in self.parts
            ],
        }


async def plan(settings: IngestSettings) -> Plan:
    """Look at the log and the live generation; nothing is changed."""
    async with (
        live_connection(settings) as (live, connection),
        reading(settings.kafka_bootstrap, settings.topic_prefix) as reader,
    ):
        at = await log.positions(connection)
        parts = await log.parts(reader, settings.topic_prefix, at)
        refused = await log.dead_letters(reader, settings.topic_prefix, connection)
        there = await all_generations(connection)
        size = await connection.fetchval(SQL["size"], live.schema)
    counts: dict[str, int] = {}
    for part in parts:
        below = sum(offset < part.until for offset in refused.get(part.where, ()))
        counts[part.topic.name] = counts.get(part.topic.name, 0) + below
    rates = [one.run_messages / one.run_seconds for one in there if one.run_messages and one.run_seconds]
    return Plan(
        live=live.number,
        parts=tuple(parts),
        dead_letters=counts,
        problems=tuple(log.problems(parts)),
        rate=rates[-1] if rates else USUAL_RATE,
        measured=bool(rates),
        bytes=size,
        unfinished=tuple(one.number for one in there if one.state == "building"),
    )
