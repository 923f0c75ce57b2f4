"""The simulator as a process, over HTTP on a free port: what a scraper meets."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import orjson
import pytest

from splitcart_common.clock import ScaledClock
from splitcart_sandbox.retailers.iga import IgaFace
from splitcart_sandbox.retailers.settings import SimulatorSettings
from splitcart_sandbox.retailers.world import World, second

CLOCK = ScaledClock(datetime(2026, 9, 1, tzinfo=UTC), datetime.now(UTC), 14_400.0)
ENVIRONMENT = {
    "SPLITCART_CLOCK": str(CLOCK),
    "SPLITCART_SIMULATOR_PORT": "0",
    "SPLITCART_SIMULATOR_COMPANIES": "aldi,coles,iga,woolworths",
    "SPLITCART_SIMULATOR_STORES": "20",
    "SPLITCART_SIMULATOR_LISTINGS": "450",
    "SPLITCART_SIMULATOR_SLOW_SECONDS": "30",
    "SPLITCART_SIMULATOR_LATENCY_SECONDS": "0.02",
}
COMMAND = [sys.executable, "-m", "splitcart_sandbox.retailers"]
COMPANIES = ("aldi", "coles", "iga", "woolworths")
COUNTRY = World(SimulatorSettings(companies=COMPANIES, stores=20, listings=450, clock=CLOCK).world())
"""The country of that process, computed in this one."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    process = subprocess.Popen(COMMAND, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield orjson.loads(process.stdout.readline())["listening"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=5) as client:
        yield client
        client.delete("/faults")


def walk(client: httpx.Client, point: str) -> tuple[dict[str, int], list[list[str]]]:
    """Every price of a store as a scraper reads it, and each read's virtual interval."""
    prices: dict[str, int] = {}
    reads: list[list[str]] = []
    tree = client.get("/aldi/v2/product-category-tree", params={"servicePoint": point}).json()["data"]
    for leaf in (leaf for root in tree for leaf in root["children"]):
        for offset in range(0, 1_000, 30):
            query = {"servicePoint": point, "categoryKey": leaf["key"], "limit": 30, "offset": offset}
            since = CLOCK.now().isoformat()
            answer = client.get("/aldi/v3/product-search", params=query)
            if answer.status_code == 400:
                break
            for tile in answer.json()["data"]:
                prices[tile["sku"]] = tile["price"]["amount"]
                reads.append([tile["sku"], since, CLOCK.now().isoformat(), tile["price"]["amount"]])
    return prices, reads


def walk_iga(client: httpx.Client, ref: str) -> tuple[dict[str, int], list[list[str]]]:
    """The same of a store of IGA, every leaf to its end: a 404, an empty page, or the last one again."""
    prices: dict[str, int] = {}
    reads: list[list[str]] = []
    base = f"/iga/api/storefront/stores/{ref}"
    nodes = [client.get(f"{base}/categoryHierarchy").json()]
    while nodes:
        node = nodes.pop()
        nodes += node["children"]
        before: set[str] = set()
        for skip in range(0, 1_000, 36) if not node["children"] else ():
            query = {"take": 36, "skip": skip, "sessionId": "6f1c7b1e-5a53-4b9e-9a53-0e4f7c3a9d11"}
            since = CLOCK.now().isoformat()
            answer = client.get(f"{base}/categories/{node['identifier']}/search", params=query)
            items = answer.json()["items"] if answer.status_code == 200 else []
            skus = {item["sku"] for item in items}
            if skus in (set(), before):
                break
            before = skus
            for item in items:
                prices[item["sku"]] = round(item["priceNumeric"] * 100)
                reads.append([item["sku"], since, CLOCK.now().isoformat(), prices[item["sku"]]])
    return prices, reads


def of_coles(client: httpx.Client, store_id: str) -> tuple[str, dict[str, str]]:
    """The build id of the data route's addresses, and a store's cookie."""
    cookie = {"cookie": f"fulfillmentStoreId={store_id:0>4}; shopping-method=clickAndCollect"}
    return re.search(r'"buildId":"([^"]+)"', client.get("/coles/", headers=cookie).text)[1], cookie


