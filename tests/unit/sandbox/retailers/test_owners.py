"""Who owns which independent store: chains and single ones, the same in a small country as in the whole one."""

from collections import Counter

import pytest

from splitcart_sandbox.retailers import source
from splitcart_sandbox.retailers.profiles import PROFILES
from splitcart_sandbox.retailers.selection import choose_outlets, outlets_of
from splitcart_sandbox.retailers.zones import Zoning, chain_sizes, merged

IGA = PROFILES["iga"]
ONLINE = outlets_of(IGA)


def zoning(stores: int, seed: int = 7) -> Zoning:
    return IGA.zoning(ONLINE, choose_outlets(ONLINE, stores, seed), seed)


def owners(stores: int, seed: int = 7) -> dict[str, str]:
    found = zoning(stores, seed)
    outlets = choose_outlets(ONLINE, stores, seed)
    return {outlet.key: found.names[zone] for outlet, zone in zip(outlets, found.home, strict=True)}


def test_only_outlets_that_sell_online_are_stores():
    assert len(ONLINE) == 928
    assert all(outlet.company == "iga" and outlet.retailer_ref for outlet in ONLINE)
    aldi = outlets_of(PROFILES["aldi"])
    assert aldi == [outlet for outlet in source.outlets() if outlet.company == "aldi"]


@pytest.mark.parametrize("seed", range(3))
def test_six_in_ten_stores_are_single_and_the_largest_chain_has_eighty(seed: int):
    sizes = sorted(Counter(zoning(0, seed).home).values(), reverse=True)
    assert sizes[:4] == [80, 40, 27, 20]
    assert abs(sizes.count(1) / len(ONLINE) - 0.6) < 0.005
    assert {size for size in sizes if size > 1} >= {2, 3, 4, 5}


@pytest.mark.parametrize("seed", range(6))
def test_a_small_country_has_both_kinds_and_only_owners_that_occur(seed: int):
    found = zoning(80, seed)
    sizes = Counter(found.home)
    assert sorted(sizes) == list(range(len(found.names)))
    assert len(set(found.names)) == len(found.names) == len(found.apart)
    assert sizes.most_common(1)[0][1] >= 3
    assert sum(size > 1 for size in sizes.values()) >= 3
    assert 0.5 < sum(size == 1 for size in sizes.values()) / 80 < 0.9


def test_who_owns_a_store_does_not_depend_on_the_size_of_the_country():
    everywhere = owners(0)
    assert owners(80).items() <= everywhere.items()
    assert owners(80) == owners(80)
    assert owners(80, seed=8) != owners(80)


def test_owners_can_be_merged():
    few = merged(zoning(80), 4)
    assert len(few.names) == 4
    assert set(few.home) == {0, 1, 2, 3}


@pytest.mark.parametrize("outlets", [0, 1, 2, 79, 80, 81, 371])
def test_chains_own_all_outlets_there_are(outlets: int):
    sizes = list(chain_sizes(outlets, 80))
    assert sum(sizes) == outlets
    assert sizes == sorted(sizes, reverse=True)
    assert 1 not in sizes[:-1]
