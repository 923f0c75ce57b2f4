"""One scrape as a whole: its plan, its staged pages, and the messages they make.

`assemble` is a function of what is staged and of nothing else. So a scrape that was killed at any page and went on
from there says the same, under the same ids, as one that was never disturbed.
"""

from collections.abc import Container, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from splitcart_common.events import (
    Event,
    ObservedListing,
    PageRead,
    ProductsObserved,
    ScrapeAbandoned,
    ScrapeCompleted,
    ScrapeStarted,
)
from splitcart_common.events.observations import MAX_LISTINGS
from splitcart_common.ids import batch_id, derived_id
from splitcart_scraper.domain.listing import LONGEST_LONG_TEXT, PageContent, RefusalReason, distinct, pack

Reason = Literal["scheduled", "flagged", "probe", "redrive", "manual"]
Scope = Literal["full", "part"]
AbandonReason = Literal["network", "bot-wall", "throttled", "drift", "quarantine-rejected", "lease-lost"]


COVERED: Final = 0.95
"""The share of its own count that the parts of a category must have: some goods may be in none of them."""


@dataclass(frozen=True, slots=True)
class Category:
    """A node of a store's category tree to be walked: the retailer's key, and names from the root down.

    A `divisible` one has parts in the plan: those whose `part_of` is its key. They are walked only where it ended
    for being too long. So the plan is made once, from the tree, and a resumed scrape follows the same one.
    """

    key: str
    path: tuple[str, ...]
    part_of: str | None = None
    divisible: bool = False


def parts_of(whole: Category, below: Iterable[Category]) -> Iterator[Category]:
    """What is below a category, as parts of it; what is a part of something already stays that."""
    return (part if part.part_of is not None else replace(part, part_of=whole.key) for part in below)


def each_once(categories: Iterable[Category]) -> tuple[Category, ...]:
    """Every category once, in order; one that is a part of another and also stands alone is walked in any case."""
    found: dict[str, Category] = {}
    for category in categories:
        known = found.setdefault(category.key, category)
        if known.part_of is not None and category.part_of is None:
            found[category.key] = category
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scrape means to walk, in order, and what reading the tree cost in requests."""

    categories: tuple[Category, ...] = ()
    requests: int = 0

    @property
    def wholes(self) -> tuple[Category, ...]:
        """The categories that are no other's part: what is planned, finished and counted."""
        return tuple(category for category in self.categories if category.part_of is None)


@dataclass(frozen=True, slots=True)
class Run:
    """One visit to one store. `plan` is None until the tree is read."""

    scrape_id: UUID
    store: str
    reason: Reason
    scope: Scope
    started_at: datetime
    parser_version: str
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class StagedPage:
    """One answer of a listing as it is kept: `page` counts from 1, `category` from 0 in the plan's order.

    `requests` counts the tries it took. The moments are virtual.
    """

    page: int
    category: int
    url: str
    requests: int
    requested_at: datetime
    received_at: datetime
    content: PageContent


@dataclass(frozen=True, slots=True)
class Completed:
    """The walk came to its end."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The walk was given up at a (virtual) moment."""

    reason: AbandonReason
    detail: str
    at: datetime


Ending = Completed | Abandoned


@dataclass(frozen=True, slots=True)
class Tally:
    """A scrape in numbers. `tiles` and `zero_prices` count repeats in other categories, `listings` does not.

    A category that was too long is finished when all of its parts are. `unfinished` has an entry for each category
    that was walked and is not finished.
    """

    pages: int
    requests: int
    categories_planned: int
    categories_finished: int
    tiles: int
    refused_tiles: int
    zero_prices: int
    listings: int
    refused_skus: tuple[str, ...]
    refused_tiles_without_sku: int
    unfinished: tuple[str, ...]

    @property
    def walked(self) -> bool:
        """Every planned category was walked, if not all of them to their end."""
        return self.categories_finished + len(self.unfinished) == self.categories_planned


@dataclass(frozen=True, slots=True)
class Message:
    """An event of a scrape with what its envelope needs."""

    event: Event
    event_id: UUID
    occurred_at: datetime


def tally(run: Run, pages: Sequence[StagedPage]) -> Tally:
    """Count what is staged."""
    return _count(run, pages, {listing.sku for page in pages for listing in page.content.listings})


