"""Woolworths as it shows itself: front page, store finder, category tree, listings, product detail.

JSON from the site's own interface, prices in dollars. `Price`, in cents, is what the world calls the price; it
equals `InstorePrice` always. Where it is null the store does not sell the product now. Every tile says by
`FulfilmentStoreId` whose prices it bears: those of the `storeId` in the body, as splitcart's requests have it; a
guest may be refused that choice (`Fault.STORE_IGNORED`) and be shown the default store, as is whoever names none
or one that trades no more. Where retailers.md says nothing: too large a page is 400, Front of Store 500, and
sorts other than by name and price are by relevance.
"""

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, Final

import numpy as np
import orjson

from splitcart_sandbox.retailers.catalogue import unhidden
from splitcart_sandbox.retailers.chain_catalogue import SPECIALS, ChainCatalogue
from splitcart_sandbox.retailers.faults import PAGE_FAULTS, REPEATED, Fault, lacks_price
from splitcart_sandbox.retailers.finder import nearest
from splitcart_sandbox.retailers.noise import I64, fraction, salt
from splitcart_sandbox.retailers.shelves import NOT_SOLD, Shelf, Store
from splitcart_sandbox.retailers.web import (
    Answer,
    Answering,
    Call,
    Hides,
    RefusedError,
    Request,
    body_of,
    decimal,
    json_answer,
    number,
)
from splitcart_sandbox.retailers.woolworths_pages import FIXED, WALL, bundles_page, refused
from splitcart_sandbox.retailers.woolworths_shapes import WoolworthsTile, display_name, located, tree
from splitcart_sandbox.retailers.world import World

LARGEST_PAGE: Final = 36
MOST_SERVED: Final = 10_000
"""Products of one category that are served, whatever its count."""
NEAREST: Final = 30
NAMED: Final = 10
"""Stores of an answer about a place, and of one about a postcode or suburb."""
DEFAULT_STORE: Final = "1101"

GATHERING: Final[Mapping[str, float]] = {
    "Specials": 0.0, "Meal Occasions": 0.002, "Lunch Box": 0.001, "Everyday Market": 0.0, "Electronics": 0.0,
    "Home & Lifestyle": 0.0, "Front of Store": 0.0,
}  # fmt: skip
"""Roots whose goods are elsewhere too, or other sellers', or that answer with an error."""

UNSOLD: Final = 0.1
"""Share of what a store does not sell that is listed without a price: 31 of 2,190 real products."""

MARKET_SHARE: Final = 0.8
"""Share of products that another seller has as well; of each node of the other sellers' own roots less."""
MARKET_ROOTS: Final[Mapping[str, float]] = {"Everyday Market": 1.0, "Electronics": 0.1, "Home & Lifestyle": 0.1}

PROMOTED: Final = (8, 8, 8, 7, 6, 5, 3, 1)
"""How many promoted products a listing has, drawn evenly: 17 % of the rows of real pages."""
EMPTY_SHARE: Final = 0.25
"""Share of listings that are empty past their end where `enableAdReRanking` is false; others never are."""


