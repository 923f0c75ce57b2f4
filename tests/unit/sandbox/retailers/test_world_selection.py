"""A country smaller than the real one is still one."""

from collections import Counter

import pytest

from splitcart_sandbox.retailers import source
from splitcart_sandbox.retailers.profiles import PROFILES
from splitcart_sandbox.retailers.selection import choose_outlets, choose_products
from splitcart_sandbox.retailers.server import FACES
from splitcart_sandbox.retailers.world import UnknownListingError, UnknownStoreError, World, WorldSettings

ALDI = [outlet for outlet in source.outlets() if outlet.company == "aldi"]


def test_the_real_country_is_there():
    count = Counter(outlet.company for outlet in source.outlets())
    assert count == {"aldi": 495, "coles": 827, "woolworths": 1_131, "iga": 1_280}
    assert len({outlet.key for outlet in source.outlets()}) == sum(count.values())
    assert all(-44 < o.latitude < -10 and 112 < o.longitude < 154 for o in source.outlets())


def test_a_few_stores_are_of_every_state_and_many_in_proportion():
    few = choose_outlets(ALDI, 8, seed=1)
    assert {outlet.state for outlet in few} == {outlet.state for outlet in ALDI}
    many = Counter(outlet.state for outlet in choose_outlets(ALDI, 150, seed=1))
    everywhere = Counter(outlet.state for outlet in ALDI)
    assert all(abs(many[state] - everywhere[state] * 150 / 495) <= 2 for state in everywhere)
    assert choose_outlets(ALDI, 0, seed=1) == tuple(ALDI)
    assert set(choose_outlets(ALDI, 30, seed=1)) < set(choose_outlets(ALDI, 60, seed=1))


@pytest.mark.parametrize("seed", range(6))
def test_a_small_pool_is_of_few_well_filled_categories(seed: int):
    pool = choose_products(source.products("aldi"), PROFILES["aldi"], 450, seed)
    sizes = Counter(product.category_path for product in pool)
    assert 12 <= len(sizes) <= 16
    assert 520 < len(pool) < 580
    assert [p.sku for p in pool] == sorted({p.sku for p in pool})


def test_a_whole_pool_is_of_every_category():
    pool = choose_products(source.products("aldi"), PROFILES["aldi"], 10_000, 1)
    assert pool == source.products("aldi")
    assert len({product.category_path for product in pool}) > 95


def test_what_the_country_does_not_have_is_said():
    world = World(WorldSettings(stores=3, listings=60))
    with pytest.raises(UnknownStoreError):
        world.store("aldi:G999")
    with pytest.raises(UnknownStoreError):
        world.store("coles:0584")
    with pytest.raises(UnknownListingError):
        world.price_at(world.stores()[0].key, "1", WorldSettings().origin)
    iga = World(WorldSettings(companies=("iga",), listings=60))
    assert len(iga.stores()) == 928
    with pytest.raises(ValueError, match="no such company: bigmart; there are aldi, coles, iga, woolworths"):
        WorldSettings(companies=("bigmart",))
    with pytest.raises(ValueError, match="3 zones"):
        World(WorldSettings(zones=9))


@pytest.mark.parametrize("company", ["coles", "woolworths"])
def test_a_small_pool_of_a_chain_is_of_few_departments_leaves(company: str):
    pool = choose_products(source.products(company), PROFILES[company], 450, 1)
    assert 480 < len(pool) < 560
    assert len({product.category_path for product in pool}) < 25


@pytest.mark.parametrize("company", ["coles", "woolworths"])
def test_a_full_size_store_of_a_chain_carries_nearly_all_that_is_known_of_it(company: str):
    products = source.products(company)
    pool = choose_products(products, PROFILES[company], PROFILES[company].listings, 1)
    assert pool == products
    assert len(pool) > 14_500
    assert len({product.sku for product in pool}) == len(pool)
    assert all(0 < product.price < 1_000_000 and product.sku.isdecimal() for product in pool)


def test_every_company_has_a_face():
    assert FACES.keys() == PROFILES.keys()
