"""Every kind of bad input that docs/events.md names becomes what is said there, and what follows it is folded."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from docs.bad_input import BAD_INPUT
from splitcart_common import events
from splitcart_common.outcomes import Reason, SystemicError
from splitcart_common.postgres import Pool
from splitcart_common.topics import PRODUCT_OBSERVED, STORE_GROUPS, STORES
from splitcart_ingest.app import open_pool, prepare
from splitcart_ingest.handlers.stores import StoreHandler
from splitcart_ingest.settings import IngestSettings
from splitcart_sandbox.database import service_dsn
from tests.support.bus import Said, say
from tests.support.ingest import START, ByHand, confirmed, scrape
from tests.support.lane import NOW, Folding, folding
from tests.support.stack import Server, fresh_database

pytestmark = pytest.mark.stack

Case = Callable[["Bench"], Awaitable[Sequence[str]]]
CASES: dict[str, Case] = {}


class Bench:
    """A store of the case's own, and a lane to fold its messages into."""

    def __init__(self, lane: Folding, pool: Pool, number: int) -> None:
        self.lane = lane
        self.pool = pool
        self.number = number
        self.store = f"aldi:G{number}"
        self.start, self.batch, self.end = self.scrape(1, {"a": 100, "b": 200})

    def scrape(self, number: int, prices: dict[str, int | None], **more: Any) -> list[Said]:
        return scrape(self.store, number, prices, **more)

    async def open(self) -> None:
        assert await self.fold(self.start) == ["folded"]

    async def fold(self, *said: Said, at: Any = NOW) -> list[str]:
        return await self.lane.fold(*((one.key, one.value, one.headers) for one in said), at=at)

    def with_json(self, change: Callable[[dict[str, Any]], object]) -> Said:
        """The batch with its JSON changed in place."""
        value = json.loads(self.batch.value or b"")
        change(value)
        return replace(self.batch, value=json.dumps(value).encode())

    def with_listing(self, **fields: object) -> Said:
        """The batch with its first listing changed."""
        return self.with_json(lambda value: value["listings"][0].update(fields))

    def with_header(self, name: str, value: bytes | None, said: Said | None = None) -> Said:
        """A message with a header changed, or without it."""
        said = said or self.batch
        headers = [(n, value if n == name else v) for n, v in said.headers if n != name or value is not None]
        return replace(said, headers=headers)

    def timed(self, event: events.Event, at: Any = START) -> Said:
        return say(self.store, event, event_id=UUID(int=9), correlation_id=UUID(int=9), at=at)

    async def price(self, store: str | None = None) -> int | None:
        """Of listing a."""
        query = (
            "SELECT price FROM latest_prices JOIN listings USING (listing_id) JOIN stores USING (store_id) "
            "WHERE sku = 'a' AND store = $1"
        )
        return await self.pool.fetchval(query, store or self.store)

    async def scrapes(self) -> list[Any]:
        """Those of the store, in order."""
        query = "SELECT scrapes.* FROM scrapes JOIN stores USING (store_id) WHERE store = $1 ORDER BY seq"
        return await self.pool.fetch(query, self.store)


def case(name: str) -> Callable[[Case], Case]:
    def add(function: Case) -> Case:
        CASES[name] = function
        return function

    return add


def batches(name: str, *make: Callable[[Bench], Said]) -> None:
    """A case of messages that come in place of an open scrape's batch."""

    async def run(bench: Bench) -> Sequence[str]:
        await bench.open()
        return await bench.fold(*(one(bench) for one in make))

    CASES[name] = run


