"""Messages of every kind there should not be, between good ones, from a seed.

Good ones are of stores of their own, so that nothing bad can take part in their fold: each of them must be folded.
Bad ones use other stores; where it is known what has to become of one, it says so.
"""

import json
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from splitcart_common.outcomes import Reason
from splitcart_common.topics import PRODUCT_OBSERVED
from tests.golden import GOLDEN
from tests.support.bus import Said
from tests.support.ingest import START, scrape

GOOD: Final = tuple(f"aldi:S{n:02}" for n in range(6))
VICTIMS: Final = ("aldi:V0", "coles:V1", "iga:V2")
BAD_SHARE: Final = 0.3

DEAD: Final = frozenset(str(reason) for reason in Reason)
LIVE: Final = frozenset({"folded", "not-open", "repeat"})
ANYTHING: Final = DEAD | LIVE
"""All that may become of a message."""

TEXTS: Final = (
    "", "\0", "\x1b[2J", "\x1f", "\u202e", "'; DROP TABLE stores; --", "<script>", "x" * 700, "é" * 200, "😀",
    "\\", '"', "%s", "null", "\n", "a\u0301",
)  # fmt: skip
ODD: Final = (
    None, True, 0, -1, 1, 10**7, 10**7 + 1, 10**12, 10**400, 4.69, 1e308, [], {}, [[]], "469", "NaN",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-09-01T00:00:00Z", *TEXTS,
)  # fmt: skip


@dataclass(frozen=True)
class Fed:
    """A message and what may become of it; `good` ones are untouched."""

    said: Said
    expected: frozenset[str]
    good: bool = False