def walk_coles(client: httpx.Client, store_id: str) -> tuple[dict[str, int], list[list[str]]]:
    """The same of a store of Coles, by departments, paid copies left out."""
    prices: dict[str, int] = {}
    reads: list[list[str]] = []
    build, cookie = of_coles(client, store_id)
    key = re.search(r'"BFF_API_SUBSCRIPTION_KEY":"([^"]+)"', client.get("/coles/").text)[1]
    menu = {"operationName": "GetShopProductsMenu", "variables": {"storeId": f"COL:{store_id:0>4}"}}
    body = client.post("/coles/api/graphql", json=menu, headers={"ocp-apim-subscription-key": key}).json()
    for slug in (root["seoToken"] for root in body["data"]["menuItems"]["items"]):
        for page in range(1, 106):
            since = CLOCK.now().isoformat()
            path = f"/coles/_next/data/{build}/en/browse/{slug}.json"
            found = client.get(path, params={"slug": slug, "page": page}, headers=cookie).json()["pageProps"]
            assert found["initStoreId"] == store_id.zfill(4)
            if not found["searchResults"]["results"]:
                break
            for tile in found["searchResults"]["results"]:
                if tile["_type"] == "PRODUCT" and tile["adId"] is None and tile["pricing"] is not None:
                    sku, price = str(tile["id"]), round(tile["pricing"]["now"] * 100)
                    prices[sku] = price
                    reads.append([sku, since, CLOCK.now().isoformat(), price])
    return prices, reads


def of_woolworths(category: str, store_id: str, page: int = 1) -> dict[str, object]:
    """The body of a request for a page of a listing."""
    hides = {"isHideEverydayMarketProducts": True, "isHideUnavailableProducts": True}
    return {"categoryId": category, "pageNumber": page, "pageSize": 36, "storeId": store_id, **hides}


def walk_woolworths(client: httpx.Client, store_id: str) -> tuple[dict[str, int], list[list[str]]]:
    """The same of a store of Woolworths, each department until a page has only promoted products."""
    prices: dict[str, int] = {}
    reads: list[list[str]] = []
    tree = client.get("/woolworths/apis/ui/PiesCategoriesWithSpecials").json()["Categories"]
    for root in (root for root in tree if root["Description"] not in ("Specials", "Front of Store")):
        for page in range(1, 100):
            body, since = of_woolworths(root["NodeId"], store_id, page), CLOCK.now().isoformat()
            bundles = client.post("/woolworths/apis/ui/browse/category", json=body).json()["Bundles"]
            tiles = [tile for bundle in bundles for tile in bundle["Products"]]
            for tile in tiles:
                assert tile["FulfilmentStoreId"] == int(store_id)
                sku, price = str(tile["Stockcode"]), round(tile["Price"] * 100)
                prices[sku] = price
                reads.append([sku, since, CLOCK.now().isoformat(), price])
            if all(tile["IsSponsoredAd"] for tile in tiles):
                break
    return prices, reads


@pytest.mark.parametrize(("company", "walk_store"), [("coles", walk_coles), ("woolworths", walk_woolworths)])
def test_every_price_read_of_a_store_of_a_chain_was_true(
    client: httpx.Client,
    company: str,
    walk_store: Callable[[httpx.Client, str], tuple[dict[str, int], list[list[str]]]],
):
    store = next(s for s in COUNTRY.companies[company].stores.values() if s.life.open(second(CLOCK.now())))
    prices, reads = walk_store(client, store.outlet.store_id)
    assert 400 < len(prices) < 500
    were_true(client, store.key, reads)


def test_a_deployment_in_mid_scrape(client: httpx.Client):
    build, cookie = of_coles(client, "205")
    path = "/coles/_next/data/{}/en/browse/down-down.json"
    assert client.get(path.format(build), headers=cookie).status_code == 200
    order = {"company": "coles", "kind": "new-build", "count": 1}
    assert client.post("/faults", json=order).status_code == 201
    client.get("/coles/", headers=cookie)  # nothing that a deployment matters to
    assert [client.get(path.format(build), headers=cookie).status_code for _ in range(2)] == [404, 404]
    again, _ = of_coles(client, "205")
    assert again != build
    assert client.get(path.format(again), headers=cookie).status_code == 200


def test_a_store_that_is_asked_for_in_vain(client: httpx.Client):
    store = list(COUNTRY.companies["woolworths"].stores.values())[-1]
    (root,) = COUNTRY.companies["woolworths"].products[0].category_path[:1]
    tree = client.get("/woolworths/apis/ui/PiesCategoriesWithSpecials").json()["Categories"]
    key = next(node["NodeId"] for node in tree if node["Description"] == root)
    client.post("/faults", json={"company": "woolworths", "kind": "store-ignored", "count": 1})
    body = of_woolworths(key, store.outlet.store_id)
    answers = [client.post("/woolworths/apis/ui/browse/category", json=body).json() for _ in range(2)]
    stores = [{tile["Products"][0]["FulfilmentStoreId"] for tile in answer["Bundles"]} for answer in answers]
    assert stores[0] != stores[1] == {int(store.outlet.store_id)}
    assert client.get("/truth/requests").json()["faults"]["woolworths"]["store-ignored"] == 1