DEEP = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
batches(
    "bytes",
    *(
        lambda b, value=value: replace(b.batch, value=value)
        for value in (b"{", b"\xff\x00{", b"", None, b"nul", b'{"scrape_id":', b'{"a":"\\ud800"}')
    ),
)
batches(
    "deep", lambda b: replace(b.batch, value=DEEP), lambda b: replace(b.batch, value=b'{"x":' + b"[" * 100_000)
)
batches(
    "shape",
    lambda b: replace(b.batch, value=b"[]"),
    lambda b: replace(b.batch, value=b"null"),
    lambda b: b.with_json(lambda v: v.pop("batch")),
    lambda b: b.with_json(lambda v: v.update(batch=None)),
    lambda b: b.with_json(lambda v: v.update(batch="1")),
    lambda b: b.with_json(lambda v: v.update(listings={"a": 1})),
    lambda b: b.with_listing(special="nearly-free"),
    lambda b: b.with_json(lambda v: v.update(scrape_id="G1")),
)
batches("unknown field", lambda b: b.with_json(lambda v: v.update(colour="red")))
NEEDED = ("event-id", "event-type", "event-version", "occurred-at", "correlation-id", "producer")
batches(
    "header missing",
    *(lambda b, name=name: b.with_header(name, None) for name in NEEDED),
    lambda b: replace(b.batch, headers=[*b.batch.headers, b.batch.headers[0]]),
    lambda b: b.with_header("event-version", b"one"),
    lambda b: b.with_header("occurred-at", b"2026-09-02T00:00:00"),
    lambda b: b.with_header("event-id", b"\xff"),
    lambda b: replace(b.batch, headers=[]),
)
batches("type", lambda b: b.with_header("event-type", b"products-guessed"))
batches("topic", lambda b: b.with_header("event-type", b"store-closed"))
batches("version", *(lambda b, n=n: b.with_header("event-version", n) for n in (b"0", b"-1", b"2", b"9" * 400)))
batches(
    "no key",
    *(
        lambda b, key=key: replace(b.batch, key=key)
        for key in (None, b"", b"\xff", b"G1", b"aldi:G1\n", b"Aldi:1")
    ),
)
batches(
    "nul",
    lambda b: b.with_listing(name="a\0b"),
    lambda b: b.with_listing(sku="\0"),
)
batches(
    "long text",
    lambda b: b.with_listing(name="x" * 501),
    lambda b: b.with_listing(name=""),
    lambda b: b.with_listing(sku=""),
    lambda b: b.with_listing(sku="x" * 65),
    lambda b: b.with_listing(brand="é" * 201),
    lambda b: b.with_listing(url="x" * 2001),
)
batches(
    "price negative",
    *(lambda b, field=field: b.with_listing(**{field: -1}) for field in ("price", "was_price", "unit_price")),
)
batches(
    "price large", *(lambda b, price=price: b.with_listing(price=price) for price in (10_000_001, 10**12, 10**400))
)
batches(
    "price other",
    *(lambda b, price=price: b.with_listing(price=price) for price in (4.69, "469", True, [1], 1e300)),
)
batches(
    "batch number", *(lambda b, n=n: b.with_json(lambda v: v.update(batch=n)) for n in (0, -1, 100_001, 10**30))
)
batches("many listings", lambda b: b.with_json(lambda v: v.update(listings=v["listings"] * 101)))
batches("no listings", lambda b: b.with_json(lambda v: v.update(listings=[])))


@case("other key")
async def _(bench: Bench) -> Sequence[str]:
    return await bench.fold(replace(bench.start, key=b"aldi:elsewhere"), replace(bench.start, key=b"coles:G1"))


@case("unknown store")
async def _(bench: Bench) -> Sequence[str]:
    done = await bench.fold(*scrape("grocer:never-heard-of", 1, {"a": 1}))
    assert await bench.pool.fetchval("SELECT name FROM stores WHERE store = 'grocer:never-heard-of'") is None
    assert await bench.price("grocer:never-heard-of") == 1
    return done


HOSTILE = "'; DROP TABLE stores; --\x1b[2J<script>\u202e\ufeff\x1f\t\n\\\"%s{}😀\u0301"


@case("hostile text")
async def _(bench: Bench) -> Sequence[str]:
    await bench.open()
    done = await bench.fold(
        bench.with_listing(name=HOSTILE, brand=HOSTILE, size=HOSTILE, sku=HOSTILE[:60], barcode=HOSTILE)
    )
    row = await bench.pool.fetchrow(
        "SELECT name, brand, size, sku, barcode FROM listings WHERE sku = $1", HOSTILE[:60]
    )
    assert tuple(row) == (HOSTILE, HOSTILE, HOSTILE, HOSTILE[:60], HOSTILE)
    return done


