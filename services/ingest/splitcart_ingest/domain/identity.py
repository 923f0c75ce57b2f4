"""Which product a listing is. Here: listings that share one valid barcode are one product, others their own.

The product id is computed from what identifies it, so two processes, or a replay, give the same one.
"""

from uuid import UUID, uuid5

from stdnum import ean
from stdnum.exceptions import ValidationError

_NAMESPACE = UUID("6f0d6c1e-6f3b-5d0f-9d3c-5a1f0c2b7e11")


def valid_barcode(text: str | None) -> str | None:
    """A barcode as 13 digits (8 stay 8) if its check digit is right, else None.

    Codes that begin with 02 or 2 are made inside a shop for weighed goods, and short ones are PLU numbers:
    they name no product outside it (as Woolworths and IGA do).
    """
    if text is None:
        return None
    try:
        digits = ean.validate(text)
    except ValidationError:
        return None
    if len(digits) == 8:
        return None if digits.startswith(("0", "2")) else digits
    if len(digits) == 14:
        if not digits.startswith("0"):
            return None  # a GTIN-14 with an indicator names a carton, not the thing in it
        digits = digits[1:]
    digits = digits.rjust(13, "0")
    return None if digits.startswith(("02", "2")) else digits


def product_id(company: str, sku: str, barcode: str | None) -> UUID:
    """The product of a listing: of its barcode if that is valid, else its own."""
    code = valid_barcode(barcode)
    return uuid5(_NAMESPACE, f"barcode {code}" if code else f"listing {company}/{sku}")


def own_product_id(company: str, sku: str, nth: int = 0) -> UUID:
    """The product that a listing founds; `nth` counts those it founded before and was parted from by an operator."""
    return uuid5(_NAMESPACE, f"listing {company}/{sku}" if nth == 0 else f"listing {company}/{sku} apart {nth}")


def decide(catalogue: Catalogue, described: ListingDescribed) -> tuple[CatalogueEvent, ...]:
    """Which product a listing is, as it is described now; () if that says nothing new. The catalogue stays as it is."""
    raise NotImplementedError


def unmerge(catalogue: Catalogue, requested: UnmergeRequested) -> tuple[CatalogueEvent, ...]:
    """An operator's word that a listing is not the product: it is parted from it for good, onto a product of its own.

    () if it is not (any more) that product; ValueError if the subject is no `company/sku`.
    """
    raise NotImplementedError
