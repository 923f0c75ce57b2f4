"""IGA's face: the shapes of retailers.md §4, field by field, and its quirks."""

import re
from collections import Counter
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import orjson
import pytest

from splitcart_sandbox.retailers import source
from splitcart_sandbox.retailers.iga import IgaFace
from splitcart_sandbox.retailers.shelves import Store
from splitcart_sandbox.retailers.web import Request
from splitcart_sandbox.retailers.world import World, WorldSettings, second

AT = datetime(2026, 9, 3, 1, tzinfo=UTC)
WORLD = World(WorldSettings(seed=7, companies=("iga",), stores=40, listings=700))
FACE = IgaFace(WORLD)
OPEN = [store for store in WORLD.stores() if store.life.open(second(AT))]
STORE = OPEN[0]
TRUTH = WORLD.price_list(STORE.key, AT)
PRICED = {
    "price", "priceNumeric", "wholePrice", "pricePerUnit", "priceLabel", "priceSource", "tprPrice",
}  # fmt: skip
BEFORE = {"wasPrice", "wasPriceNumeric", "wasWholePrice"}
PLAIN = {
    "sku", "productId", "name", "brand", "barcode", "available", "sellBy", "description", "unitOfSize",
    "unitOfMeasure", "unitOfPrice", "weightIncrement", "categories", "defaultCategory", "image",
}  # fmt: skip


def ask(path: str, hides: Any = None, at: int = second(AT), **query: object) -> tuple[int, Any]:
    texts = {name: str(value) for name, value in query.items()}
    answer = FACE.call(Request("GET", path, texts)).answer(at, hides)
    assert answer.content_type == "application/json"
    return answer.status, orjson.loads(answer.body)


def search(category: str, store: Store = STORE, hides: Any = None, **query: object) -> tuple[int, Any]:
    ref = store.outlet.retailer_ref
    return ask(f"api/storefront/stores/{ref}/categories/{category}/search", hides, **query)


def tree() -> dict[str, Any]:
    status, body = ask(f"api/storefront/stores/{STORE.outlet.retailer_ref}/categoryHierarchy")
    assert status == 200
    return body


def leaves(node: dict[str, Any] | None = None) -> list[str]:
    node = tree() if node is None else node
    return [leaf for child in node["children"] for leaf in leaves(child)] or [node["identifier"]]


def pages(category: str, store: Store = STORE, take: int = 36, **query: object) -> list[list[dict[str, Any]]]:
    """The pages of a category as a scraper takes them that trusts `total`; none where it is not carried."""
    found: list[list[dict[str, Any]]] = []
    for skip in count(0, take):
        status, body = search(category, store, take=take, skip=skip, **query)
        if status == 404:
            return []
        assert body["count"] == len(body["items"])
        found.append(body["items"])
        if skip + take >= body["total"]:
            assert sum(map(len, found)) == body["total"]
            return found
    raise AssertionError


def items(store: Store = STORE) -> list[dict[str, Any]]:
    return [item for leaf in leaves() for page in pages(leaf, store) for item in page]


def in_cents(dollars: float) -> int:
    return round(dollars * 100)


def of_display(display: str) -> int:
    assert re.fullmatch(r"\$\d+\.\d\d", display)
    return int(display.replace("$", "").replace(".", ""))


def test_the_hierarchy_shows_the_categories_with_products():
    root = tree()
    assert (root["identifier"], root["displayName"]) == ("retailer-prod-v3", "retailer-prod-v3")
    (grocery,) = root["children"]
    assert (grocery["identifier"], grocery["displayName"]) == ("Grocery", "Grocery")
    for department in grocery["children"]:
        assert department.keys() == {"identifier", "displayName", "children"}
        assert re.fullmatch(r"\w+", department["identifier"])
    shown = leaves()
    assert len(shown) == len(set(shown)) == len({p.category_path for p in WORLD.companies["iga"].products})


def test_a_whole_world_has_most_of_the_hierarchy():
    face = IgaFace(World(WorldSettings(companies=("iga",), stores=1)))
    ref = next(iter(face._by_ref))
    answer = face.call(Request("GET", f"api/storefront/stores/{ref}/categoryHierarchy")).answer(second(AT), None)
    root = orjson.loads(answer.body)
    assert len(root["children"][0]["children"]) >= 12
    assert len(leaves(root)) > 150


def test_all_leaves_together_are_the_range_at_its_true_prices():
    for store in OPEN[:6]:
        found = items(store)
        assert {item["sku"]: in_cents(item["priceNumeric"]) for item in found} == WORLD.price_list(store.key, AT)
    seen = Counter(item["sku"] for item in found)
    twice = {sku for sku, times in seen.items() if times > 1}
    assert 0.03 < len(twice) / len(seen) < 0.16
    assert {item["sku"] for item in found if len(item["categories"]) > 4} >= twice
    homes = {(item["sku"], item["defaultCategory"][0]["retailerId"]) for item in found}
    assert len(homes) == len(seen)  # whatever category lists it, a product names its own


