"""What a full-size chain lists where: departments down to leaves, second homes, roots that gather, empty places.

Coles and Woolworths list a product in its own leaf, some in a leaf of another department too, and in roots that
gather what is elsewhere. Both also list goods that a store does not sell now, without a price.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from splitcart_sandbox.retailers.catalogue import Path, members_of, nodes_down_to, pruned, walk
from splitcart_sandbox.retailers.noise import I64, Bools, below, draws, fraction, ids, salt
from splitcart_sandbox.retailers.shelves import NOT_SOLD, Shelf, Store
from splitcart_sandbox.retailers.source import Category, Product, categories

SECOND_HOME_SHARE: Final = 0.08
"""Share of products listed in a leaf of another department beside their own."""

SPECIALS: Final = "_SPECIALS"
"""How the key of a node ends that gathers what is reduced below its parent."""


class ChainCatalogue:
    """The tree a world's products need, and the members of each of its nodes.

    `gathering` names the roots that hold what is elsewhere, each with the share of products in each of its leaves;
    `unsold` is the share of the goods a store does not sell that it lists all the same.
    """

    def __init__(
        self, company: str, products: Sequence[Product], seed: int, gathering: Mapping[str, float], unsold: float
    ) -> None:
        self._seed, self._unsold = seed, unsold
        self._ids = ids(f"{company}/{product.sku}" for product in products)
        every, used = categories(company), {product.category_path for product in products}
        inner = {path[:depth] for path in used for depth in range(1, len(path))}
        specials = {path for path, node in walk(every) if node.key.endswith(SPECIALS) and path[:-1] in inner}
        self.shown = tuple(pruned(every, used | specials, tuple(gathering)))
        self._nodes = dict(walk(self.shown))
        self._leaves = sorted(used)
        self._featured = self._gathered(products, gathering)
        self._members = members_of(self._nodes, products, self.homes, seed)

    def members(self, key: str) -> I64 | None:
        """Numbers of the products of a node and of all below it, by relevance; None for an unknown key."""
        return self._members.get(key)

    def nodes(self, path: Path) -> tuple[Category, ...]:
        """The nodes from the root to that of a path."""
        return nodes_down_to(self._nodes, path)

    def paths(self) -> Iterator[tuple[Path, Category]]:
        """Every node with its path, parents first."""
        yield from self._nodes.items()

    def homes(self, product: Product) -> Iterator[Path]:
        """The leaves that list a product: its own, for some one of another department, for some gathering ones."""
        yield product.category_path
        if fraction(self._seed, "second home", product.sku) < SECOND_HOME_SHARE:
            home = self._leaves[salt(self._seed, "which home", product.sku) % len(self._leaves)]
            if home[0] != product.category_path[0]:
                yield home
        yield from self._featured.get(product.sku, ())

    def share(self, purpose: str, share: float) -> Bools:
        """That share of the products, the same ones for a purpose in every run of a seed."""
        return below(draws(self._ids, salt(self._seed, purpose)), share)

    def listed(self, store: Store, shelf: Shelf) -> Bools:
        """Which products a store lists: what it sells, and some of what it does not."""
        return shelf.keep("listed", lambda: self._list(store, shelf))

    def _list(self, store: Store, shelf: Shelf) -> Bools:
        sold = shelf.prices != NOT_SOLD
        # A store that has closed lists nothing at all.
        listed: Bools = sold | (self.share(f"unsold at {store.key}", self._unsold) & sold.any())
        return listed

    def _gathered(self, products: Sequence[Product], gathering: Mapping[str, float]) -> dict[str, list[Path]]:
        """The leaves of the gathering roots each product is in, by sku."""
        found: defaultdict[str, list[Path]] = defaultdict(list)
        for path, node in self._nodes.items():
            share = 0.0 if node.children else gathering.get(path[0], 0.0)
            numbers = np.flatnonzero(self.share(f"gathered in {node.key}", share)).tolist() if share else []
            for number in numbers:
                found[products[number].sku].append(path)
        return dict(found)
