"""What the scraper hears from the others: a scrape is folded, a store is wanted, or it joined or left a group."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from aiokafka import TopicPartition

from splitcart_common.envelope import Envelope
from splitcart_common.events import (
    AnchorHandedOver,
    AnchorWentStale,
    Event,
    GroupFormed,
    GroupsMerged,
    MemberConfirmed,
    MemberEjected,
    RescrapeNeeded,
    RescrapeRequested,
    StoreSettled,
)
from splitcart_common.events.groups import GroupEvent
from splitcart_common.ids import company_of
from splitcart_common.lanes import Message
from splitcart_common.outcomes import Ok, Outcome, Skip
from splitcart_common.postgres import Connection
from splitcart_common.topics import PRICE_CHANGED, REQUESTS, STORE_GROUPS
from splitcart_scraper.store import claims, groups, runs

TOPICS: Final = (PRICE_CHANGED, REQUESTS, STORE_GROUPS)


class ScraperHandler:
    """`splitcart_common.lanes.Handler` of the scraper: no state but Postgres's."""

    def digest(self, key: str, envelope: Envelope, event: Event) -> Event:  # noqa: ARG002 - Handler's
        """The event itself."""
        return event

    async def prepare(self, where: TopicPartition, messages: Sequence[Message]) -> None:
        """Nothing commits before the batch does."""

    async def fold(
        self, connection: Connection, _where: TopicPartition, messages: Sequence[Message]
    ) -> Sequence[Outcome]:
        """Mark settled scrapes, flag stores, keep who is whose member; other events are for other services."""
        return [await self._fold(connection, message) for message in messages]

    async def _fold(self, connection: Connection, message: Message) -> Outcome:
        if isinstance(message.event, GroupEvent):
            return await _fold_groups(connection, message.event)
        match message.event:
            case StoreSettled() as settled:
                known = await runs.settle(connection, settled.scrape_id, settled.settled_at, settled.outcome)
                return Ok() if known else Skip("a scrape of another schema")
            case RescrapeRequested() as request:
                at = message.envelope.occurred_at
                known = await claims.flag(connection, request.subject, at, f"{request.by}: {request.reason}")
                return Ok() if known else Skip("a store that is unknown or closed")
            case _:
                return Skip("an event for other services")

    def forget(self, where: TopicPartition) -> None:
        """Nothing is cached."""


async def _fold_groups(connection: Connection, event: GroupEvent) -> Outcome:
    """One decision of grouping, unless it, or a later one of its company, was folded before."""
    if not await groups.is_news(connection, company_of(_about(event)), event.version):
        return Skip("a decision that was folded before")
    match event:
        case MemberConfirmed():
            await groups.confirm(connection, event.store, event.anchor, event.at, event.version)
        case MemberEjected(store=alone) | GroupFormed(anchor=alone) | AnchorHandedOver(new=alone):
            await groups.stand_alone(connection, alone)
        case AnchorWentStale():
            settled = event.last_settled_at
            seen = "never" if settled is None else f"last at {settled.isoformat(timespec='minutes')}"
            # Grouping may say so while it works off what it has missed: any scrape it had not heard of answers it.
            since = event.at if settled is None else min(settled, event.at)
            return await _flag(connection, event.anchor, since, f"the anchor of its group, settled {seen}")
        case RescrapeNeeded():
            return await _flag(connection, event.store, event.at, event.why)
        case GroupsMerged():
            return Skip("a merge: the confirmations of those who moved follow it")
    return Ok()


async def _flag(connection: Connection, store: str, at: datetime, why: str) -> Outcome:
    """Have a store scraped for its group's sake, unless that has been done since it was asked for."""
    if await groups.scraped_since(connection, store, at):
        return Skip("a store that has been scraped since")
    known = await claims.flag(connection, store, at, why)
    return Ok() if known else Skip("a store that is unknown or closed")


def _about(event: GroupEvent) -> str:
    """A store of the company that a decision is about."""
    match event:
        case MemberConfirmed() | MemberEjected() | RescrapeNeeded():
            return event.store
        case GroupFormed() | AnchorWentStale():
            return event.anchor
        case GroupsMerged():
            return event.survivor
        case AnchorHandedOver():
            return event.new
