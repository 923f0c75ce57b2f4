"""Woolworths as it shows itself: front page, store finder, category tree, listings, search, product, substitutes.

JSON from the site's own interface, prices in dollars. `Price`, in cents, is what the world calls the price; it
equals `InstorePrice` always. Where it is null the store does not sell the product now. Every tile says by
`FulfilmentStoreId` whose prices it bears: those of the `storeId` in the body, as splitcart's requests have it; a
guest may be refused that choice (`Fault.STORE_IGNORED`) and be shown the default store, as is whoever names none
or one that trades no more. Where retailers.md says nothing: too large a page is 400, Front of Store 500, sorts
other than by name and price are by relevance, and a search's bundles and count are `Products` and
`SearchResultsCount`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import orjson

from splitcart_sandbox.retailers.chain_catalogue import ChainCatalogue
from splitcart_sandbox.retailers.faults import PAGE_FAULTS, REPEATED, Fault, lacks_price
from splitcart_sandbox.retailers.noise import I64, fraction
from splitcart_sandbox.retailers.shelves import NOT_SOLD, Shelf, Store
from splitcart_sandbox.retailers.web import (
    Answer,
    Answering,
    Call,
    Hides,
    RefusedError,
    Request,
    body_of,
    json_answer,
)
from splitcart_sandbox.retailers.woolworths_finder import found
from splitcart_sandbox.retailers.woolworths_pages import FIXED, WALL, bundles_page, refused, search_page
from splitcart_sandbox.retailers.woolworths_rows import WoolworthsRows
from splitcart_sandbox.retailers.woolworths_shapes import WoolworthsTile, tree
from splitcart_sandbox.retailers.world import World

LARGEST_PAGE: Final = 36
MOST_SERVED: Final = 10_000
"""Products of one category that are served, whatever its count."""
DEFAULT_STORE: Final = "1101"

GATHERING: Final[Mapping[str, float]] = {
    "Specials": 0.0, "Meal Occasions": 0.002, "Lunch Box": 0.001, "Everyday Market": 0.0, "Electronics": 0.0,
    "Home & Lifestyle": 0.0, "Front of Store": 0.0,
}  # fmt: skip
"""Roots whose goods are elsewhere too, or other sellers', or that answer with an error."""

UNSOLD: Final = 0.1
"""Share of what a store does not sell that is listed without a price: 31 of 2,190 real products."""

EMPTY_SHARE: Final = 0.25
"""Share of listings that are empty past their end where `enableAdReRanking` is false; others never are."""


