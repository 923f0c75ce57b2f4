"""A decision being made: the events so far, and the groups as they will be once those are folded."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from splitcart_common.events.base import Event
from splitcart_common.events.groups import (
    AnchorWentStale,
    GroupFormed,
    MemberConfirmed,
    MemberEjected,
    RescrapeNeeded,
)
from splitcart_common.turns import Turns
from splitcart_grouping.domain import exceptions
from splitcart_grouping.domain.compare import Compared, compare, differing
from splitcart_grouping.domain.groups import Groups, Member
from splitcart_grouping.domain.market import Market
from splitcart_grouping.domain.times import micros


class Draft:
    """What is said is folded into a copy of the groups at once; `events` is what came of it, in order."""

    def __init__(self, market: Market, groups: Groups, now: datetime, turns: Turns) -> None:
        self.market = market
        self.groups = groups.copy()
        self.rules = market.rules
        self.now = now if groups.clock is None else max(now, groups.clock)
        self.events: list[Event] = []
        turned = turns.last(market.company, self.now)
        self.since = micros(max(turned, self.now - market.rules.current))
        """A last full scrape that started before this microsecond makes a store stale."""

    def say(self, event: Event) -> None:
        """Decide an event; its version must be `next`."""
        if not self.groups.evolve(event):
            raise AssertionError(f"{event} was decided out of turn")
        self.events.append(event)

    @property
    def next(self) -> int:
        """The version of the next event."""
        return self.groups.version + 1

    def comparable(self, store: str) -> bool:
        """Whether a store is open and not stale: seen in full since the last turn and within 72 hours.

        All its cells are current then: a full scrape attests every one, and later scrapes only move them on.
        """
        seen = self.market.stores.get(store)
        return seen is not None and bool(self.market.full_at[seen.row] >= self.since)

    def leads(self, store: str) -> bool:
        """Whether a store has a full scrape above its own floor, as an anchor must (protocol.md, rule 11).

        A floor that is not among the scrapes since the last full one is below it: only what has settled is ever
        confirmed.
        """
        seen = self.market.stores.get(store)
        return seen is not None and seen.full is not None and self.groups.floors.get(store) not in seen.since_full

    def settled_at(self, store: str) -> datetime | None:
        """When a store's last scrape settled."""
        seen = self.market.stores.get(store)
        return None if seen is None or seen.last is None else seen.last.settled_at

    def last_is_full(self, store: str) -> bool:
        """Whether a store's last scrape was a full one."""
        seen = self.market.stores.get(store)
        return seen is not None and seen.full is not None and seen.last == seen.full

    def last_scrape(self, store: str) -> UUID:
        """The scrape a store settled last; AssertionError if there is none."""
        seen = self.market.stores[store]
        if seen.last is None:
            raise AssertionError(f"nothing of {store} has settled: no statement can name its scrape")
        return seen.last.scrape_id

    def compare(self, a: str, b: str) -> Compared:
        """Compare two stores that are comparable."""
        rows = (self.market.stores[store].row for store in (a, b))
        return compare(self.market.vectors, self.market.drift, *rows)

    def form(self, store: str) -> None:
        """A group of one."""
        self.say(GroupFormed(self.next, store, self.now))

    def eject(self, store: str, member: Member, found: Compared | None) -> None:
        """A member becomes its own anchor, for differing, or as the heir (nothing was found then)."""
        shared, equal = (member.shared, member.equal) if found is None else (found.shared, found.equal)
        sample = () if found is None else self._sample(store, member.anchor)
        self.say(MemberEjected(self.next, store, member.anchor, shared, equal, sample, self.now))

    def _sample(self, store: str, anchor: str) -> tuple[str, ...]:
        rows = (self.market.stores[of].row for of in (store, anchor))
        numbers = differing(self.market.vectors, self.market.drift, *rows)[: self.rules.sample]
        return tuple(self.market.skus[number] for number in numbers.tolist())

    def ask(self, store: str, why: str) -> None:
        """Ask for a full scrape of a store, once until it settles again."""
        asked, settled_at = self.groups.asked.get(store), self.settled_at(store)
        if asked is None or (settled_at is not None and settled_at > asked):
            self.now = self.now if settled_at is None else max(self.now, settled_at)  # clocks may differ a little
            self.say(RescrapeNeeded(self.next, store, why, self.now))

    def flag(self, anchor: str) -> None:
        """Say that an anchor is stale, once until it settles again."""
        settled_at = self.settled_at(anchor)
        if anchor not in self.groups.stale or self.groups.stale[anchor] != settled_at:
            self.say(AnchorWentStale(self.next, anchor, settled_at, self.now))

    def statement(self, store: str, anchor: str, found: Compared | None) -> MemberConfirmed:
        """The confirmation of a store under an anchor that leads; `found` None where it was not compared.

        What is said of a store that was not compared is what it was priced by before, and its floor stays.
        """
        market, member = self.market, self.groups.members.get(store)
        of_anchor = market.stores[anchor]
        if found is not None:
            claim, up_to = exceptions.own(market, store), self.last_scrape(store)
        else:
            if member is None:
                raise AssertionError(f"{store} is no member and was not compared: nothing can be stated of it")
            claim = exceptions.carried(market, member.anchor, member.exceptions, self.now, self.rules)
            up_to = member.up_to_scrape
        return MemberConfirmed(
            version=self.next,
            store=store,
            anchor=anchor,
            up_to_scrape=up_to,
            anchor_scrape=self.last_scrape(anchor),
            shared=0 if found is None else found.shared,
            equal=0 if found is None else found.equal,
            exceptions=exceptions.state(
                market, claim, of_anchor, self._sources(store, anchor), self.now, self.rules
            ),
            rule_version=self.rules.version,
            at=self.now,
        )

    def move(self, store: str, anchor: str) -> None:
        """Confirm a store under another anchor: by its own observation where it is current, else by what stood."""
        found = self.compare(store, anchor) if self.comparable(store) else None
        self.say(self.statement(store, anchor, found))

    def _sources(self, store: str, anchor: str) -> Iterator[int]:
        """The rows of the anchor's members other than the store."""
        stores = self.market.stores
        return (stores[other].row for other in self.groups.followers(anchor) if other != store and other in stores)
