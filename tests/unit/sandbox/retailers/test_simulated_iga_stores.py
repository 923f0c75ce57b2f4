"""IGA's store finder, and which store a request is about."""

import html
import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from splitcart_sandbox.retailers.iga import IgaFace
from splitcart_sandbox.retailers.web import Request
from splitcart_sandbox.retailers.world import World, WorldSettings, second

AT = datetime(2026, 9, 3, 1, tzinfo=UTC)
WORLD = World(WorldSettings(seed=7, companies=("iga",), stores=40, listings=60))
FACE = IgaFace(WORLD)
OPEN = [store for store in WORLD.stores() if store.life.open(second(AT))]
STORE = OPEN[0]


def located(store_id: object, at: int = second(AT), **query: str) -> list[dict[str, Any]]:
    query |= {"format": "json", "locationId": str(store_id)}
    answer = FACE.call(Request("GET", "location/storelocator/183/", query)).answer(at, None)
    assert (answer.status, answer.content_type) == (200, "application/javascript")
    name, _, rest = answer.body.decode().partition("(")
    assert name == query.get("callback", "")
    content = orjson.loads(rest.removesuffix(")"))["content"]
    return [orjson.loads(html.unescape(data)) for data in re.findall(r'data-storedata="([^"]*)"', content)]


def test_the_finder_names_a_store_and_its_web_shop():
    for store in OPEN:
        (found,) = located(store.outlet.store_id, callback="jQuery1")
        outlet = store.outlet
        assert (found["storeId"], found["retailerStoreId"]) == (outlet.store_id, outlet.retailer_ref)
        assert (found["storeName"], found["state"]) == (outlet.name, outlet.state)
        assert (found["latitude"], found["longitude"]) == (str(outlet.latitude), str(outlet.longitude))
    assert located(1) == located("") == located("x") == []


def test_the_finder_knows_stores_that_sell_nothing_online_in_proportion():
    assert len(FACE._offline) == pytest.approx(352 * 40 / 928, abs=1)
    for store_id in FACE._offline:
        (found,) = located(store_id)
        assert "retailerStoreId" not in found
        assert f"iga:{store_id}" not in WORLD.companies["iga"].stores


def test_a_closed_store_is_unknown():
    gone = min(WORLD.stores(), key=lambda store: store.life.closes)
    call = FACE.call(Request("GET", f"api/storefront/stores/{gone.outlet.retailer_ref}/categoryHierarchy"))
    assert call.answer(gone.life.closes - 1, None).status == 200
    assert call.answer(gone.life.closes, None).status == 404
    assert len(located(gone.outlet.store_id, gone.life.closes - 1)) == 1
    assert located(gone.outlet.store_id, gone.life.closes) == []


def test_the_front_page_and_the_wall_are_html():
    answer = FACE.call(Request("GET", "")).answer(second(AT), None)
    assert (answer.status, answer.content_type) == (200, "text/html")
    wall = FACE.bot_wall()
    assert (wall.status, wall.content_type) == (403, "text/html")


def test_calls_are_named_for_the_ledger_and_the_faults_by_the_stores_own_id():
    base = f"api/storefront/stores/{STORE.outlet.retailer_ref}"
    paths = (f"{base}/categories/Fruit/search", f"{base}/categoryHierarchy", "", "location/storelocator/183", "x")
    calls = [FACE.call(Request("GET", path)) for path in paths]
    assert [(call.kind, call.store, call.category) for call in calls] == [
        ("listing", STORE.outlet.store_id, "Fruit"),
        ("categories", STORE.outlet.store_id, ""),
        ("other", "", ""),
        ("stores", "", ""),
        ("other", "", ""),
    ]
