"""The barcode pass at a tiny Coles, on the real server and over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cramjam import zstd

from splitcart_common.codec import decode
from splitcart_common.envelope import Envelope
from splitcart_common.events import BarcodesObserved
from splitcart_common.telemetry import Health
from splitcart_common.topics import PRODUCT_OBSERVED
from splitcart_scraper import app
from splitcart_scraper.app import Parts, barcodes_of, export_of
from splitcart_scraper.handlers.barcodes import BarcodeReader, Report
from tests.support.scraper.clocks import TwoHands
from tests.support.scraper.http import Server, serving
from tests.support.scraper.rig import counted, settings_of
from tests.support.scraper.tiny_coles import TinyColes, numbers, on_record


@dataclass
class Counting:
    """What a progress bar would have been told."""

    total: tuple[int, int] | None = None
    products: int = 0
    found: int = 0

    def begun(self, done: int, total: int) -> None:
        """So many of all are done already."""
        self.total = (done, total)

    def done(self, products: int, found: int) -> None:
        """So many more."""
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
        """One, as a new process would make it."""
        return barcodes_of(self.made, "coles")

    async def run(self, limit: int | None = None, prefill_from: str | None = None) -> Report:
        """Go on with the pass, or begin one."""
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
    """A desk on a test's own database, with one store on record and no listings yet."""
    coles, clock = coles or TinyColes(), TwoHands()
    async with serving(coles) as server:
        chosen = settings_of(database, "", scraper_base_url={"coles": f"{server.url}/coles"}, **settings)
        async with app.parts(chosen, Health(), clock=clock, entropy=counted()) as made:
            await on_record(made.pool)
            yield Desk(made, server, clock, coles)