class WoolworthsFace:
    """Answers what `www.woolworths.com.au` answers, from a world. Holds no state but what it has rendered."""

    company = "woolworths"

    def __init__(self, world: World) -> None:
        self._world, seed = world.companies[self.company], world.settings.seed
        products = self._world.products
        self._catalogue = catalogue = ChainCatalogue(self.company, products, seed, GATHERING, UNSOLD)
        self._tiles = [
            WoolworthsTile(product, seed, [catalogue.nodes(home) for home in catalogue.homes(product)])
            for product in products
        ]
        self._rows = WoolworthsRows(catalogue, products, seed)
        self._tree = orjson.dumps({"Categories": tree(catalogue.shown)})

    def call(self, request: Request) -> Call:
        """What a request asks for; other paths and methods are answered 404, all without a user-agent 403."""
        path = request.path.strip("/").split("/")
        if not request.headers.get("user-agent"):
            return _other(WALL)
        match request.method, path:
            case "GET", ["apis", "ui", "StoreLocator", "Stores"]:
                call = Call("stores", "", "", lambda at, _: found(self._world, request.query, at))
            case "GET", ["apis", "ui", "PiesCategoriesWithSpecials"]:
                call = Call("categories", "", "", lambda _at, _: Answer(200, self._tree))
            case "POST", ["apis", "ui", "browse", "category"]:
                call = self._listing_call(request)
            case "POST", ["apis", "ui", "Search", "products"]:
                call = self._search_call(request)
            case "GET", ["apis", "ui", "product", "detail", sku]:
                call = Call("product", "", "", lambda at, _: self._product(sku, at))
            case "GET", ["api", "v3", "ui", "subs", sku]:
                call = Call("product", "", "", lambda at, _: self._substitutes(sku, at))
            case _:
                call = _other(FIXED.get((request.method, "/".join(path)), refused(404, "Not Found")))
        return call

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

    def _listing_call(self, request: Request) -> Call:
        try:
            body = body_of(request)
            key, wanted = str(body["categoryId"]), str(body.get("storeId") or "")
            page = _page(body["pageNumber"], body["pageSize"])
        except (RefusedError, TypeError, KeyError, AttributeError):
            return Call("listing", "", "", lambda _at, _: refused(400, "The request is invalid"))
        if page is None:
            return Call("listing", wanted, key, lambda _at, _: refused(400, "The page is invalid"))
        ask = partial(self._listing, key, wanted, body, page, None)
        own: dict[str, Answering] = {
            fault: partial(self._listing, key, wanted, body, page, fault) for fault in PAGE_FAULTS
        }
        return Call("listing", wanted, key, ask, own)

    def _listing(
        self,
        key: str,
        wanted: str,
        body: Mapping[str, Any],
        page: slice,
        fault: Fault | None,
        at: int,
        hides: Hides,
    ) -> Answer:
        store = self._store("" if fault is Fault.STORE_IGNORED else wanted, at)
        root = self._rows.root.get(key)
        if root is not None and root.name == "Front of Store":
            return refused(500, "An error has occurred")
        if store is None or root is None:
            return bundles_page(0, [])
        shelf = self._world.shelf(store, at)
        rows = self._rows.listed(key, store, shelf, body, hides)
        served = rows[page][: max(MOST_SERVED - page.start, 0)]
        bundles = self._bundles(served, store, shelf, fault)
        quiet = body.get("enableAdReRanking") is False and fraction("past the end", key) < EMPTY_SHARE
        if len(served) or not quiet:
            bundles = self._with_adverts(bundles, self._rows.promoted(key, root.key, shelf), store, shelf)
        return bundles_page(len(rows), bundles)

    def _search_call(self, request: Request) -> Call:
        try:
            body = body_of(request)
            text, wanted = str(body["SearchTerm"]), str(body.get("storeId") or "")
            page = _page(body.get("PageNumber", 1), body.get("PageSize", LARGEST_PAGE))
        except (RefusedError, TypeError, KeyError, AttributeError):
            return Call("listing", "", "", lambda _at, _: refused(400, "The request is invalid"))
        if page is None:
            return Call("listing", wanted, "", lambda _at, _: refused(400, "The page is invalid"))
        return Call("listing", wanted, "", lambda at, _: self._search(text, wanted, page, at))

    def _search(self, text: str, wanted: str, page: slice, at: int) -> Answer:
        store = self._store(wanted, at)
        if store is None:
            return search_page(0, [])
        shelf = self._world.shelf(store, at)
        rows = self._rows.searched(text, shelf)
        bundles = self._bundles(rows[page], store, shelf, None)
        promoted = self._rows.promoted(f"search for {text.casefold()}", None, shelf)
        return search_page(len(rows), self._with_adverts(bundles, promoted, store, shelf))

    def _bundles(self, served: I64, store: Store, shelf: Shelf, fault: Fault | None) -> list[bytes]:
        number_of, own = int(store.outlet.store_id), served[served < len(self._tiles)]
        bundles = [self._bundle(listing, number_of, fault) for listing in shelf.priced(own)]
        others = (served[len(own) :] - len(self._tiles)).tolist()
        bundles += [self._tiles[row].market(number_of) for row in others]
        if fault is Fault.DUPLICATES:
            bundles += bundles[:REPEATED]
        if fault is Fault.SPONSORED:
            bundles = self._copies(own[shelf.prices[own] != NOT_SOLD], store, shelf) + bundles
        return bundles

    def _bundle(self, listing: tuple[int, int, int], store: int, fault: Fault | None) -> bytes:
        row, now, regular = listing
        tile = self._tiles[row]
        if now == NOT_SOLD:
            return tile.unpriced(store, sold=False)
        if fault is Fault.MISSING_PRICES and lacks_price(self._world.products[row].sku):
            return tile.unpriced(store, sold=True)
        return tile.priced(now, regular, store)

    def _with_adverts(self, bundles: list[bytes], promoted: I64, store: Store, shelf: Shelf) -> list[bytes]:
        """Four of the promoted on top and, after six of the products, the others."""
        adverts = self._copies(promoted, store, shelf)
        return adverts[:4] + bundles[:6] + adverts[4:] + bundles[6:]

    def _copies(self, numbers: I64, store: Store, shelf: Shelf) -> list[bytes]:
        number_of = int(store.outlet.store_id)
        return [
            self._tiles[n].promoted(now, regular, number_of, index)
            for index, (n, now, regular) in enumerate(shelf.priced(numbers))
        ]

    def _product(self, sku: str, at: int) -> Answer:
        store, n = self._store("", at), self._world.number.get(sku)
        if store is None or n is None:
            return refused(404, "Not Found")
        shelf = self._world.shelf(store, at)
        if shelf.prices[n] == NOT_SOLD:
            return refused(404, "Not Found")
        return json_answer({"Product": self._told(np.array([n]), store, shelf)[0]})

    def _substitutes(self, sku: str, at: int) -> Answer:
        store, n = self._store("", at), self._world.number.get(sku)
        if store is None or n is None:
            return json_answer({"Result": []})
        shelf = self._world.shelf(store, at)
        products = self._told(self._rows.substitutes(n, shelf), store, shelf)
        scored = [{"Product": tile, "Score": len(products) - place} for place, tile in enumerate(products)]
        return json_answer({"Result": [{"StockCode": int(sku), "SubstituteProductList": scored}]})

    def _told(self, numbers: I64, store: Store, shelf: Shelf) -> list[dict[str, Any]]:
        """The tiles of products that are sold, out of their bundles."""
        number_of = int(store.outlet.store_id)
        return [self._tiles[n].detail(now, regular, number_of) for n, now, regular in shelf.priced(numbers)]


def _page(page: object, size: object) -> slice | None:
    """The rows of a page, None for a page there cannot be."""
    if type(page) is not int or page < 1 or type(size) is not int or not 1 <= size <= LARGEST_PAGE:
        return None
    return slice((page - 1) * size, page * size)


def _other(answer: Answer) -> Call:
    return Call("other", "", "", lambda _at, _: answer)
