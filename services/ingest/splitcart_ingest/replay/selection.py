"""What of the log a generation holds: all of it, one company, or the scrapes begun within a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aiokafka import TopicPartition

from splitcart_common import events
from splitcart_common.envelope import Envelope
from splitcart_common.events import Event
from splitcart_common.ids import company_of
from splitcart_common.lanes import Handler, Message
from splitcart_common.outcomes import Outcome, Skip
from splitcart_common.postgres import Connection
from splitcart_common.topics import PRODUCT_OBSERVED, Topic


@dataclass(frozen=True, slots=True)
class Selection:
    """A part of the log; nothing named is all of it. `from_at` is within it, `to_at` is not (aware UTC)."""

    company: str | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None

    @property
    def whole(self) -> bool:
        """Whether it is all of the log: nothing else can be served."""
        return self == ALL

    @property
    def ranged(self) -> bool:
        """Whether it is cut off in time."""
        return self.from_at is not None or self.to_at is not None

    def names_key(self, topic: Topic, key: bytes | None) -> bool:
        """Whether a message with this key is of the company; a topic that is not kept by company is kept whole."""
        if self.company is None or topic.key not in {"store", "company"}:
            return True
        return company_of((key or b"").decode(errors="replace")) == self.company

    def takes(self, topic: Topic, message: Message) -> bool:
        """Whether a message is in the time.

        A scrape is in it if it began in it: what else is said of one that did not begin is ignored by the rules of
        the fold (protocol.md, rule 2). What is not of a scrape (stores, groups) counts from the beginning on.
        """
        if topic is not PRODUCT_OBSERVED:
            return self._before(message.envelope.occurred_at)
        if isinstance(message.event, events.ScrapeStarted):
            return self._after(message.event.started_at) and self._before(message.event.started_at)
        return True

    def _after(self, at: datetime) -> bool:
        return self.from_at is None or at >= self.from_at

    def _before(self, at: datetime) -> bool:
        return self.to_at is None or at < self.to_at

    def __str__(self) -> str:
        """In words."""
        words = [self.company] if self.company else []
        words += [f"from {self.from_at:%Y-%m-%d %H:%M}"] if self.from_at else []
        words += [f"to {self.to_at:%Y-%m-%d %H:%M}"] if self.to_at else []
        return " ".join(words) or "all of the log"


ALL = Selection()


class Selected:
    """A handler of the live path that is given only what is in a selection; the rest is skipped by name."""

    def __init__(self, topic: Topic, handler: Handler, selection: Selection) -> None:
        self._topic = topic
        self._handler = handler
        self._selection = selection

    def digest(self, key: str, envelope: Envelope, event: Event) -> object:
        """As the handler does."""
        return self._handler.digest(key, envelope, event)

    async def prepare(self, where: TopicPartition, messages: Sequence[Message]) -> None:
        """As the handler does, of what is selected."""
        await self._handler.prepare(where, self._wanted(messages))

    async def fold(
        self, connection: Connection, where: TopicPartition, messages: Sequence[Message]
    ) -> Sequence[Outcome]:
        """As the handler does, of what is selected."""
        wanted = self._wanted(messages)
        became = {
            message.offset: outcome
            for message, outcome in zip(wanted, await self._handler.fold(connection, where, wanted), strict=True)
        }
        return [became.get(message.offset, Skip("not-selected")) for message in messages]

    def _wanted(self, messages: Sequence[Message]) -> list[Message]:
        return [message for message in messages if self._selection.takes(self._topic, message)]

    def forget(self, where: TopicPartition) -> None:
        """As the handler does."""
        self._handler.forget(where)
