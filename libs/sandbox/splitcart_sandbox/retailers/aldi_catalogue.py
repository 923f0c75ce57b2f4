"""Aldi's category tree over the listings of a world: which nodes are shown, and what is in each, in what order."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

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
        self._products, self._seed = products, seed
        used = {product.category_path for product in products}
        self.shown = tuple(_pruned(categories("aldi"), (), used))
        self._nodes = dict(_walk(self.shown, ()))
        self._reduced = {node.key for node in self.shown if node.name in REDUCED_ROOTS}
        leaves = [path for path in self._nodes if path in used]
        members: defaultdict[str, set[int]] = defaultdict(set)
        for number, product in enumerate(products):
            for path in self._homes(product, leaves):
                for depth in range(1, len(path) + 1):
                    members[self._nodes[path[:depth]].key].add(number)
        order = [salt(seed, "relevance", product.sku) for product in products]
        self._members = {
            node.key: np.array(sorted(members[node.key], key=order.__getitem__), np.int64)
            for node in self._nodes.values()
        }

    def path(self, product: Product) -> tuple[Category, ...]:
        """The nodes from root to leaf of a product's own category: the same wherever it is listed."""
        path = product.category_path
        return tuple(self._nodes[path[:depth]] for depth in range(1, len(path) + 1))

    def members(self, key: str, shelf: Shelf) -> I64 | None:
        """Numbers of the products of a node, in the order they are listed; None for an unknown key."""
        if key in self._reduced:
            return np.flatnonzero(shelf.prices < shelf.regular)
        return self._members.get(key)

    def _homes(self, product: Product, leaves: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
        """The leaves that list a product: its own, for some a second, for some a promotional one."""
        yield product.category_path
        if fraction(self._seed, "second home", product.sku) < SECOND_HOME_SHARE:
            yield leaves[salt(self._seed, "which home", product.sku) % len(leaves)]
        for path, node in self._nodes.items():
            promotional = path[0] in PROMOTIONAL_ROOTS and not node.children
            if promotional and fraction(self._seed, "featured", node.key, product.sku) < FEATURED_SHARE:
                yield path


def _pruned(nodes: Sequence[Category], above: tuple[str, ...], used: set[tuple[str, ...]]) -> Iterator[Category]:
    """The nodes with products somewhere below them, and the promotional ones whole."""
    for node in nodes:
        path = (*above, node.name)
        children = tuple(_pruned(node.children, path, used))
        if path in used or children or path[0] in PROMOTIONAL_ROOTS:
            yield replace(node, children=children)


def _walk(nodes: Sequence[Category], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Category]]:
    for node in nodes:
        path = (*above, node.name)
        yield path, node
        yield from _walk(node.children, path)
