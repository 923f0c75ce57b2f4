"""How many requests a company may be sent in a day, all workers and machines together.

A day is a calendar day of virtual time in UTC. Every request counts: of scrapes, discoveries, barcode passes and
canaries, a try that failed, one that was answered with "not changed", one for a robots.txt. A budget is no cap on
a scrape: one that has begun is read to its end, as half a visit costs as much and says less; but none begins.
What goes on piece by piece stops at the next piece: barcodes product by product, a service's discovery in parts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self

_ENTRY: Final = re.compile(r"(?:(?P<company>[a-z][a-z0-9-]*)=)?(?P<requests>[0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class DailyBudgets:
    """The budget of every company: `usual`, or its own; 0: none.

    The setting is a list of ``[<company>=]<requests>``, as in ``20000,iga=5000,aldi=0``; the entry without a
    company is for all the others.
    """

    usual: int = 0
    own: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting; ValueError that says how it is written if it cannot be."""
        usual: int | None = None
        own: dict[str, int] = {}
        for entry in text.split(","):
            found = _ENTRY.fullmatch(entry.strip())
            if found is None:
                raise ValueError(f"{entry.strip()!r} is no budget: expected [<company>=]<requests>, as in 20000")
            company, requests = found["company"], int(found["requests"])
            if (usual is not None) if company is None else (company in own):
                raise ValueError(f"{text!r} names two budgets for {company or 'all companies'}")
            if company is None:
                usual = requests
            else:
                own[company] = requests
        return cls(usual or 0, own)

    def of(self, company: str) -> int | None:
        """Requests a day, None where there is no budget."""
        return self.own.get(company, self.usual) or None

    def __str__(self) -> str:
        return ",".join([str(self.usual), *(f"{company}={requests}" for company, requests in self.own.items())])


class OverBudgetError(Exception):
    """The company has been sent its requests of the day; the text says what is not done for that, for people."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a company was sent on a day, and what it may be; `limit` None: no budget."""

    day: date
    requests: int
    limit: int | None

    @property
    def over(self) -> bool:
        """Nothing new may be asked for on this day."""
        return self.limit is not None and self.requests >= self.limit

    def refusal(self, what: str) -> str:
        """Why `what` (a sentence, like "no new scrape begins") is so for the rest of the day, for people."""
        return (
            f"over budget: {self.requests} of the {self.limit} requests of {self.day} (UTC) are made, and {what} "
            "on that day unless SPLITCART_SCRAPER_BUDGET_PER_DAY allows more"
        )

    @property
    def next_day_at(self) -> datetime:
        """When (virtual) the next day begins, with a budget of its own."""
        return datetime.combine(self.day + timedelta(days=1), time(), UTC)


def day_of(at: datetime) -> date:
    """The day a (virtual) moment is on."""
    return at.astimezone(UTC).date()
