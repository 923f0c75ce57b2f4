"""Aldi's face: the shapes of retailers.md §1, field by field, and its quirks."""

import re
from collections import Counter
from datetime import UTC, datetime
from itertools import count
from typing import Any

import orjson
import pytest

from splitcart_sandbox.retailers.aldi import AldiFace
from splitcart_sandbox.retailers.aldi_catalogue import PROMOTIONAL_ROOTS
from splitcart_sandbox.retailers.web import Request
from splitcart_sandbox.retailers.world import World, WorldSettings, second

AT = datetime(2026, 9, 3, 1, tzinfo=UTC)
DOLLARS = re.compile(r"^\$\d+\.\d\d$")
WORLD = World(WorldSettings(seed=7, stores=60, listings=450))
FACE = AldiFace(WORLD)
STORE = next(store for store in WORLD.stores() if store.life.open(second(AT)))
TRUTH = WORLD.price_list(STORE.key, AT)


def ask(path: str, hides: Any = None, **query: object) -> tuple[int, Any]:
    texts = {name: str(value) for name, value in query.items()}
    answer = FACE.call(Request("GET", path, texts)).answer(second(AT), hides)
    assert answer.content_type == "application/json"
    return answer.status, orjson.loads(answer.body)


def search(category: str, **query: object) -> tuple[int, Any]:
    return ask("v3/product-search", categoryKey=category, servicePoint=STORE.outlet.store_id, **query)


def roots() -> list[dict[str, Any]]:
    status, body = ask("v2/product-category-tree", serviceType="walk-in", servicePoint=STORE.outlet.store_id)
    assert status == 200
    return body["data"]


def leaves() -> list[dict[str, Any]]:
    return [
        leaf for root in roots() if root["name"] not in PROMOTIONAL_ROOTS for leaf in root["children"] or [root]
    ]


def pages(category: str, limit: int = 30, **query: object) -> list[dict[str, Any]]:
    tiles: list[dict[str, Any]] = []
    for offset in count(0, limit):
        status, body = search(category, limit=limit, offset=offset, **query)
        if status == 400 or not body["data"]:
            return tiles
        tiles += body["data"]
    raise AssertionError


def test_service_points_are_near_and_nearest_first():
    here = {"latitude": -33.87, "longitude": 151.2, "serviceType": "walk-in", "includeNearbyServicePoints": "true"}
    status, body = ask("v2/service-points", **here)
    points, page = body["data"], body["meta"]["pagination"]
    assert status == 200
    assert page == {"offset": 0, "limit": 10, "totalCount": page["totalCount"]}
    assert len(points) == min(10, page["totalCount"]) > 1
    away = [float(point["distance"].removesuffix(" km")) for point in points]
    assert away == sorted(away)
    assert away[-1] <= 50
    _, rest = ask("v2/service-points", **here, limit=2, offset=1)
    assert rest["data"] == points[1:3]
    _, one = ask("v2/service-points", **here | {"includeNearbyServicePoints": "false"})
    assert one["data"] == points[:1]
    _, nowhere = ask("v2/service-points", **here | {"latitude": -24.0, "longitude": 130.0})
    assert nowhere["data"] == []


def test_a_service_point_has_its_fields():
    outlet = STORE.outlet
    _, body = ask("v2/service-points", latitude=outlet.latitude, longitude=outlet.longitude)
    (point,) = body["data"]
    assert point == {
        "id": outlet.store_id,
        "name": outlet.name,
        "distance": "0.0 km",
        "isOpenNow": True,
        "publicPhoneNumber": None,
        "address": {
            "address1": outlet.address,
            "address2": None,
            "city": outlet.suburb,
            "zipCode": outlet.postcode,
            "regionName": point["address"]["regionName"],
            "regionIsoCode": outlet.state,
            "latitude": f"{outlet.latitude:.6f}00000000",
            "longitude": f"{outlet.longitude:.6f}00000000",
            "countryIsoCode": "AU",
        },
        "availableCustomerServiceTypes": ["walk-in"],
        "facilities": [],
    }


def test_the_tree_shows_categories_with_products_and_the_promotional_roots():
    shown = roots()
    assert set(PROMOTIONAL_ROOTS) < {root["name"] for root in shown}
    assert all(search(leaf["key"])[1]["data"] for leaf in leaves())
    for node in [*shown, *leaves()]:
        assert node.keys() == {"key", "order", "thumbnail", "name", "urlSlugText", "children"}
        assert isinstance(node["key"], str)
        assert node["thumbnail"] is None
    assert {type(root["order"]) for root in shown} == {int}
    answer = FACE.call(Request("GET", "v2/product-category-tree")).answer(second(AT), None)
    assert answer.headers["cache-control"] == "public, max-age=900"


