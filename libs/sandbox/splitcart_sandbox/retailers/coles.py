"""Coles as it shows itself: front page, store finder, menu, listings as data and as HTML, product pages.

A Next.js shop. Prices are dollars; `pricing.now`, in cents, is what the world calls the price. What is listed
without pricing is not sold at the store. The cookie `fulfillmentStoreId` chooses the store, in four digits; one
that trades no more, or none, is answered with the shop's default store, which every page says it is about. Where
retailers.md says nothing: the default is the country's first open store; the address alone names a listing, its
`slug` parameters are taken and not compared; a page number that is none is 404.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import orjson

from splitcart_sandbox.retailers.catalogue import unhidden
from splitcart_sandbox.retailers.chain_catalogue import ChainCatalogue
from splitcart_sandbox.retailers.coles_adverts import with_adverts
from splitcart_sandbox.retailers.coles_pages import NOT_FOUND, WALL, html_page
from splitcart_sandbox.retailers.coles_shapes import ASSETS, ColesTile, found_store, menu, padded
from splitcart_sandbox.retailers.faults import PAGE_FAULTS, REPEATED, Fault, lacks_price
from splitcart_sandbox.retailers.finder import nearest
from splitcart_sandbox.retailers.noise import salt
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
    number,
)
from splitcart_sandbox.retailers.world import World

PAGE: Final = 48
MOST_PAGES: Final = 104
"""Pages of any listing that are served; the next is empty whatever the count says."""
NEAREST: Final = 50
BRAND: Final = "COL"

GATHERING: Final[Mapping[str, float]] = {
    "Down Down": 0.01, "Big Pack Value": 0.002, "Bonus Entry Products": 0.005, "Deliver More Range": 0.0005,
    "Liquorland": 0.0, "Tobacco": 0.0,
}  # fmt: skip
"""Roots whose goods are elsewhere too. Liquorland and tobacco are in the menu, with nothing in them."""

UNSOLD: Final = 0.003
"""Share of what a store does not sell that is listed without pricing: 2 of 5,050 products of real pages."""

_COOKIE: Final = re.compile(r"(?:^|;)\s*fulfillmentStoreId=(\d{1,6})\s*(?:;|$)", re.ASCII)


class ColesFace:
    """Answers what `www.coles.com.au` answers, from a world. Its only state is how often it was deployed."""

    company = "coles"

    def __init__(self, world: World) -> None:
        self._world, self._seed = world.companies[self.company], world.settings.seed
        products = self._world.products
        self._catalogue = ChainCatalogue(self.company, products, self._seed, GATHERING, UNSOLD)
        self._tiles = [
            ColesTile(
                product, self._seed, [self._catalogue.nodes(home) for home in self._catalogue.homes(product)]
            )
            for product in products
        ]
        self._keys = {
            "/".join(node.slug for node in self._catalogue.nodes(path)): node.key
            for path, node in self._catalogue.paths()
        }
        self._key = f"{salt(self._seed, 'subscription'):032x}"
        self._deployments = 0

    @property
    def build_id(self) -> str:
        """The build id that addresses of the data route bear until the next deployment."""
        build = salt(self._seed, "build", self._deployments)
        return (
            f"20260{1 + self._deployments % 9}01.{1 + self._deployments}-{build:016x}{build:016x}{build >> 32:08x}"
        )

    def call(self, request: Request) -> Call:
        """What a request asks for; other paths and methods are answered 404."""
        cookie = _COOKIE.search(request.headers.get("cookie", ""))
        wanted = cookie[1].lstrip("0") if cookie else ""
        match request.method, request.path.strip("/").split("/"):
            case "GET", [""]:
                return Call("other", wanted, "", lambda at, _: self._front(self._store(wanted, at)))
            case "POST", ["api", "graphql"]:
                return self._graphql(request, wanted)
            case "GET", ["_next", "data", build, "en", *page] if page[-1:] and page[-1].endswith(".json"):
                return self._page_call([*page[:-1], page[-1].removesuffix(".json")], wanted, request.query, build)
            case "GET", page:
                return self._page_call(page, wanted, request.query, None)
            case _:
                return Call("other", wanted, "", lambda _at, _: NOT_FOUND)

    def _page_call(self, path: list[str], wanted: str, query: Mapping[str, str], build: str | None) -> Call:
        """A page of the shop: as data under the address of a build, else as HTML."""
        match path:
            case ["browse", *slugs]:
                return self._listing_call("/".join(slugs), wanted, query, build)
            case ["product", name]:
                sku = name.rpartition("-")[2]
                return Call(
                    "product",
                    wanted,
                    "",
                    lambda at, _: self._product(sku, wanted, build, at),
                    self._deploys(build),
                )
            case _:
                return Call("other", wanted, "", lambda _at, _: NOT_FOUND)

    def bot_wall(self) -> Answer:
        """What the content network in front of Coles answers to a client it doubts: 200, and no data."""
        return WALL

    def _store(self, wanted: str, at: int) -> Store | None:
        """The store that is asked for if it is open, else the default one; None if no store is open."""
        store = self._world.stores.get(f"{self.company}:{wanted}")
        if store is not None and store.life.open(at):
            return store
        return next((store for store in self._world.stores.values() if store.life.open(at)), None)

    def _front(self, store: Store | None) -> Answer:
        props = {"initStoreId": padded(store.outlet.store_id) if store else None, "assetsUrl": ASSETS}
        return html_page(props, self.build_id, self._key)

    def _deploys(self, build: str | None) -> dict[str, Answering]:
        """A deployment matters to addresses that bear a build id."""
        return {} if build is None else {Fault.NEW_BUILD: self._deploy}

    def _deploy(self, _at: int, _hides: Hides) -> Answer:
        """What the first request meets that comes after a deployment with an address of before."""
        self._deployments += 1
        return NOT_FOUND

    def _graphql(self, request: Request, wanted: str) -> Call:
        """A query by the name of its operation; what is asked of it in words is not read."""
        try:
            body = body_of(request)
            operation, variables = body["operationName"], body.get("variables") or {}
        except (RefusedError, TypeError, KeyError):
            return Call("other", wanted, "", lambda _at, _: _errors(400, "BAD_REQUEST"))
        if request.headers.get("ocp-apim-subscription-key") != self._key:
            return Call("other", wanted, "", lambda _at, _: _errors(401, "missing or wrong subscription key"))
        if operation == "GetStores":
            return Call("stores", "", "", lambda at, _: self._stores(variables, at))
        if operation in ("GetShopProductsMenu", "menuItems"):
            named = str(variables.get("storeId", "")).removeprefix(f"{BRAND}:").lstrip("0")
            return Call("categories", named, "", lambda at, _: self._menu(named, at))
        return Call("other", wanted, "", lambda _at, _: _errors(200, f"unknown operation {operation}"))

    def _stores(self, variables: Mapping[str, Any], at: int) -> Answer:
        latitude, longitude = variables.get("latitude"), variables.get("longitude")
        if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
            return _errors(200, "latitude and longitude are required")
        near = nearest(self._world.stores.values(), (latitude, longitude), at) if self._asked(variables) else []
        found = [found_store(store.outlet, distance) for distance, store in near[:NEAREST]]
        return json_answer({"data": {"stores": {"results": found}}})

    @staticmethod
    def _asked(variables: Mapping[str, Any]) -> bool:
        brands = variables.get("brandIds")
        return not isinstance(brands, list) or BRAND in brands

    def _menu(self, named: str, at: int) -> Answer:
        store = self._world.stores.get(f"{self.company}:{named}")
        if store is None or not store.life.open(at):
            return _errors(200, f"store {named} not found")
        listed = self._catalogue.listed(store, self._world.shelf(store, at))

        def count(key: str) -> int:
            members = self._catalogue.members(key)
            return 0 if members is None else int(np.count_nonzero(listed[members]))

        return json_answer(menu(self._catalogue.shown, count))

    def _listing_call(self, slug: str, wanted: str, query: Mapping[str, str], build: str | None) -> Call:
        ask = partial(self._listing, slug, wanted, query, build, None)
        own: dict[str, Answering] = {
            fault: partial(self._listing, slug, wanted, query, build, fault) for fault in PAGE_FAULTS
        }
        return Call("listing", wanted, slug, ask, own | self._deploys(build))

    def _listing(
        self,
        slug: str,
        wanted: str,
        query: Mapping[str, str],
        build: str | None,
        fault: Fault | None,
        at: int,
        hides: Hides,
    ) -> Answer:
        if build not in (None, self.build_id):
            return NOT_FOUND
        store = self._store("" if fault is Fault.STORE_IGNORED else wanted, at)
        members = self._catalogue.members(self._keys.get(slug, ""))
        asked = number(query, "page", 1, 1, 1_000_000)
        if store is None or members is None or asked is None:
            return NOT_FOUND
        shelf = self._world.shelf(store, at)
        listed = self._catalogue.listed(store, shelf)
        shown = unhidden(members[listed[members]], self._world.products, hides)
        served = shown[(asked - 1) * PAGE : asked * PAGE] if asked <= MOST_PAGES else []
        entries = self._entries(served, shelf, fault)
        if served:
            entries = with_adverts(entries, shown, shelf, self._tiles, slug, asked)
        results: dict[str, Any] = {
            "noOfResults": len(shown),
            "start": asked - 1,
            "pageSize": PAGE,
            "keyword": None,
            "filters": [],
            "catalogGroupView": [],
            "results": orjson.Fragment(b"[" + b",".join(entries) + b"]"),
        }
        return self._shown({"searchResults": results}, store, build)

    def _entries(self, served: list[int], shelf: Shelf, fault: Fault | None) -> list[bytes]:
        def entry(n: int) -> bytes:
            tile, now = self._tiles[n], int(shelf.prices[n])
            if now == NOT_SOLD:
                return tile.unpriced(sold=False)
            if fault is Fault.MISSING_PRICES and lacks_price(tile.product.sku):
                return tile.unpriced(sold=True)
            return tile.priced(now, int(shelf.regular[n]))

        entries = [entry(n) for n in served]
        return entries + entries[:REPEATED] if fault is Fault.DUPLICATES else entries

    def _product(self, sku: str, wanted: str, build: str | None, at: int) -> Answer:
        store, n = self._store(wanted, at), self._world.number.get(sku)
        if store is None or n is None or build not in (None, self.build_id):
            return NOT_FOUND
        tile, shelf = self._tiles[n], self._world.shelf(store, at)
        (entry,) = self._entries([n], shelf, None)
        added: dict[str, Any] = {"gtin": tile.product.barcode, "images": [], "lifestyle": None, "nutrition": None}
        return self._shown({"product": {**orjson.loads(entry), **added}}, store, build, tile.linked())

    def _shown(
        self, props: dict[str, Any], store: Store, build: str | None, linked: dict[str, Any] | None = None
    ) -> Answer:
        """As data, or as the HTML page that bears the same data."""
        props = {"initStoreId": padded(store.outlet.store_id), "assetsUrl": ASSETS, **props}
        if build is not None:
            return json_answer({"pageProps": props})
        return html_page(props, self.build_id, self._key, orjson.dumps(linked) if linked else b"")


def _errors(status: int, message: str) -> Answer:
    return json_answer({"errors": [{"message": message}], "data": None}, status)
