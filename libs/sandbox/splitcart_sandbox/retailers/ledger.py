"""Who asked what of which company, when, and how many at once: politeness must be assertable."""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from splitcart_sandbox.retailers.web import Call

KEPT: Final = 50_000
"""Of each company's requests, so many of the last are on record one by one; counts are of all."""

HELD_BACK: Final = "timeout"
"""The fault whose client may have given up, and rightly ask again, before the server knows."""


@dataclass(slots=True)
class Asked:
    """One request: the `number`-th of its company, in wall seconds since 1970 from when until when it was served.

    `ended` is None while it is. `store` is empty where the request names none, `fault` where none happened.
    `retry_after` is for how many wall seconds from then on its answer asks to be left alone, 0 where it does not.
    """

    number: int
    kind: str
    store: str
    began: float
    ended: float | None = None
    fault: str = ""
    retry_after: float = 0.0


@dataclass(slots=True)
class _Host:
    """What is known of one company's requests; `smallest_gap` is None while there were not two apart.

    `awaited` are the most at one moment of those whose client surely waited. `asked_to_wait` counts answers that
    asked to be left alone, `too_soon` the requests that came all the same.
    """

    live: dict[int, Asked] = field(default_factory=dict)
    most_at_once: int = 0
    awaited: int = 0
    requests: int = 0
    overlapping: int = 0
    last_ended: float | None = None
    smallest_gap: float | None = None
    asked_to_wait: int = 0
    too_soon: int = 0
    closed_until: float = 0.0
    log: deque[Asked] = field(default_factory=lambda: deque(maxlen=KEPT))


class Ledger:
    """Counts, and a record of the latest requests, since the start of the process."""

    def __init__(self) -> None:
        self._hosts: defaultdict[str, _Host] = defaultdict(_Host)
        self._stores: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._faults: defaultdict[str, Counter[str]] = defaultdict(Counter)
        # A wall clock that is set back would make gaps of nothing.
        self._epoch = time.time() - time.monotonic()

    @contextmanager
    def serving(self, company: str, call: Call) -> Iterator[Asked]:
        """Count a call, and that it is in flight until the block ends."""
        host = self._hosts[company]
        self._kinds[company][call.kind] += 1
        if call.store:
            self._stores[company][f"{company}:{call.store}"] += 1
        asked = Asked(host.requests + 1, call.kind, call.store, self._now())
        awaited = sum(other.fault != HELD_BACK for other in host.live.values())
        if awaited:
            host.overlapping += 1
        elif host.last_ended is not None:
            gap = asked.began - host.last_ended
            host.smallest_gap = gap if host.smallest_gap is None else min(gap, host.smallest_gap)
        host.requests = asked.number
        host.too_soon += asked.began < host.closed_until
        host.live[asked.number] = asked
        host.most_at_once = max(host.most_at_once, len(host.live))
        host.awaited = max(host.awaited, awaited + 1)
        host.log.append(asked)
        try:
            yield asked
        finally:
            del host.live[asked.number]
            asked.ended = host.last_ended = self._now()
            if asked.retry_after:
                host.asked_to_wait += 1
                host.closed_until = max(host.closed_until, asked.ended + asked.retry_after)

    def fault(self, company: str, fault: str) -> None:
        """Count a fault that happened to a call."""
        self._faults[company][fault] += 1

    def counts(self) -> dict[str, object]:
        """All counts, as JSON values; a gap is wall seconds from the end of a request to the begin of the next."""
        return {
            "companies": {company: host.requests for company, host in self._hosts.items()},
            "stores": {store: count for stores in self._stores.values() for store, count in stores.items()},
            "kinds": {company: dict(kinds) for company, kinds in self._kinds.items()},
            "faults": {company: dict(faults) for company, faults in self._faults.items()},
            "in_flight": {company: len(host.live) for company, host in self._hosts.items()},
            "max_in_flight": {company: host.most_at_once for company, host in self._hosts.items()},
            "max_awaited": {company: host.awaited for company, host in self._hosts.items()},
            "overlapping": {company: host.overlapping for company, host in self._hosts.items()},
            "smallest_gap_seconds": {company: host.smallest_gap for company, host in self._hosts.items()},
            "asked_to_wait": {company: host.asked_to_wait for company, host in self._hosts.items()},
            "too_soon": {company: host.too_soon for company, host in self._hosts.items()},
        }

    def log(self, company: str, since: int = 1) -> list[Asked]:
        """A company's requests on record from the `since`-th on, in the order they began."""
        host = self._hosts.get(company)
        return [] if host is None else [asked for asked in host.log if asked.number >= since]

    def _now(self) -> float:
        return self._epoch + time.monotonic()
