"""Woolworths' face: the shapes of retailers.md §3, field by field, and its quirks."""

import html
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import orjson
import pytest

from splitcart_sandbox.retailers import woolworths
from splitcart_sandbox.retailers.chain_catalogue import SPECIALS
from splitcart_sandbox.retailers.faults import Fault
from splitcart_sandbox.retailers.shelves import Store
from splitcart_sandbox.retailers.web import Answer, Request
from splitcart_sandbox.retailers.woolworths import WoolworthsFace
from splitcart_sandbox.retailers.world import World, WorldSettings, second

AT = datetime(2026, 9, 3, 1, tzinfo=UTC)
WORLD = World(WorldSettings(seed=7, companies=("woolworths",), stores=40, listings=1_500))
COMPANY = WORLD.companies["woolworths"]
FACE = WoolworthsFace(WORLD)
OPEN = [store for store in WORLD.stores() if store.life.open(second(AT))]
STORE = OPEN[1]
TRUTH = WORLD.price_list(STORE.key, AT)
BROWSER = {"user-agent": "a browser"}
TILE = {
    "TileID", "Stockcode", "Barcode", "GtinFormat", "Name", "DisplayName", "UrlFriendlyName", "Brand", "Price",
    "WasPrice", "SavingsAmount", "InstorePrice", "InstoreWasPrice", "IsOnSpecial", "InstoreIsOnSpecial",
    "IsHalfPrice", "IsEdrSpecial", "CupPrice", "CupMeasure", "CupString", "HasCupPrice",
    "PackageSize", "Unit", "MinimumQuantity", "MinWeightPrice", "MaxWeightPrice", "PricePerKGLabel", "IsAvailable",
    "IsInStock", "IsPurchasable", "IsRanged", "IsOnlineOnly", "IsMarketProduct", "OfferId", "IsSponsoredAd",
    "AdID", "AdIndex", "AdStatus", "SupplyLimit", "AgeRestricted", "SmallImageFile", "MediumImageFile",
    "LargeImageFile", "Description", "CentreTag", "ImageTag", "HeaderTag", "AdditionalAttributes", "Rating",
    "FulfilmentStoreId",
}  # fmt: skip
NOT_WALKED = ("Specials", "Everyday Market", "Electronics", "Home & Lifestyle", "Front of Store")


def post(
    key: str,
    page: int = 1,
    store: Store | None = STORE,
    fault: Fault | None = None,
    hides: Any = None,
    **more: Any,
) -> Answer:
    body = {"categoryId": key, "pageNumber": page, "pageSize": 36, "sortType": "Name"}
    body |= {"isHideEverydayMarketProducts": True, "enableAdReRanking": True}
    body |= {} if store is None else {"storeId": store.outlet.store_id}
    call = FACE.call(Request("POST", "apis/ui/browse/category", {}, BROWSER, orjson.dumps(body | more)))
    return (call.answer if fault is None else call.own[fault])(second(AT), hides)


def listing(key: str, page: int = 1, **more: Any) -> tuple[list[dict[str, Any]], int]:
    """The products of a page, and the count of the whole listing."""
    answer = post(key, page, **more)
    assert (answer.status, answer.content_type) == (200, "application/json")
    body = orjson.loads(answer.body)
    assert body["Success"] is True
    for bundle in body["Bundles"]:
        (tile,) = bundle["Products"]
        assert (bundle["Name"], bundle["DisplayName"]) == (tile["Name"], tile["DisplayName"])
    return [bundle["Products"][0] for bundle in body["Bundles"]], body["TotalRecordCount"]


def pages(key: str, **more: Any) -> Iterator[list[dict[str, Any]]]:
    """The pages of a listing as long as they bear a product that is not promoted."""
    for page in count(1):
        tiles, _ = listing(key, page, **more)
        if not organic(tiles):
            return
        yield tiles


