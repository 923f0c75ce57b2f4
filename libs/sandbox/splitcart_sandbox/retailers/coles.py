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
from splitcart_sandbox.retailers.coles_adverts import with_adverts, with_copies
from splitcart_sandbox.retailers.coles_api import ColesApi
from splitcart_sandbox.retailers.coles_pages import NOT_FOUND, WALL, html_page
from splitcart_sandbox.retailers.coles_shapes import ASSETS, ColesTile, padded
from splitcart_sandbox.retailers.faults import PAGE_FAULTS, REPEATED, Fault, lacks_price
from splitcart_sandbox.retailers.noise import I64, salt
from splitcart_sandbox.retailers.shelves import NOT_SOLD, Shelf, Store
from splitcart_sandbox.retailers.web import Answer, Answering, Call, Hides, Request, json_answer, number
from splitcart_sandbox.retailers.world import World

PAGE: Final = 48
MOST_PAGES: Final = 104
"""Pages of any listing that are served; the next is empty whatever the count says."""

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
        self._api = ColesApi(self._world, self._catalogue, self._tiles, self._key)
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
            case _, ["api", *below]:
                return self._api.call(request, below) or Call("other", wanted, "", lambda _at, _: NOT_FOUND)
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
        shown = unhidden(self._shown_at(store, shelf, slug, members), self._world.products, hides)
        served = shown[(asked - 1) * PAGE : asked * PAGE] if asked <= MOST_PAGES else shown[:0]
        entries = self._entries(served, shelf, fault)
        if len(served):
            entries = with_adverts(entries, shown, shelf, self._tiles, slug, asked)
        if fault is Fault.SPONSORED:
            entries = with_copies(entries, served, shelf, self._tiles)
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

    def _shown_at(self, store: Store, shelf: Shelf, slug: str, members: I64) -> I64:
        """Those of a node's products that a store lists, in their order."""
        return shelf.keep(("shown", slug), lambda: members[self._catalogue.listed(store, shelf)[members]])

    def _entries(self, served: I64, shelf: Shelf, fault: Fault | None) -> list[bytes]:
        def entry(n: int, now: int, regular: int) -> bytes:
            tile = self._tiles[n]
            if now == NOT_SOLD:
                return tile.unpriced(sold=False)
            if fault is Fault.MISSING_PRICES and lacks_price(tile.product.sku):
                return tile.unpriced(sold=True)
            return tile.priced(now, regular)

        entries = [entry(*listing) for listing in shelf.priced(served)]
        return entries + entries[:REPEATED] if fault is Fault.DUPLICATES else entries

    def _product(self, sku: str, wanted: str, build: str | None, at: int) -> Answer:
        store, n = self._store(wanted, at), self._world.number.get(sku)
        if store is None or n is None or build not in (None, self.build_id):
            return NOT_FOUND
        tile, shelf = self._tiles[n], self._world.shelf(store, at)
        (entry,) = self._entries(np.array([n]), shelf, None)
        return self._shown({"product": tile.detail(entry)}, store, build, tile.linked())

    def _shown(
        self, props: dict[str, Any], store: Store, build: str | None, linked: dict[str, Any] | None = None
    ) -> Answer:
        """As data, or as the HTML page that bears the same data."""
        props = {"initStoreId": padded(store.outlet.store_id), "assetsUrl": ASSETS, **props}
        if build is not None:
            return json_answer({"pageProps": props})
        return html_page(props, self.build_id, self._key, orjson.dumps(linked) if linked else b"")
