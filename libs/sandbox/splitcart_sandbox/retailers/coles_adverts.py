"""The advertisements among the products of a Coles listing: 0 to 16 entries more than a page has products.

Of 5,091 entries of real pages 14 % were paid copies of products, 2 % tiles without a price, 0.4 % associations.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from splitcart_sandbox.retailers.coles_shapes import ColesTile, association, paid_by, single_tile
from splitcart_sandbox.retailers.noise import I64, salt
from splitcart_sandbox.retailers.shelves import NOT_SOLD, Shelf

FEWEST_COPIES: Final = 4
MOST_COPIES: Final = 12
ON_TOP: Final = 4
"""Paid copies at the top of the first page; all others are spread over their page."""


def with_adverts(
    organic: list[bytes], shown: I64, shelf: Shelf, tiles: Sequence[ColesTile], listing: str, page: int
) -> list[bytes]:
    """The entries of a page: its products in their order, and the advertisements of this page of this listing.

    A copy is of a product of the same listing, which is also in its own place there, on whatever page.
    """
    draw = salt("adverts", listing, page)
    copies = min(FEWEST_COPIES + draw % (MOST_COPIES - FEWEST_COPIES + 1), len(organic) // 4)
    picked, paid = np.array([*_picked(shown, shelf.prices, draw, copies)], np.int64), paid_by(f"{listing} {page}")
    adverts = [tiles[number].sponsored(now, regular, paid) for number, now, regular in shelf.priced(picked)]
    top = adverts[:ON_TOP] if page == 1 else []
    spread = adverts[len(top) :] + [single_tile(f"{listing} {page} {tile}") for tile in range(draw >> 16 & 1)]
    if draw >> 20 & 3 == 0 and len(organic) > FEWEST_COPIES:
        spread.append(single_tile(f"{listing} {page} second"))
    if draw >> 24 & 7 == 0:
        skus = [tiles[number].product.sku for number in _picked(shown, shelf.prices, draw >> 8, 2)]
        spread.append(association("PRODUCT_ASSOCIATION", skus, listing))
    if draw >> 32 & 63 == 0:
        spread.append(association("CONTENT_ASSOCIATION", (), listing))
    for place, advert in enumerate(spread):
        organic.insert(place * (len(organic) + 1) // len(spread), advert)
    return top + organic


def with_copies(entries: list[bytes], served: I64, shelf: Shelf, tiles: Sequence[ColesTile]) -> list[bytes]:
    """The entries, and on top of them a paid copy of each that is sold."""
    paid, sold = paid_by("everything"), served[shelf.prices[served] != NOT_SOLD]
    copies = [tiles[number].sponsored(now, regular, paid) for number, now, regular in shelf.priced(sold)]
    return [*copies, *entries]


def _picked(shown: I64, prices: I64, draw: int, count: int) -> Iterator[int]:
    """So many numbers of what is sold, spread over a listing; a product can be among them twice."""
    for step in range(count):
        number = int(shown[(draw >> step) % len(shown)])
        if prices[number] != NOT_SOLD:
            yield number
