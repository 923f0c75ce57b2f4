"""What each store's last published scrape said, kept small: one row a store, the prices as compressed bytes.

A row is about 4 bytes a listing, 100 kB for the largest shop. It is written in the transaction that publishes, so
it is what is on the bus, or will be.
"""

from typing import Final

import msgspec
from cramjam import zstd

from splitcart_common.postgres import Connection, Pool
from splitcart_scraper.domain.guards import ENOUGH, Known
from splitcart_scraper.domain.scrape import Run
from splitcart_scraper.store import Q

_LEVEL: Final = 3
_PRICES: Final = msgspec.msgpack.Decoder(dict[str, int])


async def load(connection: Connection | Pool, store: str) -> Known | None:
    """What a store is known to charge; None where nothing, or too little, of it was ever published."""
    row = await connection.fetchrow(Q["known_prices"], store)
    if row is None:
        return None
    return Known(row["started_at"], _PRICES.decode(bytes(zstd.decompress(row["prices"]))))


async def save(connection: Connection, run: Run, prices: dict[str, int]) -> None:
    """Keep what a scrape said, unless it is too little to compare the next one with."""
    if len(prices) >= ENOUGH:
        packed = bytes(zstd.compress(msgspec.msgpack.encode(prices, order="deterministic"), _LEVEL))
        await connection.execute(Q["keep_prices"], run.store, run.scrape_id, run.started_at, packed)
