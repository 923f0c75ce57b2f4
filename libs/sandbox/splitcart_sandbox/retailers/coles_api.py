"""What Coles answers to the shop's own calls: stores and menus by GraphQL, and a product and the old menu by REST.

All of them want the key that every page bears. Where retailers.md says nothing: a wrong key is 401, a store or
product the interface does not know 404, and the old menu is a list of items below items of one name.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from splitcart_sandbox.retailers.chain_catalogue import ChainCatalogue
from splitcart_sandbox.retailers.coles_shapes import RESTRICTED, ColesTile, found_store, menu
from splitcart_sandbox.retailers.finder import nearest
from splitcart_sandbox.retailers.shelves import NOT_SOLD, Store
from splitcart_sandbox.retailers.web import Answer, Call, RefusedError, Request, body_of, json_answer
from splitcart_sandbox.retailers.world import CompanyWorld

NEAREST: Final = 50
BRAND: Final = "COL"
GROUPS: Final = "catalogGroupView"
"""What the old menu calls the items below an item, and the menu itself."""

_KEY: Final = "subscription-key"


class ColesApi:
    """Answers the calls below ``/api``; `key` is the one they want."""

    def __init__(
        self, world: CompanyWorld, catalogue: ChainCatalogue, tiles: Sequence[ColesTile], key: str
    ) -> None:
        self._world, self._catalogue, self._tiles, self._key = world, catalogue, tiles, key

    def call(self, request: Request, path: Sequence[str]) -> Call | None:
        """What a request asks for whose path below ``/api`` this is; None for a path that is none."""
        match request.method, path:
            case "POST", ["graphql"]:
                return self._graphql(request)
            case "GET", ["bff", "products", "categories"]:
                named = _number(request.query.get("storeId"))
                return self._with_key(request, Call("categories", named, "", partial(self._groups, named)))
            case "GET", ["bff", "products", sku]:
                named = _number(request.query.get("storeId"))
                return self._with_key(request, Call("product", named, "", partial(self._product, sku, named)))
        return None

    def _with_key(self, request: Request, call: Call) -> Call:
        key = request.headers.get(f"ocp-apim-{_KEY}") or request.query.get(_KEY)
        return call if key == self._key else _other(_errors(401, "missing or wrong subscription key"))

    def _graphql(self, request: Request) -> Call:
        """A query by the name of its operation; what is asked of it in words is not read."""
        try:
            body = body_of(request)
            operation, variables = body["operationName"], body.get("variables") or {}
        except (RefusedError, TypeError, KeyError):
            return _other(_errors(400, "BAD_REQUEST"))
        match operation:
            case "GetStores":
                call = Call("stores", "", "", lambda at, _: self._stores(variables, at))
            case "GetShopProductsMenu" | "menuItems":
                named = _number(variables.get("storeId"))
                call = Call("categories", named, "", partial(self._menu, named))
            case _:
                call = _other(_errors(200, f"unknown operation {operation}"))
        return self._with_key(request, call)

    def _stores(self, variables: Mapping[str, Any], at: int) -> Answer:
        latitude, longitude = variables.get("latitude"), variables.get("longitude")
        if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
            return _errors(200, "latitude and longitude are required")
        brands = variables.get("brandIds")
        asked = not isinstance(brands, list) or BRAND in brands
        near = nearest(self._world.stores.values(), (latitude, longitude), at) if asked else []
        found = [found_store(store.outlet, distance) for distance, store in near[:NEAREST]]
        return json_answer({"data": {"stores": {"results": found}}})

    def _menu(self, named: str, at: int, _hides: object) -> Answer:
        items = self._items(named, at, "childItems")
        if items is None:
            return _errors(200, f"store {named} not found")
        return json_answer({"data": {"menuItems": {"restrictedIds": RESTRICTED, "items": items}}})

    def _groups(self, named: str, at: int, _hides: object) -> Answer:
        items = self._items(named, at, GROUPS)
        return _errors(404, f"store {named} not found") if items is None else json_answer({GROUPS: items})

    def _items(self, named: str, at: int, children: str) -> list[dict[str, Any]] | None:
        store = self._open(named, at)
        if store is None:
            return None
        listed = self._catalogue.listed(store, self._world.shelf(store, at))

        def count(key: str) -> int:
            members = self._catalogue.members(key)
            return 0 if members is None else int(np.count_nonzero(listed[members]))

        return menu(self._catalogue.shown, count, children)

    def _product(self, sku: str, named: str, at: int, _hides: object) -> Answer:
        store, number = self._open(named, at), self._world.number.get(sku)
        if store is None or number is None:
            return _errors(404, f"product {sku} of store {named} not found")
        shelf, tile = self._world.shelf(store, at), self._tiles[number]
        now = int(shelf.prices[number])
        entry = tile.unpriced(sold=False) if now == NOT_SOLD else tile.priced(now, int(shelf.regular[number]))
        return json_answer(tile.detail(entry))

    def _open(self, named: str, at: int) -> Store | None:
        store = self._world.stores.get(f"{self._world.profile.company}:{named}")
        return store if store is not None and store.life.open(at) else None


def _number(store_id: object) -> str:
    """A store's number without brand and zeros, as its key has it."""
    return str(store_id or "").removeprefix(f"{BRAND}:").lstrip("0")


def _other(answer: Answer) -> Call:
    return Call("other", "", "", lambda _at, _: answer)


def _errors(status: int, message: str) -> Answer:
    return json_answer({"errors": [{"message": message}], "data": None}, status)
