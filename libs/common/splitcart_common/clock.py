"""Two clocks: the virtual one that the domain lives by, and the wall clock that machines live by.

Virtual: occurred-at, 72 hours, 7 days, the 4-hour rest, budgets, the gap between requests, turn days.
Wall: leases, heart-beats, back-off, time-outs, throttles, lag alarms.

In production the two are the same. In the sandbox the virtual clock has a start and a speed that every
process is given in one setting, so that all of them compute the same now without asking anyone.
"""

import asyncio
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self


class Clock(Protocol):
    """What a shell needs of time; a domain function is given a moment instead."""

    def now(self) -> datetime:
        """The virtual moment, aware UTC."""
        ...

    def wall(self) -> datetime:
        """The wall clock's moment, aware UTC."""
        ...

    def virtual_at(self, wall: datetime) -> datetime:
        """The virtual moment at a moment of the wall clock."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for so many virtual seconds."""
        ...


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """A virtual clock that read `start` at the wall moment `anchor` and runs `speed` times as fast since.

    Its setting is written ``<start>/<anchor>/<speed>``, for example
    ``2026-09-01T00:00:00+00:00/2026-11-21T08:00:00+00:00/14400``.
    """

    start: datetime
    anchor: datetime
    speed: float

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.anchor.tzinfo is None:
            raise ValueError("a clock's start and anchor need a time zone")
        if not 0 < self.speed < math.inf:
            raise ValueError(f"a clock's speed must be a number above 0, got {self.speed}")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "anchor", self.anchor.astimezone(UTC))

    @classmethod
    def real(cls) -> Self:
        """The clock of production: virtual time is wall time."""
        epoch = datetime.fromtimestamp(0, UTC)
        return cls(epoch, epoch, 1.0)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting; ValueError that says how it is written if it cannot be."""
        try:
            start, anchor, speed = text.split("/")
            return cls(datetime.fromisoformat(start), datetime.fromisoformat(anchor), float(speed))
        except ValueError as error:
            raise ValueError(
                f"{text!r} is not a clock ({error}): expected <virtual start>/<wall anchor>/<speed>, "
                "two RFC 3339 times with a zone and a number"
            ) from None

    def __str__(self) -> str:
        return f"{self.start.isoformat()}/{self.anchor.isoformat()}/{self.speed!r}"

    def now(self) -> datetime:
        """The virtual moment, aware UTC."""
        return self.virtual_at(self.wall())

    def wall(self) -> datetime:
        """The wall clock's moment, aware UTC."""
        return datetime.now(UTC)

    def virtual_at(self, wall: datetime) -> datetime:
        """The virtual moment at a moment of the wall clock.

        Before its anchor it stood still: what a former run of the sandbox wrote was written by its start.
        """
        return self.start + max(timedelta(0), wall - self.anchor) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait for so many virtual seconds."""
        await asyncio.sleep(max(0.0, seconds / self.speed))


def earliest_wall(clock: ScaledClock, virtual: datetime) -> datetime | None:
    """The wall moment before which nothing bore a virtual time as late as this; None: there is no such moment."""
    if virtual <= clock.start:
        return None  # before its anchor the clock stood still, and it read at least this
    try:
        return clock.anchor + (virtual - clock.start) / clock.speed
    except OverflowError:
        return None


class FrozenClock:
    """A clock that stands still until it is told the time: for tests and replays of one moment."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """The moment it was set to."""
        return self.at

    def wall(self) -> datetime:
        """The same moment: a frozen clock has no other."""
        return self.at

    def virtual_at(self, wall: datetime) -> datetime:
        """Virtual and wall time are one here."""
        return wall

    async def sleep(self, seconds: float) -> None:
        """Move on by so many seconds at once."""
        self.at += timedelta(seconds=max(0.0, seconds))
        await asyncio.sleep(0)