def test_an_inner_category_holds_what_its_leaves_hold():
    (grocery,) = tree()["children"]
    for department in grocery["children"]:
        below = {item["sku"] for leaf in leaves(department) for page in pages(leaf) for item in page}
        assert {item["sku"] for page in pages(department["identifier"]) for item in page} == below


def test_an_item_has_its_fields():
    for item in items():
        assert item.keys() - BEFORE == PLAIN | PRICED
        assert item["sku"] == item["productId"]
        assert (item["available"], item["weightIncrement"], item["description"]) == (True, None, "")
        assert item["sellBy"] in ("Each", "EachUnit")
        assert isinstance(item["brand"], str)
        assert item["image"].keys() == {"default", "cell", "details", "zoom", "template"}
        assert (
            item["image"]["default"] is None
            or f"w_1500,h_1500,c_pad,b_auto/igashop/images/{item['sku']}" in (item["image"]["default"])
        )
        for unit in ("unitOfSize", "unitOfMeasure", "unitOfPrice"):
            assert item[unit].keys() == {"size", "abbreviation", "label", "type"}
            assert item[unit]["size"] > 0
        own, *second_home = item["defaultCategory"]
        assert not second_home
        assert own in item["categories"]
        for crumb in item["categories"]:
            assert crumb.keys() == {"category", "categoryBreadcrumb", "categoryId", "retailerId"}
            assert UUID(crumb["categoryId"])
            assert crumb["categoryBreadcrumb"].startswith("Grocery")
            assert crumb["categoryBreadcrumb"].endswith(crumb["category"])


def test_prices_are_dollars_and_the_keys_of_a_price_before_are_there_on_special_only():
    found = items()
    for item in found:
        kind = " avg/ea" if item["sellBy"] == "EachUnit" else ""
        now = in_cents(item["priceNumeric"])
        assert item["price"].endswith(kind)
        assert of_display(item["price"].removesuffix(kind)) == now
        assert re.fullmatch(r"\$\d+\.\d\d/(kg|l|ea|100g|100ml)", item["pricePerUnit"])
        if item["priceSource"] == "regular":
            assert not BEFORE & item.keys()
            assert (item["priceLabel"], item["tprPrice"]) == ("", [])
            continue
        (reduction,) = item["tprPrice"]
        assert item["priceSource"] == "tpr"
        assert re.fullmatch(r"\d+% Off", item["priceLabel"])
        assert reduction == {
            "label": item["priceLabel"],
            "markdown": item["priceNumeric"],
            "wholePrice": item["wholePrice"],
            "effectiveFrom": None,
            "effectiveUntil": None,
        }
        assert in_cents(item["wasPriceNumeric"]) == of_display(item["wasPrice"].removesuffix(kind)) > now
        assert item["wasWholePrice"] > item["wholePrice"]
    special = sum(item["priceSource"] == "tpr" for item in found) / len(found)
    assert 0.07 < special < 0.18


def test_goods_sold_by_weight_are_priced_by_the_average_piece():
    world = World(WorldSettings(seed=7, companies=("iga",), stores=12))
    face, truth = IgaFace(world), {}
    weighed: list[dict[str, Any]] = []
    for store in world.stores():
        path = f"api/storefront/stores/{store.outlet.retailer_ref}/categories/Fruit_and_Vegetable/search"
        for skip in ("0", "100", "200"):
            body = face.call(Request("GET", path, {"take": "100", "skip": skip})).answer(second(AT), None).body
            found = [item for item in orjson.loads(body)["items"] if item["sellBy"] == "EachUnit"]
            truth = world.price_list(store.key, AT)
            assert all(in_cents(item["priceNumeric"]) == truth[item["sku"]] for item in found)
            weighed += found
    for item in weighed:
        grams = item["unitOfSize"]["size"]
        assert item["priceNumeric"] == pytest.approx(item["wholePrice"] * grams / 1000)
        assert of_display(item["pricePerUnit"].removesuffix("/kg")) == in_cents(item["wholePrice"])
        assert item["unitOfPrice"]["abbreviation"] == item["unitOfMeasure"]["abbreviation"] == "kg"
        assert item["barcode"] == item["sku"][-5:]
    assert any("wasWholePrice" in item for item in weighed)
    assert any(item["priceNumeric"] != round(item["priceNumeric"], 2) for item in weighed)


