"""What the scraper hears from the others: a scrape is folded; somebody wants a store visited again."""

from collections.abc import Sequence
from typing import Final

from aiokafka import TopicPartition

from splitcart_common.envelope import Envelope
from splitcart_common.events import Event, RescrapeRequested, StoreSettled
from splitcart_common.lanes import Message
from splitcart_common.outcomes import Ok, Outcome, Skip
from splitcart_common.postgres import Connection
from splitcart_common.topics import PRICE_CHANGED, REQUESTS
from splitcart_scraper.store import claims, runs

TOPICS: Final = (PRICE_CHANGED, REQUESTS)


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
        """Mark settled scrapes, flag requested stores; other events of the topics are for others."""
        return [await self._fold(connection, message) for message in messages]

    async def _fold(self, connection: Connection, message: Message) -> Outcome:
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
