"""Every request of retailers.md's tables that no scraper makes, and robots.txt: what the faces answer."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from protego import Protego

from splitcart_sandbox.retailers.robots import RULES, robots_txt
from splitcart_sandbox.retailers.server import FACES
from splitcart_sandbox.retailers.web import Answer, Request
from splitcart_sandbox.retailers.world import World, WorldSettings, second
from splitcart_scraper.domain.barcodes import Wanted
from splitcart_scraper.retailers import retailer_of
from splitcart_scraper.retailers.coles_product import ColesProducts

AT = datetime(2026, 9, 3, 1, tzinfo=UTC)
COMPANIES = ("aldi", "coles", "iga", "woolworths")
WORLD = World(WorldSettings(seed=7, companies=COMPANIES, stores=12, listings=450))
ALL = {company: FACES[company](WORLD) for company in COMPANIES}


def ask(
    company: str,
    path: str,
    query: Mapping[str, object] | None = None,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """The answer to a GET, or to a POST where there is a body."""
    query = {name: str(value) for name, value in (query or {}).items()}
    data, method = (b"", "GET") if body is None else (orjson.dumps(body), "POST")
    request = Request(method, path, query, {"user-agent": "splitcart", **(headers or {})}, data)
    return ALL[company].call(request).answer(second(AT), None)


def read(company: str, path: str, query: Mapping[str, object] | None = None, **more: Any) -> Any:
    answer = ask(company, path, query, **more)
    assert answer.status == 200, answer
    return orjson.loads(answer.body)


def first_open(company: str) -> Any:
    return next(store for store in WORLD.companies[company].stores.values() if store.life.open(second(AT)))


def sold(store: Any) -> dict[str, int]:
    return WORLD.price_list(store.key, AT)


def coles_key() -> str:
    found = re.search(rb'"BFF_API_SUBSCRIPTION_KEY":"([^"]+)"', ask("coles", "").body)
    assert found is not None
    return found[1].decode()


def test_a_product_of_coles_by_its_interface():
    store = list(WORLD.companies["coles"].stores.values())[-1]
    prices = sold(store)
    for sku in list(prices)[::90]:
        query = {"storeId": store.outlet.store_id, "subscription-key": coles_key()}
        product = read("coles", f"api/bff/products/{sku}", query)
        assert (product["id"], round(product["pricing"]["now"] * 100)) == (int(sku), prices[sku])
        assert "gtin" in product
    unsold = next(product.sku for product in WORLD.companies["coles"].products if product.sku not in prices)
    assert read("coles", f"api/bff/products/{unsold}", query)["pricing"] is None
    assert ask("coles", "api/bff/products/1", query).status == 404
    assert ask("coles", f"api/bff/products/{sku}", {**query, "storeId": 1}).status == 404
    assert ask("coles", f"api/bff/products/{sku}", {"storeId": store.outlet.store_id}).status == 401


def test_the_old_menu_of_coles_is_the_new_one_under_other_names():
    store_id, key = first_open("coles").outlet.store_id.zfill(4), {"ocp-apim-subscription-key": coles_key()}
    old = read("coles", "api/bff/products/categories", {"storeId": store_id}, headers=key)["catalogGroupView"]
    question = {"operationName": "GetShopProductsMenu", "variables": {"storeId": f"COL:{store_id}"}}
    new = read("coles", "api/graphql", body=question, headers=key)["data"]["menuItems"]["items"]

    def renamed(item: dict[str, Any]) -> dict[str, Any]:
        children = [renamed(child) for child in item["childItems"]]
        return {**{name: item[name] for name in item if name != "childItems"}, "catalogGroupView": children}

    assert old == [renamed(item) for item in new]
    assert ask("coles", "api/bff/products/categories", {"storeId": 1}, headers=key).status == 404
    assert ask("coles", "api/bff/products/categories", {"storeId": store_id}).status == 401
    assert ask("coles", "api/bff/else", headers=key).status == 404


def test_one_store_of_woolworths_by_its_number():
    store = first_open("woolworths").outlet
    (found,) = read("woolworths", "apis/ui/StoreLocator/Stores", {"Max": 30, "StoreNo": store.store_id})["Stores"]
    assert (found["StoreNo"], found["Name"], found["Distance"]) == (store.store_id, store.name, None)
    assert read("woolworths", "apis/ui/StoreLocator/Stores", {"storeNo": "0"}) == {"Stores": []}
    combined = {"StoreNo": store.store_id, "postcode": store.postcode}
    assert ask("woolworths", "apis/ui/StoreLocator/Stores", combined).status == 400


def woolworths_search(text: str, page: int = 1, **more: object) -> dict[str, Any]:
    body = {"SearchTerm": text, "PageNumber": page, "PageSize": 36, "SortType": "TraderRelevance", **more}
    found: dict[str, Any] = read("woolworths", "apis/ui/Search/products", body=body)
    return found


def test_a_search_at_woolworths_has_what_is_sold_and_advertisements():
    store = list(WORLD.companies["woolworths"].stores.values())[-1]
    prices, products = sold(store), WORLD.companies["woolworths"].products
    word = max("abcdefgh", key=lambda word: sum(word in product.name.casefold() for product in products))
    own: dict[str, int] = {}
    for page in range(1, 100):
        found = woolworths_search(word, page, storeId=store.outlet.store_id)
        tiles = [tile for bundle in found["Products"] for tile in bundle["Products"]]
        assert {tile["FulfilmentStoreId"] for tile in tiles} == {int(store.outlet.store_id)}
        organic = {
            str(tile["Stockcode"]): round(tile["Price"] * 100) for tile in tiles if not tile["IsSponsoredAd"]
        }
        if not organic:
            assert tiles, "past the end there are advertisements only"
            break
        own |= organic
    assert len(own) == found["SearchResultsCount"] > 36
    named = {product.sku: f"{product.brand or ''} {product.name}".casefold() for product in products}
    assert own == {sku: prices[sku] for sku in prices if word in named[sku]}
    assert woolworths_search("no such thing at all")["SearchResultsCount"] == 0
    for wrong in ({"PageSize": 37}, {"PageNumber": 0}):
        body = {"SearchTerm": word, "PageNumber": 1, "PageSize": 36, **wrong}
        assert ask("woolworths", "apis/ui/Search/products", body=body).status == 400
    assert ask("woolworths", "apis/ui/Search/products", body={}).status == 400


def test_substitutes_are_of_the_same_leaf_and_sold():
    store, products = first_open("woolworths"), WORLD.companies["woolworths"].products
    prices, leaf = sold(store), {product.sku: product.category_path for product in products}
    several = 0
    for sku in list(prices)[::20]:
        (result,) = read("woolworths", f"api/v3/ui/subs/{sku}")["Result"]
        assert result["StockCode"] == int(sku)
        scores = [found["Score"] for found in result["SubstituteProductList"]]
        assert scores == sorted(scores, reverse=True)
        for found in result["SubstituteProductList"]:
            other = str(found["Product"]["Stockcode"])
            assert other != sku
            assert leaf[other] == leaf[sku]
            assert round(found["Product"]["Price"] * 100) == prices[other]
        several += len(scores) > 1
    assert several > 5
    assert read("woolworths", "api/v3/ui/subs/1") == {"Result": []}


@pytest.mark.parametrize("gateway", ["api/storefront/stores", "api/stores"])
def test_a_search_at_iga_by_the_shop_and_by_the_gateway(gateway: str):
    store = first_open("iga")
    prices, products = sold(store), WORLD.companies["iga"].products
    found: list[dict[str, Any]] = []
    while True:
        query = {"q": "a", "take": 50, "skip": len(found), "sort": "brand"}
        page = read("iga", f"{gateway}/{store.outlet.retailer_ref}/search", query)
        found += page["items"]
        if len(found) >= page["total"]:
            break
    shown = {item["sku"]: round(item["priceNumeric"] * 100) for item in found}
    named = {product.sku: f"{product.brand or ''} {product.name}".casefold() for product in products}
    assert shown == {sku: price for sku, price in prices.items() if "a" in named[sku]}
    brands = [item["brand"].casefold() for item in found]
    assert brands == sorted(brands)
    assert ask("iga", f"{gateway}/{store.outlet.retailer_ref}/search").status == 400
    assert ask("iga", f"{gateway}/0/search", {"q": "a"}).status == 404


def rules(company: str, delay: float = 0.0, part: float = 1.0) -> Protego:
    call = robots_txt(company, delay)
    assert call is not None
    text = call.answer(0, None).body.decode()
    return Protego.parse(text[: int(len(text) * part)])


READ = {
    "aldi": (
        "/v2/service-points?latitude=1", "/v2/product-category-tree?servicePoint=G452",
        "/v3/product-search?currency=AUD&categoryKey=1&servicePoint=G452",
    ),
    "coles": (
        "/", "/api/graphql", "/browse/pantry?page=2",
        "/_next/data/b-1/en/browse/pantry.json?slug=pantry&page=2",
    ),
    "iga": (
        "/", "/location/storelocator/183/?format=json&locationId=7", "/api/storefront/stores/7/categoryHierarchy",
        "/api/storefront/stores/7/categories/Fruit/search?take=36&skip=0",
    ),
    "woolworths": (
        "/", "/apis/ui/StoreLocator/Stores?postcode=2000", "/apis/ui/PiesCategoriesWithSpecials",
        "/apis/ui/browse/category",
    ),
}  # fmt: skip
"""What the scrapers ask each company for."""

ALONE = {
    "aldi": ("/v1/x", "/v3/carts", "/v3/product-search?q=milk"),
    "coles": ("/checkout", "/search?q=milk", "/api/bff/products/1"),
    "iga": ("/checkout", "/api/storefront/carts", "/api/storefront/stores/7/search?q=milk"),
    "woolworths": ("/shop/checkout", "/apis/ui/Search/products", "/api/v3/ui/subs/1"),
}


@pytest.mark.parametrize("company", COMPANIES)
@pytest.mark.parametrize("part", [1.0, 0.5], ids=["whole", "cut off"])
def test_robots_txt_lets_the_scrapers_read_what_they_read(company: str, part: float):
    asked = list(READ[company])
    asked += [request.target for request in list(retailer_of(company).discovery())[:20]]
    if company == "coles":
        asked.append(ColesProducts().request("coles:1", Wanted("7", "Tea", "Acme", "20 Pack")).target)
    for target in asked:
        assert rules(company, part=part).can_fetch(f"https://host{target}", "splitcart"), target


@pytest.mark.parametrize("company", COMPANIES)
def test_robots_txt_keeps_some_of_it_for_people_and_all_of_it_from_others(company: str):
    for target in ALONE[company]:
        assert not rules(company).can_fetch(f"https://host{target}", "splitcart"), target
    assert not rules(company).can_fetch(f"https://host{READ[company][0]}", "GPTBot")


def test_a_crawl_delay_is_stated_where_it_is_set():
    assert {company: rules(company).crawl_delay("splitcart") for company in RULES} == dict.fromkeys(COMPANIES)
    assert {rules(company, 2.5).crawl_delay("splitcart") for company in RULES} == {2.5}
    assert robots_txt("bigmart", 0.0) is None
