"""`splitcart replay status`: the generations there are, how far each is, and how the last comparison came out."""

import json
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from splitcart_ingest.app import FOLDED
from splitcart_ingest.generations import SQL as REGISTRY
from splitcart_ingest.replay import log
from splitcart_ingest.replay.building import SQL
from splitcart_ingest.replay.registry import Generation, connected, from_row, live_generation, of, run_lock
from splitcart_ingest.settings import IngestSettings


@dataclass(frozen=True, slots=True)
class Status:
    """One generation. `behind` counts messages that the live one has folded and it has not; `rate` is a second's.

    `running` says whether a process works on it now; `unsent` counts messages of its outbox.
    """

    generation: Generation
    messages: int
    behind: int
    running: bool
    rate: float | None
    bytes: int
    unsent: int
    compared_at: datetime | None
    equal: bool | None
    differing: int | None
    swapped_at: datetime | None
    accepted: str | None

    @property
    def seconds_left(self) -> float | None:
        """How long a run that is at it will take."""
        return self.behind / self.rate if self.running and self.rate else None

    def as_json(self) -> dict[str, object]:
        """For a script."""
        selection = self.generation.selection
        return {
            "generation": self.generation.number,
            "schema": self.generation.schema,
            "state": self.generation.state,
            "company": selection.company,
            "from": _moment(selection.from_at),
            "to": _moment(selection.to_at),
            "made_at": _moment(self.generation.made_at),
            "messages": self.messages,
            "behind": self.behind,
            "running": self.running,
            "rate": None if self.rate is None else round(self.rate, 1),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left, 1),
            "bytes": self.bytes,
            "unsent": self.unsent,
            "compared_at": _moment(self.compared_at),
            "equal": self.equal,
            "differing": self.differing,
            "swapped_at": _moment(self.swapped_at),
            "accepted": self.accepted,
        }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")


async def status(settings: IngestSettings) -> list[Status]:
    """Every generation, by number; the live one goes on meanwhile."""
    async with connected(settings) as connection:
        live = await live_generation(connection)
        rows = [row for row in await connection.fetch(REGISTRY["all"]) if row["state"] != "abandoned"]
    names = {topic.on_broker(settings.topic_prefix) for topic in FOLDED}
    async with connected(of(settings, live)) as connection:
        ends = {where: end for where, end in (await log.positions(connection)).items() if where.topic in names}
    return [await _one(settings, row, ends) for row in rows]


async def _one(settings: IngestSettings, row: asyncpg.Record, ends: log.Positions) -> Status:
    made = from_row(row)
    async with connected(of(settings, made)) as connection:
        there = await connection.fetchval("SELECT to_regclass('positions') IS NOT NULL")
        at = await log.positions(connection) if there else {}
        folded = sum(at.get(where, 0) for where in ends)
        running = await connection.fetchval(REGISTRY["held"], run_lock(made.schema))
        rate = made.run_messages / made.run_seconds if made.run_messages and made.run_seconds else None
        if running and row["run_began_at"] is not None:
            seconds = (settings.clock.wall() - row["run_began_at"]).total_seconds()
            rate = (folded - row["run_began_at_message"]) / seconds if seconds > 0 else None
        comparison = json.loads(row["comparison"]) if row["comparison"] else None
        return Status(
            generation=made,
            messages=folded,
            behind=sum(max(0, end - at.get(where, 0)) for where, end in ends.items()),
            running=running,
            rate=rate,
            bytes=await connection.fetchval(SQL["size"], made.schema),
            unsent=await connection.fetchval(SQL["outbox"]) if there else 0,
            compared_at=row["compared_at"],
            equal=None if comparison is None else comparison["equal"],
            differing=None if comparison is None else len(comparison["differing"]),
            swapped_at=row["swapped_at"],
            accepted=row["accepted"],
        )
