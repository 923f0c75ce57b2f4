"""Sizes and unit prices as IGA shows them."""

from typing import Any, Final

from splitcart_sandbox.retailers.rendering import dollars
from splitcart_sandbox.retailers.sizes import Measure

UNITS: Final = {
    "": ("Each", "each"), "g": ("Gram", "gram"), "kg": ("Kilogram", "kilogram"),
    "ml": ("Millilitre", "millilitre"), "l": ("Litre", "litre"),
}  # fmt: skip
"""Abbreviation of a unit -> its label and type."""


def unit_price(measure: Measure, price: int) -> str:
    """The unit price of goods at so many cents, for example ``$3.52/100g``."""
    amount = "" if measure.amount == 1 else measure.amount
    return f"{dollars(measure.cents(price))}/{amount}{measure.unit or 'ea'}"


def unit(abbreviation: str, amount: float) -> dict[str, Any]:
    """An amount of a unit, as a product's fields give it; whole amounts are whole numbers."""
    label, kind = UNITS[abbreviation]
    return {
        "size": int(amount) if amount == int(amount) else amount,
        "abbreviation": abbreviation,
        "label": label,
        "type": kind,
    }
