"""What a price looks like at Coles: dollars, `was` 0 where there is none, kinds of promotion, two unit prices."""

import re
from typing import Any, Final

from splitcart_sandbox.retailers.noise import fraction
from splitcart_sandbox.retailers.rendering import amount, dollars
from splitcart_sandbox.retailers.sizes import EACH, Measure, measure_of, size_of
from splitcart_sandbox.retailers.source import Product

KINDS: Final = (
    ("DOWNDOWN", 0.07), ("MULTI_SAVE", 0.10), ("EVERYDAY", 0.20), ("NEW", 0.02), ("FLYBUYS", 0.01),
    ("CONTINUITYREDEEMABLE", 0.005), ("WAS_EQUAL", 0.02),
)  # fmt: skip
"""What a price that is not reduced this week is, and of what share of products; the rest is nothing.

Real pages have multi-buys on 9 %, long-term cuts on 6 % and EVERYDAY on 17 % of all, reduced ones included.
"""

OUTGOING_SHARE: Final = 0.03
"""Share of products that are reduced, when they are, while stocks last."""


class ColesPrices:
    """Renders the prices of one product. `now` is the shelf's price of one, also where there is a multi-buy."""

    def __init__(self, product: Product, seed: int) -> None:
        text = re.sub(r"^approx\.? ?|( each| pack)$", "", product.size or "", flags=re.IGNORECASE)
        self._size = size_of(text)
        self.weighed = self._size != EACH and text != product.size and self._size.unit in ("g", "kg")
        self._measure = self._measure_of(product)
        self._kind = self._kind_of(fraction(seed, "kind", product.sku))
        self._outgoing = fraction(seed, "outgoing", product.sku) < OUTGOING_SHARE
        self._offer = product.sku

    def shown(self, now: int, regular: int) -> dict[str, Any]:
        """The pricing at a price and a regular price in cents."""
        was, kind, special, offer, multibuy = 0, None, None, None, None
        if now < regular:
            was, kind = regular, "SPECIAL"
            special = "WHILE_STOCKS_LAST" if self._outgoing else "PERCENT_OFF"
        elif self._kind == "DOWNDOWN":
            was, kind = now + max(now // 40 * 5, 5), self._kind
        elif self._kind == "WAS_EQUAL":
            was = now
        elif self._kind == "MULTI_SAVE" and (each := now * 4 // 50 * 10) > 0:
            kind, special, offer = "SPECIAL", self._kind, f"Pick any 2 for {dollars(2 * each).removesuffix('.00')}"
            multibuy = {
                "type": "MultibuyMultiSku",
                "id": self._offer,
                "minQuantity": 2,
                "reward": amount(each),
                "unitPriceDisplay": self._comparable(each),
            }
        elif self._kind != "MULTI_SAVE":
            kind = self._kind
        saved = max(was - now, 0)
        return {
            "now": amount(now),
            "rawPriceNow": amount(now),
            "was": amount(was),
            "saveAmount": amount(saved) if saved else None,
            "saveStatement": f"save {dollars(saved)}" if saved else None,
            "savePercent": 100 * saved // was if saved else None,
            "comparable": self._comparable(now),
            "promotionType": kind,
            "specialType": special,
            "offerDescription": offer,
            "priceDescription": "Was " + dollars(was) if kind == "DOWNDOWN" else None,
            "onlineSpecial": special is not None,
            "multiBuyPromotion": multibuy,
            "unit": self._unit(now),
        }

    def _comparable(self, cents: int) -> str:
        """``$40.00 per 1kg`` of what is weighed or counted, ``$1.65/ 100g`` of what comes in packs."""
        measure = self._measure
        unit = measure.unit or "ea"
        price = dollars(measure.cents(cents))
        return f"{price}/ {measure.amount}{unit}" if measure.amount > 1 else f"{price} per {measure.amount}{unit}"

    def _unit(self, now: int) -> dict[str, Any]:
        """Of weighed goods the price is of a kilogram though the measure says one gram: not to be relied on."""
        unit = "g" if self.weighed else self._measure.unit or "ea"
        return {
            "quantity": self._size.amount,
            "ofMeasureQuantity": self._measure.amount,
            "ofMeasureUnits": unit,
            "price": amount(self._measure.cents(now)),
            "ofMeasureType": unit,
            "isWeighted": self.weighed,
            "isIncremental": False,
        }

    def _measure_of(self, product: Product) -> Measure:
        if self.weighed:
            return Measure("kg", 1, (1000 if self._size.unit == "g" else 1) / self._size.amount)
        return measure_of(product, self._size)

    @staticmethod
    def _kind_of(draw: float) -> str | None:
        for kind, share in KINDS:
            if draw < share:
                return kind
            draw -= share
        return None
