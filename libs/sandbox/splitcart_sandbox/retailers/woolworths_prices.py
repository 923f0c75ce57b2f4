"""What a price looks like at Woolworths: dollars, online and in store the same, cup prices, tags, multi-buys."""

import re
from typing import Any, Final

from splitcart_sandbox.retailers.noise import fraction, salt
from splitcart_sandbox.retailers.rendering import amount, dollars
from splitcart_sandbox.retailers.sizes import EACH, Measure, measure_of, size_of
from splitcart_sandbox.retailers.source import Product

MULTIBUY_SHARE: Final = 0.08
"""Share of products in a multi-buy where they are not reduced: of all it is 7 %."""

TAGS: Final = (("EVERYDAY LOW PRICE", 0.12), ("Lower shelf price", 0.05), ("Seasonal Price", 0.02))
"""What a header says of a price that is no special, and of what share of products."""

_RANGE: Final = re.compile(r"(\d+(?:\.\d+)?)(k?)g\s*-\s*(\d+(?:\.\d+)?)(k?)g", re.IGNORECASE)
_BY_KILOGRAM: Final = re.compile(r"per (kg|\d+g)", re.IGNORECASE)


class WoolworthsPrices:
    """Renders the prices of one product.

    `Price` is the shelf's: of goods of the deli a kilogram's, of a piece of unknown weight the most it costs.
    """

    def __init__(self, product: Product, seed: int) -> None:
        size = product.size or ""
        self.by_kilogram = bool(_BY_KILOGRAM.fullmatch(size))
        weights = _RANGE.fullmatch(size)
        self._lightest = 0.0
        if self.by_kilogram:
            self._measure = Measure("kg", 1, 1.0)
        elif weights is not None and (heaviest := _kilograms(weights[3], weights[4])) > 0:
            self._lightest = min(_kilograms(weights[1], weights[2]) / heaviest, 1.0)
            self._measure = Measure("kg", 1, 1 / heaviest)
        else:
            self._measure = measure_of(product, size_of(size))
        self._has_cup = self._measure.unit != "" or size_of(size) != EACH
        draw = fraction(seed, "multi-buy", product.sku)
        self._quantity = 2 + salt(seed, "quantity", product.sku) % 3 if draw < MULTIBUY_SHARE else 0
        self._tag = _tag(fraction(seed, "tag", product.sku))

    def shown(self, now: int, regular: int) -> dict[str, Any]:
        """The fields of a price and a regular price in cents."""
        reduced, half = now < regular, now < regular and 2 * now <= regular
        special = {"TagType": "Image", "FallbackText": "Half Price"} if half else _NO_IMAGE
        saved = f"Save {dollars(regular - now)}"
        header = {"Content": saved, "Promotion": "LowerPrice"} if reduced else self._tag
        return {
            "Price": amount(now),
            "WasPrice": amount(regular),
            "SavingsAmount": amount(regular - now),
            "InstorePrice": amount(now),
            "InstoreWasPrice": amount(regular),
            "IsOnSpecial": reduced,
            "InstoreIsOnSpecial": reduced,
            "IsHalfPrice": half,
            **self._cup(now),
            "MinWeightPrice": amount(round(now * self._lightest)) if self._lightest else None,
            "MaxWeightPrice": amount(now) if self._lightest else None,
            **_HELD,
            "CentreTag": _NO_CENTRE if reduced else self._centre(now),
            "ImageTag": special,
            "HeaderTag": header,
        }

    def unpriced(self, regular: int, *, sold: bool) -> dict[str, Any]:
        """The fields where there is no price; what it was is still said."""
        was = amount(regular)
        return {
            "Price": None,
            "WasPrice": was,
            "SavingsAmount": 0,
            "InstorePrice": None,
            "InstoreWasPrice": was,
            "IsOnSpecial": False,
            "InstoreIsOnSpecial": False,
            "IsHalfPrice": False,
            **_NO_CUP,
            "MinWeightPrice": None,
            "MaxWeightPrice": None,
            **(_HELD if sold else dict.fromkeys(_HELD, False)),
            "CentreTag": _NO_CENTRE,
            "ImageTag": _NO_IMAGE,
            "HeaderTag": None,
        }

    def _cup(self, now: int) -> dict[str, Any]:
        if not self._has_cup:
            return _NO_CUP
        price, measure = self._measure.cents(now), self._cup_measure()
        return {
            "CupPrice": amount(price),
            "CupMeasure": measure,
            "CupString": f"{dollars(price)} / {measure}",
            "HasCupPrice": True,
        }

    def _cup_measure(self) -> str:
        return f"{self._measure.amount}{self._measure.unit.upper() or 'EA'}"

    def _centre(self, now: int) -> dict[str, Any]:
        """So many for less, the price of one unchanged."""
        total = self._quantity * now * 4 // 50 * 10
        if total == 0:
            return _NO_CENTRE
        cup = f"{dollars(self._measure.cents(total // self._quantity))}/{self._cup_measure()}"
        words = f'<a href="/shop/offers"><span>{self._quantity} for {dollars(total)} - {cup}</span></a>'
        data = {"Quantity": self._quantity, "Price": amount(total), "CupTag": cup}
        return {"TagType": "Html", "TagContent": words, "MultibuyData": data, "MemberPriceData": None}


def _kilograms(number: str, kilo: str) -> float:
    return float(number) if kilo else float(number) / 1000


def _tag(draw: float) -> dict[str, str] | None:
    for words, share in TAGS:
        if draw < share:
            return {"Content": words, "Promotion": "Tag"}
        draw -= share
    return None


_HELD: Final = {"IsAvailable": True, "IsInStock": True, "IsPurchasable": True}
_NO_CUP: Final = {"CupPrice": None, "CupMeasure": None, "CupString": None, "HasCupPrice": False}
_NO_IMAGE: Final = {"TagType": "None", "FallbackText": ""}
_NO_CENTRE: Final = {"TagType": "None", "TagContent": None, "MultibuyData": None, "MemberPriceData": None}