def organic(tiles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [tile for tile in tiles if not tile["IsSponsoredAd"]]


def departments() -> list[str]:
    return [root.key for root in FACE._catalogue.shown if root.name not in NOT_WALKED]


EVERY = [tile for key in departments() for page in pages(key) for tile in page]
OWN = organic(EVERY)
LARGEST = max(departments(), key=lambda key: listing(key)[1])


def test_all_departments_together_are_the_range_at_its_true_prices():
    prices = {str(tile["Stockcode"]): round(tile["Price"] * 100) for tile in OWN if tile["Price"] is not None}
    assert prices == TRUTH
    unsold = {str(tile["Stockcode"]) for tile in OWN if tile["Price"] is None}
    assert not unsold & TRUTH.keys()
    assert 0.005 < len(unsold) / len(TRUTH) < 0.03


def test_a_node_lists_all_that_is_listed_below_it():
    for root in FACE._catalogue.shown:
        if root.key in departments()[::3]:
            leaves = [leaf for child in root.children for leaf in (child.children or (child,))]
            below = {tile["Stockcode"] for leaf in leaves for page in pages(leaf.key) for tile in organic(page)}
            assert below >= {tile["Stockcode"] for page in pages(root.key) for tile in organic(page)}


def test_a_page_is_the_organic_page_and_up_to_eight_promoted_products_on_top():
    shares = []
    for key in departments():
        _, total = listing(key)
        found = list(pages(key))
        skus = [tile["Stockcode"] for page in found for tile in organic(page)]
        assert len(skus) == len(set(skus)) == total
        assert all(len(organic(page)) == 36 for page in found[:-1])
        for page in found:
            promoted = [tile for tile in page if tile["IsSponsoredAd"]]
            assert promoted == [tile for tile in found[0] if tile["IsSponsoredAd"]]
            assert 1 <= len(promoted) <= 8
            assert all(tile["AdID"] and tile["AdStatus"] == "Promoted" for tile in promoted)
            places = [place for place, tile in enumerate(page) if tile["IsSponsoredAd"]]
            assert set(places) <= {*range(4), *range(10, 14)} or len(page) < 14
            assert all(TRUTH[str(tile["Stockcode"])] == round(tile["Price"] * 100) for tile in promoted)
            shares.append(len(promoted) / len(page))
    assert 0.10 < sum(shares) / len(shares) < 0.30


@pytest.mark.parametrize("beyond", [0, 1, 500])
def test_past_the_end_there_are_promoted_products_for_ever(beyond: int):
    quiet = Counter()
    for key in departments():
        _, total = listing(key)
        page = 1 + -(-total // 36) + beyond
        tiles, again = listing(key, page)
        assert again == total
        assert 1 <= len(tiles) <= 8
        assert not organic(tiles)
        quiet[len(listing(key, page, enableAdReRanking=False)[0]) == 0] += 1
    assert quiet[False] > quiet[True] > 0


def test_no_more_than_so_many_of_a_category_are_served(monkeypatch: pytest.MonkeyPatch):
    _, total = listing(LARGEST)
    monkeypatch.setattr(woolworths, "MOST_SERVED", 50)
    assert [len(organic(listing(LARGEST, page)[0])) for page in (1, 2, 3)] == [36, 14, 0]
    assert listing(LARGEST, 3)[1] == total > 108


def test_a_tile_has_its_fields():
    for tile in EVERY:
        assert tile.keys() == TILE
        assert tile["FulfilmentStoreId"] == int(STORE.outlet.store_id)
        assert tile["InstorePrice"] == tile["Price"]
        brand, _, name = tile["Description"].removeprefix(" ").partition("<br>")
        assert (html.unescape(brand), html.unescape(name)) == (tile["Brand"] or "", tile["DisplayName"])
        assert not re.search(r"&(?!amp;|#x27;|quot;|lt;|gt;)|<", brand + name)
        assert tile["DisplayName"] == f"{tile['Name']} {tile['PackageSize']}".rstrip()
        assert tile["Rating"] == {"Average": 0, "ReviewCount": 0}
        assert tile["LargeImageFile"].endswith(f"/large/{tile['Stockcode']:06}.jpg")


def test_the_categories_of_a_product_are_json_within_json():
    paths = {product.sku: product.category_path for product in COMPANY.products}
    several = 0
    for tile in OWN:
        attributes = tile["AdditionalAttributes"]
        levels = [
            orjson.loads(attributes[f"pies{level}namesjson"])
            for level in ("department", "category", "subcategory")
        ]
        own = paths[str(tile["Stockcode"])]
        assert tuple(names[0] for names in levels if names)[: len(own)] == own
        several += len(levels[0]) > 1
    assert 0.05 < several / len(OWN) < 0.35


def test_was_equals_price_where_nothing_is_reduced():
    shelf = COMPANY.shelf(STORE, second(AT))
    halves = 0
    for tile in OWN:
        if tile["Price"] is None:
            assert tile["WasPrice"] > 0
            assert (tile["CupPrice"], tile["HasCupPrice"]) == (None, False)
            assert not any(tile[name] for name in ("IsAvailable", "IsInStock", "IsPurchasable", "IsOnSpecial"))
            continue
        at = COMPANY.number[str(tile["Stockcode"])]
        now, regular = int(shelf.prices[at]), int(shelf.regular[at])
        assert (round(tile["WasPrice"] * 100), round(tile["Price"] * 100)) == (regular, now)
        assert tile["IsOnSpecial"] == tile["InstoreIsOnSpecial"] == (now < regular)
        assert tile["IsHalfPrice"] == (tile["ImageTag"]["FallbackText"] == "Half Price")
        assert tile["IsHalfPrice"] == (now < regular and 2 * now <= regular)
        assert all(tile[name] for name in ("IsAvailable", "IsInStock", "IsPurchasable"))
        halves += tile["IsHalfPrice"]
    priced = [tile for tile in OWN if tile["Price"] is not None]
    assert 0.12 < sum(tile["IsOnSpecial"] for tile in priced) / len(priced) < 0.22
    assert 0.01 < halves / len(priced) < 0.06
    headers = {tile["HeaderTag"]["Content"] for tile in priced if tile["HeaderTag"] and not tile["IsOnSpecial"]}
    assert headers == {"EVERYDAY LOW PRICE", "Lower shelf price", "Seasonal Price"}


def test_multi_buys_leave_the_single_price_unchanged():
    offers = [tile for tile in OWN if tile["CentreTag"]["MultibuyData"]]
    for tile in offers:
        data = tile["CentreTag"]["MultibuyData"]
        assert not tile["IsOnSpecial"]
        assert data["Price"] < data["Quantity"] * tile["Price"]
        words = f"{data['Quantity']} for ${data['Price']:.2f} - {data['CupTag']}"
        assert tile["CentreTag"]["TagContent"] == f'<a href="/shop/offers"><span>{words}</span></a>'
    assert 0.04 < len(offers) / len(OWN) < 0.10


def test_cup_prices():
    cups = [tile for tile in OWN if tile["HasCupPrice"]]
    for tile in cups:
        assert re.fullmatch(r"(100G|100ML|1KG|1L|1EA)", tile["CupMeasure"])
        assert tile["CupString"] == f"${tile['CupPrice']:.2f} / {tile['CupMeasure']}"
        size = re.fullmatch(r"(\d+)g", tile["PackageSize"])
        if size:
            assert tile["CupPrice"] == pytest.approx(tile["Price"] * 100 / int(size[1]), abs=0.0051)
    assert len(cups) > 0.4 * len(OWN)


def test_sizes_that_are_ranges_or_of_the_deli_and_barcodes():
    face = WoolworthsFace(World(WorldSettings(companies=("woolworths",), stores=1)))
    rows = [orjson.loads(tile.priced(1_000, 1_200, 1101))["Products"][0] for tile in face._tiles]
    ranged = [row for row in rows if row["MinWeightPrice"] is not None]
    assert len(ranged) > 5
    for row in ranged:
        assert row["MinWeightPrice"] <= row["MaxWeightPrice"] == row["Price"] == 10
        assert (row["CupMeasure"], row["WasPrice"]) == ("1KG", 12)
    deli = [row for row in rows if row["Unit"] == "KG"]
    assert len(deli) > 100
    for row in deli:
        assert re.match(r"per ", row["PackageSize"], re.IGNORECASE)
        assert (row["CupPrice"], row["CupMeasure"]) == (10, "1KG")
    assert sum((row["Barcode"] or "02").startswith("02") for row in deli) > 0.9 * len(deli)
    lengths = Counter(len(row["Barcode"]) if row["Barcode"] else row["Barcode"] for row in rows)
    assert set(lengths) == {None, "", 8, 11, 12, 13}
    assert 0.03 < (lengths[None] + lengths[""]) / len(rows) < 0.07
    assert lengths[13] / len(rows) > 0.85
    for row in rows:
        assert row["GtinFormat"] == {None: 0, 0: 0, 8: 8, 11: 12, 12: 12, 13: 13}[len(row["Barcode"] or "")]


def test_orders_by_name_by_price_and_by_relevance():
    names = [tile["DisplayName"].casefold() for page in pages(LARGEST) for tile in organic(page)]
    assert names == sorted(names)
    for sort, ascending in (("PriceAsc", True), ("PriceDesc", False)):
        prices = [
            tile["Price"] for page in pages(LARGEST, sortType=sort) for tile in organic(page) if tile["Price"]
        ]
        assert prices == sorted(prices, reverse=not ascending)
    relevance = [tile["DisplayName"].casefold() for page in pages(LARGEST, sortType="x") for tile in organic(page)]
    assert names != relevance
    assert sorted(names) == sorted(relevance)


def test_other_sellers_goods_are_there_unless_they_are_hidden():
    hidden, shown = listing(LARGEST)[1], listing(LARGEST, isHideEverydayMarketProducts=False)[1]
    assert 1.6 < shown / hidden < 2.2
    tiles = [tile for page in pages(LARGEST, isHideEverydayMarketProducts=False) for tile in organic(page)]
    market = [tile for tile in tiles if tile["IsMarketProduct"]]
    assert len(market) == shown - hidden
    assert all(tile["Stockcode"] > 10**9 and tile["OfferId"] for tile in market)
    assert not any(tile["IsMarketProduct"] for tile in EVERY)
    (root,) = [root.key for root in FACE._catalogue.shown if root.name == "Everyday Market"]
    assert listing(root)[1] == 0
    assert listing(root, isHideEverydayMarketProducts=False)[1] > 1_000


def test_goods_that_cannot_be_had_can_be_hidden():
    found = [tile for page in pages(LARGEST, isHideUnavailableProducts=True) for tile in organic(page)]
    every = [tile for page in pages(LARGEST) for tile in organic(page)]
    assert found == [tile for tile in every if tile["IsAvailable"]] != every


def test_nodes_of_specials_gather_what_is_reduced():
    for key in (f"{LARGEST}{SPECIALS}", "specialsgroup"):
        found = [tile for page in pages(key) for tile in organic(page)]
        assert found
        assert all(tile["IsOnSpecial"] for tile in found)
    reduced = {tile["Stockcode"] for tile in OWN if tile["IsOnSpecial"]}
    assert {tile["Stockcode"] for tile in found} == reduced


def test_the_store_of_the_body_is_honoured_or_ignored():
    def stores(**more: Any) -> set[int]:
        return {tile["FulfilmentStoreId"] for tile in listing(LARGEST, **more)[0]}

    default = int(OPEN[0].outlet.store_id)
    assert stores() == {int(STORE.outlet.store_id)} != {default}
    assert stores(store=None) == stores(storeId="1") == stores(fault=Fault.STORE_IGNORED) == {default}
    world = World(WorldSettings(companies=("woolworths",), listings=60))
    body = orjson.dumps({"categoryId": LARGEST, "pageNumber": 1, "pageSize": 36})
    call = WoolworthsFace(world).call(Request("POST", "apis/ui/browse/category", {}, BROWSER, body))
    tiles = orjson.loads(call.answer(second(AT), None).body)["Bundles"]
    assert {bundle["Products"][0]["FulfilmentStoreId"] for bundle in tiles} <= {1101}


def test_duplicates_missing_prices_and_short_categories():
    plain = organic(listing(LARGEST)[0])
    twice = Counter(tile["Stockcode"] for tile in organic(listing(LARGEST, fault=Fault.DUPLICATES)[0]))
    assert Counter(twice.values()) == {1: 30, 2: 6}
    bare = organic(listing(LARGEST, fault=Fault.MISSING_PRICES)[0])
    assert [tile["Stockcode"] for tile in bare] == [tile["Stockcode"] for tile in plain]
    assert 2 < sum(tile["Price"] is None and tile["IsAvailable"] for tile in bare) < 16
    hidden = {str(tile["Stockcode"]) for tile in plain[::3]}
    tiles, total = listing(LARGEST, hides=hidden.__contains__)
    assert total == listing(LARGEST)[1] - len(hidden)
    assert not hidden & {str(tile["Stockcode"]) for tile in organic(tiles)}


def test_a_slug_or_an_unknown_id_is_answered_like_an_empty_category():
    for key in ("pantry", "1_0000000", ""):
        assert listing(key) == ([], 0)


@pytest.mark.parametrize(
    ("more", "status"),
    [({"pageSize": 37}, 400), ({"pageNumber": 0}, 400), ({"pageNumber": "1"}, 400), ({"pageSize": None}, 400)],
)
def test_a_page_that_cannot_be_served_is_refused(more: dict[str, Any], status: int):
    assert post(LARGEST, **more).status == status


def test_front_of_store_answers_with_an_error():
    (key,) = [root.key for root in FACE._catalogue.shown if root.name == "Front of Store"]
    assert post(key).status == 500