def test_a_whole_world_has_all_roots():
    face = AldiFace(World(WorldSettings(stores=1)))
    answer = face.call(Request("GET", "v2/product-category-tree")).answer(second(AT), None)
    tree = orjson.loads(answer.body)["data"]
    assert len(tree) == 18
    assert sum(len(root["children"]) for root in tree) > 95


def test_a_tile_has_its_fields():
    tiles = [tile for leaf in leaves() for tile in pages(leaf["key"])]
    for tile in tiles:
        assert re.fullmatch(r"\d{18}", tile["sku"])
        assert tile["name"]
        assert tile["brandName"] is None or tile["brandName"] == tile["brandName"].upper()
        assert tile["sellingSize"] is None or isinstance(tile["sellingSize"], str)
        assert re.fullmatch(r"[a-z0-9-]+", tile["urlSlugText"])
        assert (tile["notForSale"], tile["discontinued"], tile["onSaleDateDisplay"]) == (True, False, None)
        assert tile["quantityUnit"] == "ea"
        assert tile["weightType"] in ("0", "1")
        root, leaf = tile["categories"]
        assert root.keys() == leaf.keys() == {"id", "name", "urlSlugText"}
        (asset,) = tile["assets"]
        assert asset.keys() == {"url", "maxWidth", "assetType"}
        assert asset["url"].endswith("/" + tile["urlSlugText"])
        assert "{width}" in asset["url"]
        assert isinstance(tile["badges"], list)
        check_price(tile["price"])
    assert {bool(tile["price"]["wasPriceDisplay"]) for tile in tiles} == {True, False}
    assert any(tile["brandName"] is None for tile in tiles)


def check_price(price: dict[str, Any]) -> None:
    assert price.keys() == {
        "amount", "amountRelevant", "amountRelevantDisplay", "comparison", "comparisonDisplay", "wasPriceDisplay",
        "perUnit", "perUnitDisplay", "currencyCode", "bottleDeposit",
    }  # fmt: skip
    assert type(price["amount"]) is int
    assert price["amount"] == price["amountRelevant"] == cents(price["amountRelevantDisplay"])
    assert (price["comparison"] is None) == (price["comparisonDisplay"] is None)
    if price["comparison"] is not None:
        display, _, unit = price["comparisonDisplay"].partition(" ")
        assert cents(display) == price["comparison"]
        assert re.fullmatch(r"per (100 g|100 ml|1 kg|1 each|100 each)", unit)
    if price["wasPriceDisplay"] is not None:
        assert cents(price["wasPriceDisplay"]) > price["amount"]
    assert (price["perUnit"], price["perUnitDisplay"]) == (None, None)
    assert (price["currencyCode"], price["bottleDeposit"]) == ("AUD", 0)


def cents(display: str) -> int:
    assert DOLLARS.match(display)
    return int(display.replace("$", "").replace(".", ""))


def test_all_leaves_together_are_the_range_at_its_true_prices():
    tiles = [tile for leaf in leaves() for tile in pages(leaf["key"])]
    seen = Counter(tile["sku"] for tile in tiles)
    assert {tile["sku"]: tile["price"]["amount"] for tile in tiles} == TRUTH
    twice = [sku for sku, times in seen.items() if times > 1]
    assert 0.02 < len(twice) / len(seen) < 0.08
    homes = {(tile["sku"], tile["categories"][-1]["id"]) for tile in tiles}
    assert len(homes) == len(seen)  # whatever category lists it, a product names its own


def test_promotional_categories_hold_nothing_of_their_own():
    for root in roots():
        if root["name"] in PROMOTIONAL_ROOTS:
            for node in [root, *root["children"]]:
                assert {tile["sku"] for tile in pages(node["key"])} <= TRUTH.keys()
    (lower,) = [root for root in roots() if root["name"] == "Lower Prices"]
    assert all(tile["price"]["wasPriceDisplay"] for tile in pages(lower["key"]))


@pytest.mark.parametrize("limit", [1, 7, 30, 60])
def test_paging_shows_everything_once_in_a_stable_order(limit: int):
    key = leaves()[0]["key"]
    whole = [tile["sku"] for tile in pages(key, limit=60)]
    assert [tile["sku"] for tile in pages(key, limit=limit)] == whole
    assert len(whole) == len(set(whole)) == search(key)[1]["meta"]["pagination"]["totalCount"]


