"""The canary: a few requests that tell whether a retailer still answers in the shapes we know.

Two questions are kept apart. Whether the parsers can read an answer, they say themselves: they are run on it.
What else is otherwise in it, the comparison with the expectations says (domain/drift.py).
"""

import html
import json
import re
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from functools import partial
from typing import Final, TypeVar

from splitcart_common.events import StoreDiscovered
from splitcart_common.ids import scrape_id, split_store_key
from splitcart_scraper.domain.drift import Drift, Expected, compare, profile
from splitcart_scraper.domain.guards import PARSE_BUDGET
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.fetch import BadPage, Fetcher, NotFound, PastEnd, Read, Trouble
from splitcart_scraper.retailers.base import (
    BotWallError,
    DriftError,
    Ended,
    OutletsFound,
    PageContext,
    PageError,
    Request,
    Retailer,
    Session,
)

T = TypeVar("T")
Expectations = dict[str, Expected]
"""What is expected of a company, by the name of the page: finder, tree, listing."""

CATEGORIES: Final = 3
FIRST: Final = 6
FINDER_REQUESTS: Final = 12
"""The most that are made to find one store; those of a finder that is asked by number may well be empty."""

_ATTRIBUTES: Final = re.compile(r'(data-[a-z]+)="(\{&quot;[^"]*)"')


class Verdict(IntEnum):
    """What the shapes amount to; the exit code."""

    AS_EXPECTED = 0
    SURVIVED = 1
    """Something is otherwise, and the parsers still read it."""
    BROKEN = 2
    """The parsers cannot read it: a scrape would be abandoned or quarantined."""
    UNSEEN = 3
    """The retailer could not be looked at."""


@dataclass(slots=True)
class Page:
    """One kind of page: what was asked for, what the parsers made of it, and what was otherwise."""

    page: str
    asked: list[str] = field(default_factory=list)
    documents: list[object] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The worst of it."""
        if self.broken:
            return Verdict.BROKEN
        if self.unseen:
            return Verdict.UNSEEN
        return Verdict.SURVIVED if self.drift else Verdict.AS_EXPECTED


@dataclass(slots=True)
class Canary:
    """One look at a company. `requests` counts the tries."""

    retailer: Retailer
    fetcher: Fetcher
    finder: Fetcher
    now: datetime
    expected: Expectations
    pages: dict[str, Page] = field(default_factory=dict)
    requests: int = 0
    tiles: int = 0

    async def look(self, outlet: StoreDiscovered | None, entropy: bytes) -> None:
        """Find a store, then read the opening page, the tree and a page of a few categories, as a scrape would.

        Where one of them cannot be read, those that need it are not asked for.
        """
        async with self.finder.pace.visit(), self.fetcher.pace.visit():
            found = await self._find()
            outlet = outlet or found
            if outlet is None:
                self.pages["finder"].unseen.append("it shows no store to go on with: name one with --store")
                return
            _, store_id = split_store_key(outlet.store)
            session = Session(outlet.store, store_id, scrape_id(self.now, entropy), outlet.retailer_ref)
            opening = self.retailer.opening(session)
            if opening is not None:
                opened = await self._ask("opening", opening, partial(self.retailer.opened, session))
                if opened is None:
                    return
                session = opened
            categories = await self._ask(
                "tree", self.retailer.tree(session), partial(self.retailer.categories, session)
            )
            wholes = [category for category in categories or () if category.part_of is None]
            for category in _spread(wholes, CATEGORIES):
                await self._list(session, category)
            listing = self.pages.get("listing")
            if listing is not None and not listing.broken and not listing.unseen and not self.tiles:
                listing.broken.append(f"no tile on any of {len(listing.asked)} pages")
        for page in self.pages.values():
            if page.page in self.expected and page.documents:
                page.drift = compare(self.expected[page.page], profile(page.documents))

    async def _find(self) -> StoreDiscovered | None:
        """A few answers of the store finder, up to one with a store that can be scraped.

        Its first requests, which others may depend on, and some from all over the country.
        """
        every = self.retailer.discovery()
        waiting = deque([*every[:FIRST], *_spread(every[FIRST:], FINDER_REQUESTS - FIRST)])
        for _ in range(FINDER_REQUESTS):
            if not waiting:
                break
            request = waiting.popleft()
            found = await self._ask("finder", request, partial(self._outlets, request))
            if found is None:
                break
            for outlet in found.outlets:
                if self.retailer.scrapable(outlet):
                    return outlet
            waiting.extendleft(reversed(_spread(found.rest, FINDER_REQUESTS - FIRST)))
        return None

    def _outlets(self, request: Request, body: bytes) -> OutletsFound:
        return self.retailer.outlets(body, request, self.now)

    async def _list(self, session: Session, category: Category) -> None:
        request = self.retailer.next_page(session, category, ())
        if isinstance(request, Ended):
            return
        context = PageContext(session, category, 1)
        content = await self._ask("listing", request, lambda body: self.retailer.parse(body, context))
        if content is None:
            return
        self.tiles += content.tiles
        refused = len(content.refusals)
        if refused > PARSE_BUDGET * content.tiles:
            why = ", ".join(sorted({str(refusal.reason) for refusal in content.refusals}))
            self.pages["listing"].broken.append(f"{refused} of {content.tiles} tiles are refused: {why}")

    async def _ask(self, name: str, request: Request, parse: Callable[[bytes], T]) -> T | None:
        """Read a page with its parser, and keep it for the comparison; None where the parser cannot read it."""
        page = self.pages.setdefault(name, Page(name))
        page.asked.append(self.fetcher.url(request) if name != "finder" else self.finder.url(request))
        answer = await (self.finder if name == "finder" else self.fetcher).read(request, partial(_look, parse))
        self.requests += answer.requests
        match answer:
            case Read(value=(body, value, why)):
                page.documents += documents(body)
                if why:
                    page.broken.append(why)
                return value
            case NotFound() | BadPage():
                page.broken.append(answer.detail)
            case Trouble():
                page.unseen.append(answer.detail)
            case PastEnd():
                page.broken.append(f"{answer.meaning.value}, of a first page")
        return None


def _look(parse: Callable[[bytes], T], body: bytes) -> tuple[bytes, T | None, str]:
    """The body with what its parser makes of it, or why it cannot; asking again would show the same."""
    try:
        return body, parse(body), ""
    except BotWallError:
        raise
    except (PageError, DriftError) as error:
        return body, None, str(error)


def documents(body: bytes) -> list[object]:
    """The JSON of a body: of JSON or JSONP, and in the attributes of HTML within it; none of a page for people."""
    text = body.decode("utf-8", "replace").strip()
    if not text.startswith(("{", "[")):
        text = text[text.find("(") + 1 : text.rfind(")")] if not text.startswith("<") else ""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if isinstance(document, dict) and isinstance(document.get("content"), str):
        for name, data in _ATTRIBUTES.findall(document["content"]):
            with suppress(ValueError):
                document.setdefault(name, []).append(json.loads(html.unescape(data)))
    return [document]


def _spread(everything: Sequence[T], most: int) -> Sequence[T]:
    """At most so many, from all over a sequence; the first of all is one of them."""
    return everything[:: max(1, -(-len(everything) // most))]
