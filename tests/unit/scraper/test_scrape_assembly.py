"""A scrape as a whole: its messages, its counts, and the guards."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from splitcart_common.events import (
    ObservedListing,
    ProductsObserved,
    ScrapeAbandoned,
    ScrapeCompleted,
    ScrapeStarted,
)
from splitcart_common.ids import batch_id, derived_id
from splitcart_scraper.domain.guards import objection, page_objection
from splitcart_scraper.domain.listing import PageContent, Refusal, RefusalReason
from splitcart_scraper.domain.scrape import (
    Abandoned,
    Category,
    Completed,
    Plan,
    Run,
    StagedPage,
    assemble,
    each_once,
    parts_of,
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


PARTED = replace(
    RUN,
    plan=Plan(
        (
            Category("all", ("All",), divisible=True),
            Category("half", ("All", "Half"), part_of="all"),
            Category("rest", ("All", "Rest"), part_of="all"),
            Category("bread", ("Bread",)),
        )
    ),
)
TOO_LONG = PageContent(tuple(listing(n, 1) for n in range(36)), total=100, ended="not all served", too_long=True)


def part(number: int, category: int, skus: range, ended: str = "") -> StagedPage:
    return page(number, category, PageContent(tuple(listing(n, number) for n in skus), ended=ended))


def test_a_category_that_was_too_long_is_finished_when_its_parts_are() -> None:
    pages = [page(1, 0, TOO_LONG), part(2, 1, range(50)), part(3, 2, range(50, 100)), part(4, 3, range(5))]
    counts = tally(PARTED, pages)
    assert (counts.categories_planned, counts.categories_finished, counts.unfinished) == (2, 2, ())
    assert counts.walked
    started = next(assemble(PARTED, pages, Completed())).event
    assert isinstance(started, ScrapeStarted)
    assert started.planned_categories == ("all", "bread"), "parts are nobody's business but the walk's"


def test_parts_that_are_unfinished_or_lack_products_leave_it_unfinished() -> None:
    broken = [page(1, 0, TOO_LONG), part(2, 1, range(50)), part(3, 2, range(50, 97), "HTTP 404")]
    assert tally(PARTED, broken).unfinished == ("all: its part rest: HTTP 404",)
    lacking = [page(1, 0, TOO_LONG), part(2, 1, range(50)), part(3, 2, range(50, 90))]
    assert tally(PARTED, lacking).unfinished == ("all: its parts have 90 of 100",)
    halfway = tally(PARTED, lacking[:2])
    assert (halfway.categories_finished, halfway.unfinished, halfway.walked) == (0, (), False)


def test_a_category_that_is_no_more_than_it_seems_needs_no_parts() -> None:
    counts = tally(PARTED, [part(1, 0, range(100)), part(2, 3, range(5))])
    assert (counts.categories_finished, counts.walked) == (2, True)


def test_a_category_without_parts_that_is_too_long_stays_unfinished() -> None:
    counts = tally(RUN, [page(1, 0, TOO_LONG)])
    assert counts.unfinished == ("fruit: not all served",)


def test_what_stands_alone_too_is_walked_in_any_case() -> None:
    whole, alone = Category("all", ("All",), divisible=True), Category("half", ("Half",))
    assert each_once([whole, *parts_of(whole, [alone]), whole, alone]) == (whole, alone)


def test_more_than_five_per_cent_unreadable_is_objected_to() -> None:
    def with_refused(refused: int) -> str | None:
        refusals = tuple(Refusal(RefusalReason.MALFORMED, "", str(n)) for n in range(refused))
        good = tuple(listing(n, 1) for n in range(100 - refused))
        return objection(tally(RUN, [page(1, 0, PageContent(good, refusals))]), {}, None)

    assert with_refused(5) is None
    assert "6 of 100 tiles (6.0%)" in str(with_refused(6))


@pytest.mark.parametrize(
    ("tiles", "refused", "reason", "judged"),
    [
        (30, 1, RefusalReason.MALFORMED, None),
        (30, 2, RefusalReason.MALFORMED, "2 of the 30 tiles of one page (6.7%) could not be read"),
        (40, 2, RefusalReason.NAME_MISSING, None),
        (40, 3, RefusalReason.PRICE_NOT_A_NUMBER, "3 of the 40 tiles of one page (7.5%) could not be read"),
        (30, 9, RefusalReason.PRICE_ZERO, None),
        (19, 9, RefusalReason.MALFORMED, None),
    ],
)
def test_one_page_of_another_shape_is_objected_to(
    tiles: int, refused: int, reason: RefusalReason, judged: str | None
) -> None:
    refusals = tuple(Refusal(reason, "", str(n)) for n in range(refused))
    good = tuple(listing(n, 1) for n in range(tiles - refused))
    many = [page(n, 0, PageContent(tuple(listing(n * 100 + m, 1) for m in range(48)))) for n in range(1, 11)]
    pages = [*many, page(11, 1, PageContent(good, refusals))]
    assert objection(tally(RUN, pages), {}, None) is None, "the scrape as a whole is within its budget"
    found = page_objection(pages)
    assert found is None if judged is None else str(found).startswith(f"parse budget: {judged}")
    assert found is None or found.endswith(pages[-1].url)


def test_all_prices_zero_is_objected_to() -> None:
    refusals = tuple(Refusal(RefusalReason.PRICE_ZERO, "", str(n)) for n in range(3))
    zeros = tally(RUN, [page(1, 0, PageContent((), refusals))])
    assert objection(zeros, {}, None) == "all prices are zero: 3 tiles"
    assert objection(tally(RUN, []), {}, None) is None
