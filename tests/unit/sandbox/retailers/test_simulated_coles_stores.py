"""Coles's front page, store finder and menu: who may ask, and which store an answer is about."""

import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from splitcart_sandbox.retailers import source
from splitcart_sandbox.retailers.chain_catalogue import ChainCatalogue
from splitcart_sandbox.retailers.coles import GATHERING, UNSOLD, ColesFace
from splitcart_sandbox.retailers.web import Request
from splitcart_sandbox.retailers.world import World, WorldSettings, second

AT = datetime(2026, 9, 3, 1, tzinfo=UTC)
WORLD = World(WorldSettings(seed=7, companies=("coles",), stores=120, listings=300))
FACE = ColesFace(WORLD)
OPEN = [store for store in WORLD.stores() if store.life.open(second(AT))]
STORE = OPEN[3]
NUMBER = STORE.outlet.store_id.zfill(4)


def front(cookie: str = "", at: int = second(AT)) -> bytes:
    answer = FACE.call(Request("GET", "", {}, {"cookie": cookie})).answer(at, None)
    assert answer.status == 200
    return answer.body


def key() -> str:
    return re.search(rb'"BFF_API_SUBSCRIPTION_KEY":"([^"]+)"', front())[1].decode()


def graphql(operation: str, variables: dict[str, Any], at: int = second(AT), **headers: str) -> tuple[int, Any]:
    sent = {"ocp-apim-subscription-key": key()} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    body = orjson.dumps({"operationName": operation, "variables": variables, "query": "query"})
    answer = FACE.call(Request("POST", "api/graphql", {}, sent, body)).answer(at, None)
    return answer.status, orjson.loads(answer.body)


def near(latitude: float, longitude: float, **more: Any) -> list[dict[str, Any]]:
    status, body = graphql(
        "GetStores", {"brandIds": ["COL"], "latitude": latitude, "longitude": longitude, **more}
    )
    assert status == 200
    return body["data"]["stores"]["results"]


def test_the_front_page_has_build_key_and_store():
    html = front(f"fulfillmentStoreId={NUMBER}; shopping-method=delivery").decode()
    data = orjson.loads(re.search(r'id="__NEXT_DATA__" type="application/json">(.*?)</script>', html)[1])
    assert data["buildId"] == FACE.build_id
    assert re.fullmatch(r"\d{8}\.\d+-[0-9a-f]{40}", data["buildId"])
    assert data["props"]["pageProps"]["initStoreId"] == NUMBER
    assert f'window.__RUNTIME_CONFIG__ = {{"BFF_API_SUBSCRIPTION_KEY":"{key()}"' in html
    other = ColesFace(World(WorldSettings(seed=8, companies=("coles",), stores=2, listings=60)))
    assert other.build_id != FACE.build_id


def test_the_finder_lists_the_fifty_nearest_stores_that_are_open():
    outlet = STORE.outlet
    found = near(outlet.latitude, outlet.longitude)
    assert len(found) == 50
    first = found[0]
    assert first["distance"] == 0
    assert first["store"]["id"] == f"COL:{outlet.store_id}"
    assert first["store"]["address"] == {
        "state": outlet.state, "suburb": outlet.suburb, "addressLine": outlet.address, "postcode": outlet.postcode,
    }  # fmt: skip
    assert first["store"]["position"] == {"latitude": outlet.latitude, "longitude": outlet.longitude}
    assert first["store"]["brand"]["id"] == "COL"
    assert [store["distance"] for store in found] == sorted(store["distance"] for store in found)
    assert {f"coles:{store['store']['id'].removeprefix('COL:')}" for store in found} <= {s.key for s in OPEN}
    assert near(outlet.latitude, outlet.longitude, brandIds=["LQR", "VIN"]) == []


def test_a_store_that_closes_leaves_finder_menu_and_cookie():
    gone = min(WORLD.stores(), key=lambda store: store.life.closes)
    named = f"COL:{gone.outlet.store_id.zfill(4)}"
    here = {"latitude": gone.outlet.latitude, "longitude": gone.outlet.longitude}
    for at, there in ((gone.life.closes - 1, True), (gone.life.closes, False)):
        stores = graphql("GetStores", here, at)[1]["data"]["stores"]["results"]
        assert (f"COL:{gone.outlet.store_id}" in {store["store"]["id"] for store in stores}) is there
        menu = graphql("GetShopProductsMenu", {"storeId": named}, at)[1]
        assert (menu["data"] is not None) is there
        about = f'"initStoreId":"{gone.outlet.store_id.zfill(4)}"'.encode()
        assert (about in front(f"fulfillmentStoreId={gone.outlet.store_id}", at)) is there


