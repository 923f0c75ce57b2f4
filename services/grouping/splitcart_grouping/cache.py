"""The companies in memory: each as the database has it, and known to be.

Whoever changes anything of a company holds the lock of its row, and leaves the number of his transaction there.
What is held in memory is up to date if the number is the one it was left with; if others have been there since,
what they wrote is taken up; and if a transaction of ours has not gone through, it is all read anew.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from splitcart_common.events.groups import GroupEvent
from splitcart_common.postgres import Connection
from splitcart_common.turns import Turns
from splitcart_grouping.domain.groups import Groups
from splitcart_grouping.domain.market import Market
from splitcart_grouping.store import (
    Head,
    count_listings,
    load_decisions,
    load_listings,
    load_stores,
    lock_companies,
    save_company,
    save_decisions,
    save_listings,
    save_stores,
    was_committed,
)


@dataclass(slots=True)
class Company:
    """Both folds of a company; `head` is its row as this transaction found it, `listings` how many are saved."""

    head: Head
    market: Market
    groups: Groups
    listings: int
    revision: int
    left_by: str


class Companies:
    """The companies held. A transaction opens what it needs, in one call, and saves what it did."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._held: dict[str, Company] = {}

    async def open(self, connection: Connection, names: Iterable[str]) -> dict[str, Company]:
        """Lock companies until the transaction ends, and bring them up to date."""
        return {
            head.company: await self._open(connection, head) for head in await lock_companies(connection, names)
        }

    def forget(self, names: Iterable[str]) -> None:
        """Hold companies no longer."""
        for name in names:
            self._held.pop(name, None)

    async def save(
        self,
        connection: Connection,
        company: Company,
        stores: Collection[str],
        events: Sequence[GroupEvent],
        history_until: int = 0,
    ) -> None:
        """Write what a transaction did to a company: stores it saw, decisions it made or learnt and has folded.

        Decisions that were learnt were made on observations that stand in price-changed before `history_until`.
        """
        if not stores and not events:
            return
        head, market = company.head, company.market
        # Unknown to all until the transaction has gone through: then its number is what says so.
        company.left_by, company.revision = head.me, head.revision + 1
        if len(market.skus) > company.listings:
            await save_listings(connection, head.company, company.listings, market.skus[company.listings :])
            company.listings = len(market.skus)
        if stores:
            await save_stores(connection, market, company.revision, stores)
        if events:
            await save_decisions(connection, head.company, company.groups, events)
        await save_company(connection, head, company.groups.version, history_until)

    async def _open(self, connection: Connection, head: Head) -> Company:
        held = self._held.pop(head.company, None)
        if (
            held is not None
            and held.left_by != head.changed_by
            and not await self._catch_up(connection, held, head)
        ):
            held = None
        if held is None:
            held = await self._load(connection, head)
        held.head = head
        self._held[head.company] = held
        return held

    async def _load(self, connection: Connection, head: Head) -> Company:
        skus = await load_listings(connection, head.company)
        market, groups = Market(head.company, skus, turns=self._turns), Groups()
        await load_stores(connection, market, 0)
        await load_decisions(connection, head.company, groups)
        return Company(head, market, groups, len(skus), head.revision, head.changed_by)

    async def _catch_up(self, connection: Connection, held: Company, head: Head) -> bool:
        """Take up what others wrote; False where what is held is not what was committed once."""
        if not await was_committed(connection, held.left_by):
            return False
        if await count_listings(connection, head.company) != held.listings:
            return False
        await load_stores(connection, held.market, held.revision)
        await load_decisions(connection, head.company, held.groups)
        held.revision, held.left_by = head.revision, head.changed_by
        return True
