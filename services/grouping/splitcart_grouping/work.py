"""What one transaction does to one company: stores it saw, decisions it made or learnt, messages they are."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from splitcart_common import outbox
from splitcart_common.clock import Clock
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.events.groups import GroupEvent
from splitcart_grouping.cache import Company
from splitcart_grouping.decisions import event_id, to_row

Decide = Callable[[Company, datetime], Sequence[Event]]
"""Fold an observation, if there is one, and say what follows from it at a moment."""


@dataclass(slots=True)
class Work:
    """Gathered while the company is locked, and saved before the transaction ends."""

    company: Company
    stores: set[str] = field(default_factory=set)
    events: list[GroupEvent] = field(default_factory=list)
    rows: list[outbox.OutboxRow] = field(default_factory=list)
    history_until: int = 0

    async def decide(
        self, decide: Decide, cause: Envelope | None, *, clock: Clock, prefix: str, producer: str
    ) -> None:
        """Ask the domain in a thread, so that others are served meanwhile; fold and publish what it says.

        `cause` is what the message that led to it came in, None for maintenance.
        """
        groups, now = self.company.groups, clock.now()
        now = now if groups.clock is None else max(now, groups.clock)  # what was decided never runs backwards
        decided = cast("Sequence[GroupEvent]", await asyncio.to_thread(decide, self.company, now))
        for event in decided:
            self.learn(event)
            self.rows.append(to_row(event, cause, event_id(decided[0]), prefix=prefix, producer=producer))

    def learn(self, event: GroupEvent) -> bool:
        """Fold a decision; False where its version is known."""
        if not self.company.groups.evolve(event):
            return False
        self.events.append(event)
        return True
