"""What the companies' catalogues have in common: the tree a world needs, and what is listed where in it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from splitcart_sandbox.retailers.noise import I64, salt
from splitcart_sandbox.retailers.shelves import NOT_SOLD, Shelf
from splitcart_sandbox.retailers.source import Category, Product
from splitcart_sandbox.retailers.web import Hides

Path = tuple[str, ...]
"""Names of a category and all above it, from the root."""


def pruned(
    nodes: Sequence[Category], used: set[Path], whole: Sequence[str] = (), above: Path = ()
) -> Iterator[Category]:
    """The nodes with products somewhere below them, and all below the roots named in `whole`."""
    for node in nodes:
        path = (*above, node.name)
        children = tuple(pruned(node.children, used, whole, path))
        if path in used or children or path[0] in whole:
            yield replace(node, children=children)


def walk(nodes: Sequence[Category], above: Path = ()) -> Iterator[tuple[Path, Category]]:
    """Every node with its path, parents first."""
    for node in nodes:
        path = (*above, node.name)
        yield path, node
        yield from walk(node.children, path)


def members_of(
    nodes: Mapping[Path, Category],
    products: Sequence[Product],
    homes: Callable[[Product], Iterable[Path]],
    seed: int,
) -> dict[str, I64]:
    """Numbers of the products of each node by its key, in the order of relevance: those of its leaves together."""
    members: defaultdict[str, set[int]] = defaultdict(set)
    for number, product in enumerate(products):
        for path in homes(product):
            for depth in range(1, len(path) + 1):
                members[nodes[path[:depth]].key].add(number)
    order = [salt(seed, "relevance", product.sku) for product in products]
    return {
        node.key: np.array(sorted(members[node.key], key=order.__getitem__), np.int64) for node in nodes.values()
    }


def nodes_down_to(nodes: Mapping[Path, Category], path: Path) -> tuple[Category, ...]:
    """The nodes from the root to that of a path."""
    return tuple(nodes[path[:depth]] for depth in range(1, len(path) + 1))


def on_shelf(numbers: I64, shelf: Shelf, products: Sequence[Product], hides: Hides) -> I64:
    """Those of the products that a store sells, in their order, without those a short category hides."""
    return unhidden(numbers[shelf.prices[numbers] != NOT_SOLD], products, hides)


def unhidden(numbers: I64, products: Sequence[Product], hides: Hides) -> I64:
    """The numbers without those of products that a short category hides."""
    if hides is None:
        return numbers
    return numbers[[not hides(products[number].sku) for number in numbers.tolist()]]


class Words:
    """Finds products by words of their brands and names."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._texts = [f"{product.brand or ''} {product.name}".casefold() for product in products]

    def find(self, text: str) -> I64:
        """Numbers of the products that have every word of a text, in part of a word of theirs at least."""
        words = text.casefold().split()
        found = [n for n, name in enumerate(self._texts) if all(word in name for word in words)]
        return np.array(found, np.int64)
