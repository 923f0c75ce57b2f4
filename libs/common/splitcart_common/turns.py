"""When a company's prices turn: the weekly moment at which most of what changes does.

Prices move together once a week, mostly on Wednesday (retailers.md, section 5). So what was seen before a turn
says nothing about what holds after it: the served price, the comparer and the schedule all ask this module.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Self

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MOMENT: Final = re.compile(r"(?:(?P<company>[a-z][a-z0-9]*)=)?(?P<day>[a-z]{3}) (?P<hour>\d\d):(?P<minute>\d\d)")


@dataclass(frozen=True, slots=True)
class Turn:
    """A moment of the week in UTC: `weekday` (Monday 0) and how long after its midnight."""

    weekday: int
    after_midnight: timedelta

    def last(self, at: datetime) -> datetime:
        """The latest turn at or before a moment."""
        midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        turned = midnight - timedelta(days=(midnight.weekday() - self.weekday) % 7) + self.after_midnight
        return turned if turned <= at else turned - timedelta(days=7)

    def __str__(self) -> str:
        minutes = int(self.after_midnight.total_seconds()) // 60
        return f"{_DAYS[self.weekday]} {minutes // 60:02}:{minutes % 60:02}"


@dataclass(frozen=True, slots=True)
class Turns:
    """The turn of every company: `usual`, or its own.

    Its setting is a list of ``[<company>=]<day> <hour>:<minute>`` in UTC, as in ``wed 00:00,coles=tue 14:00``; the
    entry without a company is for all the others.
    """

    usual: Turn
    own: Mapping[str, Turn] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting; ValueError that says how it is written if it cannot be."""
        usual: Turn | None = None
        own: dict[str, Turn] = {}
        for entry in text.split(","):
            found = _MOMENT.fullmatch(entry.strip())
            if found is None or found["day"] not in _DAYS or int(found["hour"]) > 23 or int(found["minute"]) > 59:
                raise ValueError(
                    f"{entry.strip()!r} is no turn: expected [<company>=]<day> <hour>:<minute> in UTC, "
                    "as in wed 00:00"
                )
            at = timedelta(hours=int(found["hour"]), minutes=int(found["minute"]))
            turn = Turn(_DAYS.index(found["day"]), at)
            if found["company"]:
                own[found["company"]] = turn
            elif usual is None:
                usual = turn
            else:
                raise ValueError(
                    f"{text!r} names two turns for all companies: say which company one of them is for"
                )
        if usual is None:
            raise ValueError(f"{text!r} names no turn for all the other companies, as in wed 00:00")
        return cls(usual, own)

    def last(self, company: str, at: datetime) -> datetime:
        """The latest turn of a company at or before a moment."""
        return self.own.get(company, self.usual).last(at)

    def __str__(self) -> str:
        return ",".join([str(self.usual), *(f"{company}={turn}" for company, turn in self.own.items())])
