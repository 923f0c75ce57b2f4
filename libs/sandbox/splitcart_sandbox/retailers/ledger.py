"""Who asked what of which company, and how many at once: politeness must be assertable."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from splitcart_sandbox.retailers.web import Call


class Ledger:
    """Counts since the start of the process."""

    def __init__(self) -> None:
        self._in_flight: Counter[str] = Counter()
        self._most_at_once: Counter[str] = Counter()
        self._companies: Counter[str] = Counter()
        self._stores: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._faults: defaultdict[str, Counter[str]] = defaultdict(Counter)

    @contextmanager
    def serving(self, company: str, call: Call) -> Iterator[None]:
        """Count a call, and that it is in flight until the block ends."""
        self._companies[company] += 1
        self._kinds[company][call.kind] += 1
        if call.store:
            self._stores[company][f"{company}:{call.store}"] += 1
        self._in_flight[company] += 1
        self._most_at_once[company] = max(self._most_at_once[company], self._in_flight[company])
        try:
            yield
        finally:
            self._in_flight[company] -= 1

    def fault(self, company: str, fault: str) -> None:
        """Count a fault that happened to a call."""
        self._faults[company][fault] += 1

    def counts(self) -> dict[str, object]:
        """All counts, as JSON values."""
        return {
            "companies": dict(self._companies),
            "stores": {store: count for stores in self._stores.values() for store, count in stores.items()},
            "kinds": {company: dict(kinds) for company, kinds in self._kinds.items()},
            "faults": {company: dict(faults) for company, faults in self._faults.items()},
            "in_flight": dict(self._in_flight),
            "max_in_flight": dict(self._most_at_once),
        }