def test_every_price_read_was_true_when_it_was_read(client: httpx.Client):
    here = {"latitude": -33.87, "longitude": 151.2, "includeNearbyServicePoints": "true"}
    point = client.get("/aldi/v2/service-points", params=here).json()["data"][0]["id"]
    prices, reads = walk(client, point)
    assert 400 < len(prices) < 500
    were_true(client, f"aldi:{point}", reads)


def test_every_price_read_of_two_kinds_of_igas_stores_was_true(client: httpx.Client):
    face = IgaFace(COUNTRY)
    stores = [store for store in COUNTRY.companies["iga"].stores.values() if store.life.open(second(CLOCK.now()))]
    for repeats in (True, False):
        store = next(store for store in stores if face.repeats(store) is repeats)
        prices, reads = walk_iga(client, store.outlet.retailer_ref)
        assert 350 < len(prices) < 550
        were_true(client, store.key, reads)


def were_true(client: httpx.Client, store: str, reads: list[list[str]]) -> None:
    body = {"store": store, "reads": [read[:3] for read in reads]}
    truth = client.post("/truth/reads", json=body).json()["prices"]
    assert all(price in held for (*_, price), held in zip(reads, truth, strict=True))


def test_another_process_computes_the_same_country(client: httpx.Client):
    at = datetime(2026, 9, 16, tzinfo=UTC)
    for store in COUNTRY.stores()[::5]:
        there = client.get("/truth/prices", params={"store": store.key, "at": at.isoformat()}).json()["prices"]
        assert there == COUNTRY.price_list(store.key, at)


def test_one_clock(client: httpx.Client):
    before, now, after = CLOCK.now(), client.get("/healthz").json()["now"], CLOCK.now()
    assert before <= datetime.fromisoformat(now) <= after


@pytest.mark.parametrize("company", COMPANIES)
def test_faults_as_a_client_meets_them(client: httpx.Client, company: str):
    store = next(iter(COUNTRY.companies["iga"].stores.values()))
    path = {
        "aldi": "/aldi/v3/product-search?categoryKey=1588161425841179",
        "coles": f"/coles/_next/data/{of_coles(client, '205')[0]}/en/browse/down-down.json",
        "iga": f"/iga/api/storefront/stores/{store.outlet.retailer_ref}/categories/Pantry/search?take=36",
        "woolworths": "/woolworths/apis/ui/PiesCategoriesWithSpecials",
    }[company]
    assert client.get(path).status_code == 200
    kinds = ("throttled", "error", "unavailable", "bot-wall", "empty", "truncated", "drop")
    for kind in kinds:
        client.post("/faults", json={"company": company, "kind": kind, "count": 1})
    throttled, error, unavailable, wall, empty, truncated = (client.get(path) for _ in kinds[:-1])
    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "2")
    # The wall of Coles is known by its HTML alone.
    refused = 200 if company == "coles" else 403
    assert (error.status_code, unavailable.status_code, wall.status_code) == (500, 503, refused)
    assert wall.headers["content-type"] == "text/html"
    assert (empty.status_code, empty.content) == (200, b"")
    assert truncated.status_code == 200
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(truncated.content)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(path)
    assert client.get(path).status_code == 200


def test_a_client_that_gives_up_is_no_longer_in_flight(client: httpx.Client):
    client.post("/faults", json={"company": "aldi", "kind": "timeout", "count": 1})
    with pytest.raises(httpx.ReadTimeout):
        client.get("/aldi/v2/product-category-tree", timeout=0.3)
    time.sleep(0.1)
    counts = client.get("/truth/requests").json()
    assert counts["in_flight"]["aldi"] == 0
    assert counts["max_in_flight"]["aldi"] == 1


def test_it_stops_at_once_though_an_answer_is_being_held_back():
    process = subprocess.Popen(COMMAND, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        address = orjson.loads(process.stdout.readline())["listening"]
        httpx.post(f"{address}/faults", json={"company": "aldi", "kind": "timeout", "count": 1})
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(httpx.get, f"{address}/aldi/v2/product-category-tree", timeout=20)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            assert process.wait(5) == 0
            asked.exception()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_requests_at_once_are_noticed(address: str, client: httpx.Client):
    def ask(_: int) -> int:
        return httpx.get(f"{address}/aldi/v2/product-category-tree").status_code

    assert client.get("/truth/requests").json()["max_in_flight"]["aldi"] == 1
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(16))) == {200}
    assert client.get("/truth/requests").json()["max_in_flight"]["aldi"] > 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"SPLITCART_SIMULATOR_COMPANIES": "bigmart"}, "no such company: bigmart"), ({}, "in use")],
)
def test_a_simulator_that_cannot_start_says_why(wrong: dict[str, str], says: str):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = {"SPLITCART_SIMULATOR_PORT": str(taken.getsockname()[1])}
        done = subprocess.run(
            COMMAND,
            env=os.environ | ENVIRONMENT | port | wrong,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
