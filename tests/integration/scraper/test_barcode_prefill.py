"""Barcodes of another gateway, which cost the retailer no request: a stand-in for its export."""

from collections.abc import Callable

import pytest

from tests.support.scraper.desk import at_desk
from tests.support.scraper.http import serving
from tests.support.scraper.tiny_coles import (
    TinyExport,
    code_of,
    listed,
    sku_of,
)

pytestmark = pytest.mark.stack


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
