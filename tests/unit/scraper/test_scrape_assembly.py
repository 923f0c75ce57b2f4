"""A scrape as a whole: its messages, its counts, and the guards."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from splitcart_common.events import (
    ObservedListing,
    ProductsObserved,
    ScrapeAbandoned,
    ScrapeCompleted,
    ScrapeStarted,
)
from splitcart_common.ids import batch_id, derived_id
from splitcart_scraper.domain.guards import objection
from splitcart_scraper.domain.listing import PageContent, Refusal, RefusalReason
from splitcart_scraper.domain.scrape import (
    Abandoned,
    Category,
    Completed,
    Plan,
    Run,
    StagedPage,
    assemble,
    tally,
)

AT = datetime(2026, 9, 1, tzinfo=UTC)
RUN = Run(
    UUID(int=7),
    "aldi:G1",
    "scheduled",
    "full",
    AT,
    "aldi-1",
    Plan((Category("fruit", ("Fruit",)), Category("bread", ("Bread",))), requests=2),
)


def listing(number: int, page: int) -> ObservedListing:
    return ObservedListing(sku=str(number), name="Thing", price=100, page=page, raw_hash="h")


def page(number: int, category: int, content: PageContent, requests: int = 1) -> StagedPage:
    asked = AT + timedelta(seconds=10 * number)
    return StagedPage(number, category, f"u{number}", requests, asked, asked + timedelta(seconds=1), content)


PAGES = [
    page(1, 0, PageContent(tuple(listing(n, 1) for n in range(150)), total=250)),
    page(2, 0, PageContent(tuple(listing(n, 2) for n in range(150, 250)), total=250, ended=""), requests=3),
    page(3, 1, PageContent((listing(5, 3),), (Refusal(RefusalReason.MALFORMED, "", "999"),), ended="")),
]


def test_messages_come_in_the_order_of_the_stream_with_computed_ids() -> None:
    messages = list(assemble(RUN, PAGES, Completed()))
    assert [type(message.event) for message in messages] == [
        ScrapeStarted,
        ProductsObserved,
        ProductsObserved,
        ScrapeCompleted,
    ]
    assert [message.event_id for message in messages] == [
        derived_id(RUN.scrape_id, "scrape-started"),
        batch_id(RUN.scrape_id, 1),
        batch_id(RUN.scrape_id, 2),
        derived_id(RUN.scrape_id, "scrape-completed"),
    ]
    moments = [message.occurred_at for message in messages]
    assert moments == sorted(moments)
    completed = messages[-1].event
    assert isinstance(completed, ScrapeCompleted)
    assert completed.finished_at == PAGES[-1].received_at
    assert (completed.batches, completed.pages, completed.requests, completed.listings) == (2, 3, 7, 250)
    assert (completed.categories_planned, completed.categories_finished) == (2, 2)
    assert (completed.refused_skus, completed.refused_tiles_without_sku) == (("999",), 0)
    started = messages[0].event
    assert isinstance(started, ScrapeStarted)
    assert started.planned_categories == ("fruit", "bread")


def test_an_abandoned_scrape_says_what_it_has_and_why() -> None:
    ending = Abandoned("network", "x" * 5000, AT + timedelta(hours=1))
    messages = list(assemble(RUN, PAGES[:1], ending))
    abandoned = messages[-1].event
    assert isinstance(abandoned, ScrapeAbandoned)
    assert (abandoned.reason, abandoned.batches, len(abandoned.detail)) == ("network", 1, 2000)


def test_a_scrape_without_a_tree_is_two_messages() -> None:
    bare = Run(RUN.scrape_id, RUN.store, "scheduled", "full", AT, "aldi-1")
    assert [message.event.TYPE for message in assemble(bare, [], Abandoned("network", "down", AT))] == [
        "scrape-started",
        "scrape-abandoned",
    ]


def test_a_refused_sku_that_was_seen_elsewhere_is_not_refused() -> None:
    refused = (Refusal(RefusalReason.PRICE_ZERO, "", "5"), Refusal(RefusalReason.SKU_MISSING, ""))
    counts = tally(RUN, [*PAGES, page(4, 1, PageContent((), refused))])
    assert (counts.refused_skus, counts.refused_tiles_without_sku) == (("999",), 1)


def test_a_category_that_broke_off_is_not_finished() -> None:
    counts = tally(RUN, [PAGES[0], page(2, 0, PageContent(ended="HTTP 404")), PAGES[2]])
    assert counts.categories_finished == 1
    assert counts.unfinished == ("fruit: HTTP 404",)


def test_more_than_five_per_cent_unreadable_is_objected_to() -> None:
    def with_refused(refused: int) -> str | None:
        refusals = tuple(Refusal(RefusalReason.MALFORMED, "", str(n)) for n in range(refused))
        good = tuple(listing(n, 1) for n in range(100 - refused))
        return objection(tally(RUN, [page(1, 0, PageContent(good, refusals))]))

    assert with_refused(5) is None
    assert "6 of 100 tiles (6.0%)" in str(with_refused(6))


def test_all_prices_zero_is_objected_to() -> None:
    refusals = tuple(Refusal(RefusalReason.PRICE_ZERO, "", str(n)) for n in range(3))
    assert objection(tally(RUN, [page(1, 0, PageContent((), refusals))])) == "all prices are zero: 3 tiles"
    assert objection(tally(RUN, [])) is None
