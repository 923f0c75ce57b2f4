"""Product pages of a tiny Coles, and another gateway's export: real shapes, faults by a function."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import uuid4

import asyncpg
from stdnum import ean

from splitcart_common.codec import decode
from splitcart_common.envelope import Envelope
from splitcart_common.events import BarcodesObserved, StoreDiscovered
from splitcart_common.postgres import Pool
from splitcart_common.topics import PRODUCT_OBSERVED
from splitcart_ingest.app import prepare
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import service_dsn
from tests.support.bus import read_topic
from tests.support.scraper.clocks import START
from tests.support.scraper.http import Asked, Reply

HTML = {"content-type": "text/html; charset=utf-8"}
STORE = "coles:364"
WALL = Reply(body=b"<html><head></head><body>Are you a robot? Invented incident 0</body></html>", headers=HTML)


def code_of(number: int) -> str:
    """The barcode of a product."""
    body = f"93{number:010}"
    return body + str(ean.calc_check_digit(body))


def sku_of(number: int) -> str:
    """Seven digits, so that the order of numbers is that of SKUs."""
    return str(7_000_000 + number)


def product_page(sku: str, gtin: object) -> bytes:
    """A page as Coles renders it."""
    state = {"props": {"pageProps": {"initStoreId": "0364", "product": {"id": int(sku), "gtin": gtin}}}}
    return f'<html><script id="__NEXT_DATA__" type="application/json">{json.dumps(state)}</script></html>'.encode()


@dataclass(slots=True)
class TinyColes:
    """Products by number; every tenth bears no barcode, some have no page at all."""

    gone: set[int] = field(default_factory=set)
    gtin: Callable[[int], object] = lambda number: None if number % 10 == 0 else code_of(number)
    fault: Callable[[Asked], Reply | None] = lambda _: None

    def __call__(self, asked: Asked) -> Reply:
        """The answer to a request below the prefix /coles."""
        broken = self.fault(asked)
        if broken is not None:
            return broken
        number = number_of(asked)
        if number is None or number in self.gone:
            return Reply(404, b"<html><body>Not here</body></html>", HTML)
        return Reply(body=product_page(sku_of(number), self.gtin(number)), headers=HTML)


def number_of(asked: Asked) -> int | None:
    """The product a request is about, None where it is about none."""
    head, _, sku = asked.path.rpartition("-")
    return int(sku) - 7_000_000 if head.startswith("/coles/product/") and sku.isdecimal() else None


def numbers(asked: Iterable[Asked]) -> list[int]:
    """The products that were asked for, in order."""
    return [number for number in map(number_of, asked) if number is not None]


@dataclass(slots=True)
class TinyExport:
    """Another gateway's export, in pages of three rows; `pages` shapes the answer of a page."""

    rows: list[dict[str, object]]
    shape: Callable[[list[dict[str, object]], int | None], object] = lambda rows, following: {
        "results": rows,
        "next": None if following is None else f"/api/export/listings/?company=coles&cursor={following}",
    }
    fault: Callable[[Asked], Reply | None] = lambda _: None

    def __call__(self, asked: Asked) -> Reply:
        """The answer to a request for a page; robots.txt is not there."""
        broken = self.fault(asked)
        if broken is not None:
            return broken
        if not asked.path.startswith("/api/export/listings"):
            return Reply(404)
        start = int(asked.query.get("cursor", 0))
        end = start + 3
        answer = self.shape(self.rows[start:end], end if end < len(self.rows) else None)
        return Reply(body=json.dumps(answer).encode())


async def listed(database: str, products: Sequence[int], *, barcodes: bool = False) -> None:
    """Have ingest's listings, and its views, in the database; with the products' barcodes or without."""
    await prepare(IngestSettings(postgres_dsn=service_dsn(database, "ingest")))
    connection = await asyncpg.connect(database)
    try:
        await connection.executemany(
            "INSERT INTO ingest_g1.listings (company, sku, name, brand, size, barcode, category_path, product_id,"
            " described_on, content_hash) VALUES ('coles', $1, $2, 'Banksia Creek', '180g', $3, '{}', $4, $5, 0)"
            " ON CONFLICT (company, sku) DO UPDATE SET barcode = excluded.barcode",
            [
                (sku_of(n), f"Thing {n}", code_of(n) if barcodes else None, uuid4(), date(2026, 9, 1))
                for n in products
            ],
        )
    finally:
        await connection.close()


async def on_record(pool: Pool, store: str = STORE) -> None:
    """One store of Coles, as a discovery would have put it there."""
    outlet = StoreDiscovered(
        store=store, name="Albany", address="1 High St", suburb="Albany", state="WA", postcode="6330", lat=None,
        lon=None, sells_online=True, seen_at=START,
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO stores (store, company, outlet, seen_at) VALUES ($1, 'coles', $2, $3)",
        store,
        json.dumps({"store": outlet.store}).encode(),
        START,
    )


def published(broker: str, prefix: str) -> list[tuple[str, Envelope, BarcodesObserved]]:
    """The barcodes on the bus: key, envelope, event; other messages left out."""
    raws = read_topic(broker, PRODUCT_OBSERVED.on_broker(prefix), PRODUCT_OBSERVED.partitions)
    found = [((raw.key or b"").decode(), *decode(PRODUCT_OBSERVED, raw.headers, raw.value)) for raw in raws]
    return [(key, envelope, event) for key, envelope, event in found if isinstance(event, BarcodesObserved)]
