"""A company run through the pure domain of grouping: scrapes and ticks in, events out, each step checked.

Beside the domain it keeps what ingest would have on record, so that what a confirmation means can be asked there.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from splitcart_common.codec import encode
from splitcart_common.events.base import Event
from splitcart_common.events.groups import MemberConfirmed, MemberEjected
from splitcart_common.events.prices import Outcome
from splitcart_common.turns import Turns
from splitcart_grouping.domain import decide
from splitcart_grouping.domain.groups import Groups
from splitcart_grouping.domain.market import Market, Settlement
from splitcart_grouping.domain.rules import RULES, Rules
from splitcart_ingest.domain import membership
from splitcart_ingest.domain.membership import Confirmed, Ejected, GroupException, Membership
from splitcart_ingest.domain.served import HistoryRow, ScrapeRow, Served, StoreRecord, served

TURNS = Turns.parse("wed 00:00")
TURN = datetime(2026, 9, 2, tzinfo=UTC)
"""A Wednesday: prices have just turned."""

SMALL = Rules(equal_percent=80, shared_least=5, sample=3)
"""Rules for ranges of a dozen listings, of which two may differ."""

Prices = Mapping[str, int]


def hours(count: float) -> datetime:
    """So many hours after the turn."""
    return TURN + timedelta(hours=count)


def prices(count: int = 250, base: int = 1000, **other: int) -> dict[str, int]:
    """A range of so many listings, `k0000` up, all of one price but for those named."""
    return {f"k{number:04}": base for number in range(count)} | other


@dataclass
class OnRecord:
    """What ingest would have of a store: price, last sighting and last move by sku, and the rows of its fold."""

    prices: dict[str, int] = field(default_factory=dict)
    attested: dict[str, datetime] = field(default_factory=dict)
    moved: dict[str, datetime] = field(default_factory=dict)
    history: list[HistoryRow] = field(default_factory=list)
    scrapes: list[ScrapeRow] = field(default_factory=list)
    full_at: datetime | None = None


class Company:
    """A company's market and groups, fed by hand. `log` is every event decided.

    `thorough`: rule 8 is asked of every listing of every store confirmed, which takes most of the time.
    """

    def __init__(
        self, rules: Rules = RULES, turns: Turns = TURNS, name: str = "aldi", thorough: bool = True
    ) -> None:
        self.thorough = thorough
        self.name, self.rules, self.turns = name, rules, turns
        self.market = Market(name, turns=turns, rules=rules)
        self.groups = Groups()
        self.log: list[Event] = []
        self.on_record: dict[str, OnRecord] = {}
        self.members = Membership()
        self._numbers: dict[str, int] = {}

    def key(self, store: str) -> str:
        return f"{self.name}:{store}"

    def discover(self, *stores: str, at: datetime = TURN) -> list[Event]:
        events: list[Event] = []
        for store in stores:
            self.market.discover(self.key(store), at)
            events += self._fold(decide.on_discovered(self.market, self.groups, self.key(store), at), at)
        return events

    def close(self, store: str, at: datetime) -> list[Event]:
        key = self.key(store)
        self.market.close(key, at)
        return self._fold(decide.on_closed(self.market, self.groups, key, at, self.turns), at)

    def tick(self, at: datetime) -> list[Event]:
        return self._fold(decide.on_tick(self.market, self.groups, at, self.turns), at)

    def scrape(
        self,
        store: str,
        found: Prices,
        at: datetime,
        outcome: Outcome = "full",
        took: timedelta = timedelta(minutes=10),
        now: datetime | None = None,
        decides: bool = True,
    ) -> list[Event]:
        """A scrape that began `at` and saw these prices: what ingest derives of it, then what is decided."""
        key, settled_at = self.key(store), at + took
        settlement, changes = self.observe(key, found, at, settled_at, outcome)
        assert self.market.settle(settlement, changes)
        assert not self.market.settle(settlement, changes)  # a repeat
        if not decides:
            return []
        now = settled_at if now is None else now
        return self._fold(decide.on_settled(self.market, self.groups, key, now, self.turns), now)

    def observe(
        self, key: str, found: Prices, at: datetime, settled_at: datetime, outcome: Outcome
    ) -> tuple[Settlement, list[tuple[str, int | None]]]:
        """Ingest's fold of a scrape, in a few lines."""
        known = self.on_record.setdefault(key, OnRecord())
        seq = len(known.scrapes) + 1
        changes: list[tuple[str, int | None]] = [
            (sku, price) for sku, price in found.items() if known.prices.get(sku) != price
        ]
        turned = self.turns.last(self.name, at)
        for sku, _ in changes:
            if sku in known.prices:
                known.moved[sku] = at if known.attested[sku] >= turned else turned
        if outcome == "full":
            changes += [(sku, None) for sku in known.prices if sku not in found]
            known.prices, known.full_at = dict(found), at
        else:
            known.prices |= found
        known.attested |= dict.fromkeys(known.prices if outcome == "full" else found, at)
        scrape_id = UUID(int=(hash_of(key) << 32) + seq)
        known.history += [HistoryRow(self.number(sku), seq, at, price) for sku, price in changes]
        seen = None if outcome == "full" else tuple(map(self.number, found))
        known.scrapes.append(ScrapeRow(seq, scrape_id, at, outcome, seen))
        skus = () if outcome == "full" else tuple(found)
        return Settlement(key, scrape_id, seq, outcome, at, settled_at, skus), changes

    def number(self, sku: str) -> int:
        return self._numbers.setdefault(sku, len(self._numbers))

    def served(self, store: str, sku: str, at: datetime) -> Served | None:
        """Rule 8, asked of ingest's own pure code."""
        key = self.key(store)
        anchor = self.groups.anchor_of(key) or key
        records = {
            name: StoreRecord(known.history, known.scrapes, self.members.markers.get(name, ()))
            for name in (key, anchor)
            if (known := self.on_record.get(name)) is not None
        }
        return served(key, self.number(sku), at, records, self.turns.last(self.name, at))

    def price(self, store: str, sku: str, at: datetime) -> int | None:
        answer = self.served(store, sku, at)
        return None if answer is None else answer.price

    def anchor(self, store: str) -> str | None:
        """The anchor of a store, without the company."""
        anchor = self.groups.anchor_of(self.key(store))
        return None if anchor is None else anchor.removeprefix(f"{self.name}:")

    def parts(self) -> set[frozenset[str]]:
        """The groups as sets of stores."""
        return {
            frozenset(store.removeprefix(f"{self.name}:") for store in {anchor, *self.groups.followers(anchor)})
            for anchor in self.groups.anchors
        }

    def current(self, key: str, at: datetime) -> bool:
        """Whether a store was seen in full since the last turn and within 72 hours."""
        full_at = self.on_record[key].full_at if key in self.on_record else None
        if full_at is None or not self.market.is_open(key):
            return False
        return full_at >= self.turns.last(self.name, at) and at - full_at <= self.rules.current

    def _fold(self, events: list[Event], now: datetime) -> list[Event]:
        for place, event in enumerate(events):
            assert event.version == self.groups.version + 1, "versions are consecutive"
            assert self.groups.clock is None or event.at >= self.groups.clock, "times never run backwards"
            read = msgspec.json.decode(encode(event), type=type(event))
            assert read == event, f"event {place} is not what it is on the wire"
            assert self.groups.evolve(read)
            before = self.groups.copy()
            assert not self.groups.evolve(event)
            assert self.groups == before, "a repeat changes nothing"
            self._mark(event)
        self.log += events
        self.check(events, now)
        return events

    def _mark(self, event: Event) -> None:
        if isinstance(event, MemberConfirmed):
            exceptions = {self.number(e.sku): GroupException(e.price, e.seen_at) for e in event.exceptions}
            scrapes = (event.up_to_scrape, event.anchor_scrape)
            membership.fold(
                self.members, Confirmed(event.version, event.store, event.anchor, *scrapes, exceptions, event.at)
            )
        elif isinstance(event, MemberEjected):
            membership.fold(self.members, Ejected(event.version, event.store, event.at))

    def check(self, events: Iterable[Event], now: datetime) -> None:
        """What holds after every decision."""
        groups = self.groups
        assert not set(groups.anchors) & set(groups.members), "an anchor is a member of nobody"
        assert {member.anchor for member in groups.members.values()} <= set(groups.anchors)
        for anchor in groups.anchors:
            assert all(groups.members[store].anchor == anchor for store in groups.followers(anchor))
        for store in self.market.stores:
            if self.market.is_open(store):
                assert (store in groups.anchors) != (store in groups.members), "in one group, and in no other"
        last = {event.store: event for event in events if isinstance(event, MemberConfirmed | MemberEjected)}
        for event in last.values():
            if isinstance(event, MemberConfirmed):
                self._check_confirmation(event, now)

    def _check_confirmation(self, event: MemberConfirmed, now: datetime) -> None:
        """Rule 8 gives back the member's own prices, but where the anchor's moved after the member was seen."""
        skus = [exception.sku for exception in event.exceptions]
        assert skus == sorted(set(skus))
        floor, anchor = self.groups.floors.get(event.anchor), self.on_record[event.anchor]
        seq_of = {row.scrape_id: row.seq for row in anchor.scrapes}
        full = max(row.seq for row in anchor.scrapes if row.outcome == "full")
        assert floor is None or seq_of[floor] < full, "an anchor has a full scrape above its own floor"
        if not (self.thorough and self.current(event.store, now)):
            return
        mine, store = self.on_record[event.store], event.store.partition(":")[2]
        for sku in {*mine.prices, *anchor.prices}:
            own, theirs = mine.prices.get(sku), anchor.prices.get(sku)
            if None not in (own, theirs) and sku in anchor.moved and anchor.moved[sku] > mine.attested[sku]:
                continue
            assert self.price(store, sku, event.at) == own, (sku, own, theirs)


def hash_of(key: str) -> int:
    """A number of a key that is the same in every process."""
    return int.from_bytes(key.encode()[-6:], "big")


def names(events: Iterable[Event]) -> list[str]:
    """The types of events, in order."""
    return [type(event).TYPE for event in events]


def replay(log: Iterable[Event]) -> Groups:
    """What the log of events folds to."""
    groups = Groups()
    for event in log:
        groups.evolve(event)
    return groups


def told(events: Iterable[Event]) -> str:
    """Events as text, to be compared."""
    return json.dumps([encode(event).decode() for event in events])
