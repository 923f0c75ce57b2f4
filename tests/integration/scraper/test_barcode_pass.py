"""The barcode pass: what is asked for, in which order, and what is said of it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from splitcart_common.clock import ScaledClock
from splitcart_common.ids import batch_id
from splitcart_scraper.app import barcodes_of, export_of
from splitcart_scraper.domain.barcodes import Finding
from splitcart_scraper.handlers.barcodes import BusyError, NoStoreError
from splitcart_scraper.store.barcodes import NoListingsError
from tests.support.scraper.desk import Counting, at_desk
from tests.support.scraper.http import Asked, Reply
from tests.support.scraper.tiny_coles import (
    STORE,
    TinyColes,
    code_of,
    listed,
    number_of,
    sku_of,
)

pytestmark = pytest.mark.stack


async def test_a_pass_asks_every_product_once_and_says_what_it_found(database: str) -> None:
    await listed(database, range(1, 31))
    await listed(database, [40, 41], barcodes=True)
    async with at_desk(database, TinyColes(gone={7})) as desk:
        report = await desk.run()
        assert desk.asked() == list(range(1, 31))
        assert desk.server.most_in_hand == 1
        assert (report.done, report.left, report.requests, report.stopped) == (30, 0, 30, None)
        assert report.findings == {Finding.FOUND: 26, Finding.NONE: 3, Finding.GONE: 1}
        assert (desk.watcher.total, desk.watcher.products, desk.watcher.found) == ((0, 30), 30, 26)
        ((key, envelope, event),) = await desk.said()
        assert (key, event.company, event.store) == (STORE, "coles", STORE)
        assert envelope.event_id == batch_id(envelope.correlation_id, 1)
        assert {item.sku: item.barcode for item in event.items} == {
            sku_of(n): code_of(n) for n in range(1, 31) if n % 10 and n != 7
        }
        assert {(item.source, item.seen_at) for item in event.items} == {("page", desk.clock.now())}
        again = await desk.run()
        assert (desk.asked(), again.done, again.left, again.resting, await desk.said()) == ([], 0, 0, 4, [])


async def test_a_page_is_asked_for_with_the_cookie_of_the_store(database: str) -> None:
    await listed(database, [1])
    async with at_desk(database) as desk:
        await desk.run()
        (asked,) = [asked for asked in desk.server.asked if number_of(asked)]
        assert asked.path == "/coles/product/banksia-creek-thing-1-180g-7000001"
        assert asked.headers["cookie"] == "fulfillmentStoreId=0364; shopping-method=clickAndCollect"


async def test_a_limit_ends_the_run_and_the_next_one_goes_on(database: str) -> None:
    await listed(database, range(1, 11))
    async with at_desk(database) as desk:
        first = await desk.run(limit=4)
        assert (desk.asked(), first.done, first.left) == ([1, 2, 3, 4], 4, 6)
        said = await desk.said()
        second = await desk.run()
        assert (desk.asked(), second.done, second.left) == ([5, 6, 7, 8, 9, 10], 10, 0)
        assert desk.watcher.total == (4, 10)
        said += await desk.said()
        ids = [envelope.correlation_id for _, envelope, _ in said]
        assert len(set(ids)) == 1, "it is one pass"
        assert [envelope.event_id for _, envelope, _ in said] == [batch_id(ids[0], 1), batch_id(ids[0], 2)]


async def test_full_messages_are_said_as_the_pass_goes_on(database: str) -> None:
    await listed(database, range(1, 501))
    async with at_desk(database) as desk:
        await desk.run()
        assert [len(event.items) for _, _, event in await desk.said()] == [200, 200, 50]


async def test_no_request_for_what_is_missing_nowhere(database: str) -> None:
    await listed(database, [1, 2], barcodes=True)
    async with at_desk(database) as desk:
        report = await desk.run()
        assert (report.done, report.left, report.stopped, desk.asked(), await desk.said()) == (0, 0, None, [], [])


async def test_what_an_earlier_pass_found_and_ingest_lacks_is_said_again(database: str) -> None:
    await listed(database, [1, 2, 3])
    async with at_desk(database) as desk:
        await desk.run()
        ((_, first, event),) = await desk.said()
        desk.asked()
        await listed(database, [3], barcodes=True)
        soon = await desk.run()
        assert (soon.known, await desk.said()) == (0, []), "ingest may not have folded it yet"
        desk.clock.at += timedelta(days=2)
        report = await desk.run()
        ((_, second, repeat),) = await desk.said()
        assert (report.known, report.done, report.requests, desk.asked()) == (2, 2, 0, [])
        assert {(item.sku, item.source, item.seen_at) for item in repeat.items} == {
            (item.sku, "prefill", item.seen_at) for item in event.items if item.sku != sku_of(3)
        }
        assert first.correlation_id != second.correlation_id


async def test_a_product_without_a_barcode_is_asked_for_again_after_its_rest(database: str) -> None:
    await listed(database, [9, 10])
    async with at_desk(database) as desk:
        await desk.run()
        desk.asked()
        await listed(database, [9], barcodes=True)
        desk.clock.at += timedelta(days=89)
        assert (await desk.run()).resting == 1
        desk.clock.at += timedelta(days=2)
        desk.coles.gtin = code_of
        report = await desk.run()
        assert (desk.asked(), report.findings, report.resting) == ([10], {Finding.FOUND: 1}, 0)


async def test_what_has_to_be_there_is_named(database: str) -> None:
    async with at_desk(database) as desk:
        with pytest.raises(NoListingsError):
            await desk.run()
        await desk.made.pool.execute("DELETE FROM barcode_passes; DELETE FROM stores")
        with pytest.raises(NoStoreError):
            await desk.run()
    with pytest.raises(ValueError, match="only coles"):
        barcodes_of(desk.made, "aldi")
    for url in ("ftp://x", "gateway", "https://key@x.example", ""):
        with pytest.raises(ValueError, match="no gateway's address"):
            export_of(desk.made, "coles", url)


async def test_a_pass_is_one_process_s(database: str) -> None:
    await listed(database, range(1, 60))
    async with at_desk(database, scraper_lease_seconds=0.6) as desk:
        desk.made = replace(desk.made, clock=ScaledClock.real())
        desk.coles.fault = lambda _: None
        slow = asyncio.Event()

        def fault(asked: Asked) -> Reply | None:
            slow.set()
            return Reply(silent=True) if number_of(asked) == 5 else None

        desk.coles.fault = fault
        first = asyncio.create_task(desk.run())
        await slow.wait()
        with pytest.raises(BusyError):
            await replace(desk.reader, owner="other").run(Counting())
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        said = await desk.codes()
        assert set(said) == {sku_of(1), sku_of(2), sku_of(3), sku_of(4)}, "a stopped run says what it has"
        desk.coles.fault = lambda _: None
        await desk.made.pool.execute(
            "UPDATE barcode_passes SET lease_owner = 'a dead process', lease_until = $1",
            desk.made.clock.wall() + timedelta(seconds=0.5),
        )
        assert (await desk.run()).left == 0, "a dead process's lease is waited for"
        assert not set(said) & set(await desk.codes())
