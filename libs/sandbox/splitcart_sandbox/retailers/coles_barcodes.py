"""The gtin of a product of Coles, which only its own page shows."""

from typing import Final

from splitcart_sandbox.retailers.noise import fraction
from splitcart_sandbox.retailers.rendering import in_store_code
from splitcart_sandbox.retailers.source import Product

PRODUCE: Final = "Fruit & Vegetables"
"""The root whose goods are loose where they are sold by the piece."""

FOURTEEN_SHARE: Final = 0.1
"""Share of codes that are written with fourteen digits, zeros in front."""

WRONG_SHARE: Final = 0.005
"""Share of codes whose check digit is wrong, as somebody has typed them so."""


def barcode(product: Product, *, weighed: bool) -> str | None:
    """What the goods bear: their own code, else one of the shop's making, None on loose goods."""
    if product.barcode is not None:
        return product.barcode
    pieces = (product.size or "").casefold() in ("1 each", "each")
    loose = weighed or (pieces and product.category_path[0] == PRODUCE)
    return None if loose else in_store_code(f"coles {product.sku}")


def shown(code: str | None, sku: str, seed: int) -> str | None:
    """How the page writes it: as it is, with fourteen digits, or wrong."""
    if code is None:
        return None
    if fraction(seed, "mistyped", sku) < WRONG_SHARE:
        code = f"{code[:-1]}{(int(code[-1]) + 1) % 10}"
    return code.zfill(14) if fraction(seed, "fourteen", sku) < FOURTEEN_SHARE else code