@case("price zero")
async def _(bench: Bench) -> Sequence[str]:
    await bench.open()
    done = await bench.fold(bench.with_listing(price=0))
    assert await bench.price() == 0
    return done


@case("price null")
async def _(bench: Bench) -> Sequence[str]:
    await bench.fold(bench.start, bench.batch, bench.end)
    again = bench.scrape(2, {"a": None, "b": 200})
    done = await bench.fold(*again)
    assert await bench.price() == 100
    assert (await bench.scrapes())[1]["outcome"] == "full"
    return done


@case("future")
async def _(bench: Bench) -> Sequence[str]:
    late = NOW + timedelta(minutes=11)
    started = json.loads(bench.start.value or b"") | {"started_at": late.isoformat()}
    return await bench.fold(
        bench.with_header("occurred-at", late.isoformat().encode()),
        replace(bench.start, value=json.dumps(started).encode()),
        bench.with_header("occurred-at", b"9999-12-31T23:59:59+00:00"),
    )


@case("near future")
async def _(bench: Bench) -> Sequence[str]:
    soon = NOW + timedelta(minutes=9)
    return await bench.fold(bench.with_header("occurred-at", soon.isoformat().encode(), bench.start))


@case("far past")
async def _(bench: Bench) -> Sequence[str]:
    old = json.loads(bench.start.value or b"") | {"started_at": "1999-12-31T00:00:00Z"}
    return await bench.fold(
        replace(bench.start, value=json.dumps(old).encode()),
        bench.with_header("occurred-at", b"1066-10-14T00:00:00+00:00", bench.start),
    )


@case("time backwards")
async def _(bench: Bench) -> Sequence[str]:
    await bench.fold(*bench.scrape(5, {"a": 1}))
    done = await bench.fold(bench.start, bench.batch, bench.end)
    rows = await bench.scrapes()
    assert (
        rows[1]["started_at"]
        == rows[1]["settled_at"]
        == rows[0]["settled_at"]
        == START + timedelta(days=5, minutes=5)
    )
    return done


@case("no zone")
async def _(bench: Bench) -> Sequence[str]:
    bare = json.loads(bench.start.value or b"") | {"started_at": "2026-09-02T00:00:00"}
    return await bench.fold(replace(bench.start, value=json.dumps(bare).encode()))


@case("batch alone")
async def _(bench: Bench) -> Sequence[str]:
    done = await bench.fold(bench.with_listing(sku="fresh"))
    assert await bench.price() is None
    assert await bench.pool.fetchval("SELECT count(*) FROM listings WHERE sku = 'fresh'") == 1
    return done


@case("completed alone")
async def _(bench: Bench) -> Sequence[str]:
    return await bench.fold(bench.end)


@case("abandoned alone")
async def _(bench: Bench) -> Sequence[str]:
    return await bench.fold(bench.scrape(1, {}, end="abandoned")[-1])


@case("start again")
async def _(bench: Bench) -> Sequence[str]:
    await bench.fold(bench.start, bench.batch, bench.end)
    return await bench.fold(bench.start)


@case("batch again")
async def _(bench: Bench) -> Sequence[str]:
    await bench.fold(bench.start, bench.batch)
    return await bench.fold(bench.batch)


@case("end again")
async def _(bench: Bench) -> Sequence[str]:
    await bench.fold(bench.start, bench.batch, bench.end)
    return await bench.fold(bench.end, bench.batch)


@case("start between")
async def _(bench: Bench) -> Sequence[str]:
    await bench.fold(bench.start, bench.batch)
    done = await bench.fold(bench.scrape(2, {})[0])
    assert (await bench.scrapes())[0]["outcome"] == "superseded"
    return done


@case("batches swapped")
async def _(bench: Bench) -> Sequence[str]:
    start, one, two, end = bench.scrape(1, {"a": 1, "b": 2}, batch_size=1)
    done = await bench.fold(start, two, one, end)
    assert (await bench.scrapes())[0]["outcome"] == "full"
    return done


