"""Every fault of the simulator over HTTP, at every company it makes sense for, by script and by rate."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
import orjson
import pytest

from splitcart_common.clock import ScaledClock
from splitcart_sandbox.retailers.settings import SimulatorSettings
from splitcart_sandbox.retailers.world import World, second
from tests.support.scraper.simulator import simulating

CLOCK = ScaledClock(datetime(2026, 9, 3, tzinfo=UTC), datetime.now(UTC), 1e-6)
COMPANIES = ("aldi", "coles", "iga", "woolworths")
COUNTRY = World(SimulatorSettings(companies=COMPANIES, stores=8, listings=200, clock=CLOCK).world())

GIVE_UP_SECONDS = 0.7
"""How long a client waits for an answer that is held back, and that any other is there in."""

HOST = ("drop", "timeout", "throttled", "error", "unavailable", "truncated", "bot-wall", "empty")
PAGE = ("duplicates", "missing-prices", "short-category")
OWN = [("coles", "new-build"), *((company, "store-ignored") for company in ("coles", "iga", "woolworths")),
       ("coles", "sponsored"), ("woolworths", "sponsored")]  # fmt: skip
EVERY = [(company, kind) for company in COMPANIES for kind in (*HOST, *PAGE)] + OWN


class Tile(NamedTuple):
    """A product of a page: its price is None where it bears none."""

    sku: str
    price: float | None
    sponsored: bool = False


class Page(NamedTuple):
    """A page of a listing: whose it is, how many products it counts in all, and what it bears."""

    store: str
    total: int
    tiles: list[Tile]


class Host:
    """One company as a client asks it: pages of its largest listings at one store, the one that is second."""

    def __init__(self, client: httpx.Client, company: str) -> None:
        self.client, self.company = client, company
        every = COUNTRY.companies[company].stores.values()
        self.store = [store.outlet for store in every if store.life.open(second(CLOCK.now()))][1]
        self.read: Callable[[Any], Page] = getattr(self, f"_read_{company}")
        self.ask: Callable[[str], httpx.Response] = getattr(self, f"_ask_{company}")
        self.open()
        sizes = {key: self.page(key).total for key in getattr(self, f"_keys_{company}")()}
        self.keys = sorted(sizes, key=sizes.__getitem__, reverse=True)[:10]
        self.plain = {key: self.page(key) for key in self.keys}

    def open(self) -> None:
        """What a visit begins with: Coles names the build on its front page."""
        if self.company == "coles":
            self.build = re.search(r'"buildId":"([^"]+)"', self.client.get("/coles/").text)[1]

    def page(self, key: str) -> Page:
        answer = self.ask(key)
        assert answer.status_code == 200
        return self.read(orjson.loads(answer.content))

    def met(self, key: str | None = None) -> str:
        """What became of a request: the fault it met, as far as a client can tell, or `plain`."""
        key = key or self.keys[0]
        try:
            answer = self.ask(key)
        except httpx.RemoteProtocolError:
            return "drop"
        except httpx.ReadTimeout:
            return "timeout"
        if answer.status_code != 200 or not answer.headers["content-type"].startswith("application/json"):
            return self._refused(answer)
        if not answer.content:
            return "empty"
        try:
            page = self.read(orjson.loads(answer.content))
        except orjson.JSONDecodeError:
            return "truncated"
        return differs(self.plain[key], page)

    def _refused(self, answer: httpx.Response) -> str:
        named = {429: "throttled", 500: "error", 503: "unavailable"}
        if answer.status_code == 404:
            self.open()
            return "new-build"
        if answer.status_code in (429, 503):
            assert answer.headers["retry-after"] == "2"
        if answer.status_code in named:
            return named[answer.status_code]
        # The wall of Coles is 200, and known by its HTML alone.
        assert answer.status_code == (200 if self.company == "coles" else 403)
        assert answer.headers["content-type"].startswith("text/html")
        assert b"__NEXT_DATA__" not in answer.content
        return "bot-wall"

    def _keys_aldi(self) -> list[str]:
        tree = self.client.get("/aldi/v2/product-category-tree", params={"servicePoint": self.store.store_id})
        roots = [root for root in tree.json()["data"] if root["name"] not in ("Lower Prices", "Super Savers")]
        return [leaf["key"] for root in roots for leaf in root["children"]]

    def _ask_aldi(self, key: str) -> httpx.Response:
        query = {"categoryKey": key, "limit": 30, "offset": 0, "servicePoint": self.store.store_id}
        return self.client.get("/aldi/v3/product-search", params=query)

    def _read_aldi(self, body: Any) -> Page:
        tiles = [Tile(tile["sku"], tile["price"] and tile["price"]["amount"]) for tile in body["data"]]
        return Page("", body["meta"]["pagination"]["totalCount"], tiles)

    def _keys_coles(self) -> list[str]:
        every = COUNTRY.companies["coles"].products
        return sorted({_slug(product.category_path[0]) for product in every})

    def _ask_coles(self, key: str) -> httpx.Response:
        cookie = {"cookie": f"fulfillmentStoreId={self.store.store_id.zfill(4)}"}
        return self.client.get(f"/coles/_next/data/{self.build}/en/browse/{key}.json", headers=cookie)

    def _read_coles(self, body: Any) -> Page:
        props = body["pageProps"]
        tiles = [
            Tile(str(tile["id"]), tile["pricing"] and tile["pricing"]["now"], tile["adId"] is not None)
            for tile in props["searchResults"]["results"]
            if tile["_type"] == "PRODUCT"
        ]
        return Page(props["initStoreId"], props["searchResults"]["noOfResults"], tiles)

    def _keys_iga(self) -> list[str]:
        nodes = self.client.get(f"/iga/api/storefront/stores/{self.store.retailer_ref}/categoryHierarchy").json()
        departments = nodes["children"][0]["children"]
        every = [node["identifier"] for node in departments]
        return [key for key in every if self._ask_iga(key).status_code == 200]

    def _ask_iga(self, key: str) -> httpx.Response:
        path = f"/iga/api/storefront/stores/{self.store.retailer_ref}/categories/{key}/search"
        return self.client.get(path, params={"take": 36, "skip": 0})

    def _read_iga(self, body: Any) -> Page:
        store = body["pagination"]["_links"]["current"]["href"].split("/")[3]
        return Page(store, body["total"], [Tile(item["sku"], item["priceNumeric"]) for item in body["items"]])

    def _keys_woolworths(self) -> list[str]:
        tree = self.client.get("/woolworths/apis/ui/PiesCategoriesWithSpecials").json()["Categories"]
        return [root["NodeId"] for root in tree if root["Description"] not in ("Specials", "Front of Store")]

    def _ask_woolworths(self, key: str) -> httpx.Response:
        body = {"categoryId": key, "pageNumber": 1, "pageSize": 36, "storeId": self.store.store_id,
                "isHideEverydayMarketProducts": True, "isHideUnavailableProducts": True}  # fmt: skip
        return self.client.post("/woolworths/apis/ui/browse/category", json=body)

    def _read_woolworths(self, body: Any) -> Page:
        tiles = [tile for bundle in body["Bundles"] for tile in bundle["Products"]]
        store = str(tiles[0]["FulfilmentStoreId"]) if tiles else ""
        shown = [Tile(str(tile["Stockcode"]), tile["Price"], tile["IsSponsoredAd"]) for tile in tiles]
        return Page(store, body["TotalRecordCount"], shown)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")


def differs(plain: Page, page: Page) -> str:
    """In what a page differs from the one it should be: by one fault, or not at all."""
    if page == plain:
        return "plain"
    organic = [tile for tile in page.tiles if not tile.sponsored]
    own = [tile for tile in plain.tiles if not tile.sponsored]
    if page.store != plain.store:
        return "store-ignored"
    if page.total < plain.total:
        assert {tile.sku for tile in organic} - {tile.sku for tile in own} != {tile.sku for tile in organic}
        return "short-category"
    assert page.total == plain.total
    if len(organic) > len(own):
        assert organic[: len(own)] == own
        assert set(organic) == set(own)
        return "duplicates"
    if [tile.price for tile in organic] != [tile.price for tile in own]:
        assert [tile.sku for tile in organic] == [tile.sku for tile in own]
        missing = [a for a, b in zip(own, organic, strict=True) if b.price is None and a.price is not None]
        assert 0 < len(missing) < len(own)
        return "missing-prices"
    copies = len(page.tiles) - len(plain.tiles)
    assert copies == sum(tile.price is not None for tile in own)
    return "sponsored"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with simulating(",".join(COMPANIES), CLOCK, stores=8, listings=200, slow_seconds="30") as address:
        yield address


@pytest.fixture(scope="module")
def hosts(address: str) -> Iterator[dict[str, Host]]:
    with httpx.Client(base_url=address, timeout=5) as client:
        yield {company: Host(client, company) for company in COMPANIES}


@pytest.fixture
def client(hosts: dict[str, Host]) -> Iterator[httpx.Client]:
    client = hosts["coles"].client
    yield client
    client.delete("/faults")
    client.timeout = httpx.Timeout(5)
    hosts["coles"].open()


def faults(client: httpx.Client, company: str) -> Counter[str]:
    return Counter(client.get("/truth/requests").json()["faults"].get(company, {}))


@pytest.mark.parametrize(("company", "kind"), EVERY)
def test_a_fault_by_script_happens_as_often_as_was_ordered(
    client: httpx.Client, hosts: dict[str, Host], company: str, kind: str
) -> None:
    host, before = hosts[company], faults(client, company)
    times = 1 if kind == "timeout" else 2
    client.timeout = httpx.Timeout(GIVE_UP_SECONDS if kind == "timeout" else 5)
    order = {"company": company, "kind": kind, "count": times, "call": "listing"}
    assert client.post("/faults", json=order).status_code == 201
    if kind == "short-category":  # counted in categories, which stay short
        met = [host.met(key) for key in [*host.keys[:3], *host.keys[:3]]]
        assert met == ["short-category", "short-category", "plain"] * 2
    else:
        assert [host.met() for _ in range(times + 2)] == [kind] * times + ["plain", "plain"]
        assert faults(client, company) - before == {kind: times}


@pytest.mark.parametrize(("company", "kind"), EVERY)
def test_a_fault_by_rate_happens_to_its_share_and_to_nobody_else(
    client: httpx.Client, hosts: dict[str, Host], company: str, kind: str
) -> None:
    host, other = hosts[company], hosts["iga" if company == "aldi" else "aldi"]
    before = faults(client, company)
    client.timeout = httpx.Timeout(GIVE_UP_SECONDS if kind == "timeout" else 5)
    order = {"company": company, "kind": kind, "rate": 0.4, "call": "listing"}
    assert client.post("/faults", json=order).status_code == 201
    keys = host.keys if kind == "short-category" else host.keys[:1]
    met: list[str] = []
    while len(met) < 40 and (kind != "timeout" or set(met) != {kind, "plain"}):
        met += [host.met(key) for key in keys]
    assert set(met) == {kind, "plain"}
    assert kind == "timeout" or met.count(kind) < 0.75 * len(met)
    assert faults(client, company) - before == {kind: met.count(kind)}
    if kind == "short-category":
        assert met == met[: len(keys)] * (len(met) // len(keys)), "the same ones stay short"
    assert other.met() == "plain"
    assert client.delete("/faults").json() == {"cleared": 1}
    assert host.met() == "plain"


@pytest.mark.parametrize(
    ("company", "kind"),
    [("aldi", "store-ignored"), ("aldi", "sponsored"), ("iga", "sponsored"), ("iga", "new-build"),
     ("woolworths", "new-build"), ("aldi", "new-build")],
)  # fmt: skip
def test_a_fault_that_a_company_does_not_have_never_happens(
    client: httpx.Client, hosts: dict[str, Host], company: str, kind: str
) -> None:
    client.post("/faults", json={"company": company, "kind": kind, "count": 1})
    assert [hosts[company].met() for _ in range(3)] == ["plain"] * 3


@pytest.mark.parametrize("rate", [0, -1, 1.5, "half", True])
def test_a_rate_that_is_none_is_refused(client: httpx.Client, rate: object) -> None:
    answer = client.post("/faults", json={"company": "aldi", "kind": "error", "rate": rate})
    assert answer.status_code == 400
    assert "rate must be a number" in answer.json()["error"]
