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
class Manners:
    """What a company's host saw of its visitors, by its own account; gaps are virtual seconds, None without two.

    `at_once` are the most requests waited on at one moment. `asked_to_wait` counts the answers that said for how
    long not to ask again, `too_soon` the requests that came before that time was over. `faults` are the host's.
    """

    requests: int
    at_once: int
    gap_asked_seconds: float
    shortest_gap_seconds: float | None
    asked_to_wait: int
    too_soon: int
    faults: dict[str, int]

    @property
    def polite(self) -> bool:
        """One request at a time, the gap kept, and a host that asked for patience left alone."""
        kept = self.shortest_gap_seconds is None or self.shortest_gap_seconds >= self.gap_asked_seconds
        return self.at_once <= 1 and self.too_soon == 0 and kept


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
    hosts: dict[str, Manners]
    groups: dict[str, int]
    zones: dict[str, int]
    abandoned: list[dict[str, str]]
    dead_letters: int
    lag: int
    seconds: float

    def content(self) -> dict[str, object]:
        """As JSON."""
        hosts = {company: {**asdict(host), "polite": host.polite} for company, host in self.hosts.items()}
        return {**asdict(self), "hosts": hosts}
