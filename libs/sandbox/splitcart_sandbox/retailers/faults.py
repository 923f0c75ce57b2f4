"""What goes wrong between a retailer and a scraper: by rate, the same in every run of a seed, or by script.

Faults know no company and no price: they see what a call is about and say what happens to it. The server and the
company's face carry that out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from splitcart_sandbox.retailers.noise import fraction
from splitcart_sandbox.retailers.processes import DAY
from splitcart_sandbox.retailers.web import Answer, Call, Hides


class Fault(StrEnum):
    """What can happen to a request."""

    DROP = "drop"
    """The connection ends in the middle of the answer."""
    TIMEOUT = "timeout"
    """The answer comes after so many seconds that a client has given up."""
    THROTTLED = "throttled"
    """429 with Retry-After."""
    ERROR = "error"
    """500."""
    UNAVAILABLE = "unavailable"
    """503 with Retry-After."""
    TRUNCATED = "truncated"
    """200 whose JSON ends in the middle, in a complete HTTP answer."""
    BOT_WALL = "bot-wall"
    """The company's wall for robots: HTML."""
    SHORT_CATEGORY = "short-category"
    """A category of a store lacks a part of its listings, the same ones on all its pages."""
    EMPTY = "empty"
    """200 with no body."""
    DUPLICATES = "duplicates"
    """A page of a listing bears some of its products twice."""
    MISSING_PRICES = "missing-prices"
    """A page of a listing lacks the prices of some of its products."""
    NEW_BUILD = "new-build"
    """The shop is deployed anew: addresses that bear the build id of before are unknown from now on."""
    STORE_IGNORED = "store-ignored"
    """The answer is about the company's default store, whichever was asked for."""
    SPONSORED = "sponsored"
    """A page of a listing bears a paid copy of each of its products beside the product itself."""


ASKS_TO_WAIT: Final = frozenset({Fault.THROTTLED, Fault.UNAVAILABLE})
"""Those whose answer says for how long the host wants to be left alone."""

OWN: Final = frozenset(
    {Fault.DUPLICATES, Fault.MISSING_PRICES, Fault.NEW_BUILD, Fault.STORE_IGNORED, Fault.SPONSORED}
)
"""What only a company's face can carry out, and happens to no call that has no way of its own for it."""


Rates = Mapping[Fault, float]
"""Share of requests each fault happens to; of (store, category, day) for a short category."""

PROFILES: Final[Mapping[str, Rates]] = {
    "none": {},
    "mild": {
        Fault.DROP: 0.002, Fault.TIMEOUT: 0.0005, Fault.THROTTLED: 0.002, Fault.ERROR: 0.002,
        Fault.UNAVAILABLE: 0.002, Fault.TRUNCATED: 0.001, Fault.SHORT_CATEGORY: 0.002, Fault.EMPTY: 0.0005,
    },
    "hostile": {
        Fault.DROP: 0.02, Fault.TIMEOUT: 0.0005, Fault.THROTTLED: 0.002, Fault.ERROR: 0.02,
        Fault.UNAVAILABLE: 0.002, Fault.TRUNCATED: 0.02, Fault.BOT_WALL: 0.0005, Fault.SHORT_CATEGORY: 0.002,
        Fault.EMPTY: 0.01,
        Fault.DUPLICATES: 0.01, Fault.MISSING_PRICES: 0.005, Fault.NEW_BUILD: 0.001, Fault.STORE_IGNORED: 0.001,
        Fault.SPONSORED: 0.01,
    },
}  # fmt: skip
"""Rates by the name they are asked for in settings.

What costs a visitor seconds of the wall clock (time-outs, Retry-After) or a whole scrape (walls, another store) is
rarer than what costs it one more try: where time runs thousands of times as fast, a second is hours of its day.
"""

HIDDEN_SHARE: Final = 0.4
"""Share of a short category's listings that is missing."""

PAGE_FAULTS: Final = (Fault.DUPLICATES, Fault.MISSING_PRICES, Fault.STORE_IGNORED, Fault.SPONSORED)
"""Those of `OWN` that a page of a listing meets; a company without advertisements, or that knows the store by the
address alone, meets fewer of them."""

REPEATED: Final = 6
"""Products at the top of a page that a page with duplicates bears again."""

MISSING_SHARE: Final = 0.2
"""Share of products that lack their price on a page with missing prices."""


@dataclass(slots=True)
class Script:
    """A fault on order: for the next `count` matching calls, or `until` a second (virtual), or at a `rate`.

    `call` and `store` narrow it to a kind of call and a store's id as its key has it. A `rate` below 1 strikes
    that share of the matching calls, drawn from the seed; alone, it stands until it is cleared. A short category
    is counted, and drawn, in categories, not calls: each stays short until the script is cleared.
    """

    company: str
    fault: Fault
    count: int | None = None
    until: int | None = None
    call: str | None = None
    store: str | None = None
    rate: float = 1.0
    short: set[tuple[str, str]] = field(default_factory=set)

    def strikes(self, company: str, call: Call, at: int, seed: int = 0, number: int = 0) -> bool:
        """Whether it happens to this call, the company's so-and-so-many-th; uses up one of its count if so."""
        if not self._concerns(company, call) or (self.until is not None and at >= self.until):
            return False
        if self.fault is Fault.SHORT_CATEGORY and (call.store, call.category) in self.short:
            return True
        if self.rate < 1 and fraction(seed, "script", *self._drawn_by(company, call, number)) >= self.rate:
            return False
        if self.count is not None:
            if self.count == 0:
                return False
            self.count -= 1
        self.short.add((call.store, call.category))
        return True

    def _concerns(self, company: str, call: Call) -> bool:
        """Whether it can happen to such a call at all."""
        wanted = (company, self.call or call.kind, self.store or call.store)
        if wanted != (self.company, call.kind, call.store):
            return False
        if self.fault is Fault.SHORT_CATEGORY:
            return call.kind == "listing" and call.category != ""
        return self.fault not in OWN or self.fault in call.own

    def _drawn_by(self, company: str, call: Call, number: int) -> tuple[object, ...]:
        if self.fault is Fault.SHORT_CATEGORY:
            return company, self.fault, call.store, call.category
        return company, self.fault, number


