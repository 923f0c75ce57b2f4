"""Aldi as it shows itself: service points, category tree, product search and product detail.

Plain JSON without login or cookie. Prices are integer cents, a was-price is only a display string, there is no
barcode anywhere, and a listing page whose offset is past the end is HTTP 400.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import orjson

from splitcart_sandbox.retailers.aldi_catalogue import AldiCatalogue
from splitcart_sandbox.retailers.aldi_shapes import MISSING, Tile, service_point, tree
from splitcart_sandbox.retailers.catalogue import Words, on_shelf
from splitcart_sandbox.retailers.faults import REPEATED, Fault, lacks_price
from splitcart_sandbox.retailers.finder import nearest
from splitcart_sandbox.retailers.noise import I64
from splitcart_sandbox.retailers.shelves import NOT_SOLD, Shelf, Store
from splitcart_sandbox.retailers.web import Answer, Answering, Call, Hides, Request, decimal, json_answer, number
from splitcart_sandbox.retailers.world import World

NEARBY_KM: Final = 50.0
"""How far service points are nearby: around Glenmore Park this finds what the real endpoint counted, about 47."""

PAGE: Final = 30
LARGEST_PAGE: Final = 60
SORTS: Final = ("relevance", "name_asc", "name_desc", "price_asc", "price_desc")
CACHE: Final = "public, max-age=900"

_WALL: Final = b"""<HTML><HEAD>
<TITLE>Access Denied</TITLE>
</HEAD><BODY>
<H1>Access Denied</H1>
You don't have permission to access this resource on this server.<P>
Reference&#32;&#35;18&#46;5e1f1f17&#46;1790000000&#46;1a2b3c4d
</BODY>
</HTML>
"""


class AldiFace:
    """Answers what `api.aldi.com.au` answers, from a world. Holds no state of its own but what it has rendered."""

    company = "aldi"

    def __init__(self, world: World) -> None:
        self._world = world.companies[self.company]
        self._catalogue = AldiCatalogue(self._world.products, world.settings.seed)
        self._tiles = [Tile(product, self._catalogue.path(product)) for product in self._world.products]
        names = sorted(range(len(self._tiles)), key=lambda n: self._world.products[n].name.casefold())
        self._by_name = np.argsort(np.array(names))
        self._words = Words(self._world.products)
        self._tree = orjson.dumps({"data": tree(self._catalogue.shown)})

    def call(self, request: Request) -> Call:
        """What a request asks for; other paths and methods are answered 404 as an unknown route."""
        query, store = request.query, request.query.get("servicePoint", "")
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["v2", "service-points"]:
                return Call("stores", "", "", lambda at, _: self._service_points(query, at))
            case "GET", ["v2", "product-category-tree"]:
                return Call("categories", store, "", lambda at, _: self._category_tree(query, at))
            case "GET", ["v3", "product-search"]:
                own: dict[str, Answering] = {
                    fault: partial(self._search, query, fault)
                    for fault in (Fault.DUPLICATES, Fault.MISSING_PRICES)
                }
                ask = partial(self._search, query, None)
                return Call("listing", store, query.get("categoryKey", ""), ask, own)
            case "GET", ["v2", "products", sku]:
                return Call("product", store, "", lambda at, _: self._product(sku, query, at))
            case _:
                return Call("other", store, "", lambda _at, _: _error(404, "No route found for this request"))

    def bot_wall(self) -> Answer:
        """What the content network in front of Aldi answers to a client it refuses."""
        return Answer(403, _WALL, {}, "text/html")

    def _service_points(self, query: Mapping[str, str], at: int) -> Answer:
        latitude, longitude = decimal(query, "latitude"), decimal(query, "longitude")
        limit, offset = number(query, "limit", 10, 1, 100), number(query, "offset", 0, 0, 1_000_000)
        if latitude is None or longitude is None:
            return _error(400, "latitude and longitude are required")
        if limit is None or offset is None:
            return _error(400, "limit and offset are out of range")
        near = nearest(self._world.stores.values(), (latitude, longitude), at)
        within = [(distance, store) for distance, store in near if distance <= NEARBY_KM]
        if query.get("includeNearbyServicePoints") != "true":
            within = within[:1]
        data = [service_point(store.outlet, distance, at) for distance, store in within[offset : offset + limit]]
        return json_answer({"data": data, "meta": {"pagination": _pagination(offset, limit, len(within))}})

    def _category_tree(self, query: Mapping[str, str], at: int) -> Answer:
        store = self._store(query, at)
        if isinstance(store, Answer):
            return store
        return Answer(200, self._tree, {"cache-control": CACHE})

    def _search(self, query: Mapping[str, str], fault: Fault | None, at: int, hides: Hides) -> Answer:
        store = self._store(query, at)
        if isinstance(store, Answer):
            return store
        limit, offset = number(query, "limit", PAGE, 1, LARGEST_PAGE), number(query, "offset", 0, 0, 1_000_000)
        if limit is None or offset is None:
            return _error(400, f"limit must be 1 to {LARGEST_PAGE}, offset not negative")
        shelf = self._world.shelf(store, at)
        found = self._found(query, shelf)
        if isinstance(found, Answer):
            return found
        shown = on_shelf(found, shelf, self._world.products, hides)
        if offset and offset >= len(shown):
            return _error(400, "The requested offset is out of range")
        sort = query.get("sort", SORTS[0])
        if sort not in SORTS:
            return _error(400, f"sort must be one of {', '.join(SORTS)}")
        page = self._sorted(shown, sort, shelf)[offset : offset + limit]
        meta = {**MISSING, "pagination": _pagination(offset, limit, len(shown)), "sort": SORTS, "facets": []}
        return json_answer({"data": self._rendered(page, shelf, fault), "meta": meta})

    def _rendered(self, page: I64, shelf: Shelf, fault: Fault | None) -> list[orjson.Fragment]:
        def tile(n: int, now: int, regular: int) -> orjson.Fragment:
            if fault is Fault.MISSING_PRICES and lacks_price(self._world.products[n].sku):
                return self._tiles[n].unpriced()
            return self._tiles[n].priced(now, regular)

        tiles = [tile(*listing) for listing in shelf.priced(page)]
        return tiles + tiles[:REPEATED] if fault is Fault.DUPLICATES else tiles

    def _found(self, query: Mapping[str, str], shelf: Shelf) -> I64 | Answer:
        """Numbers of the listings of a category or with the words of a search, in the order of relevance."""
        key = query.get("categoryKey")
        if key is not None:
            members = self._catalogue.members(key, shelf)
            return _error(404, f"Category {key} not found") if members is None else members
        words = query.get("q", "")
        return self._words.find(words) if words.strip() else _error(400, "q or categoryKey is required")

    def _sorted(self, numbers: I64, sort: str, shelf: Shelf) -> I64:
        by, _, direction = sort.partition("_")
        if by == "relevance":
            return numbers
        key = (self._by_name if by == "name" else shelf.prices)[numbers]
        return numbers[np.argsort(-key if direction == "desc" else key, kind="stable")]

    def _product(self, sku: str, query: Mapping[str, str], at: int) -> Answer:
        store = self._store(query, at)
        if isinstance(store, Answer):
            return store
        number_of = self._world.number.get(sku)
        shelf = self._world.shelf(store, at)
        if number_of is None or shelf.prices[number_of] == NOT_SOLD:
            return _error(404, f"Product {sku} not found")
        prices = int(shelf.prices[number_of]), int(shelf.regular[number_of])
        return json_answer({"data": self._tiles[number_of].detail(*prices)})

    def _store(self, query: Mapping[str, str], at: int) -> Store | Answer:
        """The open store a request names; without one the first, as the site does for a visitor who chose none."""
        key = query.get("servicePoint")
        stores = self._world.stores
        if key is None:
            store = next((store for store in stores.values() if store.life.open(at)), None)
        else:
            store = stores.get(f"{self.company}:{key}")
        if store is None or not store.life.open(at):
            return _error(404, f"Service point {key} not found")
        return store


def _pagination(offset: int, limit: int, total: int) -> dict[str, int]:
    return {"offset": offset, "limit": limit, "totalCount": total}


def _error(status: int, detail: str) -> Answer:
    body: dict[str, Any] = {"errors": [{"status": status, "code": str(status), "detail": detail}]}
    return json_answer(body, status)
