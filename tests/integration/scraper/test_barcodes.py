"""The barcode pass on a real server and over real HTTP: what is asked, kept, said, and when it stops."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from cramjam import zstd

from splitcart_common.clock import ScaledClock
from splitcart_common.codec import decode
from splitcart_common.envelope import Envelope
from splitcart_common.events import BarcodesObserved
from splitcart_common.ids import batch_id
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRODUCT_OBSERVED
from splitcart_scraper import app
from splitcart_scraper.app import Parts, barcodes_of, export_of
from splitcart_scraper.domain.barcodes import Finding
from splitcart_scraper.handlers.barcodes import BarcodeReader, BusyError, NoStoreError, Report
from splitcart_scraper.store import budgets
from splitcart_scraper.store.barcodes import NoListingsError
from tests.support.scraper.clocks import TwoHands
from tests.support.scraper.http import Asked, Reply, Server, serving
from tests.support.scraper.rig import counted, settings_of
from tests.support.scraper.tiny_coles import (
    HTML,
    STORE,
    WALL,
    TinyColes,
    TinyExport,
    code_of,
    listed,
    number_of,
    numbers,
    on_record,
    sku_of,
)

pytestmark = pytest.mark.stack


@dataclass
class Counting:
    """What a progress bar would have been told."""

    total: tuple[int, int] | None = None
    products: int = 0
    found: int = 0

    def begun(self, done: int, total: int) -> None:
        self.total = (done, total)

    def done(self, products: int, found: int) -> None:
        self.products += products
        self.found += found


@dataclass
class Desk:
    """A scraper at a tiny Coles."""

    made: Parts
    server: Server
    clock: TwoHands
    coles: TinyColes
    watcher: Counting = field(default_factory=Counting)

    @property
    def reader(self) -> BarcodeReader:
        return barcodes_of(self.made, "coles")

    async def run(self, limit: int | None = None, prefill_from: str | None = None) -> Report:
        elsewhere = None if prefill_from is None else export_of(self.made, "coles", prefill_from)
        return await self.reader.run(self.watcher, limit, elsewhere)

    def asked(self) -> list[int]:
        """The products that were asked for since the last look."""
        found = numbers(self.server.asked)
        self.server.asked.clear()
        return found

    async def said(self) -> list[tuple[str, Envelope, BarcodesObserved]]:
        """The messages in the outbox, and empty it."""
        rows = await self.made.pool.fetch(
            "WITH gone AS (DELETE FROM outbox RETURNING *) SELECT * FROM gone ORDER BY id"
        )
        found = []
        for row in rows:
            headers = zip((name.decode() for name in row["header_names"]), row["header_values"], strict=True)
            value = bytes(zstd.decompress(row["value"])) if row["compressed"] else row["value"]
            envelope, event = decode(PRODUCT_OBSERVED, headers, value)
            assert isinstance(event, BarcodesObserved)
            found.append((row["key"].decode(), envelope, event))
        return found

    async def codes(self) -> dict[str, tuple[str, str]]:
        """What the outbox says of each SKU: barcode and source. Each is said once."""
        items = [item for _, _, event in await self.said() for item in event.items]
        assert len({item.sku for item in items}) == len(items)
        return {item.sku: (item.barcode, item.source) for item in items}


@asynccontextmanager
async def at_desk(database: str, coles: TinyColes | None = None, **settings: object) -> AsyncIterator[Desk]:
    coles, clock = coles or TinyColes(), TwoHands()
    async with serving(coles) as server:
        chosen = settings_of(database, "", scraper_base_url={"coles": f"{server.url}/coles"}, **settings)
        async with app.parts(chosen, Health(), clock=clock, entropy=counted()) as made:
            await on_record(made.pool)
            yield Desk(made, server, clock, coles)


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


async def test_barcodes_of_another_gateway_cost_no_request(database: str) -> None:
    await listed(database, range(1, 9))
    rows: list[dict[str, object]] = [
        {"company": "coles", "sku": sku_of(1), "barcode": code_of(1), "name": "more"},
        {"company": "aldi", "sku": sku_of(2), "barcode": code_of(2)},
        {"company": "coles", "sku": sku_of(3), "barcode": "9300012345678"},
        {"company": "coles", "sku": int(sku_of(4)), "gtin": f"0{code_of(4)}"},
        {"company": "coles", "sku": sku_of(5), "barcode": code_of(5), "store": "coles:1"},
        {"company": "coles", "sku": sku_of(5), "barcode": code_of(50), "store": "coles:2"},
        {"company": "coles", "sku": sku_of(6), "barcode": None},
        {"company": "coles", "sku": sku_of(70), "barcode": code_of(70)},
    ]
    async with at_desk(database) as desk, serving(TinyExport(rows)) as gateway:
        report = await desk.run(limit=2, prefill_from=gateway.url)
        assert (report.prefilled, report.done, report.left) == (2, 4, 4)
        assert desk.asked() == [2, 3]
        paths = [asked for asked in gateway.asked if asked.path != "/robots.txt"]
        assert [asked.query for asked in paths] == [
            {"company": "coles"}, {"company": "coles", "cursor": "3"}, {"company": "coles", "cursor": "6"},
        ]  # fmt: skip
        assert await desk.codes() == {
            sku_of(1): (code_of(1), "prefill"), sku_of(4): (code_of(4), "prefill"),
            sku_of(2): (code_of(2), "page"), sku_of(3): (code_of(3), "page"),
        }  # fmt: skip
        rest = await desk.run()
        assert (desk.asked(), rest.left) == ([5, 6, 7, 8], 0)


@pytest.mark.parametrize(
    "shape",
    [
        lambda rows, following: {"items": rows, "next_cursor": following},
        lambda rows, following: {"data": rows, "next": following and f"?company=coles&cursor={following}"},
    ],
)
async def test_other_shapes_of_cursors(database: str, shape: Callable[..., object]) -> None:
    await listed(database, range(1, 8))
    rows: list[dict[str, object]] = [{"sku": sku_of(n), "barcode": code_of(n)} for n in range(1, 8)]
    async with at_desk(database) as desk, serving(TinyExport(rows, shape)) as gateway:
        report = await desk.run(prefill_from=f"{gateway.url}/api/export/listings")
        assert (report.prefilled, report.left, desk.asked()) == (7, 0, [])


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        (lambda rows, _: {"results": rows, "next": "https://elsewhere.example/api"}, "elsewhere"),
        (lambda rows, _: {"results": rows, "next": "/api/export/listings/?company=coles"}, "come to an end"),
        (lambda rows, _: {"results": rows, "next": 7}, "no address"),
        (lambda _, __: {"detail": "no"}, "no list of rows"),
    ],
)
async def test_an_export_that_cannot_be_read_asks_no_retailer(
    database: str, shape: Callable[..., object], says: str
) -> None:
    await listed(database, range(1, 4))
    rows: list[dict[str, object]] = [{"sku": sku_of(1), "barcode": code_of(1)}]
    async with at_desk(database) as desk, serving(TinyExport(rows, shape)) as gateway:
        report = await desk.run(prefill_from=gateway.url)
        assert report.source_failed
        assert says in (report.stopped or "")
        assert desk.asked() == []


async def test_a_gateway_that_is_down_asks_no_retailer(database: str) -> None:
    await listed(database, range(1, 4))
    async with at_desk(database) as desk:
        report = await desk.run(prefill_from="http://127.0.0.1:9")
        assert (report.source_failed, report.left, desk.asked()) == (True, 3, [])


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


async def test_the_day_s_budget_ends_the_run_and_is_shared_with_scrapes(database: str) -> None:
    await listed(database, range(1, 6))
    async with at_desk(database, scraper_budget_per_day="4") as desk:
        await budgets.spend(desk.made.pool, "coles", desk.clock.now(), 1)
        report = await desk.run()
        assert (desk.asked(), report.left, report.stopped) == ([1, 2, 3], 2, None)
        assert report.again_at is not None
        desk.clock.at = report.again_at
        assert (await desk.run()).left == 0
        assert desk.asked() == [4, 5]


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
