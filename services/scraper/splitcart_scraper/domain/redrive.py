"""What dead letters of a scrape become: a scrape of their own that only adds, with the old observed times.

Its id and those of its batches are new, as the old ones are recorded as dead: a replay skips those offsets and
folds these. It is of a part of the store, so nothing is ever withdrawn because of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from splitcart_common.events import (
    Event,
    ProductsObserved,
    RescrapeRequested,
    ScrapeAbandoned,
    ScrapeCompleted,
    ScrapeStarted,
)
from splitcart_common.ids import batch_id, derived_id
from splitcart_common.topics import REQUESTS
from splitcart_scraper.domain.scrape import Message, Run, Tally

UNKNOWN_PARSER: Final = "unknown"
"""Where the scrape is not on record here: only its start named its parser."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A batch that was never folded, with the id and the time of its message."""

    observed: ProductsObserved
    event_id: UUID
    occurred_at: datetime

    @property
    def began_at(self) -> datetime:
        """When the first of its pages was asked for; where it says nothing of pages, when it occurred."""
        return min((page.requested_at for page in self.observed.pages), default=self.occurred_at)


def each_batch_once(lost: Iterable[Lost]) -> list[Lost]:
    """Batches in the order of their scrape; one that was published twice is one."""
    first: dict[int, Lost] = {}
    for one in lost:
        first.setdefault(one.observed.batch, one)
    return [first[number] for number in sorted(first)]


def run_of(scrape_id: UUID, store: str, parser_version: str, lost: Sequence[Lost]) -> Run:
    """The scrape that brings batches back; there must be some."""
    return Run(
        scrape_id=scrape_id,
        store=store,
        reason="redrive",
        scope="part",
        started_at=min(one.began_at for one in lost),
        parser_version=parser_version,
    )


def tally_of(lost: Sequence[Lost]) -> Tally:
    """Its counts; no request was made for it."""
    listings = {listing.sku for one in lost for listing in one.observed.listings}
    return Tally(
        pages=0,
        requests=0,
        categories_planned=0,
        categories_finished=0,
        tiles=len(listings),
        refused_tiles=0,
        zero_prices=0,
        listings=len(listings),
        refused_skus=(),
        refused_tiles_without_sku=0,
        unfinished=(),
    )


def assemble(run: Run, lost: Sequence[Lost]) -> Iterator[tuple[Message, UUID | None]]:
    """Its messages in their order, each with the id of the message that is brought back by it."""
    yield (
        Message(
            ScrapeStarted(
                scrape_id=run.scrape_id,
                store=run.store,
                reason="redrive",
                started_at=run.started_at,
                planned_categories=(),
                parser_version=run.parser_version,
                scope="part",
            ),
            derived_id(run.scrape_id, ScrapeStarted.TYPE),
            run.started_at,
        ),
        None,
    )
    for number, one in enumerate(lost, 1):
        observed = ProductsObserved(
            scrape_id=run.scrape_id, batch=number, listings=one.observed.listings, pages=one.observed.pages
        )
        yield Message(observed, batch_id(run.scrape_id, number), one.occurred_at), one.event_id
    finished_at = max(one.occurred_at for one in lost)
    yield (
        Message(
            ScrapeCompleted(
                scrape_id=run.scrape_id,
                finished_at=finished_at,
                batches=len(lost),
                pages=0,
                requests=0,
                categories_planned=0,
                categories_finished=0,
                listings=tally_of(lost).listings,
            ),
            derived_id(run.scrape_id, ScrapeCompleted.TYPE),
            finished_at,
        ),
        None,
    )


def instead(topic: str, service: str, event: Event | None) -> str:
    """Why a letter that can be read now is not the scraper's to bring back, and what to do instead."""
    match event:
        case ScrapeCompleted() | ScrapeAbandoned():
            return (
                "it bears no prices: those of its scrape are folded, and the next scrape of the store ends it; "
                "`splitcart schedule flag <store>` has the store scraped soon"
            )
        case RescrapeRequested():
            return f"`splitcart schedule flag {event.subject}` does what it asked for"
    if topic == REQUESTS.name:
        return "people say it through the gateway, and may say it again there"
    return (
        f"{topic} is derived from other topics, and only its own service says anything there: the message stays "
        f"in the log, and {service} reads it when it folds the topic anew with this release (replay)"
    )
