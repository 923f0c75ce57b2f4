"""Host tokens in memory; tests/contract/scraper holds them to what Postgres's do."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from splitcart_scraper.pace import Held, Trace
from splitcart_scraper.robots import KeptRobots

FORGET_AFTER = timedelta(seconds=3)


@dataclass(slots=True)
class _Token:
    owner: str | None = None
    until: datetime | None = None
    trace: Trace = field(default_factory=Trace)


class MemoryTokens:
    """`pace.HostTokens` for one process."""

    def __init__(self) -> None:
        self._tokens: dict[str, _Token] = {}
        self._waiters: dict[tuple[str, str], tuple[datetime, datetime]] = {}

    async def take(self, host: str, owner: str, since: datetime, now: datetime, until: datetime) -> Held | None:
        token = self._tokens.setdefault(host, _Token())
        free = token.owner in (None, owner) or (token.until is not None and token.until <= now)
        before_us = any(
            (other_since, name) < (since, owner)
            for (at, name), (other_since, seen) in self._waiters.items()
            if at == host and name != owner and seen > now - FORGET_AFTER
        )
        if not free or before_us:
            self._waiters[host, owner] = since, now
            return None
        self._waiters.pop((host, owner), None)
        token.owner, token.until = owner, until
        return Held(token.trace, waited_for=False)

    async def renew(self, host: str, owner: str, trace: Trace, now: datetime, until: datetime) -> Held | None:
        token = self._tokens.setdefault(host, _Token())
        if token.owner != owner:
            return None
        token.until, token.trace = until, _left(token.trace, trace)
        waited_for = any(at == host and seen > now - FORGET_AFTER for (at, _), (_, seen) in self._waiters.items())
        return Held(token.trace, waited_for)

    async def give_back(self, host: str, owner: str, trace: Trace) -> None:
        token = self._tokens.setdefault(host, _Token())
        if token.owner == owner:
            token.owner, token.until, token.trace = None, None, _left(token.trace, trace)


def _left(known: Trace, new: Trace) -> Trace:
    closed = [moment for moment in (known.closed_until, new.closed_until) if moment is not None]
    return Trace(
        new.last_request_at or known.last_request_at,
        known.gap_seconds if new.gap_seconds is None else new.gap_seconds,
        max(closed, default=None),
    )


class MemoryRobots:
    """`robots.RobotsShelf` for one process."""

    def __init__(self) -> None:
        self.shelf: dict[str, KeptRobots] = {}

    async def kept(self, host: str) -> KeptRobots | None:
        return self.shelf.get(host)

    async def keep(self, host: str, robots: KeptRobots) -> None:
        self.shelf[host] = robots
