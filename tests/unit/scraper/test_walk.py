"""The walk through a store: a stale session is opened anew, and a category that is too long divided."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

import httpx
import pytest

from splitcart_common.events import ObservedListing
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.domain.scrape import Category, Plan, Run, StagedPage
from splitcart_scraper.fetch import Fetcher, Patience
from splitcart_scraper.handlers.walk import BrokenError, Budget, Walker
from splitcart_scraper.pace import Pace
from splitcart_scraper.retailers.base import BotWallError, Ended, Meaning, PageContext, Request, Session
from tests.support.scraper.clocks import START, TwoHands
from tests.support.scraper.http import Asked, Reply, Server, serving
from tests.support.scraper.tokens import MemoryTokens

RUN = Run(UUID(int=1), "toy:1", "scheduled", "full", START, "toy-1")
PER_PAGE, SERVED = 2, 4


class Toy:
    """A shop whose addresses bear a build id, and which serves two pages of two products of any category."""

    company, parser_version, base_url, finder_url = "toy", "toy-1", "http://toy", "http://toy"

    def opening(self, _session: Session) -> Request | None:
        return Request("/")

    def opened(self, session: Session, body: bytes) -> Session:
        if body == b'"wall"':
            raise BotWallError("a page for people")
        return replace(session, tokens={"build": json.loads(body)})

    def next_page(self, session: Session, category: Category, read: Sequence[PageContent]) -> Request | Ended:
        seen, total = sum(page.tiles for page in read), read[-1].total if read else None
        if total is not None and seen >= total:
            return Ended()
        if total is not None and total > SERVED and (category.divisible or seen >= SERVED):
            return Ended("not all of it is served", too_long=True)
        target = f"/{session.tokens['build']}/{category.key}?from={seen}"
        return Request(target, meanings={404: Meaning.STALE}, label=f"page {len(read) + 1}")

    def parse(self, body: bytes, context: PageContext) -> PageContent:
        found = json.loads(body)
        listings = (
            ObservedListing(sku=sku, name=sku, price=100, page=context.page, raw_hash="") for sku in found["skus"]
        )
        return PageContent(tuple(listings), total=found["total"])


@dataclass
class Shop:
    """What the server answers: its build now, and the shelves; `gone` are not there though the tree has them."""

    shelves: dict[str, int]
    build: str = "b1"
    gone: set[str] = field(default_factory=set)
    deploy_after: int = 10_000
    after_each: Callable[[], None] = lambda: None

    def __call__(self, asked: Asked) -> Reply:
        self.deploy_after -= 1
        if self.deploy_after == 0:
            self.build = "b2"
        if asked.path == "/":
            return Reply(body=json.dumps(self.build).encode())
        _, build, key = asked.path.split("/")
        if build != self.build or key in self.gone:
            return Reply(404)
        first = int(asked.query["from"])
        skus = [f"{key}-{n}" for n in range(first, min(first + PER_PAGE, self.shelves[key]))]
        return Reply(body=json.dumps({"skus": skus, "total": self.shelves[key]}).encode())


@asynccontextmanager
async def walking(shop: Callable[[Asked], Reply]) -> AsyncIterator[tuple[Walker, Server]]:
    clock = TwoHands()
    async with serving(shop) as server, httpx.AsyncClient() as client:
        pace = Pace(
            "toy", "me", MemoryTokens(), clock, gap_seconds=0, lease_seconds=60, share_seconds=5
        )  # fmt: skip
        patience = Patience(attempts=2, backoff_seconds=0.01, timeout_seconds=2)
        fetcher = Fetcher("toy", server.url, client, pace, clock, patience)
        async with fetcher.pace.visit():
            yield Walker(Toy(), fetcher, clock, Budget()), server  # type: ignore[arg-type] # what a walk asks for


async def walk(walker: Walker, plan: Plan, staged: Sequence[StagedPage] = ()) -> list[StagedPage]:
    session, _ = await walker.open(RUN, None)
    return [page async for page in walker.pages(session, plan, staged)]


def keys(plan: Plan, pages: Sequence[StagedPage]) -> list[str]:
    return list(dict.fromkeys(plan.categories[page.category].key for page in pages))


def paths(server: Server) -> list[str]:
    return [asked.path for asked in server.asked]


TWO = Plan((Category("a", ("A",)), Category("b", ("B",))))


async def test_a_deploy_in_the_middle_costs_two_requests_and_no_page() -> None:
    shop = Shop({"a": 4, "b": 3}, deploy_after=3)
    async with walking(shop) as (walker, server):
        pages = await walk(walker, TWO)
        assert [page.content.tiles for page in pages] == [2, 2, 2, 1]
        assert [page.content.ended for page in pages] == [None, "", None, ""]
        assert [page.requests for page in pages] == [1, 3, 1, 1], "the page stands for what it took to get it"
        assert paths(server) == ["/", "/b1/a", "/b1/a", "/", "/b2/a", "/b2/b", "/b2/b"]
        assert pages[1].url == f"{server.url}/b2/a?from=2#page 2"


async def test_a_404_that_is_not_the_builds_is_the_categorys_own() -> None:
    async with walking(Shop({"a": 2, "b": 2}, gone={"a"})) as (walker, server):
        first, second = await walk(walker, TWO)
        assert (first.content.tiles, first.content.ended) == (0, "the retailer does not know it")
        assert (second.content.tiles, second.content.ended) == (2, "")
        assert paths(server) == ["/", "/b1/a", "/", "/b1/b"], "with the same build it is not asked for again"


async def test_stale_twice_is_the_categorys_own_too() -> None:
    shop = Shop({"a": 2, "b": 2}, gone={"a"}, deploy_after=2)
    async with walking(shop) as (walker, server):
        first, second = await walk(walker, TWO)
        assert (first.content.ended, second.content.ended) == ("the retailer does not know it", "")
        assert paths(server) == ["/", "/b1/a", "/", "/b2/a", "/b2/b"]


async def test_a_wall_on_the_opening_page_is_not_asked_again() -> None:
    async with walking(lambda _: Reply(body=b'"wall"')) as (walker, server):
        with pytest.raises(BrokenError) as broken:
            await walk(walker, TWO)
        assert broken.value.abandoned.reason == "bot-wall"
        assert len(server.asked) == 1


PARTED = Plan(
    (
        Category("all", ("All",), divisible=True),
        Category("left", ("All", "Left"), part_of="all"),
        Category("right", ("All", "Right"), part_of="all"),
        Category("b", ("B",)),
    )
)


async def test_parts_are_walked_only_where_the_whole_is_too_long() -> None:
    async with walking(Shop({"all": 4, "left": 2, "right": 2, "b": 1})) as (walker, _):
        assert keys(PARTED, await walk(walker, PARTED)) == ["all", "b"]
    async with walking(Shop({"all": 6, "left": 3, "right": 3, "b": 1})) as (walker, _):
        pages = await walk(walker, PARTED)
        assert keys(PARTED, pages) == ["all", "left", "right", "b"]
        assert [page.content.too_long for page in pages if page.category == 0] == [True], "one page tells"


@pytest.mark.parametrize("sizes", [(4, 2, 2), (6, 3, 3)])
async def test_a_walk_resumed_at_any_page_reads_what_an_undisturbed_one_does(sizes: tuple[int, int, int]) -> None:
    shelves = dict(zip(("all", "left", "right"), sizes, strict=True)) | {"b": 3}
    async with walking(Shop(shelves)) as (walker, _):
        whole = await walk(walker, PARTED)
        for cut in range(len(whole)):
            assert [*whole[:cut], *await walk(walker, PARTED, whole[:cut])] == whole
