"""IGA's category hierarchy over the listings of a world: the nodes with products, and what is in each.

The hierarchy is the company's, the same for every store; a store may carry nothing of a category in it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from splitcart_sandbox.retailers.catalogue import Path, members_of, nodes_down_to, pruned, walk
from splitcart_sandbox.retailers.noise import I64, fraction, salt
from splitcart_sandbox.retailers.source import Category, Product, categories

SECOND_HOME_SHARE: Final = 0.1
"""Share of products listed in a second leaf beside their own: the category counts of a real page of 34 fruits add
up to 38."""


class IgaCatalogue:
    """The hierarchy a world's products need, and the members of each of its nodes."""

    def __init__(self, products: Sequence[Product], seed: int) -> None:
        self._seed = seed
        used = {product.category_path for product in products}
        self.shown = tuple(pruned(categories("iga"), used))
        self._nodes = dict(walk(self.shown))
        self._siblings: defaultdict[Path, list[Path]] = defaultdict(list)
        for path in self._nodes:
            if path in used:
                self._siblings[path[:-1]].append(path)
        self._members = members_of(self._nodes, products, self.homes, seed)

    def members(self, key: str) -> I64 | None:
        """Numbers of the products of a node, in the order they are listed; None for an unknown key."""
        return self._members.get(key)

    def nodes(self, path: Path) -> tuple[Category, ...]:
        """The nodes from the root to that of a path."""
        return nodes_down_to(self._nodes, path)

    def homes(self, product: Product) -> Iterator[Path]:
        """The leaves that list a product: its own, for some one more with the same parent."""
        own = product.category_path
        yield own
        others = [path for path in self._siblings[own[:-1]] if path != own]
        if others and fraction(self._seed, "second home", product.sku) < SECOND_HOME_SHARE:
            yield others[salt(self._seed, "which home", product.sku) % len(others)]
