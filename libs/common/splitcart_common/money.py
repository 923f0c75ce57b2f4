"""Money is integer cents; text and floats stop here."""

from decimal import ROUND_HALF_UP, Decimal
from typing import NewType

PriceCents = NewType("PriceCents", int)


def from_dollars(amount: str | float | Decimal) -> PriceCents:
    """Cents of an amount in dollars, half cents up; ValueError for what is no finite, non-negative number."""
    try:
        value = Decimal(str(amount).strip().removeprefix("$").replace(",", ""))
        cents = (value * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    except ArithmeticError:
        raise ValueError(f"{amount!r} is not an amount of dollars") from None
    if not cents.is_finite() or value < 0:
        raise ValueError(f"{amount!r} is not an amount of dollars at or above 0")
    return PriceCents(int(cents))


def to_dollars(cents: int) -> str:
    """``$4.69`` of 469."""
    return f"${cents // 100:,}.{cents % 100:02d}"
