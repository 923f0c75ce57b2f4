"""What a demo is asked to show: how large a country, for how long, and how fast its time runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

START: Final = datetime(2026, 8, 30, tzinfo=UTC)
"""A Sunday: prices turn three days in, and then every seventh. Starting takes a day or two of virtual time; a
fortnight from then on has two turns in it, and ends in the middle of a week of prices."""

FORTNIGHT: Final = timedelta(days=14.1)
"""What a demo of given length shows: both turns, and a little over 14 days by its own account."""

FASTEST: Final = 14_400.0
"""Virtual seconds a second: a day every six. Faster, and two cores visit too few stores a day."""

UNHURRIED: Final = 7_200.0
"""The speed of a demo that runs until it is stopped: a day every twelve seconds."""

GAP_SECONDS: Final = 1.5
"""Virtual, the least between two requests to a host."""


def speed_of(seconds: float | None) -> float:
    """How fast a demo of so many seconds runs unless it is told: as fast as shows a fortnight, within bounds."""
    return UNHURRIED if seconds is None else min(FASTEST, FORTNIGHT.total_seconds() / max(seconds, 1.0))


@dataclass(frozen=True, slots=True)
class Course:
    """What is asked for: `seconds` (wall) from when all is ready, None until `stop`; `speed` of virtual time.

    `stores` are those of each company.
    """

    home: Path
    seconds: float | None
    speed: float
    companies: tuple[str, ...]
    stores: int
    listings: int
    seed: int
    faults: str
    port: int
    imported: Mapping[str, str] = field(default_factory=dict)
    """What the simulator is told of products to serve in the place of its own."""

    def environment(self) -> dict[str, str]:
        """What the simulator and the services are told of it.

        What they reckon by the wall clock is hours here, so time-outs, pauses and the patience that hosts ask for
        are a second or less where they would be a minute.
        """
        return {
            "SPLITCART_SIMULATOR_COMPANIES": ",".join(self.companies),
            "SPLITCART_SCRAPER_COMPANIES": ",".join(self.companies),
            "SPLITCART_SIMULATOR_STORES": str(self.stores),
            "SPLITCART_SIMULATOR_LISTINGS": str(self.listings),
            "SPLITCART_SIMULATOR_SEED": str(self.seed),
            "SPLITCART_SIMULATOR_FAULTS": self.faults,
            "SPLITCART_SIMULATOR_ORIGIN": START.isoformat(),
            # A few hundred requests a second are made of one process: an answer held back would be waited for.
            "SPLITCART_SIMULATOR_LATENCY_SECONDS": "0",
            "SPLITCART_SIMULATOR_SLOW_SECONDS": "5",
            "SPLITCART_SIMULATOR_RETRY_AFTER_SECONDS": "1",
            "SPLITCART_SCRAPER_TIMEOUT_SECONDS": "2",
            "SPLITCART_SCRAPER_BACKOFF_SECONDS": "0.02",
            "SPLITCART_SCRAPER_PAUSE_SECONDS": "0.5",
            "SPLITCART_SCRAPER_GAP_SECONDS": str(GAP_SECONDS),
            # A small country leaves requests to spare: members are looked at every two or three days.
            "SPLITCART_SCRAPER_MEMBER_REST_HOURS": "60",
            # But not for IGA's finder, which is asked 2,500 times however few stores there are: once is enough.
            "SPLITCART_SCRAPER_DISCOVER_EVERY_HOURS": "720",
            **self.imported,
        }