@pytest.mark.parametrize("operation", ["GetShopProductsMenu", "menuItems"])
def test_the_menu_counts_what_the_store_lists(operation: str):
    status, body = graphql(operation, {"storeId": f"COL:{NUMBER}", "withCampaignLinks": False, "campaignCount": 0})
    menu = body["data"]["menuItems"]
    assert (status, menu["restrictedIds"]) == (200, ["17490"])
    counts = {root["name"]: root["productCount"] for root in menu["items"]}
    assert counts["Liquorland"] == counts["Tobacco"] == 0
    assert sum(counts.values()) >= len(WORLD.price_list(STORE.key, AT))
    for root in menu["items"]:
        assert (root["level"], root["type"]) == (1, "CATALOG")
        assert root["subType"] == ("SEASONAL" if root["name"] == "Down Down" else "CORE")
        assert root["productCount"] >= max((child["productCount"] for child in root["childItems"]), default=0)
        path = f"_next/data/{FACE.build_id}/en/browse/{root['seoToken']}.json"
        cookie = {"cookie": f"fulfillmentStoreId={NUMBER}"}
        page = FACE.call(Request("GET", path, {}, cookie)).answer(second(AT), None)
        results = orjson.loads(page.body)["pageProps"]["searchResults"]
        assert results["noOfResults"] == root["productCount"]


def test_a_whole_country_has_all_departments():
    catalogue = ChainCatalogue("coles", source.products("coles"), 7, GATHERING, UNSOLD)
    assert len(catalogue.shown) == 20
    assert max(map(len, (path for path, _ in catalogue.paths()))) == 3
    assert len(list(catalogue.paths())) > 700


def test_calls_without_the_key_or_that_are_none_are_refused():
    assert graphql("GetStores", {}, ocp_apim_subscription_key="x")[0] == 401
    for body in (b"", b"[]", b"{}", b"{"):
        answer = FACE.call(Request("POST", "api/graphql", {}, {}, body)).answer(second(AT), None)
        assert answer.status == 400
    for operation, variables in (
        ("Else", {}),
        ("GetStores", {}),
        ("GetShopProductsMenu", {"storeId": "COL:0001"}),
    ):
        status, answered = graphql(operation, variables)
        assert (status, answered["data"]) == (200, None)
        assert answered["errors"]


def test_the_wall_is_200_and_html_without_data():
    wall = FACE.bot_wall()
    assert (wall.status, wall.content_type) == (200, "text/html")
    assert b"Incapsula" in wall.body
    assert b"__NEXT_DATA__" not in wall.body


def test_calls_are_named_for_the_ledger_and_the_faults_by_the_stores_own_number():
    cookie = {"cookie": f"fulfillmentStoreId={NUMBER}", "ocp-apim-subscription-key": key()}
    menu = orjson.dumps({"operationName": "GetShopProductsMenu", "variables": {"storeId": f"COL:{NUMBER}"}})
    stores = orjson.dumps({"operationName": "GetStores", "variables": {}})
    requests = [
        Request("GET", "", {}, cookie),
        Request("POST", "api/graphql", {}, cookie, stores),
        Request("POST", "api/graphql", {}, cookie, menu),
        Request("GET", f"_next/data/{FACE.build_id}/en/browse/pantry/tea.json", {}, cookie),
        Request("GET", "browse/pantry", {}, cookie),
        Request("GET", "product/a-1", {}, cookie),
        Request("GET", "x", {}, cookie),
    ]
    calls = [FACE.call(request) for request in requests]
    own = STORE.outlet.store_id
    assert [(call.kind, call.store, call.category) for call in calls] == [
        ("other", own, ""),
        ("stores", "", ""),
        ("categories", own, ""),
        ("listing", own, "pantry/tea"),
        ("listing", own, "pantry"),
        ("product", own, ""),
        ("other", own, ""),
    ]
