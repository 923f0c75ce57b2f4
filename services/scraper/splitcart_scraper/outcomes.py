"""What comes back from asking a retailer, as values with names."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from splitcart_scraper.domain.gap import Sign
from splitcart_scraper.retailers.base import Meaning

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """An answer that was understood. The moments are virtual; `requests` counts the tries."""

    value: T
    requested_at: datetime
    received_at: datetime
    requests: int


@dataclass(frozen=True, slots=True)
class PastEnd:
    """The retailer's way to say that a listing has no such page, or a store no such category."""

    meaning: Meaning
    requested_at: datetime
    received_at: datetime
    requests: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """No answer to use. `detail` is for people; `requests` counts the tries."""

    detail: str
    requests: int = 0


@dataclass(frozen=True, slots=True)
class NetworkDown(Trouble):
    """No connection, no answer in time, or a server that cannot serve (5xx); `overloaded` if it says so (503)."""

    overloaded: bool = False


@dataclass(frozen=True, slots=True)
class Throttled(Trouble):
    """The host asks for patience; `retry_after` in wall seconds where it says how much."""

    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class BotWall(Trouble):
    """The host does not serve robots: HTML where data was due, or 403."""


@dataclass(frozen=True, slots=True)
class Disallowed(BotWall):
    """The host's robots.txt asks robots to leave this alone: nothing was asked for."""


@dataclass(frozen=True, slots=True)
class BadPage(Trouble):
    """An answer that is cut off, too large, or not of the expected shape."""


@dataclass(frozen=True, slots=True)
class Moved(BadPage):
    """A redirection, which is not followed."""

    location: str = ""


@dataclass(frozen=True, slots=True)
class NotFound(Trouble):
    """The host refuses this very request (another 4xx): asking again would not help."""


@dataclass(frozen=True, slots=True)
class Drifted(Trouble):
    """The answer is about another store."""


PASSING: Final = (NetworkDown, Throttled, BadPage)
"""Trouble that may be over at the next try."""

NAMES: Final = {
    NetworkDown: "network-down",
    Throttled: "throttled",
    BotWall: "bot-wall",
    Disallowed: "disallowed",
    BadPage: "bad-page",
    Moved: "bad-page",
    NotFound: "not-found",
    Drifted: "drifted",
}


def sign_of(outcome: "Read[T] | PastEnd | Trouble") -> Sign:
    """What an outcome says about how the host bears us."""
    match outcome:
        case Throttled() | BotWall() | NetworkDown(overloaded=True):
            return Sign.ENOUGH
        case Trouble():
            return Sign.ERROR
        case _:
            return Sign.SERVED
