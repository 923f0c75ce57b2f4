"""IGA as it shows itself: front page, store finder, category hierarchy, category listings and search.

A storefront without login. Prices are dollars; `priceNumeric` is the one a scraper must report: rounded to the
cent it is what the world calls the price. The path alone names the store, by the id of its web shop: cookie,
shopping mode and session id are taken and not asked for, as nothing is known of what becomes of a request without.
The gateway, whose host is another, answers a search under ``/api/stores``. Where retailers.md says nothing: what
a search finds is sorted by brand or, without, by relevance.
"""

from collections.abc import Mapping
from functools import partial
from math import ceil
from typing import Any, Final
from urllib.parse import quote

import numpy as np
import orjson

from splitcart_sandbox.retailers import source
from splitcart_sandbox.retailers.catalogue import Words, on_shelf, unhidden
from splitcart_sandbox.retailers.faults import REPEATED, Fault, lacks_price
from splitcart_sandbox.retailers.iga_catalogue import IgaCatalogue
from splitcart_sandbox.retailers.iga_shapes import IgaTile, hierarchy, located
from splitcart_sandbox.retailers.noise import I64, fraction
from splitcart_sandbox.retailers.selection import choose_outlets
from splitcart_sandbox.retailers.shelves import NOT_SOLD, Shelf, Store
from splitcart_sandbox.retailers.source import Outlet
from splitcart_sandbox.retailers.web import Answer, Answering, Call, Hides, Request, json_answer, number
from splitcart_sandbox.retailers.world import World

SMALLEST_PAGE: Final = 20
LARGEST_PAGE: Final = 100

REPEATING_SHARE: Final = 0.5
"""Share of stores that answer a page past the end with the last page again; the others' is empty."""

PAGE_FAULTS: Final = (Fault.DUPLICATES, Fault.MISSING_PRICES, Fault.STORE_IGNORED)
"""What a page of a listing meets; a page of another store says so in its own address."""

_FINDER: Final = 183
"""IGA's number at the store finder it shares with other companies."""

_FRONT: Final = b"""<!DOCTYPE html>
<html lang="en"><head><title>IGA Shop Online</title></head><body><div id="__next"></div></body></html>
"""

_WALL: Final = b"""<!DOCTYPE html>
<html lang="en-US"><head><title>Just a moment...</title><meta name="robots" content="noindex,nofollow"></head>
<body><noscript>Enable JavaScript and cookies to continue</noscript></body></html>
"""