def test_most_rows_have_a_barcode_and_many_no_brand():
    face = IgaFace(World(WorldSettings(companies=("iga",), stores=1)))
    rows = [orjson.loads(orjson.dumps(tile.priced(100, 100))) for tile in face._tiles]
    known = {p.sku: p.barcode for p in source.products("iga")}
    codes = {row["sku"]: row["barcode"] for row in rows if row["barcode"] is not None}
    assert abs(len(codes) / len(rows) - 0.84) < 0.02
    for sku, code in codes.items():
        if code not in (known[sku], sku[-5:]):
            assert re.fullmatch(r"2\d{12}", code)
            assert sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(code)) % 10 == 0
    assert 0.2 < sum(row["brand"] == "" for row in rows) / len(rows) < 0.6
    assert "Mondelez Australia Pty Limited" in {row["brand"] for row in rows}
    assert 0.03 < sum(row["image"]["default"] is None for row in rows) / len(rows) < 0.09


@pytest.mark.parametrize("take", [20, 36, 100])
def test_paging_shows_everything_once_in_a_stable_order(take: int):
    whole = [item["sku"] for page in pages("Pantry", take=100) for item in page]
    assert [item["sku"] for page in pages("Pantry", take=take) for item in page] == whole
    assert len(whole) == len(set(whole)) > 100


def test_past_the_end_some_stores_repeat_the_last_page_and_others_are_empty():
    behaviours = Counter()
    for store in OPEN:
        shown = pages("Pantry", store)
        total = sum(map(len, shown))
        for skip in (len(shown) * 36, len(shown) * 36 + 36, 9_972):
            status, body = search("Pantry", store, take=36, skip=skip)
            assert (status, body["total"]) == (200, total)
            assert body["items"] == (shown[-1] if FACE.repeats(store) else [])
            assert body["count"] == len(body["items"])
        behaviours[FACE.repeats(store)] += 1
    assert 0.25 < behaviours[True] / behaviours.total() < 0.75
    again = IgaFace(WORLD)
    assert all(FACE.repeats(store) == again.repeats(store) for store in OPEN)


def test_a_page_links_to_itself_the_next_and_the_last():
    _, first = search("Pantry", take=36, sessionId="0a1b")
    links = first["pagination"]["_links"]
    assert links.keys() == {"current", "next", "last"}
    last = int(links["last"]["href"].rpartition("=")[2])
    assert first["total"] - 36 <= last < first["total"]
    _, end = search("Pantry", take=36, skip=last)
    assert end["pagination"]["_links"].keys() == {"current", "last"}
    assert first.keys() == {"count", "total", "took", "facets", "pagination", "sorting", "citrusAd", "items"}


def test_a_category_that_a_store_does_not_carry_is_404():
    world = World(WorldSettings(companies=("iga",), stores=1))
    face = IgaFace(world)
    (store,) = world.stores()
    path = f"api/storefront/stores/{store.outlet.retailer_ref}/categories"
    root = orjson.loads(face._hierarchy)
    statuses = Counter(
        face.call(Request("GET", f"{path}/{leaf}/search")).answer(second(AT), None).status for leaf in leaves(root)
    )
    assert statuses.keys() == {200, 404}
    assert statuses[200] > statuses[404]


REF = STORE.outlet.retailer_ref


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        (f"api/storefront/stores/{REF}/categories/Nothing/search", {}, 404),
        ("api/storefront/stores/0/categories/Pantry/search", {}, 404),
        ("api/storefront/stores/0/categoryHierarchy", {}, 404),
        (f"api/storefront/stores/{STORE.outlet.store_id}/categoryHierarchy", {}, 404),
        (f"api/storefront/stores/{REF}/categories/Pantry/search", {"take": 19}, 400),
        (f"api/storefront/stores/{REF}/categories/Pantry/search", {"take": 101}, 400),
        (f"api/storefront/stores/{REF}/categories/Pantry/search", {"take": "x"}, 400),
        (f"api/storefront/stores/{REF}/categories/Pantry/search", {"skip": -1}, 400),
        ("api/storefront/else", {}, 404),
        ("location/storelocator/184", {"locationId": STORE.outlet.store_id}, 404),
    ],
)
def test_refusals_are_json(path: str, query: dict[str, object], status: int):
    found, body = ask(path, **query)
    assert (found, body["status"]) == (status, status)
    assert body["message"]


def test_a_short_category_lacks_the_same_listings_on_all_pages():
    whole = [item["sku"] for page in pages("Pantry") for item in page]
    hidden = set(whole[::3])
    status, body = search("Pantry", hides=hidden.__contains__)
    assert (status, body["total"]) == (200, len(whole) - len(hidden))
    assert not hidden & {item["sku"] for item in body["items"]}
    status, body = search("Pantry", hides=lambda _: True)
    assert (status, body["total"], body["items"]) == (200, 0, [])