def lacks_price(sku: str) -> bool:
    """Whether a product is among those that lack their price where prices are missing."""
    return fraction("missing", sku) < MISSING_SHARE


class Faults:
    """Decides what happens to each call: the n-th call of a company meets the same in every run of a seed."""

    def __init__(self, seed: int, rates: Rates) -> None:
        self._seed, self._rates = seed, rates
        self._calls: Counter[str] = Counter()
        self._scripts: list[Script] = []

    def order(self, script: Script) -> None:
        """Add a script; earlier ones come first."""
        self._scripts.append(script)

    def clear(self, company: str | None = None) -> int:
        """Forget the scripts of a company, or all; how many there were. Rates stay."""
        kept = [script for script in self._scripts if company not in (None, script.company)]
        cleared = len(self._scripts) - len(kept)
        self._scripts = kept
        return cleared

    def scripts(self) -> Iterator[dict[str, object]]:
        """The scripts in order, as JSON values."""
        for script in self._scripts:
            yield {
                "company": script.company, "kind": script.fault, "count": script.count, "until": script.until,
                "call": script.call, "store": script.store, "rate": script.rate,
            }  # fmt: skip

    def decide(self, company: str, call: Call, at: int) -> Fault | None:
        """What happens to a call at a virtual second; counts it."""
        self._calls[company] += 1
        for script in self._scripts:
            if script.strikes(company, call, at, self._seed, self._calls[company]):
                return script.fault
        draw = fraction(self._seed, "fault", company, self._calls[company]) if self._rates else 1.0
        for fault, rate in self._rates.items():
            if fault is not Fault.SHORT_CATEGORY:
                if draw < rate:
                    return fault if fault not in OWN or fault in call.own else None
                draw -= rate
        return Fault.SHORT_CATEGORY if self._short(company, call, at) else None

    def hides(self, company: str, call: Call) -> Hides:
        """Which listings of a short category are missing from it."""

        def hidden(sku: str) -> bool:
            return fraction(self._seed, "hidden", company, call.store, call.category, sku) < HIDDEN_SHARE

        return hidden

    def _short(self, company: str, call: Call, at: int) -> bool:
        rate = self._rates.get(Fault.SHORT_CATEGORY, 0.0)
        if not rate or call.kind != "listing" or not call.category:
            return False
        return fraction(self._seed, "short", company, call.store, call.category, at // DAY) < rate


def answer_of(fault: Fault, answer: Answer, wall: Answer, retry_after_seconds: int) -> Answer:
    """What a client gets instead of an answer. DROP, TIMEOUT, SHORT_CATEGORY and `OWN` are left to others."""
    retry = {"retry-after": str(retry_after_seconds)}
    instead = {
        Fault.THROTTLED: Answer(429, b'{"errors":[{"status":429,"detail":"Too Many Requests"}]}', retry),
        Fault.ERROR: Answer(500, b'{"errors":[{"status":500,"detail":"Internal Server Error"}]}'),
        Fault.UNAVAILABLE: Answer(503, b'{"errors":[{"status":503,"detail":"Service Unavailable"}]}', retry),
        Fault.TRUNCATED: replace(answer, body=answer.body[: len(answer.body) // 2]),
        Fault.BOT_WALL: wall,
        Fault.EMPTY: replace(answer, status=200, body=b""),
    }
    return instead.get(fault, answer)


def script_of(body: Mapping[str, object], companies: Mapping[str, object]) -> Script:
    """A script from the JSON of an order; ValueError that says what is wrong with it."""
    company, kind, count, until = (body.get(name) for name in ("company", "kind", "count", "until"))
    if company not in companies:
        raise ValueError(f"company must be one of {', '.join(companies)}")
    if kind not in set(Fault):
        raise ValueError(f"kind must be one of {', '.join(Fault)}")
    rate = _rate(body.get("rate"))
    alone = count is None and until is None and rate < 1
    if (count is None) == (until is None) and not alone:
        raise ValueError("give either count or until, or a rate below 1")
    moment = None if until is None else datetime.fromisoformat(str(until))
    if moment is not None and moment.tzinfo is None:
        raise ValueError("until needs a time zone")
    if count is not None and (not isinstance(count, int) or count < 1):
        raise ValueError("count must be a whole number above 0")
    second = None if moment is None else int(moment.timestamp())
    call, store = (None if body.get(name) is None else str(body[name]) for name in ("call", "store"))
    return Script(str(company), Fault(str(kind)), count, second, call, store, rate)


def _rate(value: object) -> float:
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ValueError("rate must be a number above 0, at most 1")
    return float(value)
