"""Laws of the simulated country: it is a function of its settings, and its numbers are the stated ones."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import combinations
from statistics import mean, median
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from splitcart_sandbox.retailers.profiles import CHAIN_ZONES, PROFILES
from splitcart_sandbox.retailers.server import FACES
from splitcart_sandbox.retailers.shelves import Store
from splitcart_sandbox.retailers.web import Face, Request
from splitcart_sandbox.retailers.world import World, WorldSettings, second

WEDNESDAY = datetime(2026, 9, 2, tzinfo=UTC)
FIRST, LAST = datetime(2026, 6, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)

seeds = st.integers(0, 3)
companies = st.sampled_from(sorted(PROFILES))
moments = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC))
whole_seconds = st.integers(0, int((LAST - FIRST).total_seconds())).map(lambda s: FIRST + timedelta(seconds=s))
fractions = st.floats(0, 1)


@cache
def country(seed: int, company: str = "aldi") -> World:
    return World(WorldSettings(seed=seed, companies=(company,), stores=12, listings=120))


@cache
def face_of(seed: int, company: str) -> Face:
    return FACES[company](country(seed, company))


def answer(face: Face, request: Request, at: datetime) -> dict[str, Any]:
    found = face.call(request).answer(second(at), None)
    assert found.status == 200
    return orjson.loads(found.body)


def shown_by_iga(face: Face, store: Store, at: datetime) -> dict[str, int]:
    path = f"api/storefront/stores/{store.outlet.retailer_ref}/categories/Grocery/search"
    shown, total = dict[str, int](), 1
    for skip in range(0, 1_000, 100):
        if skip < total:
            page = answer(face, Request("GET", path, {"take": "100", "skip": str(skip)}), at)
            total = page["total"]
            shown |= {item["sku"]: round(item["priceNumeric"] * 100) for item in page["items"]}
    return shown


def shown_by_coles(face: Face, store: Store, at: datetime) -> dict[str, int]:
    """Of every department as data of the build the front page names, paid copies too."""
    cookie = {"cookie": f"fulfillmentStoreId={store.outlet.store_id.zfill(4)}"}
    front = face.call(Request("GET", "", {}, cookie)).answer(second(at), None).body.decode()
    build, key = re.findall(r'"(?:buildId|BFF_API_SUBSCRIPTION_KEY)":"([^"]+)"', front)[::-1]
    menu = {"operationName": "GetShopProductsMenu", "variables": {"storeId": f"COL:{store.outlet.store_id:0>4}"}}
    headers = {"ocp-apim-subscription-key": key}
    roots = answer(face, Request("POST", "api/graphql", {}, headers, orjson.dumps(menu)), at)["data"]["menuItems"]
    shown: dict[str, int] = {}
    for root in roots["items"]:
        slug = root["seoToken"]
        for page in range(1, 2 + (root["productCount"] - 1) // 48):
            path = f"_next/data/{build}/en/browse/{slug}.json"
            found = answer(face, Request("GET", path, {"slug": slug, "page": str(page)}, cookie), at)["pageProps"]
            assert found["initStoreId"] == store.outlet.store_id.zfill(4)
            for tile in found["searchResults"]["results"]:
                if tile["_type"] == "PRODUCT" and tile["pricing"] is not None:
                    price = round(tile["pricing"]["now"] * 100)
                    assert shown.setdefault(str(tile["id"]), price) == price
    return shown


def shown_by_woolworths(face: Face, store: Store, at: datetime) -> dict[str, int]:
    """Of every department until a page has nothing but promoted products, these too."""
    browser = {"user-agent": "a browser"}
    roots = answer(face, Request("GET", "apis/ui/PiesCategoriesWithSpecials", {}, browser), at)["Categories"]
    shown: dict[str, int] = {}
    for root in roots:
        if root["Description"] == "Front of Store":
            continue
        for page in range(1, 100):
            body = {"categoryId": root["NodeId"], "pageNumber": page, "pageSize": 36, "sortType": "Name"}
            body |= {"isHideEverydayMarketProducts": True, "storeId": store.outlet.store_id}
            request = Request("POST", "apis/ui/browse/category", {}, browser, orjson.dumps(body))
            found = [tile for bundle in answer(face, request, at)["Bundles"] for tile in bundle["Products"]]
            assert {tile["FulfilmentStoreId"] for tile in found} <= {int(store.outlet.store_id)}
            for tile in found:
                if tile["Price"] is not None:
                    price = round(tile["Price"] * 100)
                    assert shown.setdefault(str(tile["Stockcode"]), price) == price
            if all(tile["IsSponsoredAd"] for tile in found):
                break
    return shown


SHOWN = {"iga": shown_by_iga, "coles": shown_by_coles, "woolworths": shown_by_woolworths}


def key_of(world: World, part: float) -> str:
    keys = [store.key for store in world.stores()]
    return keys[min(int(part * len(keys)), len(keys) - 1)]


def sku_of(world: World, part: float) -> str:
    (company,) = world.companies.values()
    products = company.products
    return products[min(int(part * len(products)), len(products) - 1)].sku


def open_lists(world: World, at: datetime) -> dict[str, dict[str, int]]:
    return {s.key: world.price_list(s.key, at) for s in world.stores() if s.life.open(second(at))}


@given(seeds, companies, fractions, moments, moments)
@settings(max_examples=40, deadline=None)
def test_a_price_list_is_a_function_of_seed_store_and_moment(seed, company, part, at, elsewhen):
    fresh = World(WorldSettings(seed=seed, companies=(company,), stores=12, listings=120))
    store = key_of(fresh, part)
    fresh.price_list(store, elsewhen)  # what was asked before does not matter
    assert fresh.price_list(store, at) == country(seed, company).price_list(store, at)


@given(seeds, companies, fractions, fractions, moments)
@settings(max_examples=80, deadline=None)
def test_a_price_list_equals_its_point_queries(seed, company, part, listing, at):
    world = country(seed, company)
    store, sku = key_of(world, part), sku_of(world, listing)
    assert world.price_list(store, at).get(sku) == world.price_at(store, sku, at)


@given(seeds, companies, fractions, fractions, moments, st.timedeltas(timedelta(0), timedelta(days=40)), fractions)
@settings(max_examples=80, deadline=None)
def test_prices_between_holds_the_price_of_every_moment(seed, company, part, listing, since, length, inside):
    world = country(seed, company)
    store, sku = key_of(world, part), sku_of(world, listing)
    prices = world.prices_between(store, sku, since, since + length)
    assert world.price_at(store, sku, since + length * inside) in prices
    assert world.price_at(store, sku, since + length) in prices
    assert world.prices_of_many(store, [sku, "none"], since, since + length) == [prices, {None}]


@given(seeds, companies, fractions, fractions, moments, st.timedeltas(timedelta(days=1), timedelta(days=90)))
@settings(max_examples=60, deadline=None)
def test_a_price_changes_at_its_change_moments_and_nowhere_else(seed, company, part, listing, since, length):
    world = country(seed, company)
    store, sku = key_of(world, part), sku_of(world, listing)
    changes = world.changes(store, sku, since, since + length)
    price = world.price_at(store, sku, since)
    for at, new in changes:
        assert world.price_at(store, sku, at - timedelta(seconds=1)) == price != new
        assert world.price_at(store, sku, at) == new
        price = new
    assert world.price_at(store, sku, since + length) == price
    assert world.prices_between(store, sku, since, since + length) == {
        world.price_at(store, sku, since),
        *(new for _, new in changes),
    }


@given(seeds, companies, whole_seconds)
@settings(max_examples=30, deadline=None)
def test_prices_are_positive_and_a_special_is_below_the_regular_price(seed, name, at):
    company = country(seed, name).companies[name]
    for store in company.stores.values():
        shelf = company.shelf(store, second(at))
        assert ((shelf.prices > 0) == (shelf.regular > 0)).all()
        sold = shelf.prices > 0
        assert (shelf.prices[sold] <= shelf.regular[sold]).all()
        assert shelf.at <= second(at) < shelf.until


def test_another_seed_is_another_country():
    one, other = country(0), country(1)
    assert {s.key for s in one.stores()} != {s.key for s in other.stores()}


def test_a_regular_price_is_the_real_one_or_a_step_from_it():
    company = World(WorldSettings(stores=3)).companies["aldi"]
    shelf = company.shelf(next(iter(company.stores.values())), second(WEDNESDAY))
    sold = shelf.prices > 0
    off = abs(shelf.regular[sold] - company.base[sold])
    assert float((off == 0).mean()) > 0.3
    assert (off <= 10 + 0.22 * company.base[sold]).all()


def shared(a: dict[str, int], b: dict[str, int]) -> tuple[float, float]:
    """Overlap of two ranges, and the share of the common listings whose prices differ."""
    both = a.keys() & b.keys()
    return 2 * len(both) / (len(a) + len(b)), sum(a[sku] != b[sku] for sku in both) / len(both)


def test_zones_differ_by_the_stated_share_and_ranges_overlap_as_stated():
    world = World(WorldSettings(seed=3, stores=40))
    lists = open_lists(world, WEDNESDAY)
    zone = {s.key: s.life.zone(second(WEDNESDAY)) for s in world.stores()}
    pairs = [(zone[a] == zone[b], *shared(lists[a], lists[b])) for a, b in combinations(lists, 2)]
    assert abs(mean(overlap for _, overlap, _ in pairs) - 0.91) < 0.01
    # Two stores' own clearances, half a per cent each, come on top in both figures.
    assert abs(mean(differ for same, _, differ in pairs if same) - 0.01) < 0.005
    assert abs(mean(differ for same, _, differ in pairs if not same) - 0.05) < 0.01
    sizes = [len(prices) for prices in lists.values()]
    assert abs(mean(sizes) - 2_600) < 100


def test_owners_range_and_price_for_themselves():
    world = World(WorldSettings(seed=3, companies=("iga",), stores=80))
    lists = open_lists(world, WEDNESDAY)
    owner = {s.key: s.life.zone(second(WEDNESDAY)) for s in world.stores()}
    pairs = [(owner[a] == owner[b], *shared(lists[a], lists[b])) for a, b in combinations(lists, 2)]
    one_owner = [(overlap, differ) for same, overlap, differ in pairs if same]
    two_owners = [(overlap, differ) for same, overlap, differ in pairs if not same]
    assert len(one_owner) > 20
    assert abs(mean(overlap for overlap, _ in one_owner) - 0.90) < 0.01
    assert abs(mean(overlap for overlap, _ in two_owners) - 0.56) < 0.01
    # Only the two stores' own clearances keep one owner's stores apart: they can match at 98 %.
    assert median(differ for _, differ in one_owner) < 0.015
    assert mean(differ < 0.02 for _, differ in one_owner) > 0.9
    assert abs(mean(differ for _, differ in two_owners) - 0.65) < 0.02
    assert min(differ for _, differ in two_owners) > 0.5
    assert abs(mean(map(len, lists.values())) - 2_200) < 60


@given(seeds, st.sampled_from(sorted(SHOWN)), fractions, whole_seconds)
@settings(max_examples=45, deadline=None)
def test_every_price_on_every_page_is_true_at_that_second(seed, company, part, at):
    world = country(seed, company)
    store = world.store(key_of(world, part))
    if store.life.open(second(at)):
        assert SHOWN[company](face_of(seed, company), store, at) == world.price_list(store.key, at)


@pytest.mark.parametrize("company", ["coles", "woolworths"])
def test_chains_price_by_ten_zones_and_range_nearly_alike(company: str):
    world = World(WorldSettings(seed=3, companies=(company,), stores=40, listings=1_500))
    lists = open_lists(world, WEDNESDAY)
    zone = {s.key: CHAIN_ZONES[s.life.zone(second(WEDNESDAY))] for s in world.stores()}
    pairs = [(zone[a], zone[b], *shared(lists[a], lists[b])) for a, b in combinations(lists, 2)]
    assert abs(mean(overlap for *_, overlap, _ in pairs) - 0.945) < 0.008
    assert abs(mean(differ for a, b, _, differ in pairs if a is b) - 0.01) < 0.005
    apart = [
        (a.apart + b.apart, differ) for a, b, _, differ in pairs if a is not b and "remote" not in (a.name, b.name)
    ]
    assert abs(mean(stated for stated, _ in apart) + 0.01 - mean(differ for _, differ in apart)) < 0.008
    far = [differ for a, b, _, differ in pairs if (a.name == "remote") != (b.name == "remote")]
    assert abs(mean(far) - 0.30) < 0.03
    assert abs(mean(map(len, lists.values())) - 1_500) < 60


@pytest.mark.parametrize(
    ("company", "turn", "day"),
    [("aldi", 0.03, 0.0005), ("coles", 0.30, 0.005), ("iga", 0.20, 0.005), ("woolworths", 0.30, 0.005)],
)
def test_prices_turn_on_wednesday_and_hardly_move_between(company: str, turn: float, day: float):
    world = World(WorldSettings(seed=3, companies=(company,), stores=6, listings=1_000))
    turns, others = [], []
    for days in range(21):
        start = WEDNESDAY + timedelta(days=days)
        before = open_lists(world, start - timedelta(seconds=1))
        for store, after in open_lists(world, start).items():
            changed = shared(before[store], after)[1]
            if start.weekday() == 2:
                turns.append(changed)
            else:
                assert changed < 0.01
            end = world.price_list(store, start + timedelta(hours=23, minutes=59, seconds=59))
            others.append(shared(after, end)[1])
    assert abs(mean(turns) - turn) < 0.2 * turn
    # Clearances that begin or end come on top: 2 x 0.5 % in 8.5 days.
    assert abs(mean(others) - day - 0.0012) < 0.0015


def test_half_a_percent_of_a_range_is_on_clearance_and_a_range_moves_slowly():
    world = World(WorldSettings(seed=5, stores=30))
    company, at = world.companies["aldi"], second(WEDNESDAY)
    prices = company._shelves._prices
    cleared = [prices.clearances(store, at).mask.mean() for store in company.stores]
    assert abs(float(mean(cleared)) - 0.005) < 0.001
    weeks = 12
    then = open_lists(world, WEDNESDAY + timedelta(weeks=weeks))
    now = open_lists(world, WEDNESDAY)
    churn = mean(len(now[s].keys() ^ then[s].keys()) / len(now[s]) / weeks for s in now.keys() & then.keys())
    assert abs(churn - 0.002) < 0.0006


def test_stores_move_and_close_at_the_stated_rates_and_not_before_the_origin():
    origin = datetime(2026, 7, 1, tzinfo=UTC)
    world = World(WorldSettings(seed=2, listings=30, origin=origin))
    lives = [store.life for store in world.stores()]
    later = second(origin + timedelta(days=365))
    assert all(life.open(second(origin)) for life in lives)
    closed = mean(not life.open(later) for life in lives)
    moved = mean(len([at for at, _ in life.moves[1:] if at <= later]) for life in lives)
    assert abs(closed - 12 * 0.002) < 0.02
    assert abs(moved - 12 * 0.01) < 0.04
    assert all(a != b for life in lives for (_, a), (_, b) in zip(life.moves, life.moves[1:], strict=False))
    gone = next(store for store in world.stores() if not store.life.open(later))
    assert world.price_list(gone.key, datetime.fromtimestamp(gone.life.closes, UTC)) == {}
    assert world.price_list(gone.key, datetime.fromtimestamp(gone.life.closes - 1, UTC)) != {}


def test_a_store_that_moves_takes_its_new_zones_prices():
    world = World(WorldSettings(seed=2))
    store = next(s for s in world.stores() if len(s.life.moves) > 1 and s.life.moves[1][0] < s.life.closes)
    company, at = world.companies["aldi"], store.life.moves[1][0]
    before, after = company.shelf(store, at - 1), company.shelf(store, at)
    both = (before.prices > 0) & (after.prices > 0)
    assert before.until == at
    assert 0.025 < float((before.prices[both] != after.prices[both]).mean()) < 0.1


def test_zones_follow_the_states():
    world = World(WorldSettings())
    company = world.companies["aldi"]
    names = {s.outlet.state: company.zoning.names[s.life.moves[0][1]] for s in world.stores()}
    assert names["NSW"] == names["ACT"] == "east"
    assert names["VIC"] == names["SA"] == "south"
    assert names["QLD"] == names["WA"] == "north-west"
    assert set(World(WorldSettings(zones=1)).companies["aldi"].zoning.home) == {0}


def test_every_profile_adds_up():
    for profile in PROFILES.values():
        changed = 2 * profile.special_share - profile.special_share**2
        assert abs(changed - profile.turn_share) < 1e-9
        assert 0 < profile.clearance_chance < 1