class WoolworthsFace:
    """Answers what `www.woolworths.com.au` answers, from a world. Holds no state but what it has rendered."""

    company = "woolworths"

    def __init__(self, world: World) -> None:
        self._world, seed = world.companies[self.company], world.settings.seed
        self._seed, products = seed, self._world.products
        self._catalogue = catalogue = ChainCatalogue(self.company, products, seed, GATHERING, UNSOLD)
        self._tiles = [
            WoolworthsTile(product, seed, [catalogue.nodes(home) for home in catalogue.homes(product)])
            for product in products
        ]
        by_name = sorted(range(len(products)), key=lambda n: display_name(products[n]).casefold())
        self._by_name = np.argsort(np.array(by_name, np.int64))
        self._tree = orjson.dumps({"Categories": tree(catalogue.shown)})
        # A key can be in the specials' root as well as in its own department: the latter comes last, and counts.
        self._root = {node.key: catalogue.nodes(path[:1])[0] for path, node in catalogue.paths()}
        self._named = lru_cache(maxsize=4096)(self._sorted_by_name)

    def call(self, request: Request) -> Call:
        """What a request asks for; other paths and methods are answered 404, all without a user-agent 403."""
        query, path = request.query, request.path.strip("/").split("/")
        if not request.headers.get("user-agent"):
            return _other(WALL)
        match request.method, path:
            case "GET", ["apis", "ui", "StoreLocator", "Stores"]:
                return Call("stores", "", "", lambda at, _: self._stores(query, at))
            case "GET", ["apis", "ui", "PiesCategoriesWithSpecials"]:
                return Call("categories", "", "", lambda _at, _: Answer(200, self._tree))
            case "POST", ["apis", "ui", "browse", "category"]:
                return self._listing_call(request)
            case "GET", ["apis", "ui", "product", "detail", sku]:
                return Call("product", "", "", lambda at, _: self._product(sku, at))
            case _:
                return _other(FIXED.get((request.method, "/".join(path)), refused(404, "Not Found")))

    def bot_wall(self) -> Answer:
        """What the content network in front of Woolworths answers to a client it refuses."""
        return WALL

    def _store(self, wanted: str, at: int) -> Store | None:
        """The store that is asked for if it is open, else the default one, else the first that is."""
        for store_id in (wanted, DEFAULT_STORE):
            store = self._world.stores.get(f"{self.company}:{store_id}")
            if store is not None and store.life.open(at):
                return store
        return next((store for store in self._world.stores.values() if store.life.open(at)), None)

    def _stores(self, query: Mapping[str, str], at: int) -> Answer:
        """Around a place, of a postcode or of a suburb: one of them, as they cannot be combined."""
        latitude, longitude = decimal(query, "latitude"), decimal(query, "longitude")
        most = number(query, "Max", NEAREST, 1, 1_000)
        postcode, suburb = query.get("postcode"), query.get("suburb")
        placed = latitude is not None and longitude is not None
        if most is None or placed + bool(postcode) + bool(suburb) != 1:
            return refused(400, "one of latitude and longitude, postcode, suburb is required")
        if "SUPERMARKETS" not in query.get("Division", "SUPERMARKETS").split(","):
            return json_answer({"Stores": []})
        if latitude is not None and longitude is not None:
            near = nearest(self._world.stores.values(), (latitude, longitude), at)
            found = [located(store.outlet, distance) for distance, store in near[: min(most, NEAREST)]]
        else:
            found = [
                located(store.outlet, None)
                for store in self._world.stores.values()
                if store.life.open(at)
                and (
                    store.outlet.postcode == postcode
                    or store.outlet.suburb.casefold() == (suburb or "").casefold()
                )
            ]
        return json_answer({"Stores": found if placed else found[:NAMED]})

    def _listing_call(self, request: Request) -> Call:
        try:
            body = body_of(request)
            key, page, size = body["categoryId"], body["pageNumber"], body["pageSize"]
        except (RefusedError, TypeError, KeyError):
            return Call("listing", "", "", lambda _at, _: refused(400, "The request is invalid"))
        wanted = str(body.get("storeId") or "")
        if type(page) is not int or page < 1 or type(size) is not int or not 1 <= size <= LARGEST_PAGE:
            return Call("listing", wanted, str(key), lambda _at, _: refused(400, "The page is invalid"))
        ask = partial(self._listing, str(key), wanted, body, None)
        own: dict[str, Answering] = {
            fault: partial(self._listing, str(key), wanted, body, fault) for fault in PAGE_FAULTS
        }
        return Call("listing", wanted, str(key), ask, own)

    def _listing(
        self, key: str, wanted: str, body: Mapping[str, Any], fault: Fault | None, at: int, hides: Hides
    ) -> Answer:
        store = self._store("" if fault is Fault.STORE_IGNORED else wanted, at)
        root = self._root.get(key)
        if root is not None and root.name == "Front of Store":
            return refused(500, "An error has occurred")
        if store is None or root is None:
            return bundles_page(0, [])
        shelf = self._world.shelf(store, at)
        rows = self._rows(key, root.name, store, shelf, body, hides)
        page, size = body["pageNumber"], body["pageSize"]
        served = rows[(page - 1) * size : min(page * size, MOST_SERVED)]
        number_of, last = int(store.outlet.store_id), not served
        bundles = [self._bundle(row, number_of, shelf, fault) for row in served]
        if fault is Fault.DUPLICATES:
            bundles += bundles[:REPEATED]
        quiet = last and body.get("enableAdReRanking") is False and fraction("past the end", key) < EMPTY_SHARE
        if not quiet:
            adverts = self._promoted(key, root.key, number_of, shelf)
            # Four on top and, after six of the products, the others.
            bundles = adverts[:4] + bundles[:6] + adverts[4:] + bundles[6:]
        return bundles_page(len(rows), bundles)

    def _rows(
        self, key: str, root: str, store: Store, shelf: Shelf, body: Mapping[str, Any], hides: Hides
    ) -> list[int]:
        """What a listing has, in its order: numbers of products, other sellers' beyond the last of them."""
        sort, products = body.get("sortType"), self._world.products
        members = self._named(key) if sort == "Name" else self._members(key)
        if key.endswith(SPECIALS) or root == "Specials":
            members = members[shelf.prices[members] < shelf.regular[members]]
        sold_only = body.get("isHideUnavailableProducts") is True
        listed = shelf.prices != NOT_SOLD if sold_only else self._catalogue.listed(store, shelf)
        if sort in ("PriceAsc", "PriceDesc"):
            price = shelf.prices[members] * (1 if sort == "PriceAsc" else -1)
            members = members[np.argsort(price, kind="stable")]
        rows = unhidden(members[listed[members]], products, hides)
        if body.get("isHideEverydayMarketProducts") is not True:
            rows += (self._marketed(key, root) + len(products)).tolist()
        return rows

    def _members(self, key: str) -> I64:
        """Of a node of specials, what can be in it: all below its parent, or all there is."""
        if key.startswith("specialsgroup"):
            return np.arange(len(self._tiles))
        members = self._catalogue.members(key.removesuffix(SPECIALS))
        return np.zeros(0, np.int64) if members is None else members

    def _sorted_by_name(self, key: str) -> I64:
        members = self._members(key)
        return members[np.argsort(self._by_name[members])]

    def _marketed(self, key: str, root: str) -> I64:
        share = MARKET_ROOTS.get(root)
        if share is not None:
            return np.flatnonzero(self._catalogue.share(f"marketed in {root}", share * MARKET_SHARE))
        members = self._members(key)
        return members[self._catalogue.share("marketed", MARKET_SHARE)[members]]

    def _bundle(self, row: int, store: int, shelf: Shelf, fault: Fault | None) -> bytes:
        if row >= len(self._tiles):
            return self._tiles[row - len(self._tiles)].market(store)
        tile, now = self._tiles[row], int(shelf.prices[row])
        if now == NOT_SOLD:
            return tile.unpriced(store, sold=False)
        if fault is Fault.MISSING_PRICES and lacks_price(self._world.products[row].sku):
            return tile.unpriced(store, sold=True)
        return tile.priced(now, int(shelf.regular[row]), store)

    def _promoted(self, key: str, root: str, store: int, shelf: Shelf) -> list[bytes]:
        """Copies of products of the department, the same ones on every page of a listing."""
        members, draw = self._members(root), salt(self._seed, "promoted", key)
        sold = members[shelf.prices[members] != NOT_SOLD]
        chosen = (
            [int(sold[(draw >> 3 + step) % len(sold)]) for step in range(PROMOTED[draw % 8])] if len(sold) else []
        )
        return [
            self._tiles[n].promoted(int(shelf.prices[n]), int(shelf.regular[n]), store, index)
            for index, n in enumerate(chosen)
        ]

    def _product(self, sku: str, at: int) -> Answer:
        store, n = self._store("", at), self._world.number.get(sku)
        if store is None or n is None:
            return refused(404, "Not Found")
        shelf = self._world.shelf(store, at)
        if shelf.prices[n] == NOT_SOLD:
            return refused(404, "Not Found")
        prices = int(shelf.prices[n]), int(shelf.regular[n])
        return json_answer(self._tiles[n].detail(*prices, int(store.outlet.store_id)))


def _other(answer: Answer) -> Call:
    return Call("other", "", "", lambda _at, _: answer)