class IgaFace:
    """Answers what `www.igashop.com.au` and the store finder answer, from a world."""

    company = "iga"

    def __init__(self, world: World) -> None:
        self._world, seed = world.companies[self.company], world.settings.seed
        self._seed = seed
        self._catalogue = IgaCatalogue(self._world.products, seed)
        self._tiles = [
            IgaTile(product, seed, [self._catalogue.nodes(home) for home in self._catalogue.homes(product)])
            for product in self._world.products
        ]
        self._words = Words(self._world.products)
        brands = sorted(range(len(self._tiles)), key=lambda n: (self._world.products[n].brand or "").casefold())
        self._by_brand = np.argsort(np.array(brands, np.int64))
        self._hierarchy = orjson.dumps(hierarchy(self._catalogue.shown))
        self._by_ref = {store.outlet.retailer_ref: store for store in self._world.stores.values()}
        self._offline = {outlet.store_id: outlet for outlet in self._without_web_shop()}

    def call(self, request: Request) -> Call:
        """What a request asks for; other paths and methods are answered 404."""
        query = request.query
        match request.method, request.path.strip("/").split("/"):
            case "GET", [""]:
                return Call("other", "", "", lambda _at, _: Answer(200, _FRONT, {}, "text/html"))
            case "GET", ["location", "storelocator", finder] if finder == str(_FINDER):
                return Call("stores", "", "", lambda at, _: self._located(query, at))
            case "GET", ["api", "storefront", "stores", ref, "categoryHierarchy"]:
                return Call("categories", self._named(ref), "", lambda at, _: self._category_hierarchy(ref, at))
            case "GET", ["api", "storefront", "stores", ref, "categories", category, "search"]:
                own: dict[str, Answering] = {
                    fault: partial(self._listing, ref, category, query, fault) for fault in PAGE_FAULTS
                }
                ask = partial(self._listing, ref, category, query, None)
                return Call("listing", self._named(ref), category, ask, own)
            case "GET", ["api", *gateway, "stores", ref, "search"] if gateway in ([], ["storefront"]):
                return Call("listing", self._named(ref), "", partial(self._search, ref, query))
            case _:
                return Call("other", "", "", lambda _at, _: _error(404, "Not Found"))

    def bot_wall(self) -> Answer:
        """What the content network in front of IGA answers to a client it doubts."""
        return Answer(403, _WALL, {"cf-mitigated": "challenge"}, "text/html")

    def repeats(self, store: Store) -> bool:
        """Whether a store answers a page past the end with the last page."""
        return fraction(self._seed, "past the end", store.key) < REPEATING_SHARE

    def _located(self, query: Mapping[str, str], at: int) -> Answer:
        """JSONP in the name of `callback`, of the one store with the id asked for.

        An id that no open store has is answered as well, with no entry in it: a scan meets nothing but 200.
        """
        wanted = query.get("locationId", "")
        store = self._world.stores.get(f"{self.company}:{wanted}")
        if store is not None:
            found = [store.outlet] if store.life.open(at) else []
        else:
            found = [self._offline[wanted]] if wanted in self._offline else []
        body = query.get("callback", "").encode() + b"(" + orjson.dumps(located(found)) + b")"
        return Answer(200, body, {}, "application/javascript")

    def _category_hierarchy(self, ref: str, at: int) -> Answer:
        store = self._store(ref, at)
        return store if isinstance(store, Answer) else Answer(200, self._hierarchy)

    def _listing(
        self, ref: str, category: str, query: Mapping[str, str], fault: Fault | None, at: int, hides: Hides
    ) -> Answer:
        store, members = self._store(ref, at), self._catalogue.members(category)
        if fault is Fault.STORE_IGNORED and not isinstance(store, Answer):
            store = self._instead(store, members, at)
        if isinstance(store, Answer):
            return store
        shelf = self._world.shelf(store, at)
        if members is None or not np.any(shelf.prices[members] != NOT_SOLD):
            return _error(404, f"Category {category} not found")
        shown = shelf.keep(category, lambda: on_shelf(members, shelf, self._world.products, None))
        shown = unhidden(shown, self._world.products, hides)
        path = f"/api/stores/{store.outlet.retailer_ref}/categories/{category}/search?"
        return self._page(shown, query, path, store, shelf, fault)

    def _search(self, ref: str, query: Mapping[str, str], at: int, _hides: Hides) -> Answer:
        store, words = self._store(ref, at), query.get("q", "")
        if isinstance(store, Answer):
            return store
        if not words.strip():
            return _error(400, "q is required")
        shelf = self._world.shelf(store, at)
        found = on_shelf(self._words.find(words), shelf, self._world.products, None)
        if query.get("sort") == "brand":
            found = found[np.argsort(self._by_brand[found])]
        return self._page(found, query, f"/api/stores/{ref}/search?q={quote(words)}&", store, shelf, None)

    def _page(
        self, shown: I64, query: Mapping[str, str], path: str, store: Store, shelf: Shelf, fault: Fault | None
    ) -> Answer:
        take = number(query, "take", SMALLEST_PAGE, SMALLEST_PAGE, LARGEST_PAGE)
        skip = number(query, "skip", 0, 0, 1_000_000)
        if take is None or skip is None:
            return _error(400, f"take must be {SMALLEST_PAGE} to {LARGEST_PAGE}, skip not negative")
        last = max(len(shown) - 1, 0) // take * take
        begin = last if skip >= len(shown) and self.repeats(store) else skip
        items = self._items(shown[begin : begin + take], shelf, fault)
        return json_answer(
            {
                "count": len(items),
                "total": len(shown),
                "took": 5,
                "facets": {"Brand": [], "Category": []},
                "pagination": {"_links": _links(f"{path}take={take}&skip=", skip, take, last)},
                "sorting": {},
                "citrusAd": {"memoryToken": None},
                "items": items,
            }
        )

    def _items(self, page: I64, shelf: Shelf, fault: Fault | None) -> list[orjson.Fragment]:
        def item(n: int, now: int, regular: int) -> orjson.Fragment:
            if fault is Fault.MISSING_PRICES and lacks_price(self._world.products[n].sku):
                return self._tiles[n].unpriced()
            return self._tiles[n].priced(now, regular)

        items = [item(*listing) for listing in shelf.priced(page)]
        return items + items[:REPEATED] if fault is Fault.DUPLICATES else items

    def _instead(self, store: Store, members: I64 | None, at: int) -> Store:
        """The first other store that carries a category: whose page it is by mistake."""
        if members is None:
            return store
        others = (other for other in self._world.stores.values() if other is not store and other.life.open(at))
        carrying = (other for other in others if np.any(self._world.shelf(other, at).prices[members] != NOT_SOLD))
        return next(carrying, store)

    def _store(self, ref: str, at: int) -> Store | Answer:
        """The open store of a web shop's id."""
        store = self._by_ref.get(ref)
        return _error(404, f"Store {ref} not found") if store is None or not store.life.open(at) else store

    def _named(self, ref: str) -> str:
        store = self._by_ref.get(ref)
        return ref if store is None else store.outlet.store_id

    def _without_web_shop(self) -> tuple[Outlet, ...]:
        """The outlets that only the store finder knows, as many of them as the country has of the others."""
        every = [outlet for outlet in source.outlets() if outlet.company == self.company]
        offline = [outlet for outlet in every if not outlet.retailer_ref]
        part = len(self._world.stores) / (len(every) - len(offline))
        return choose_outlets(offline, ceil(len(offline) * part), self._seed)


def _links(href: str, skip: int, take: int, last: int) -> dict[str, Any]:
    """Links to this page, to the last one, and to the next where there is one."""
    steps = {"current": skip, "last": last} | ({"next": skip + take} if skip < last else {})
    return {name: {"href": f"{href}{step}", "method": "GET", "rel": "self"} for name, step in steps.items()}


def _error(status: int, detail: str) -> Answer:
    return json_answer({"status": status, "message": detail}, status)
