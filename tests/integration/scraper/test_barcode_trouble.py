"""Trouble on the way of the barcode pass: what ends it, what does not, and where it goes on."""

from datetime import timedelta

import pytest

from splitcart_scraper.domain.barcodes import Finding
from tests.support.scraper.desk import at_desk
from tests.support.scraper.http import Reply
from tests.support.scraper.tiny_coles import (
    HTML,
    WALL,
    TinyColes,
    listed,
    number_of,
    sku_of,
)

pytestmark = pytest.mark.stack


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (WALL, "bot-wall"),
        (Reply(403, b"<html>no</html>", HTML), "bot-wall"),
        (Reply(429, b"", {"retry-after": "3600"}), "throttled"),
    ],
)
async def test_a_wall_or_a_throttle_ends_it_at_once_and_it_goes_on_from_there(
    database: str, reply: Reply, reason: str
) -> None:
    await listed(database, range(1, 8))
    coles = TinyColes(fault=lambda asked: reply if number_of(asked) == 4 else None)
    async with at_desk(database, coles) as desk:
        report = await desk.run()
        assert (desk.asked(), report.done, report.left) == ([1, 2, 3, 4], 3, 4)
        assert (report.stopped or "").startswith(f"{reason}: ")
        assert set(await desk.codes()) == {sku_of(1), sku_of(2), sku_of(3)}
        coles.fault = lambda _: None
        desk.clock.at += timedelta(hours=2)
        assert (await desk.run()).done == 7
        assert desk.asked() == [4, 5, 6, 7]


async def test_one_page_that_cannot_be_read_stops_nothing(database: str) -> None:
    await listed(database, range(1, 6))
    coles = TinyColes(fault=lambda asked: Reply(500) if number_of(asked) == 3 else None)
    async with at_desk(database, coles, scraper_attempts=2) as desk:
        report = await desk.run()
        assert (desk.asked(), report.stopped) == ([1, 2, 3, 3, 4, 5], None)
        assert report.findings == {Finding.FOUND: 4, Finding.UNREADABLE: 1}
        assert (await desk.run()).resting == 1
        desk.clock.at += timedelta(days=1)
        coles.fault = lambda _: None
        assert (await desk.run()).findings == {Finding.FOUND: 1}
        assert desk.asked() == [3]


@pytest.mark.parametrize("reply", [Reply(500), Reply(body=b"{}"), Reply(400), Reply(cut=20)])
async def test_three_in_a_row_stop_it_and_none_of_them_counts(database: str, reply: Reply) -> None:
    await listed(database, range(1, 10))
    coles = TinyColes(fault=lambda asked: reply if (number_of(asked) or 0) > 2 else None)
    async with at_desk(database, coles, scraper_attempts=1) as desk:
        report = await desk.run()
        assert (desk.asked(), report.done, report.left) == ([1, 2, 3, 4, 5], 2, 7)
        assert (report.stopped or "").startswith("3 products in a row could not be read: ")
        coles.fault = lambda _: None
        assert (await desk.run()).done == 9
        assert desk.asked() == [3, 4, 5, 6, 7, 8, 9]


async def test_products_that_all_have_no_page_are_addresses_gone_wrong(database: str) -> None:
    await listed(database, range(1, 41))
    async with at_desk(database, TinyColes(gone=set(range(5, 41)))) as desk:
        report = await desk.run()
        assert (len(desk.asked()), report.done, report.left) == (24, 4, 36)
        assert (report.stopped or "").startswith("drift: 20 products in a row have no page")


async def test_products_known_to_be_gone_are_no_drift(database: str) -> None:
    await listed(database, range(1, 41))
    coles = TinyColes(gone=set(range(1, 41)) - {10, 20, 30})
    async with at_desk(database, coles) as desk:
        assert (await desk.run()).stopped is None
        coles.gone |= {10, 20, 30}
        desk.clock.at += timedelta(days=91)
        assert (await desk.run()).stopped is None
        assert len(desk.asked()) == 80