@case("batch lost")
async def _(bench: Bench) -> Sequence[str]:
    start, one, _, end = bench.scrape(1, {"a": 1, "b": 2}, batch_size=1)
    done = await bench.fold(start, one, end)
    assert (await bench.scrapes())[0]["outcome"] == "partial"
    return done


@case("listing twice")
async def _(bench: Bench) -> Sequence[str]:
    await bench.open()
    twice = bench.with_json(lambda v: v["listings"].append(v["listings"][0] | {"price": 999}))
    done = await bench.fold(twice)
    assert await bench.price() == 100
    return done


@case("same scrape elsewhere")
async def _(bench: Bench) -> Sequence[str]:
    await bench.fold(bench.start, bench.batch, bench.end)
    other = json.loads(bench.start.value or b"") | {"store": "aldi:elsewhere"}
    start = replace(bench.start, key=b"aldi:elsewhere", value=json.dumps(other).encode())
    return await bench.fold(
        start, replace(bench.batch, key=b"aldi:elsewhere"), replace(bench.end, key=b"aldi:elsewhere")
    )


@case("store badly described")
async def _(bench: Bench) -> Sequence[str]:
    lane = await folding(bench.pool, STORES, StoreHandler(), bench.number)
    texts = dict.fromkeys(("name", "address", "suburb", "state", "postcode"), "x")
    outlet = events.StoreDiscovered(
        store=bench.store, lat=-33.0, lon=151.0, sells_online=True, seen_at=START, **texts
    )
    good = bench.timed(outlet)
    off = replace(good, value=(good.value or b"").replace(b"-33.0", b"-133.0"))
    none = replace(good, value=(good.value or b"").replace(b"-33.0", b"NaN"))
    done = await lane.fold(*((one.key, one.value, one.headers) for one in (off, good)))
    assert done.pop() == "folded", "what follows it"
    (other,) = await lane.fold((b"aldi:elsewhere", good.value, good.headers))
    (nan,) = await lane.fold((none.key, none.value, none.headers))
    assert (other, nan) == (Reason.WRONG_KEY, Reason.UNDECODABLE)
    return done


@case("group unreadable")
async def _(bench: Bench) -> Sequence[str]:
    lane = await folding(bench.pool, STORE_GROUPS, ByHand(bench.pool).groups, bench.number)
    good = say("aldi", confirmed(1, bench.store, "aldi:elsewhere", up_to=1, anchor_at=1), event_id=UUID(int=1),
               correlation_id=UUID(int=1), at=START)  # fmt: skip
    for bad in (replace(good, value=b"{"), replace(good, key=b"coles")):
        with pytest.raises(SystemicError, match=r"offset 1 cannot be read .* store-groups has no dead letters"):
            await lane.fold(*((one.key, one.value, one.headers) for one in (good, bad)))
        lane.watching.forget(lane.lane.where)
    assert await bench.pool.fetchval("SELECT count(*) FROM group_markers") == 0, "nothing of the batch is kept"
    return ["stops"]


def test_every_row_of_the_page_has_a_case():
    assert CASES.keys() == BAD_INPUT.keys()


@pytest.fixture(scope="module")
async def folds(postgres: Server) -> AsyncIterator[Pool]:
    """A generation for all cases: each has a partition and a store of its own."""
    async with fresh_database(postgres) as database:
        settings = IngestSettings(postgres_dsn=service_dsn(database, "ingest"))
        await prepare(settings)
        pool = await open_pool(settings)
        try:
            yield pool
        finally:
            await pool.close()


@pytest.mark.parametrize("name", BAD_INPUT)
async def test_bad_input_becomes_what_the_page_says(folds: Pool, name: str):
    number = list(BAD_INPUT).index(name)
    lane = await folding(folds, PRODUCT_OBSERVED, ByHand(folds).observations, number)
    bench = Bench(lane, folds, number)
    became = await CASES[name](bench)
    assert set(became) == {str(BAD_INPUT[name].becomes)}, became
    after = await bench.fold(*scrape(f"aldi:after-{number}", 1, {"x": 7}))
    assert after == ["folded"] * 3, "what comes after it is folded"
