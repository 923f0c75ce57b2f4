"""Barcodes: which texts are one, in one form, and which of them name a product everywhere."""

from functools import lru_cache

from stdnum import ean
from stdnum.exceptions import ValidationError


@lru_cache(maxsize=65_536)
def valid_barcode(text: str | None) -> str | None:
    """A barcode as 13 digits (8 stay 8) if its check digit is right, else None.

    Codes that begin with 02 or 2 are made inside a shop for weighed goods, and short ones are PLU numbers:
    they name no product outside it (as Woolworths and IGA do). Nothing but zeros is a gap that was filled in.
    """
    if text is None:
        return None
    try:
        digits = ean.validate(text)
    except ValidationError:
        return None
    if not digits.strip("0"):
        return None
    if len(digits) == 8:
        return None if digits.startswith(("0", "2")) else digits
    if len(digits) == 14:
        if not digits.startswith("0"):
            return None  # a GTIN-14 with an indicator names a carton, not the thing in it
        digits = digits[1:]
    digits = digits.rjust(13, "0")
    return None if digits.startswith(("02", "2")) else digits
