"""Sizes read as so much of a unit, and what the unit price of goods of a size is for."""

import re
from dataclasses import dataclass
from typing import Final

from splitcart_sandbox.retailers.source import Product

_SHOWN: Final = {"g": 100, "ml": 100}
"""Of how many a unit's price is given, where it is not of one."""

_SOURCE: Final = {"1kg": ("g", 100, 10), "1l": ("ml", 100, 10), "1.0each": ("", 1, 1)}
"""Unit of the source's unit price -> unit and amount it is shown for, and by what it is divided for that."""


@dataclass(frozen=True, slots=True)
class Size:
    """So much of a unit: g, kg, ml, l, or "" for pieces."""

    amount: float
    unit: str


@dataclass(frozen=True, slots=True)
class Measure:
    """What a unit price is for, and what it is of a price."""

    unit: str
    amount: int
    share: float

    def cents(self, price: int) -> int:
        """The unit price of goods at so many cents, in cents."""
        return round(price * self.share)


EACH: Final = Size(1, "")


def size_of(text: str | None) -> Size:
    """``227g`` as 227 grams; `EACH` for what is not so much of a known unit."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(kg|g|ml|l)", (text or "").casefold())
    return EACH if match is None or not float(match[1]) else Size(float(match[1]), match[2])


def measure_of(product: Product, size: Size) -> Measure:
    """By the size where there is one, else as the source compares it, else each."""
    if size != EACH:
        amount = _SHOWN.get(size.unit, 1)
        return Measure(size.unit, amount, amount / size.amount)
    if product.unit_price is None or product.unit not in _SOURCE:
        return Measure("", 1, 1.0)
    unit, amount, divisor = _SOURCE[product.unit]
    return Measure(unit, amount, product.unit_price / divisor / product.price)
