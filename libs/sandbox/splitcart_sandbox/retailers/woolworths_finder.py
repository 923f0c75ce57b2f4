"""Woolworths' store finder: around a place, of a postcode or suburb, or one store by its number.

Where retailers.md says nothing: the number is asked for by the name it has in an answer, `StoreNo`, and names are
read in either case, as the real server does with its own.
"""

from collections.abc import Mapping
from typing import Final

from splitcart_sandbox.retailers.finder import nearest
from splitcart_sandbox.retailers.web import Answer, decimal, json_answer, number
from splitcart_sandbox.retailers.woolworths_pages import refused
from splitcart_sandbox.retailers.woolworths_shapes import located
from splitcart_sandbox.retailers.world import CompanyWorld

NEAREST: Final = 30
NAMED: Final = 10
"""Stores of an answer about a place, and of one about a postcode or suburb."""


def found(world: CompanyWorld, asked: Mapping[str, str], at: int) -> Answer:
    """The open stores of one way of asking: the ways cannot be combined."""
    query = {name.casefold(): value for name, value in asked.items()}
    latitude, longitude = decimal(query, "latitude"), decimal(query, "longitude")
    most = number(query, "max", NEAREST, 1, 1_000)
    ways = [query.get(name, "").casefold() for name in ("postcode", "suburb", "storeno")]
    placed = latitude is not None and longitude is not None
    if most is None or placed + sum(map(bool, ways)) != 1:
        return refused(400, "one of latitude and longitude, postcode, suburb, StoreNo is required")
    if "SUPERMARKETS" not in query.get("division", "SUPERMARKETS").split(","):
        return json_answer({"Stores": []})
    if latitude is not None and longitude is not None:
        near = nearest(world.stores.values(), (latitude, longitude), at)[: min(most, NEAREST)]
        return json_answer({"Stores": [located(store.outlet, distance) for distance, store in near]})
    postcode, suburb, store_no = ways
    named = [
        store.outlet
        for store in world.stores.values()
        if store.life.open(at)
        and (
            store.outlet.postcode == postcode
            or store.outlet.suburb.casefold() == suburb
            or store.outlet.store_id == store_no
        )
    ]
    return json_answer({"Stores": [located(outlet, None) for outlet in named[:NAMED]]})
