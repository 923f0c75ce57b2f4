"""The walk through one store: opening page, category tree, then page after page of each category.

The walk reads and yields; it stores nothing. It starts from the pages that are staged already, so it goes on
where a killed scrape stopped.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar, assert_never

from splitcart_common.clock import Clock
from splitcart_common.ids import split_store_key
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.domain.scrape import Abandoned, AbandonReason, Category, Plan, Run, StagedPage
from splitcart_scraper.fetch import (
    BotWall,
    Drifted,
    Fetcher,
    NetworkDown,
    NotFound,
    PastEnd,
    Read,
    Throttled,
    Trouble,
)
from splitcart_scraper.retailers.base import Ended, Meaning, PageContext, Request, Retailer, Session

T = TypeVar("T")

MOST_PAGES: Final = 500
"""Pages of one category; a listing that is longer is taken for one that never ends."""
UNREADABLE_IN_A_ROW: Final = 3
"""Categories in a row without one page that can be read: then the scrape is abandoned, not one more asked for."""


class BrokenError(Exception):
    """The walk cannot go on: the scrape is abandoned for this."""

    def __init__(self, abandoned: Abandoned) -> None:
        super().__init__(abandoned.detail)
        self.abandoned = abandoned


@dataclass(slots=True)
class Budget:
    """How many requests may still be made; None: as many as it takes. Shared by the workers of a command."""

    left: int | None = None

    @property
    def spent(self) -> bool:
        """Nothing is left."""
        return self.left is not None and self.left <= 0

    def pay(self, requests: int) -> None:
        """Count tries that were made."""
        if self.left is not None:
            self.left -= requests


@dataclass(frozen=True, slots=True)
class Walker:
    """What it takes to read the stores of one company."""

    retailer: Retailer
    fetcher: Fetcher
    clock: Clock
    budget: Budget

    async def open(self, run: Run, retailer_ref: str | None) -> tuple[Session, int]:
        """The session of a scrape, and what it cost in requests. Opened anew when a scrape is resumed."""
        _, store_id = split_store_key(run.store)
        session = Session(run.store, store_id, run.scrape_id, retailer_ref)
        request = self.retailer.opening(session)
        if request is None:
            return session, 0
        answer = await self._must(request, partial(self.retailer.opened, session), "opening page")
        return answer.value, answer.requests

    async def plan(self, session: Session) -> Plan:
        """The categories to walk, from the store's tree."""
        answer = await self._must(
            self.retailer.tree(session), partial(self.retailer.categories, session), "category tree"
        )
        return Plan(answer.value, answer.requests)

    async def pages(
        self, session: Session, plan: Plan, staged: Sequence[StagedPage]
    ) -> AsyncGenerator[StagedPage, None]:
        """The pages after those that are staged. Ends early when the budget is spent; BrokenError if it must.

        A page that cannot be read leaves its category unfinished and the walk goes on with the next. A part is
        walked only where what it is a part of was too long.
        """
        number, unreadable = len(staged), 0
        first, read = _position(staged)
        divided = {plan.categories[page.category].key for page in staged if page.content.too_long}
        for at in range(first, len(plan.categories)):
            category = plan.categories[at]
            if category.part_of is not None and category.part_of not in divided:
                continue
            if at != first:
                read = []
            while not (read and read[-1].ended is not None):
                if self.budget.spent:
                    return
                number += 1
                session, page = await self._page(session, category, at, number, read)
                read.append(page.content)
                yield page
            if read[-1].too_long:
                divided.add(category.key)
            unreadable = unreadable + 1 if read[-1].ended and not any(c.tiles for c in read) else 0
            if unreadable >= UNREADABLE_IN_A_ROW:
                raise self._broken(
                    "network", f"{unreadable} categories in a row could not be read, the last: {read[-1].ended}"
                )

    async def _page(
        self, session: Session, category: Category, at: int, number: int, read: Sequence[PageContent]
    ) -> tuple[Session, StagedPage]:
        """The next page, and the session, which is opened anew where it has gone stale."""
        requested_at = self.clock.now()
        request, answer = await self._ask(session, category, number, read)
        requests = answer.requests
        if isinstance(answer, PastEnd) and answer.meaning is Meaning.STALE:
            former, (session, opening) = session, await self._reopened(session, request)
            requests += opening
            if session != former:
                request, answer = await self._ask(session, category, number, read)
                requests += answer.requests
        match answer:
            case PastEnd(meaning=Meaning.STALE):  # of a session just opened: what is not there is the category
                content, received_at = PageContent(ended="the retailer does not know it"), self.clock.now()
            case Read():
                content, requested_at, received_at = answer.value, answer.requested_at, answer.received_at
            case PastEnd():
                content, requested_at, received_at = (
                    PageContent(ended=""),
                    answer.requested_at,
                    answer.received_at,
                )
            case Trouble():
                reason = _reason(answer)
                if reason is not None:
                    raise self._broken(reason, f"{answer.detail} ({self._where(request)})")
                content, received_at = PageContent(ended=answer.detail or "it could not be read"), self.clock.now()
            case _ as unreachable:
                assert_never(unreachable)
        page = StagedPage(number, at, self._where(request), requests, requested_at, received_at, content)
        return session, page

    async def _ask(
        self, session: Session, category: Category, number: int, read: Sequence[PageContent]
    ) -> tuple[Request, Read[PageContent] | PastEnd | Trouble]:
        request = self.retailer.next_page(session, category, read)
        if isinstance(request, Ended):
            raise AssertionError("an ended category has no page left to read")  # noqa: TRY004 - no matter of types
        answer = await self.fetcher.read(request, partial(self._parse, session, category, number, read))
        self.budget.pay(answer.requests)
        return request, answer

    async def _reopened(self, session: Session, stale: Request) -> tuple[Session, int]:
        """The session as its opening page gives it now, and what that cost in requests."""
        opening = self.retailer.opening(session)
        if opening is None:
            raise self._broken("drift", f"stale, and there is no page to open anew with ({self._where(stale)})")
        answer = await self._must(opening, partial(self.retailer.opened, session), "opening page")
        return answer.value, answer.requests

    def _where(self, request: Request) -> str:
        """The address, with the request's label as a fragment, which is never sent."""
        url = self.fetcher.url(request)
        return f"{url}#{request.label}" if request.label else url

    def _parse(
        self, session: Session, category: Category, number: int, read: Sequence[PageContent], body: bytes
    ) -> PageContent:
        """Read a page and judge at once whether its category ends with it."""
        content = self.retailer.parse(body, PageContext(session, category, number))
        after = self.retailer.next_page(session, category, [*read, content])
        if isinstance(after, Ended):
            return replace(content, ended=after.short, too_long=after.too_long)
        if len(read) + 1 >= MOST_PAGES:
            return replace(content, ended=f"it had no end after {MOST_PAGES} pages")
        return content

    async def _must(self, request: Request, parse: Callable[[bytes], T], what: str) -> Read[T]:
        """An answer without which there is no scrape; BrokenError where there is none."""
        answer = await self.fetcher.read(request, parse)
        self.budget.pay(answer.requests)
        if isinstance(answer, Read):
            return answer
        url = self._where(request)
        if isinstance(answer, NotFound | PastEnd):
            detail = answer.detail if isinstance(answer, NotFound) else answer.meaning.value
            raise self._broken("drift", f"{what}: the retailer does not know this store: {detail} ({url})")
        # A tree that stays unreadable says nothing about prices: no other reason fits it better.
        raise self._broken(_reason(answer) or "network", f"{what}: {answer.detail} ({url})")

    def _broken(self, reason: AbandonReason, detail: str) -> BrokenError:
        return BrokenError(Abandoned(reason, detail, self.clock.now()))


def _position(staged: Sequence[StagedPage]) -> tuple[int, list[PageContent]]:
    """The category to go on with, and its pages read so far."""
    if not staged:
        return 0, []
    last = staged[-1]
    if last.content.ended is not None:
        return last.category + 1, []
    return last.category, [page.content for page in staged if page.category == last.category]


def _reason(trouble: Trouble) -> AbandonReason | None:
    """Why a scrape that met this is abandoned; None where only its category suffers."""
    match trouble:
        case NetworkDown():
            return "network"
        case Throttled():
            return "throttled"
        case BotWall():
            return "bot-wall"
        case Drifted():
            return "drift"
        case _:
            return None
