"""Woolworths' store finder, tree and wall: who is answered, and what about."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from splitcart_sandbox.retailers import source
from splitcart_sandbox.retailers.chain_catalogue import ChainCatalogue
from splitcart_sandbox.retailers.web import Answer, Request
from splitcart_sandbox.retailers.woolworths import GATHERING, UNSOLD, WoolworthsFace
from splitcart_sandbox.retailers.world import World, WorldSettings, second

AT = datetime(2026, 9, 3, 1, tzinfo=UTC)
WORLD = World(WorldSettings(seed=7, companies=("woolworths",), stores=150, listings=300))
FACE = WoolworthsFace(WORLD)
OPEN = [store for store in WORLD.stores() if store.life.open(second(AT))]
STORE = OPEN[3]
BROWSER = {"user-agent": "a browser"}
LISTING = "apis/ui/browse/category"


def ask(method: str, path: str, at: int = second(AT), body: bytes = b"", **query: str) -> Answer:
    return FACE.call(Request(method, path, query, BROWSER, body)).answer(at, None)


def stores(at: int = second(AT), **query: str) -> list[dict[str, Any]]:
    answer = ask("GET", "apis/ui/StoreLocator/Stores", at, **query)
    assert answer.status == 200
    return orjson.loads(answer.body)["Stores"]


def test_the_thirty_nearest_stores_of_a_place():
    outlet = STORE.outlet
    here = {"latitude": str(outlet.latitude), "longitude": str(outlet.longitude)}
    found = stores(Max="30", Division="SUPERMARKETS,EG,AMPOL", Facility="", **here)
    assert len(found) == len(stores(Max="500", **here)) == 30
    assert len(stores(Max="3", **here)) == 3
    assert stores(Division="EG,AMPOL", **here) == []
    first = found[0]
    assert (first["StoreNo"], first["Division"], first["Distance"]) == (outlet.store_id, "SUPERMARKETS", "0.00")
    assert (first["Latitude"], first["Longitude"]) == (str(outlet.latitude), str(outlet.longitude))
    distances = [float(store["Distance"]) for store in found]
    assert distances == sorted(distances)


def test_stores_of_a_postcode_or_suburb_have_no_distance():
    for name, value in (("postcode", STORE.outlet.postcode), ("suburb", STORE.outlet.suburb.upper())):
        found = stores(**{name: value})
        assert STORE.outlet.store_id in {store["StoreNo"] for store in found}
        assert len(found) <= 10
        assert {store["Distance"] for store in found} == {None}


@pytest.mark.parametrize(
    "query", [{}, {"latitude": "-33"}, {"postcode": "2000", "suburb": "Sydney"}, {"Max": "x"}]
)
def test_ways_of_searching_cannot_be_combined(query: dict[str, str]):
    assert ask("GET", "apis/ui/StoreLocator/Stores", **query).status == 400


def test_a_store_that_closes_leaves_the_finder():
    gone = min(WORLD.stores(), key=lambda store: store.life.closes)
    here = {"latitude": str(gone.outlet.latitude), "longitude": str(gone.outlet.longitude)}
    for at, there in ((gone.life.closes - 1, True), (gone.life.closes, False)):
        assert (gone.outlet.store_id in {store["StoreNo"] for store in stores(at, **here)}) is there


def test_the_tree_is_of_departments_and_of_what_a_scraper_leaves_out():
    roots = orjson.loads(ask("GET", "apis/ui/PiesCategoriesWithSpecials").body)["Categories"]
    names = {root["Description"] for root in roots}
    assert names > {"Specials", "Everyday Market", "Electronics", "Home & Lifestyle", "Front of Store"}
    nodes = list(roots)
    while nodes:
        node = nodes.pop()
        assert (node["ProductCount"], node["IsBundle"]) == (0, False)
        assert node["IsSpecial"] is node["NodeId"].startswith("specialsgroup")
        assert all(child["ParentNodeId"] == node["NodeId"] for child in node["Children"])
        nodes += node["Children"]
    walked = [root for root in roots if root["Description"] not in ("Specials", "Front of Store")]
    assert any(child["NodeId"] == f"{root['NodeId']}_SPECIALS" for root in walked for child in root["Children"])


def test_a_whole_country_has_all_departments_but_liquor():
    catalogue = ChainCatalogue("woolworths", source.products("woolworths"), 7, GATHERING, UNSOLD)
    assert len(catalogue.shown) == 23
    assert len(list(catalogue.paths())) > 1_500


def test_without_a_user_agent_there_is_the_wall():
    for path in ("", "apis/ui/PiesCategoriesWithSpecials", "apis/ui/StoreLocator/Stores"):
        answer = FACE.call(Request("GET", path)).answer(second(AT), None)
        assert (answer.status, answer.content_type) == (403, "text/html")
    wall = FACE.bot_wall()
    assert wall.status == 403
    assert 300 < len(wall.body) < 500


def test_the_front_page_gives_a_cookie():
    answer = ask("GET", "")
    assert (answer.status, answer.content_type) == (200, "text/html")
    assert "Path=/" in answer.headers["set-cookie"]


def test_a_guest_cannot_choose_a_store():
    assert ask("POST", "apis/ui/Fulfilment", body=b"{}").status == 401


def test_a_product_is_that_of_the_default_store():
    sku, price = next(iter(WORLD.price_list(OPEN[0].key, AT).items()))
    product = orjson.loads(ask("GET", f"apis/ui/product/detail/{sku}").body)["Product"]
    assert (product["Stockcode"], round(product["Price"] * 100)) == (int(sku), price)
    assert product["FulfilmentStoreId"] == int(OPEN[0].outlet.store_id)
    unsold = next(
        p.sku for p in WORLD.companies["woolworths"].products if p.sku not in WORLD.price_list(OPEN[0].key, AT)
    )
    for unknown in (unsold, "1", "x"):
        assert ask("GET", f"apis/ui/product/detail/{unknown}").status == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"categoryId": "1"}'])
def test_a_body_that_asks_for_nothing_is_refused(body: bytes):
    answer = ask("POST", LISTING, body=body)
    assert answer.status == 400
    assert orjson.loads(answer.body)["Success"] is False


def test_calls_are_named_for_the_ledger_and_the_faults():
    own = STORE.outlet.store_id
    body = orjson.dumps({"categoryId": "1_39FD49C", "pageNumber": 1, "pageSize": 36, "storeId": own})
    requests = [
        Request("GET", "", {}, BROWSER),
        Request("GET", "apis/ui/StoreLocator/Stores", {}, BROWSER),
        Request("GET", "apis/ui/PiesCategoriesWithSpecials", {}, BROWSER),
        Request("POST", LISTING, {}, BROWSER, body),
        Request("GET", "apis/ui/product/detail/1", {}, BROWSER),
        Request("GET", "x", {}, BROWSER),
    ]
    calls = [FACE.call(request) for request in requests]
    assert [(call.kind, call.store, call.category) for call in calls] == [
        ("other", "", ""),
        ("stores", "", ""),
        ("categories", "", ""),
        ("listing", own, "1_39FD49C"),
        ("product", "", ""),
        ("other", "", ""),
    ]