def _count(run: Run, pages: Sequence[StagedPage], seen: Set[str]) -> Tally:
    plan = run.plan or Plan()
    contents = [page.content for page in pages]
    tiles = [content.tiles for content in contents]
    refusals = [refusal for content in contents for refusal in content.refusals]
    refused = {refusal.sku for refusal in refusals if refusal.sku is not None}
    ends = _category_ends(plan, pages)
    return Tally(
        pages=len(tiles) - tiles.count(0),
        requests=plan.requests + sum(page.requests for page in pages),
        categories_planned=len(plan.wholes),
        categories_finished=sum(why == "" for why in ends.values()),
        tiles=sum(tiles),
        refused_tiles=len(refusals),
        zero_prices=sum(refusal.reason is RefusalReason.PRICE_ZERO for refusal in refusals),
        listings=len(seen),
        refused_skus=tuple(sorted(refused - seen)),
        refused_tiles_without_sku=sum(refusal.sku is None for refusal in refusals),
        unfinished=tuple(f"{key}: {why}" for key, why in ends.items() if why),
    )


def _category_ends(plan: Plan, pages: Sequence[StagedPage]) -> dict[str, str]:
    """How each whole category ended, by key, in the plan's order: "" where it is finished, else what is wrong.

    One that was not walked to an end, or whose parts were not, is not there.
    """
    walked: dict[str, PageContent] = {}
    for page in pages:
        if page.content.ended is not None:
            walked[plan.categories[page.category].key] = page.content
    parts: dict[str, list[str]] = {}
    for category in plan.categories:
        if category.part_of is not None:
            parts.setdefault(category.part_of, []).append(category.key)

    def end(key: str) -> str | None:
        content = walked.get(key)
        if content is None or not content.too_long or key not in parts:
            return None if content is None else content.ended
        of_parts = {part: end(part) for part in parts[key]}
        if None in of_parts.values():
            return None
        products = len(_products(plan, pages, {key, *of_parts}))
        if products < COVERED * (content.total or 0):
            return f"its parts have {products} of {content.total}"
        return next((f"its part {part}: {why}" for part, why in of_parts.items() if why), "")

    found = {category.key: end(category.key) for category in plan.wholes}
    return {key: why for key, why in found.items() if why is not None}


def _products(plan: Plan, pages: Sequence[StagedPage], keys: Container[str]) -> Set[str | None]:
    """The SKUs that were seen in these categories, refused ones among them."""
    contents = [page.content for page in pages if plan.categories[page.category].key in keys]
    seen = {listing.sku for content in contents for listing in content.listings}
    return seen.union(refusal.sku for content in contents for refusal in content.refusals)


def assemble(run: Run, pages: Sequence[StagedPage], ending: Ending) -> Iterator[Message]:
    """The scrape's messages in the order of the store's stream.

    A batch occurred when the last of its pages had arrived; a completed scrape finished when its last page had.
    """
    plan = run.plan or Plan()
    yield Message(
        ScrapeStarted(
            scrape_id=run.scrape_id,
            store=run.store,
            reason=run.reason,
            started_at=run.started_at,
            planned_categories=tuple(category.key for category in plan.wholes),
            parser_version=run.parser_version,
            scope=run.scope,
        ),
        derived_id(run.scrape_id, ScrapeStarted.TYPE),
        run.started_at,
    )
    found = distinct(page.content for page in pages)
    listings = list(found.values())
    yield from _observed(run, pages, listings)
    counts = _count(run, pages, found.keys())
    batches = -(-len(listings) // MAX_LISTINGS)
    match ending:
        case Completed():
            at = max((page.received_at for page in pages), default=run.started_at)
            last: Event = ScrapeCompleted(
                scrape_id=run.scrape_id,
                finished_at=at,
                batches=batches,
                pages=counts.pages,
                requests=counts.requests,
                categories_planned=counts.categories_planned,
                categories_finished=counts.categories_finished,
                listings=counts.listings,
                refused_skus=counts.refused_skus,
                refused_tiles_without_sku=counts.refused_tiles_without_sku,
            )
        case Abandoned():
            at = ending.at
            last = ScrapeAbandoned(
                scrape_id=run.scrape_id,
                finished_at=at,
                reason=ending.reason,
                detail=ending.detail[:LONGEST_LONG_TEXT],
                batches=batches,
            )
    yield Message(last, derived_id(run.scrape_id, last.TYPE), at)


def _observed(run: Run, pages: Sequence[StagedPage], listings: Sequence[ObservedListing]) -> Iterator[Message]:
    reads = {page.page: PageRead(page.page, page.requested_at, page.received_at) for page in pages}
    for batch in pack(listings, reads):
        yield Message(
            ProductsObserved(
                scrape_id=run.scrape_id, batch=batch.number, listings=batch.listings, pages=batch.pages
            ),
            batch_id(run.scrape_id, batch.number),
            max(read.received_at for read in batch.pages),
        )
