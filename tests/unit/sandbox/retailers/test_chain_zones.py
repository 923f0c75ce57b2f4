"""The ten price zones of Coles and Woolworths, along states and remoteness."""

from itertools import combinations

import pytest

from splitcart_sandbox.retailers.profiles import CHAIN_ZONES, PROFILES
from splitcart_sandbox.retailers.selection import choose_outlets, outlets_of
from splitcart_sandbox.retailers.zones import remoteness

CHAINS = ("coles", "woolworths")


def test_two_zones_are_three_to_ten_per_cent_apart_and_the_remote_one_thirty():
    assert len(CHAIN_ZONES) == 10
    for a, b in combinations(CHAIN_ZONES, 2):
        if "remote" in (a.name, b.name):
            assert 0.28 < a.apart + b.apart < 0.325
        else:
            assert 0.03 <= a.apart + b.apart <= 0.10


@pytest.mark.parametrize("company", CHAINS)
def test_every_store_is_in_the_zone_of_its_state_and_remoteness(company: str):
    outlets = outlets_of(PROFILES[company])
    zoning = PROFILES[company].zoning(outlets, outlets, 7)
    zone_of = {outlet.key: CHAIN_ZONES[home] for outlet, home in zip(outlets, zoning.home, strict=True)}
    for outlet in outlets:
        zone = zone_of[outlet.key]
        assert outlet.state in zone.states
        assert remoteness(outlet) in zone.remoteness
    assert {zone.name for zone in zone_of.values()} == set(zoning.names)
    remote = sum(zone.name == "remote" for zone in zone_of.values())
    assert 0.03 < remote / len(outlets) < 0.08


@pytest.mark.parametrize("company", CHAINS)
def test_the_zones_do_not_depend_on_the_size_of_the_country(company: str):
    outlets = outlets_of(PROFILES[company])
    few = choose_outlets(outlets, 30, 7)
    assert PROFILES[company].zoning(outlets, few, 7).names == PROFILES[company].zoning(outlets, outlets, 7).names
