"""Which outlets and products a simulated country is made of when it is smaller than the real one."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import ceil
from typing import Final

from splitcart_sandbox.retailers import source
from splitcart_sandbox.retailers.noise import salt
from splitcart_sandbox.retailers.profiles import CompanyProfile
from splitcart_sandbox.retailers.ranges import range_share
from splitcart_sandbox.retailers.source import Outlet, Product

WELL_FILLED: Final = range(25, 61)
"""A small pool is made of categories of so many products: filled, so that a scrape of it needs few requests, and
none of them most of the pool. Larger ones come next, smaller ones last."""


def outlets_of(profile: CompanyProfile) -> list[Outlet]:
    """The outlets that can be stores of a country, by store id."""
    every = (outlet for outlet in source.outlets() if outlet.company == profile.company)
    return [outlet for outlet in every if outlet.retailer_ref or not profile.web_shop_only]


def choose_outlets(outlets: Sequence[Outlet], count: int, seed: int) -> tuple[Outlet, ...]:
    """So many outlets spread over the states as the real ones are; 0 or more than there are: all.

    Taken in rounds that give each state its share as early as possible, so every state is in a sample of a few.
    """
    if not 0 < count < len(outlets):
        return tuple(outlets)
    size = Counter(outlet.state for outlet in outlets)
    taken: Counter[str] = Counter()
    turn: dict[str, tuple[float, int]] = {}
    for outlet in sorted(outlets, key=lambda outlet: salt(seed, "outlet", outlet.key)):
        turn[outlet.key] = (taken[outlet.state] / size[outlet.state], salt(seed, "tie", outlet.key))
        taken[outlet.state] += 1
    chosen = sorted(outlets, key=lambda outlet: turn[outlet.key])[:count]
    return tuple(sorted(chosen, key=lambda outlet: outlet.key))


def choose_products(
    products: Sequence[Product], profile: CompanyProfile, listings: int, seed: int
) -> tuple[Product, ...]:
    """The pool from which a store carries about so many listings: whole categories, in sku order.

    All products where the pool would be larger than what is known; then stores carry fewer.
    """
    needed = ceil(listings / range_share(profile))
    if needed >= len(products):
        return tuple(products)
    filed: defaultdict[tuple[str, ...], list[Product]] = defaultdict(list)
    for product in products:
        filed[product.category_path].append(product)

    def fit(path: tuple[str, ...]) -> int:
        count = len(filed[path])
        return 0 if count in WELL_FILLED else 2 - (count > WELL_FILLED.stop)

    chosen: list[Product] = []
    for path in sorted(filed, key=lambda path: (fit(path), salt(seed, "category", *path))):
        missing = needed - len(chosen)
        if missing == 0:
            break
        if missing < len(filed[path]):
            # Of the last category no more than there is room for.
            filed[path] = sorted(filed[path], key=lambda p: salt(seed, "product", p.sku))[:missing]
        chosen += filed[path]
    return tuple(sorted(chosen, key=lambda product: product.sku))
