"""Coles's face: the shapes of retailers.md §2, field by field, and its quirks."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, pairwise
from typing import Any

import orjson
import pytest

from splitcart_sandbox.retailers import coles
from splitcart_sandbox.retailers.coles import ColesFace
from splitcart_sandbox.retailers.faults import Fault
from splitcart_sandbox.retailers.shelves import Store
from splitcart_sandbox.retailers.web import Request
from splitcart_sandbox.retailers.world import World, WorldSettings, second
from splitcart_scraper.domain.barcodes import checked

AT = datetime(2026, 9, 3, 1, tzinfo=UTC)
WORLD = World(WorldSettings(seed=7, companies=("coles",), stores=40, listings=1_500))
FACE = ColesFace(WORLD)
OPEN = [store for store in WORLD.stores() if store.life.open(second(AT))]
STORE = OPEN[1]
TRUTH = WORLD.price_list(STORE.key, AT)
TILE = {
    "_type", "id", "adId", "adSource", "featured", "name", "brand", "description", "size", "availability",
    "availabilityType", "availableQuantity", "imageUris", "locations", "restrictions", "merchandiseHeir",
    "onlineHeirs", "pricing",
}  # fmt: skip
PRICING = {
    "now", "rawPriceNow", "was", "saveAmount", "saveStatement", "savePercent", "comparable", "promotionType",
    "specialType", "offerDescription", "priceDescription", "onlineSpecial", "multiBuyPromotion", "unit",
}  # fmt: skip


def get(
    path: str, store: Store | None = STORE, fault: Fault | None = None, hides: Any = None, **query: object
) -> Any:
    """The answer to a customer of a store, or to one of none."""
    cookie = (
        {} if store is None else {"cookie": f"shopping-method=clickAndCollect; fulfillmentStoreId={number(store)}"}
    )
    call = FACE.call(Request("GET", path, {name: str(value) for name, value in query.items()}, cookie))
    return (call.answer if fault is None else call.own[fault])(second(AT), hides)


def number(store: Store) -> str:
    return store.outlet.store_id.zfill(4)


def listing(slug: str, page: int = 1, **more: Any) -> dict[str, Any]:
    answer = get(f"_next/data/{FACE.build_id}/en/browse/{slug}.json", page=page, slug=slug, **more)
    assert (answer.status, answer.content_type) == (200, "application/json")
    return orjson.loads(answer.body)["pageProps"]


def pages(slug: str, **more: Any) -> list[list[dict[str, Any]]]:
    """The entries of each page of a listing up to the first empty one."""
    found: list[list[dict[str, Any]]] = []
    for page in count(1):
        results = listing(slug, page, **more)["searchResults"]
        assert (results["start"], results["pageSize"]) == (page - 1, 48)
        if not results["results"]:
            return found
        found.append(results["results"])
    raise AssertionError


def organic(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["_type"] == "PRODUCT" and entry["adId"] is None]


def roots() -> list[str]:
    return [node.slug for node in FACE._catalogue.shown]


def entries() -> Iterator[dict[str, Any]]:
    for slug in roots():
        for page in pages(slug):
            yield from page


EVERY = list(entries())


def test_all_departments_together_are_the_range_at_its_true_prices():
    found = {str(tile["id"]): tile["pricing"] for tile in organic(EVERY)}
    prices = {sku: round(pricing["now"] * 100) for sku, pricing in found.items() if pricing is not None}
    assert prices == TRUTH
    assert all(found[sku] is None for sku in found.keys() - TRUTH.keys())


def test_a_node_lists_all_that_is_listed_below_it():
    for root in FACE._catalogue.shown[:9]:
        below = [f"{root.slug}/{child.slug}" for child in root.children]
        leaves = [f"{root.slug}/{child.slug}/{leaf.slug}" for child in root.children for leaf in child.children]
        middle = [f"{root.slug}/{child.slug}" for child in root.children if not child.children]
        whole = {tile["id"] for page in pages(root.slug) for tile in organic(page)}
        for parts in (below, leaves + middle):
            assert {tile["id"] for slug in parts for page in pages(slug) for tile in organic(page)} == whole


def test_a_page_has_48_products_and_advertisements_among_them():
    lengths = Counter()
    for slug in roots():
        found = pages(slug)
        total = listing(slug)["searchResults"]["noOfResults"]
        skus = [tile["id"] for page in found for tile in organic(page)]
        assert len(skus) == len(set(skus)) == total
        assert all(len(organic(page)) == 48 for page in found[:-1])
        lengths.update(len(page) for page in found[:-1])
    assert set(lengths) <= set(range(48, 65))
    assert max(lengths) > 56


def test_paid_copies_are_on_top_of_the_first_page_and_in_their_own_place_as_well():
    paid = 0
    for slug in roots():
        found = pages(slug)
        own = {tile["id"]: tile for page in found for tile in organic(page)}
        for entry in (entry for page in found for entry in page if entry["_type"] == "PRODUCT" and entry["adId"]):
            assert (entry["adSource"], entry["featured"]) == ("citrus", True)
            assert entry["pricing"] == own[entry["id"]]["pricing"]
            paid += 1
        if len(organic(found[0] if found else [])) == 48:
            assert all(entry["adId"] for entry in found[0][:4])
    assert 0.10 < paid / sum(entry["_type"] == "PRODUCT" for entry in EVERY) < 0.17
    kinds = Counter(entry["_type"] for entry in EVERY)
    assert kinds["SINGLE_TILE"] > kinds["PRODUCT_ASSOCIATION"] > 0
    assert all("pricing" not in entry for entry in EVERY if entry["_type"] != "PRODUCT")


def test_a_product_has_its_fields():
    for tile in organic(EVERY):
        assert tile.keys() == TILE
        assert isinstance(tile["id"], int)
        assert tile["imageUris"][0]["uri"] == f"/{str(tile['id'])[0]}/{tile['id']}.jpg"
        assert (tile["pricing"] is not None) == tile["availability"]
        if tile["pricing"] is not None:
            assert tile["pricing"].keys() == PRICING
        for heir in tile["onlineHeirs"]:
            assert heir.keys() == {"aisle", "category", "subCategory", "aisleId", "categoryId", "subCategoryId"}


def test_heirs_are_named_upside_down_and_a_promotion_comes_first():
    products = {product.sku: product for product in WORLD.companies["coles"].products}
    promoted = 0
    for tile in organic(EVERY):
        own = products[str(tile["id"])].category_path
        heirs = [
            tuple(filter(None, (heir["subCategory"], heir["category"], heir["aisle"])))
            for heir in tile["onlineHeirs"]
        ]
        promotions = [path for path in heirs if path[0] in ("Down Down", "Bonus Entry Products")]
        assert heirs[: len(promotions)] == promotions
        assert heirs[len(promotions)] == own
        promoted += bool(promotions)
    assert promoted > 20


def test_prices_are_dollars_and_was_is_0_where_there_is_none():
    shelf = WORLD.companies["coles"].shelf(STORE, second(AT))
    kinds: Counter[tuple[str | None, str | None]] = Counter()
    equal = 0
    for tile in organic(EVERY):
        pricing = tile["pricing"]
        if pricing is None:
            continue
        at = WORLD.companies["coles"].number[str(tile["id"])]
        now, regular, was = int(shelf.prices[at]), int(shelf.regular[at]), round(pricing["was"] * 100)
        assert pricing["rawPriceNow"] == pricing["now"]
        assert re.fullmatch(r"\$\d+\.\d\d( per 1(kg|l|ea|g|ml)|/ 100(g|ml))", pricing["comparable"])
        kind = pricing["promotionType"], pricing["specialType"]
        kinds[kind] += 1
        equal += was == now
        if now < regular:
            assert was == regular
            assert kind in (("SPECIAL", "PERCENT_OFF"), ("SPECIAL", "WHILE_STOCKS_LAST"))
            assert pricing["saveStatement"] == f"save ${(was - now) / 100:.2f}"
        elif pricing["promotionType"] == "DOWNDOWN":
            assert was > now
        else:
            assert was in (0, now)
        if kind == ("SPECIAL", "MULTI_SAVE"):
            offer = pricing["multiBuyPromotion"]
            assert was == 0
            assert offer["reward"] < pricing["now"]
            total = f"{2 * offer['reward']:.2f}".removesuffix(".00")
            assert pricing["offerDescription"] == f"Pick any {offer['minQuantity']} for ${total}"
        else:
            assert pricing["multiBuyPromotion"] is None
    whole = kinds.total()
    assert equal > 0
    assert 0.06 < kinds["SPECIAL", "MULTI_SAVE"] / whole < 0.12
    assert 0.03 < kinds["DOWNDOWN", None] / whole < 0.09
    assert 0.12 < kinds["EVERYDAY", None] / whole < 0.22
    assert 0.12 < kinds["SPECIAL", "PERCENT_OFF"] / whole < 0.22
    assert {kind for kind, _ in kinds} == {
        None, "SPECIAL", "DOWNDOWN", "EVERYDAY", "NEW", "FLYBUYS", "CONTINUITYREDEEMABLE",
    }  # fmt: skip


def test_the_unit_price_of_weighed_goods_is_per_kilogram_though_the_measure_says_gram():
    weighed = [tile for tile in organic(EVERY) if tile["pricing"] and tile["pricing"]["unit"]["isWeighted"]]
    for tile in weighed:
        unit, comparable = tile["pricing"]["unit"], tile["pricing"]["comparable"]
        assert re.match(r"approx", tile["size"], re.IGNORECASE)
        assert comparable == f"${unit['price']:.2f} per 1kg"
        assert (unit["ofMeasureQuantity"], unit["ofMeasureUnits"]) == (1, "g")
    assert weighed


def test_a_product_listed_without_pricing_is_not_sold_at_the_store():
    every = ColesFace(World(WorldSettings(companies=("coles",), stores=1)))
    (store,) = every._world.stores.values()
    shelf = every._world.shelf(store, second(AT))
    unsold = (shelf.prices < 0) & every._catalogue.listed(store, shelf)
    assert 0 < unsold.sum() / (shelf.prices > 0).sum() < 0.002


@pytest.mark.parametrize("page", [3, 4, 1_000])
def test_past_the_end_or_the_last_page_served_there_is_nothing(monkeypatch: pytest.MonkeyPatch, page: int):
    slug = max(roots(), key=lambda slug: listing(slug)["searchResults"]["noOfResults"])
    total = listing(slug)["searchResults"]["noOfResults"]
    assert total > 3 * 48
    monkeypatch.setattr(coles, "MOST_PAGES", 2)
    results = listing(slug, page)["searchResults"]
    assert (results["results"], results["noOfResults"], results["start"]) == ([], total, page - 1)
    assert len(organic(listing(slug, 2)["searchResults"]["results"])) == 48


def test_a_listing_is_the_same_as_html():
    slug = roots()[5]
    answer = get(f"browse/{slug}", page=2)
    assert answer.content_type.startswith("text/html")
    data = re.search(rb'<script id="__NEXT_DATA__" type="application/json">(.*?)</script>', answer.body, re.DOTALL)
    document = orjson.loads(data[1])
    assert document["props"]["pageProps"] == listing(slug, 2)
    assert document["buildId"] == FACE.build_id


def test_a_page_is_about_the_store_of_the_cookie_or_else_about_the_default_one():
    assert listing("pantry")["initStoreId"] == number(STORE)
    assert listing("pantry", store=None)["initStoreId"] == number(OPEN[0])
    assert listing("pantry", fault=Fault.STORE_IGNORED)["initStoreId"] == number(OPEN[0])


def test_pages_are_in_a_stable_order():
    first, again = pages("pantry"), pages("pantry")
    assert first == again
    assert all(a != b for a, b in pairwise(first))


def test_a_short_category_lacks_the_same_listings_on_all_pages():
    whole = [str(tile["id"]) for page in pages("pantry") for tile in organic(page)]
    hidden = set(whole[::3])
    assert listing("pantry", hides=hidden.__contains__)["searchResults"]["noOfResults"] == len(whole) - len(hidden)
    short = {
        str(tile["id"]) for page in pages("pantry", hides=hidden.__contains__) for tile in page if "id" in tile
    }
    assert short == set(whole) - hidden


def test_duplicates_and_missing_prices_are_faults_of_a_page():
    plain = organic(listing("pantry")["searchResults"]["results"])
    twice = Counter(
        tile["id"] for tile in organic(listing("pantry", fault=Fault.DUPLICATES)["searchResults"]["results"])
    )
    assert Counter(twice.values()) == {1: 42, 2: 6}
    bare = organic(listing("pantry", fault=Fault.MISSING_PRICES)["searchResults"]["results"])
    assert [tile["id"] for tile in bare] == [tile["id"] for tile in plain]
    missing = [tile for tile in bare if tile["pricing"] is None]
    assert 3 < len(missing) < 20
    assert all(tile["availability"] for tile in missing)


def test_a_page_can_be_full_of_advertisements():
    plain = listing("pantry")["searchResults"]["results"]
    full = listing("pantry", fault=Fault.SPONSORED)["searchResults"]["results"]
    sold = [tile["id"] for tile in organic(plain) if tile["pricing"] is not None]
    copies = full[: len(sold)]
    assert [tile["id"] for tile in copies] == sold
    assert all(tile["adSource"] == "citrus" for tile in copies)
    assert full[len(sold) :] == plain


def test_a_deployment_makes_addresses_of_before_404():
    face = ColesFace(WORLD)
    before = face.build_id
    call = face.call(Request("GET", f"_next/data/{before}/en/browse/pantry.json", {"slug": "pantry"}))
    assert call.answer(second(AT), None).status == 200
    assert call.own[Fault.NEW_BUILD](second(AT), None).status == 404
    assert call.answer(second(AT), None).status == 404
    assert face.build_id != before
    again = face.call(Request("GET", f"_next/data/{face.build_id}/en/browse/pantry.json"))
    assert again.answer(second(AT), None).status == 200
    assert Fault.NEW_BUILD not in face.call(Request("GET", "browse/pantry")).own


def product_page(sku: str) -> dict[str, Any]:
    answer = get(f"_next/data/{FACE.build_id}/en/product/words-{sku}.json")
    return orjson.loads(answer.body)["pageProps"]


def linked_data(sku: str) -> dict[str, Any]:
    found = re.search(rb'<script type="application/ld\+json">(.*?)</script>', get(f"product/words-{sku}").body)
    assert found is not None
    return orjson.loads(found[1])


@pytest.mark.parametrize("sku", sorted(TRUTH)[::300])
def test_a_product_page_has_price_and_store_and_is_the_same_as_html(sku: str):
    props = product_page(sku)
    assert props["initStoreId"] == number(STORE)
    assert (props["product"]["id"], round(props["product"]["pricing"]["now"] * 100)) == (int(sku), TRUTH[sku])
    data = re.search(rb'id="__NEXT_DATA__" type="application/json">(.*?)</script>', get(f"product/x-{sku}").body)
    assert orjson.loads(data[1])["props"]["pageProps"] == props
    assert (linked_data(sku)["sku"], linked_data(sku).get("gtin")) == (sku, props["product"]["gtin"])


def test_the_barcodes_of_product_pages_are_their_own_and_now_and_then_wrong():
    every = ColesFace(World(WorldSettings(seed=7, companies=("coles",), stores=1)))
    found, fourteen = Counter[str](), 0
    for tile in every._tiles:
        own, shown = tile.product.barcode, tile.detail(tile.unpriced(sold=True))["gtin"]
        if shown is None:
            assert own is None
            pieces = (
                tile.product.category_path[0] == "Fruit & Vegetables" and "each" in tile.product.size.casefold()
            )
            assert pieces or tile._prices.weighed
            found["none"] += 1
            continue
        fourteen += len(shown) == 14
        code = checked(shown)
        found["wrong" if code is None else "own" if own is not None else "made"] += 1
        # What the source knows none of bears a code that means nothing outside of a shop.
        assert code is None or (code.lstrip("0") == own.lstrip("0") if own is not None else code[0] == "2")
    products = len(every._tiles)
    assert 0.002 < found["wrong"] / products < 0.01
    assert 0.05 < fourteen / products < 0.15
    assert found["none"] > 200
    assert found["own"] > 2_000


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("_next/data/nobuild/en/browse/pantry.json", {}),
        (f"_next/data/{FACE.build_id}/en/browse/nothing.json", {}),
        (f"_next/data/{FACE.build_id}/en/browse/pantry.json", {"page": "x"}),
        (f"_next/data/{FACE.build_id}/en/browse/pantry", {}),
        (f"_next/data/{FACE.build_id}/en/product/no-1.json", {}),
        ("_next/data/nobuild/en/product/no-1.json", {}),
        ("product/no-such-thing-1", {}),
        ("product/words", {}),
        ("browse/nothing", {}),
        ("else", {}),
    ],
)
def test_what_is_not_there_is_404(path: str, query: dict[str, str]):
    answer = get(path, **query)
    assert answer.status == 404
    assert b"__NEXT_DATA__" not in answer.body
