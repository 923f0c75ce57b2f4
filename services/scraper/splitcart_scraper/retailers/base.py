"""What a retailer is to the scraper: requester, paginator, extractor, record filter and error handler.

A retailer is one module with no state and no I/O: it builds requests and reads answers. The rest (pace, retries,
staging, publishing) knows no company. A fifth company is one more module and a folder of fixture pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol
from uuid import UUID

from splitcart_common.events import StoreDiscovered
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.domain.scrape import Category


class PageError(ValueError):
    """An answer that is not the page asked for: cut off, no JSON, another shape. It may be asked for again."""


class BotWallError(PageError):
    """A page for people, answered with 200 where a page of the shop was due. Asking again would not help."""


class DriftError(ValueError):
    """An answer about another store than the one asked about: nothing of this scrape can be trusted on."""


class Meaning(StrEnum):
    """What a status code says at a retailer where it does not say what it says elsewhere."""

    PAST_END = "past-end"
    """There is no such page: the listing is over."""
    NOT_CARRIED = "not-carried"
    """The store does not carry this category."""
    BOT_WALL = "bot-wall"
    STALE = "stale"
    """What the opening page gave holds no longer (a deploy took the build id away): open anew, then ask again."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a retailer: `target` is path and query below the retailer's address.

    `meanings` is the error handler: status codes with a meaning of their own here. `memo` is not sent: it is what
    the module that made the request wants to know again when it reads the answer. `label` is not sent either: it
    tells requests apart, in logs and staged pages, where many of them share one address.
    """

    target: str
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    expects: Literal["json", "jsonp", "html"] = "json"
    meanings: Mapping[int, Meaning] = field(default_factory=dict)
    memo: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """What the requests of one scrape share: store and scrape, and what its opening page gave (build id, cookies).

    A scrape that goes on after a kill makes the requests it would have made: nothing here is drawn at random.
    """

    store: str
    store_id: str
    scrape_id: UUID
    retailer_ref: str | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PageContext:
    """What a parser is told beside the bytes: whose page it is, and its number in the scrape, from 1."""

    session: Session
    category: Category
    page: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A category has no further page; `short` says what is wrong where it ended before its own count.

    `too_long`: that is because the retailer does not serve all of it; its parts, if the plan has any, are walked.
    """

    short: str = ""
    too_long: bool = False


@dataclass(frozen=True, slots=True)
class OutletsFound:
    """One answer of a store finder, and the requests it leads to, asked in order before those that wait already.

    Where they are known at once, all of them: of a chain, one answer that cannot be read loses the rest.
    """

    outlets: tuple[StoreDiscovered, ...]
    rest: tuple[Request, ...] = ()


class Retailer(Protocol):
    """One company. All methods are pure; those that read bytes raise PageError, or DriftError."""

    company: str
    parser_version: str
    base_url: str
    """The live address; settings can give another."""
    finder_url: str
    """The live address of the store finder, where that is on a host of its own; else `base_url` again."""

    def discovery(self) -> Sequence[Request]:
        """The requests that together find every store, in order."""
        ...

    def outlets(self, body: bytes, request: Request, seen_at: datetime, /) -> OutletsFound:
        """The stores one answer of the store finder lists."""
        ...

    def scrapable(self, outlet: StoreDiscovered, /) -> bool:
        """Whether a store shows its prices at all; one that does not is on record and never visited."""
        ...

    def opening(self, session: Session, /) -> Request | None:
        """The page a scrape opens with, None where none is needed."""
        ...

    def opened(self, session: Session, body: bytes, /) -> Session:
        """The session with what its opening page gave."""
        ...

    def tree(self, session: Session, /) -> Request:
        """The request for a store's category tree."""
        ...

    def categories(self, session: Session, body: bytes, /) -> tuple[Category, ...]:
        """The categories to walk, in order; promotional ones, whose goods are elsewhere too, left out.

        Behind a category that may be longer than the retailer serves come its parts (`Category.part_of`).
        """
        ...

    def next_page(self, session: Session, category: Category, read: Sequence[PageContent], /) -> Request | Ended:
        """The page after those read of a category, or its end."""
        ...

    def parse(self, body: bytes, context: PageContext, /) -> PageContent:
        """The listings and refusals of a page."""
        ...
