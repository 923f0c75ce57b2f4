"""Which products a listing of Woolworths has, in which order, and which of them are promoted in it.

Numbers of products; other sellers' rows are numbered on from the last product.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from splitcart_sandbox.retailers.catalogue import Words, unhidden
from splitcart_sandbox.retailers.chain_catalogue import SPECIALS, ChainCatalogue
from splitcart_sandbox.retailers.noise import I64, salt
from splitcart_sandbox.retailers.shelves import NOT_SOLD, Shelf, Store
from splitcart_sandbox.retailers.source import Category, Product
from splitcart_sandbox.retailers.web import Hides
from splitcart_sandbox.retailers.woolworths_shapes import display_name

MARKET_SHARE: Final = 0.8
"""Share of products that another seller has as well; of each node of the other sellers' own roots less."""
MARKET_ROOTS: Final[Mapping[str, float]] = {"Everyday Market": 1.0, "Electronics": 0.1, "Home & Lifestyle": 0.1}

PROMOTED: Final = (8, 8, 8, 7, 6, 5, 3, 1)
"""How many promoted products a listing has, drawn evenly: 17 % of the rows of real pages."""

SORTS: Final = ("Name", "PriceAsc", "PriceDesc")
"""Those that are not by relevance."""

SUBSTITUTES: Final = 5
"""Products of the same leaf that are named in place of one, at most."""


class WoolworthsRows:
    """The rows of the listings of a company's products."""

    def __init__(self, catalogue: ChainCatalogue, products: Sequence[Product], seed: int) -> None:
        self._catalogue, self._products, self._seed = catalogue, products, seed
        by_name = sorted(range(len(products)), key=lambda n: display_name(products[n]).casefold())
        self._by_name = np.argsort(np.array(by_name, np.int64))
        self._words = Words(products)
        # A key can be in the specials' root as well as in its own department: the latter comes last, and counts.
        self.root: Mapping[str, Category] = {
            node.key: catalogue.nodes(path[:1])[0] for path, node in catalogue.paths()
        }
        self._named = lru_cache(maxsize=4096)(self._sorted_by_name)

    def listed(self, key: str, store: Store, shelf: Shelf, body: Mapping[str, Any], hides: Hides) -> I64:
        """The rows of a category that is known, as the body of a request asks for them."""
        sort = sort if (sort := body.get("sortType")) in SORTS else ""
        sold_only = body.get("isHideUnavailableProducts") is True
        market = body.get("isHideEverydayMarketProducts") is not True
        rows = shelf.keep((key, sort, sold_only), lambda: self._rows(key, store, shelf, sort, sold_only))
        rows = unhidden(rows, self._products, hides)
        if market:
            rows = np.concatenate((rows, self._marketed(key) + len(self._products)))
        return rows

    def searched(self, text: str, shelf: Shelf) -> I64:
        """What a store sells whose brand and name have the words of a text."""
        found = self._words.find(text)
        sold: I64 = found[shelf.prices[found] != NOT_SOLD]
        return sold

    def promoted(self, listing: str, key: str | None, shelf: Shelf) -> I64:
        """The promoted products of a listing, drawn from its department: the same ones on every page of it.

        Without a key they are drawn from all there is.
        """
        return shelf.keep(("promoted", listing), lambda: self._promoted(listing, key, shelf))

    def substitutes(self, number: int, shelf: Shelf) -> I64:
        """What is sold of the same leaf as a product, the likeliest first."""
        leaf = self._catalogue.nodes(self._products[number].category_path)[-1]
        beside = self._members(leaf.key)
        sold: I64 = beside[(shelf.prices[beside] != NOT_SOLD) & (beside != number)]
        return sold[:SUBSTITUTES]

    def _rows(self, key: str, store: Store, shelf: Shelf, sort: str, sold_only: bool) -> I64:
        members = self._named(key) if sort == "Name" else self._members(key)
        if key.endswith(SPECIALS) or self.root[key].name == "Specials":
            members = members[shelf.prices[members] < shelf.regular[members]]
        listed = shelf.prices != NOT_SOLD if sold_only else self._catalogue.listed(store, shelf)
        if sort in ("PriceAsc", "PriceDesc"):
            price = shelf.prices[members] * (1 if sort == "PriceAsc" else -1)
            members = members[np.argsort(price, kind="stable")]
        return members[listed[members]]

    def _members(self, key: str) -> I64:
        """Of a node of specials, what can be in it: all below its parent, or all there is."""
        if key.startswith("specialsgroup"):
            return np.arange(len(self._products))
        members = self._catalogue.members(key.removesuffix(SPECIALS))
        return np.zeros(0, np.int64) if members is None else members

    def _sorted_by_name(self, key: str) -> I64:
        members = self._members(key)
        return members[np.argsort(self._by_name[members])]

    def _marketed(self, key: str) -> I64:
        root = self.root[key].name
        share = MARKET_ROOTS.get(root)
        if share is not None:
            return np.flatnonzero(self._catalogue.share(f"marketed in {root}", share * MARKET_SHARE))
        members = self._members(key)
        return members[self._catalogue.share("marketed", MARKET_SHARE)[members]]

    def _promoted(self, listing: str, key: str | None, shelf: Shelf) -> I64:
        members = np.arange(len(self._products)) if key is None else self._members(key)
        sold, draw = members[shelf.prices[members] != NOT_SOLD], salt(self._seed, "promoted", listing)
        drawn = range(PROMOTED[draw % 8]) if len(sold) else ()
        return np.array([sold[(draw >> 3 + step) % len(sold)] for step in drawn], np.int64)