def test_an_offset_past_the_end_is_400_and_no_error_otherwise():
    key = leaves()[0]["key"]
    status, body = search(key)
    total = body["meta"]["pagination"]["totalCount"]
    assert (status, body["meta"]["pagination"]) == (200, {"offset": 0, "limit": 30, "totalCount": total})
    assert search(key, offset=total - 1)[0] == 200
    assert search(key, offset=total)[0] == search(key, offset=total + 30)[0] == 400
    assert {"sort", "facets", "spellingSuggestion", "keywordRedirect", "pinned"} < body["meta"].keys()


@pytest.mark.parametrize("sort", ["price_asc", "price_desc", "name_asc", "name_desc"])
def test_sorts(sort: str):
    tiles = pages(leaves()[0]["key"], sort=sort)
    by = {"price": lambda t: t["price"]["amount"], "name": lambda t: t["name"].casefold()}[sort.partition("_")[0]]
    assert [by(t) for t in tiles] == sorted(map(by, tiles), reverse=sort.endswith("desc"))


def test_search_by_words():
    word = "organic"
    status, body = ask("v3/product-search", q=word, limit=60, servicePoint=STORE.outlet.store_id)
    assert status == 200
    assert body["data"]
    assert all(word in f"{tile['brandName']} {tile['name']}".casefold() for tile in body["data"])
    assert ask("v3/product-search", q="zzz")[1]["data"] == []


def test_product_detail():
    sku = next(iter(TRUTH))
    status, body = ask(f"v2/products/{sku}", servicePoint=STORE.outlet.store_id)
    product = body["data"]
    assert (status, product["sku"], product["price"]["amount"]) == (200, sku, TRUTH[sku])
    assert {
        "description",
        "storageInstructions",
        "countryOrigin",
        "ingredients",
        "allergens",
        "warnings",
    } < product.keys()
    missing = next(p.sku for p in WORLD.companies["aldi"].products if p.sku not in TRUTH)
    assert ask(f"v2/products/{missing}", servicePoint=STORE.outlet.store_id)[0] == 404


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("v3/product-search", {"categoryKey": "1", "servicePoint": STORE.outlet.store_id}, 404),
        ("v3/product-search", {"categoryKey": "950000000", "servicePoint": "G999"}, 404),
        ("v3/product-search", {"servicePoint": STORE.outlet.store_id}, 400),
        ("v3/product-search", {"categoryKey": "970000000", "limit": 61}, 400),
        ("v3/product-search", {"categoryKey": "970000000", "offset": -1}, 400),
        ("v3/product-search", {"categoryKey": "970000000", "limit": "x"}, 400),
        ("v3/product-search", {"categoryKey": "970000000", "sort": "best"}, 400),
        ("v2/product-category-tree", {"servicePoint": "G999"}, 404),
        ("v2/products/1", {"servicePoint": STORE.outlet.store_id}, 404),
        ("v2/service-points", {"latitude": "x", "longitude": "151"}, 400),
        ("v2/service-points", {"latitude": "-33", "longitude": "151", "limit": "0"}, 400),
        ("v1/else", {}, 404),
    ],
)
def test_refusals_are_json(path: str, query: dict[str, object], status: int):
    found, body = ask(path, **query)
    assert found == status
    assert body["errors"][0]["status"] == status


def test_a_closed_store_is_unknown():
    closes = min(store.life.closes for store in WORLD.stores())
    gone = next(store for store in WORLD.stores() if store.life.closes == closes)
    call = FACE.call(Request("GET", "v2/product-category-tree", {"servicePoint": gone.outlet.store_id}))
    assert call.answer(closes - 1, None).status == 200
    assert call.answer(closes, None).status == 404


def test_calls_are_named_for_the_ledger_and_the_faults():
    query = {"servicePoint": "G1", "categoryKey": "5"}
    calls = [FACE.call(Request("GET", path, query)) for path in ("v3/product-search", "v2/products/1", "v9")]
    assert [(call.kind, call.store, call.category) for call in calls] == [
        ("listing", "G1", "5"),
        ("product", "G1", ""),
        ("other", "G1", ""),
    ]


def test_a_short_category_lacks_the_same_listings_on_all_pages():
    key = leaves()[0]["key"]
    hidden = {tile["sku"] for tile in pages(key)[::3]}
    status, body = search(key, hides=hidden.__contains__)
    assert status == 200
    assert not hidden & {tile["sku"] for tile in body["data"]}
    assert body["meta"]["pagination"]["totalCount"] == len(pages(key)) - len(hidden)
