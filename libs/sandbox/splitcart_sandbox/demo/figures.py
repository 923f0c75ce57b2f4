"""What the demo counts and concludes; targets.md names the fields of its last line."""

from dataclasses import asdict, dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far it has come: counts since the start, `lag` in messages and outbox rows not yet worked off."""

    at: datetime
    stores: int = 0
    scraped_stores: int = 0
    scrapes: int = 0
    partial: int = 0
    abandoned: int = 0
    observations: int = 0
    changes: int = 0
    prices: int = 0
    requests: int = 0
    lag: int = 0
    groups: dict[str, int] = field(default_factory=dict)
    """By company; a store on its own is a group of one."""


@dataclass(slots=True)
class Tally:
    """Right ones of all."""

    right: int = 0
    all: int = 0

    def add(self, right: int, of: int) -> None:
        """Count more."""
        self.right += right
        self.all += of

    @property
    def share(self) -> float:
        """Right ones as a share, 1.0 of none."""
        return self.right / self.all if self.all else 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Served prices against the truth, at one virtual moment.

    `settled` counts only the stores whose anchor was scraped since prices last turned.
    """

    at: datetime
    listings_per_store: int = 0
    accuracy: dict[str, Tally] = field(default_factory=dict)
    settled: dict[str, Tally] = field(default_factory=dict)


def mean(tallies: dict[str, Tally]) -> float:
    """The plain mean of the companies' shares, so that a hard one counts as much as an easy one."""
    counted = [tally.share for tally in tallies.values() if tally.all]
    return sum(counted) / len(counted) if counted else 1.0


@dataclass(frozen=True, slots=True)
class Summary:
    """The last line of ``splitcart demo --json``."""

    fidelity: float
    accuracy: float
    accuracy_settled: float
    stores: int
    listings_per_store: int
    virtual_days: float
    observations: int
    requests: int
    requests_saved: int
    groups: dict[str, int]
    zones: dict[str, int]
    abandoned: list[dict[str, str]]
    dead_letters: int
    lag: int
    seconds: float

    def content(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self)
