"""The truth API and the server's routing, in process."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import pytest

from splitcart_common.clock import FrozenClock
from splitcart_sandbox.retailers.aldi import AldiFace
from splitcart_sandbox.retailers.ledger import Ledger
from splitcart_sandbox.retailers.server import Simulator
from splitcart_sandbox.retailers.settings import SimulatorSettings
from splitcart_sandbox.retailers.web import Request

NOW = datetime(2026, 9, 3, 1, tzinfo=UTC)
SETTINGS = SimulatorSettings(seed=7, stores=8, listings=100, latency_seconds=0)


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(SETTINGS, FrozenClock(NOW))


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator), base_url="http://simulator") as client:
        yield client


async def test_the_world_says_what_it_is(client: httpx.AsyncClient):
    world = (await client.get("/truth/world")).json()
    assert world["settings"]["seed"] == 7
    assert world["companies"]["aldi"]["zones"] == ["east", "south", "north-west"]
    assert world["companies"]["aldi"]["stores"] == 8


async def test_the_zones_of_independents_are_the_owners_that_occur():
    simulator = Simulator(
        SimulatorSettings(companies=("aldi", "iga"), stores=80, listings=100, latency_seconds=0), FrozenClock(NOW)
    )
    transport = httpx.ASGITransport(simulator)
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
        companies = (await client.get("/truth/world", params={"at": "2026-07-01T00:00:00Z"})).json()["companies"]
        stores = (await client.get("/truth/stores", params={"at": "2026-07-01T00:00:00Z"})).json()["stores"]
        assert (await client.get("/iga/")).status_code == 200
        ref = next(store.outlet.retailer_ref for store in simulator.world.stores() if store.outlet.retailer_ref)
        await client.get(f"/iga/api/storefront/stores/{ref}/categoryHierarchy")
        counts = (await client.get("/truth/requests")).json()
    owners = [store["zone"] for store in stores if store["company"] == "iga"]
    assert companies["aldi"]["zones"] == ["east", "south", "north-west"]
    assert len(owners) == companies["iga"]["stores"] == 80
    assert sorted(set(owners)) == companies["iga"]["zones"]
    assert 50 < len(set(owners)) < 75
    # By the key of the store, not by the id of its web shop.
    assert counts["stores"].keys() <= {store["store"] for store in stores}
    assert counts["kinds"] == {"iga": {"other": 1, "categories": 1}}


async def test_stores_with_zone_and_closure(simulator: Simulator, client: httpx.AsyncClient):
    stores = (await client.get("/truth/stores")).json()["stores"]
    assert [store["store"] for store in stores] == [store.key for store in simulator.world.stores()]
    assert {store["zone"] for store in stores} <= {"east", "south", "north-west"}
    later = (await client.get("/truth/stores", params={"at": "2126-09-03T00:00:00Z"})).json()["stores"]
    assert all(store["closed_at"] for store in later)


async def test_prices_default_to_now(simulator: Simulator, client: httpx.AsyncClient):
    store = simulator.world.stores()[0].key
    found = (await client.get("/truth/prices", params={"store": store})).json()
    assert found["prices"] == simulator.world.price_list(store, NOW)
    then = NOW + timedelta(days=30)
    for text in (then.isoformat(), then.isoformat().replace("+00:00", "Z")):
        found = (await client.get(f"/truth/prices?store={store}&at={text}")).json()
        assert found["prices"] == simulator.world.price_list(store, then)


async def test_the_price_of_one_listing(simulator: Simulator, client: httpx.AsyncClient):
    store = simulator.world.stores()[0].key
    prices, products = simulator.world.price_list(store, NOW), simulator.world.companies["aldi"].products
    unsold = next(product.sku for product in products if product.sku not in prices)
    for sku in (next(iter(prices)), unsold):
        found = (await client.get("/truth/prices", params={"store": store, "sku": sku})).json()
        assert found["prices"] == {sku: prices.get(sku)}


async def test_changes_are_all_the_prices_of_an_interval_and_their_moments(
    simulator: Simulator, client: httpx.AsyncClient
):
    store, to = simulator.world.stores()[0].key, NOW + timedelta(days=60)
    changed = 0
    for product in simulator.world.companies["aldi"].products[::3]:
        query = {"store": store, "sku": product.sku, "from": NOW.isoformat(), "to": to.isoformat()}
        found = (await client.get("/truth/changes", params=query)).json()["changes"]
        assert {one["price"] for one in found} == simulator.world.prices_between(store, product.sku, NOW, to)
        moments = [datetime.fromisoformat(one["at"]) for one in found]
        assert moments[0] == NOW
        assert moments == sorted(moments)
        for moment, one in zip(moments, found, strict=True):
            assert simulator.world.price_at(store, product.sku, moment) == one["price"]
            before = simulator.world.price_at(store, product.sku, moment - timedelta(seconds=1))
            assert moment == NOW or before != one["price"]
        changed += len(found) > 1
    assert changed > 3


async def test_reads_list_every_price_of_their_interval(simulator: Simulator, client: httpx.AsyncClient):
    store, since, to = simulator.world.stores()[0].key, NOW, NOW + timedelta(days=60)
    skus = [product.sku for product in simulator.world.companies["aldi"].products]
    reads = [[sku, since.isoformat(), to.isoformat()] for sku in skus]
    reads += [[skus[0], since.isoformat(), since.isoformat()], ["nothing", since.isoformat(), to.isoformat()]]
    found = (await client.post("/truth/reads", json={"store": store, "reads": reads})).json()["prices"]
    for sku, prices in zip(skus, found, strict=False):
        assert set(prices) == simulator.world.prices_between(store, sku, since, to)
    assert found[-2] == [simulator.world.price_at(store, skus[0], since)]
    assert found[-1] == [None]
    assert any(len(prices) > 1 for prices in found)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/truth/prices?store=aldi:G999", 404),
        ("GET", "/truth/prices?store=coles:1", 404),
        ("GET", "/truth/prices?store=aldi:G001&at=soon", 400),
        ("GET", "/truth/prices?store=aldi:G001&at=2026-09-01T00:00:00", 400),
        ("GET", "/truth/prices?store=aldi:G001&sku=nothing", 404),
        ("GET", "/truth/changes?store=aldi:G001&sku=1", 400),
        ("GET", "/truth/changes?store=aldi:G001&sku=1&from=2026-09-01&to=2026-09-02", 400),
        ("GET", "/truth/changes?store=aldi:G001&sku=1&from=2026-09-02T00:00:00Z&to=2026-09-01T00:00:00Z", 400),
        ("GET", "/truth/changes?store=aldi:G001&sku=1&from=2026-09-01T00:00:00Z&to=2026-09-02T00:00:00Z", 404),
        ("GET", "/truth/requests/log", 400),
        ("GET", "/truth/requests/log?company=coles", 400),
        ("GET", "/truth/requests/log?company=aldi&since=first", 400),
        ("GET", "/truth/else", 404),
        ("POST", "/truth/reads", 400),
        ("GET", "/bigmart/v2/products", 404),
        ("POST", "/faults", 400),
    ],
)
async def test_bad_questions_are_answered(client: httpx.AsyncClient, method: str, path: str, status: int):
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("read", "says"),
    [
        (["1", NOW.isoformat()], "missing"),
        (["1", NOW.isoformat(), "soon"], "Invalid isoformat"),
        (["1", NOW.isoformat(), "2026-09-01T00:00:00Z"], "within 400 days"),
        (["1", NOW.isoformat(), "9026-09-01T00:00:00Z"], "within 400 days"),
        (["1", "2026-09-01T00:00:00", "2026-09-01T00:00:00"], "no time zone"),
    ],
)
async def test_bad_reads_say_what_is_wrong(client: httpx.AsyncClient, read: list[str], says: str):
    answer = await client.post("/truth/reads", json={"store": "aldi:G001", "reads": [read]})
    assert answer.status_code == 400
    assert says in answer.json()["error"]


async def test_requests_are_counted_and_the_truth_is_not(simulator: Simulator, client: httpx.AsyncClient):
    point = simulator.world.stores()[0].outlet.store_id
    await client.get("/aldi/v2/product-category-tree", params={"servicePoint": point})
    await client.get("/aldi/v3/product-search", params={"servicePoint": point, "q": "a"})
    await client.get("/truth/world")
    await client.get("/healthz")
    counts = (await client.get("/truth/requests")).json()
    assert counts["companies"] == {"aldi": 2}
    assert counts["stores"] == {f"aldi:{point}": 2}
    assert counts["kinds"] == {"aldi": {"categories": 1, "listing": 1}}
    assert counts["max_in_flight"] == {"aldi": 1}


async def test_every_request_is_on_record_with_begin_end_and_fault(client: httpx.AsyncClient):
    await client.get("/aldi/robots.txt")
    await client.post("/faults", json={"company": "aldi", "kind": "error", "count": 1})
    before = time.time()
    for _ in range(3):
        await client.get("/aldi/v2/product-category-tree?servicePoint=G001")
    counts = (await client.get("/truth/requests")).json()
    log = (await client.get("/truth/requests/log?company=aldi")).json()["requests"]
    assert [(asked["number"], asked["kind"], asked["store"], asked["fault"]) for asked in log] == [
        (1, "robots", "", ""),
        (2, "categories", "G001", "error"),
        (3, "categories", "G001", ""),
        (4, "categories", "G001", ""),
    ]
    assert all(asked["began"] <= asked["ended"] for asked in log)
    assert before - 1 < log[1]["began"] <= log[-1]["ended"] < time.time() + 1
    gaps = [later["began"] - sooner["ended"] for sooner, later in pairwise(log)]
    assert counts["smallest_gap_seconds"] == {"aldi": min(gaps)}
    assert min(gaps) >= 0
    assert counts["overlapping"] == {"aldi": 0}
    later = (await client.get("/truth/requests/log?company=aldi&since=4")).json()["requests"]
    assert [asked["number"] for asked in later] == [4]


def test_requests_at_once_overlap_but_for_those_that_are_held_back():
    ledger, call = Ledger(), AldiFace(Simulator(SETTINGS).world).call(Request("GET", "v2/product-category-tree"))
    with ledger.serving("aldi", call) as slow:
        slow.fault = "timeout"
        with ledger.serving("aldi", call):
            assert ledger.counts()["in_flight"] == {"aldi": 2}
    assert (ledger.counts()["max_in_flight"], ledger.counts()["overlapping"]) == ({"aldi": 2}, {"aldi": 0})
    with ledger.serving("aldi", call), ledger.serving("aldi", call), ledger.serving("aldi", call):
        pass
    assert (ledger.counts()["max_in_flight"], ledger.counts()["overlapping"]) == ({"aldi": 3}, {"aldi": 2})
    assert ledger.counts()["in_flight"] == {"aldi": 0}


async def test_orders_of_faults_come_and_go(client: httpx.AsyncClient):
    order = {"company": "aldi", "kind": "error", "count": 2}
    made = await client.post("/faults", json=order)
    assert made.status_code == 201
    assert made.json()["scripts"][0]["kind"] == "error"
    assert (await client.get("/aldi/v2/product-category-tree")).status_code == 500
    assert (await client.delete("/faults")).json() == {"cleared": 1}
    assert (await client.get("/aldi/v2/product-category-tree")).status_code == 200
    assert (await client.get("/truth/requests")).json()["faults"] == {"aldi": {"error": 1}}
    assert (await client.get("/faults")).json() == {"profile": "none", "scripts": []}


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    clock = "2026-09-01T00:00:00+00:00/2026-11-21T08:00:00+00:00/14400.0"
    monkeypatch.setenv("SPLITCART_SIMULATOR_PORT", "8123")
    monkeypatch.setenv("SPLITCART_SIMULATOR_COMPANIES", "aldi")
    monkeypatch.setenv("SPLITCART_SIMULATOR_STORES", "150")
    monkeypatch.setenv("SPLITCART_SIMULATOR_FAULTS", "mild")
    monkeypatch.setenv("SPLITCART_CLOCK", clock)
    settings = SimulatorSettings()
    assert (settings.port, settings.companies, settings.stores) == (8123, ("aldi",), 150)
    assert str(settings.clock) == clock
    assert settings.world().stores == 150
    monkeypatch.setenv("SPLITCART_SIMULATOR_FAULTS", "wild")
    with pytest.raises(ValueError, match="none, mild, hostile"):
        SimulatorSettings()
