"""A log with something of everything, folded by ingest, and the command on it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from splitcart_cli.log.choosing import Wish
from splitcart_cli.log.looking import messages, pattern_of
from splitcart_cli.log.seeing import Seen
from splitcart_common.kafka import ensure_topics
from splitcart_common.settings import Settings
from splitcart_common.topics import ALL
from tests.support.bus import Said, publish
from tests.support.cli import Ran, splitcart
from tests.support.ingest import CLOCK, caught_up, running, scrape, settings

STORE, OTHER = "aldi:G001", "coles:0712"


@dataclass(frozen=True)
class Log:
    """A recorded log and where it is."""

    broker: str
    prefix: str
    database: str

    @property
    def settings(self) -> Settings:
        """As the command has them from the environment."""
        return Settings(kafka_bootstrap=self.broker, topic_prefix=self.prefix, clock=CLOCK)

    async def read(
        self, text: str | None = None, *, regex: bool = False, limit: int | None = None, **wish: object
    ) -> Sequence[Seen]:
        """What `events read`, or `search`, shows."""
        pattern = None if text is None else pattern_of(text, regex=regex)
        return [seen async for seen in messages(self.settings, Wish(**wish), limit, pattern)]

    async def ask(self, *words: str, **environment: str) -> Ran:
        """`splitcart …` on it, as a process of its own."""
        told = {
            "SPLITCART_KAFKA_BOOTSTRAP": self.broker,
            "SPLITCART_TOPIC_PREFIX": self.prefix,
            "SPLITCART_CLOCK": str(CLOCK),
        }
        return await splitcart(*words, **(told | environment))


def broken(said: Said) -> Said:
    """The same message with bytes that are no JSON."""
    return replace(said, value=b"{\xff")


def recorded() -> list[Said]:
    """Two stores, two days; one message is broken."""
    first = scrape(STORE, 1, {f"{n:03}": 100 + n for n in range(60)})
    second = scrape(STORE, 2, {f"{n:03}": 100 + n + (n < 10) for n in range(60)})
    other = scrape(OTHER, 1, {"a": 250, "milk": 310})
    return [*first, *other, broken(first[1]), *second]


@pytest.fixture
async def log(broker: str, topic_prefix: str, database: str) -> Log:
    """A log that is folded."""
    await ensure_topics(broker, topic_prefix, ALL)
    await publish(broker, topic_prefix, recorded())
    async with running(settings(database, broker, topic_prefix)):
        await caught_up(database, broker, topic_prefix)
    return Log(broker, topic_prefix, database)
