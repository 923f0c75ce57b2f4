"""Simulated companies through the pure domain: the true zones are found within three virtual days."""

from datetime import timedelta

import pytest

from splitcart_sandbox.retailers.world import World, WorldSettings, second
from tests.support.grouping_model import TURN, Company, replay

DAYS = 3


@pytest.mark.parametrize(("name", "listings", "zones"), [("aldi", 450, None), ("iga", 450, 12)])
def test_the_zones_of_a_company_are_found_within_three_days(name, listings, zones):
    world = World(WorldSettings(companies=(name,), stores=60, listings=listings, zones=zones))
    company = Company(name=name, thorough=False)
    keys = [store.outlet.key for store in world.stores()]
    stores = {key: key.partition(":")[2] for key in keys}
    zone: dict[str, int] = {}
    company.discover(*stores.values())
    for day in range(DAYS):
        for number, key in enumerate(keys):
            at = TURN + timedelta(days=day, hours=1 + 20 * number / len(keys))
            company.scrape(stores[key], world.price_list(key, at), at)
            # As last seen: a store that went to another zone since may well be where it was.
            zone[key] = max(move for move in world.store(key).life.moves if move[0] <= second(at))[1]
        company.tick(TURN + timedelta(days=day, hours=23))
    members = company.groups.members
    pure = [zone[store] == zone[member.anchor] for store, member in members.items()]
    assert len(company.groups.anchors) <= 2 * len(set(zone.values()))
    assert sum(pure) >= 0.99 * len(pure)
    assert len(members) > 30
    assert replay(company.log) == company.groups