class Fuzz:
    """An endless stream of messages; `now` is the (virtual) time at which the broker has them."""

    def __init__(self, seed: int, now: datetime) -> None:
        self._rng = random.Random(seed)
        self._now = now
        self._queues = {store: deque[Said]() for store in (*GOOD, *VICTIMS)}
        self._visits = dict.fromkeys(self._queues, 0)
        self._said: dict[str, deque[Said]] = {store: deque(maxlen=40) for store in VICTIMS}
        self._kinds = [
            self._junk, self._garbled, self._garbled, self._odd_json, self._odd_json, self._price, self._header,
            self._version, self._key, self._time, self._out_of_order, self._out_of_order, self._stranger,
            self._elsewhere,
        ]  # fmt: skip

    def __iter__(self) -> Iterator[Fed]:
        while True:
            if self._rng.random() >= BAD_SHARE:
                yield Fed(self._next(self._rng.choice(GOOD)), frozenset({"folded"}), good=True)
            else:
                yield self._rng.choice(self._kinds)()

    def _next(self, store: str) -> Said:
        """The next message of a store's own stream: scrape after scrape, each whole and in order."""
        queue = self._queues[store]
        if not queue:
            number = self._visits[store] = self._visits[store] + 1
            skus = self._rng.sample(range(40), self._rng.randrange(20, 40))
            prices: dict[str, int | None] = {f"{sku:03}": self._rng.randrange(50, 60) for sku in skus}
            queue += scrape(store, number, prices, at=START + timedelta(minutes=number), batch_size=15)
        said = queue.popleft()
        if store in self._said:
            self._said[store].append(said)
        return said

    def _victim(self) -> Said:
        return self._next(self._rng.choice(VICTIMS))

    def _batch(self) -> Said:
        """A victim's message with listings."""
        while True:
            said = self._victim()
            if b'"listings":[' in (said.value or b""):
                return said

    def _junk(self) -> Fed:
        value = self._rng.choice([self._rng.randbytes(self._rng.randrange(200)), None, b"[" * 100_000, b"null"])
        return Fed(replace(self._victim(), value=value), frozenset({Reason.UNDECODABLE, Reason.INVALID}))

    def _garbled(self) -> Fed:
        said = self._victim()
        value = bytearray(said.value or b"")
        for _ in range(self._rng.randrange(1, 5)):
            at = self._rng.randrange(len(value) or 1)
            match self._rng.randrange(4):
                case 0:
                    value[at : at + 1] = self._rng.randbytes(self._rng.randrange(3))
                case 1:
                    del value[at : at + self._rng.randrange(20)]
                case 2:
                    value[at:at] = self._rng.choice([b"\\u0000", b"\\ud800", b"1e999", b"{", b"null", b'"', b"0"])
                case _:
                    value = value[:at] or bytearray(b" ")
        return Fed(replace(said, value=bytes(value)), ANYTHING)

    def _odd_json(self) -> Fed:
        said = self._victim()
        whole = json.loads(said.value or b"")
        place: Any = whole
        while True:
            key = self._rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if isinstance(place[key], dict | list) and place[key] and self._rng.random() < 0.8:
                place = place[key]
                continue
            if isinstance(place, dict) and self._rng.random() < 0.2:
                del place[key]
            else:
                place[key] = self._rng.choice(ODD)
            break
        return Fed(replace(said, value=json.dumps(whole).encode()), ANYTHING)

    def _price(self) -> Fed:
        price = self._rng.choice([-1, -(10**12), 10**7 + 1, 10**12, 0.5, "1", False])
        return Fed(self._changed(lambda listing: listing.update(price=price)), frozenset({Reason.INVALID}))

    def _changed(self, change: Callable[[dict[str, Any]], object]) -> Said:
        said = self._batch()
        value = json.loads(said.value or b"")
        change(self._rng.choice(value["listings"]))
        return replace(said, value=json.dumps(value).encode())

    def _header(self) -> Fed:
        said = self._victim()
        headers = list(said.headers)
        at = self._rng.randrange(len(headers) - 1)  # the last may be causation-id, and then it may be missing
        name = headers[at][0]
        match self._rng.randrange(3):
            case 0:
                del headers[at]
            case 1:
                headers.append(headers[at])
            case _:
                headers[at] = (name, b"\xff\xfe")
        return Fed(replace(said, headers=headers), frozenset({Reason.NO_ENVELOPE}))

    def _version(self) -> Fed:
        said = self._victim()
        version = self._rng.choice([b"0", b"-1", b"2", b"99"])
        headers = [(n, version if n == "event-version" else v) for n, v in said.headers]
        return Fed(replace(said, headers=headers), frozenset({Reason.UNKNOWN_VERSION}))

    def _key(self) -> Fed:
        key = self._rng.choice(
            [b"", b"\xff", b"G1", b"aldi:", b"aldi:a b", b"ALDI:1", b"aldi:1\n", self._rng.randbytes(9)]
        )
        return Fed(replace(self._victim(), key=key), frozenset({Reason.WRONG_KEY}))

    def _time(self) -> Fed:
        said = self._victim()
        at, reason = self._rng.choice(
            [
                (self._now + timedelta(minutes=11), Reason.FROM_THE_FUTURE),
                (self._now + timedelta(days=9000), Reason.FROM_THE_FUTURE),
                (datetime(1999, 12, 31, tzinfo=self._now.tzinfo), Reason.INVALID),
            ]
        )
        headers = [(n, at.isoformat().encode() if n == "occurred-at" else v) for n, v in said.headers]
        return Fed(replace(said, headers=headers), frozenset({reason}))

    def _out_of_order(self) -> Fed:
        """A message of a victim again, or one of its next left out."""
        store = self._rng.choice(VICTIMS)
        if self._said[store] and self._rng.random() < 0.7:
            return Fed(self._rng.choice(self._said[store]), LIVE)
        self._next(store)
        return Fed(self._next(store), LIVE)

    def _stranger(self) -> Fed:
        """A message of a scrape that was not begun, or begun, in a store nobody knows."""
        store = f"grocer:{self._rng.randrange(50)}"
        said = self._rng.choice(scrape(store, 1, {"001": 1}))
        return Fed(said, LIVE)

    def _elsewhere(self) -> Fed:
        golden = self._rng.choice([one for one in GOLDEN if one.topic is not PRODUCT_OBSERVED])
        said = Said(b"aldi:V0", golden.value, list(golden.wire_headers), PRODUCT_OBSERVED)
        return Fed(said, frozenset({Reason.WRONG_TOPIC}))
