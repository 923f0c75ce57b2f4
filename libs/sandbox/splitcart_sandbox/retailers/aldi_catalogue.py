"""Aldi's category tree over the listings of a world: which nodes are shown, and what is in each, in what order."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from splitcart_sandbox.retailers.catalogue import Path, members_of, nodes_down_to, pruned, walk
from splitcart_sandbox.retailers.noise import I64, fraction, salt
from splitcart_sandbox.retailers.shelves import Shelf
from splitcart_sandbox.retailers.source import Category, Product, categories

REDUCED_ROOTS: Final = ("Lower Prices", "Super Savers")
"""Promotional roots that gather what is reduced now."""

PROMOTIONAL_ROOTS: Final = (*REDUCED_ROOTS, "Limited Time Only", "Front of Store")
"""Roots a scraper must skip: all they hold is in other categories too."""

SECOND_HOME_SHARE: Final = 0.05
"""Share of products listed in a second leaf."""

FEATURED_SHARE: Final = 0.02
"""Share of products in a promotional category that does not go by price."""


class AldiCatalogue:
    """The tree a world's products need, and the members of each of its nodes."""

    def __init__(self, products: Sequence[Product], seed: int) -> None:
        self._seed = seed
        used = {product.category_path for product in products}
        self.shown = tuple(pruned(categories("aldi"), used, PROMOTIONAL_ROOTS))
        self._nodes = dict(walk(self.shown))
        self._reduced = {node.key for node in self.shown if node.name in REDUCED_ROOTS}
        self._leaves = [path for path in self._nodes if path in used]
        self._members = members_of(self._nodes, products, self._homes, seed)

    def path(self, product: Product) -> tuple[Category, ...]:
        """The nodes from root to leaf of a product's own category: the same wherever it is listed."""
        return nodes_down_to(self._nodes, product.category_path)

    def members(self, key: str, shelf: Shelf) -> I64 | None:
        """Numbers of the products of a node, in the order they are listed; None for an unknown key."""
        if key in self._reduced:
            return np.flatnonzero(shelf.prices < shelf.regular)
        return self._members.get(key)

    def _homes(self, product: Product) -> Iterator[Path]:
        """The leaves that list a product: its own, for some a second, for some a promotional one."""
        yield product.category_path
        if fraction(self._seed, "second home", product.sku) < SECOND_HOME_SHARE:
            yield self._leaves[salt(self._seed, "which home", product.sku) % len(self._leaves)]
        for path, node in self._nodes.items():
            promotional = path[0] in PROMOTIONAL_ROOTS and not node.children
            if promotional and fraction(self._seed, "featured", node.key, product.sku) < FEATURED_SHARE:
                yield path
