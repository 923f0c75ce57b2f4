"""The JSON of Aldi's answers, field by field."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson

from splitcart_sandbox.retailers.rendering import dollars, slug_of, uuid_of
from splitcart_sandbox.retailers.source import Category, Outlet, Product

REGIONS: Final = {
    "ACT": "Australian Capital Territory", "NSW": "New South Wales", "NT": "Northern Territory",
    "QLD": "Queensland", "SA": "South Australia", "TAS": "Tasmania", "VIC": "Victoria", "WA": "Western Australia",
}  # fmt: skip

MISSING: Final[dict[str, Any]] = {"spellingSuggestion": None, "keywordRedirect": None, "pinned": []}
"""The parts of a search's meta that are there and say nothing."""

COMPARISONS: Final = {
    "1kg": (10, "per 100 g"), "1l": (10, "per 100 ml"),
    "1.0each": (1, "per 1 each"), "100.0each": (1, "per 100 each"),
}  # fmt: skip
"""Unit of the source -> by what its unit price is divided, and how that is shown."""

_KEPT: Final = 8
_ASSETS: Final = "https://dm.apac.cms.aldi.cx/is/image/aldiprodapac/product/jpg/scaleWidth/{width}"


def service_point(outlet: Outlet, distance_km: float, at: int) -> dict[str, Any]:
    """A store; `at` says whether it is open now. Coordinates are strings with 14 decimals."""
    return {
        "id": outlet.store_id,
        "name": outlet.name,
        "distance": f"{distance_km:.1f} km",
        "isOpenNow": 8 <= (datetime.fromtimestamp(at, UTC).hour + 10) % 24 < 20,
        "publicPhoneNumber": None,
        "address": {
            "address1": outlet.address,
            "address2": None,
            "city": outlet.suburb,
            "zipCode": outlet.postcode,
            "regionName": REGIONS[outlet.state],
            "regionIsoCode": outlet.state,
            "latitude": coordinate(outlet.latitude),
            "longitude": coordinate(outlet.longitude),
            "countryIsoCode": "AU",
        },
        "availableCustomerServiceTypes": ["walk-in"],
        "facilities": [],
    }


def tree(nodes: Sequence[Category]) -> list[dict[str, Any]]:
    """Category nodes with their children, in the order of the source."""
    return [
        {
            "key": node.key,
            "order": node.order,
            "thumbnail": None,
            "name": node.name,
            "urlSlugText": node.slug,
            "children": tree(node.children),
        }
        for node in nodes
    ]


class Tile:
    """One product as a listing shows it: all but the price is rendered once."""

    def __init__(self, product: Product, path: Sequence[Category]) -> None:
        self._product = product
        slug = slug_of(f"{product.brand or ''} {product.name}")
        self._fixed: dict[str, Any] = {
            "sku": product.sku,
            "name": product.name,
            "brandName": None if product.brand is None else product.brand.upper(),
            "urlSlugText": slug,
            "sellingSize": product.size,
            "quantityUnit": "ea",
            "weightType": "1" if (product.size or "").startswith("approx.") else "0",
            "notForSale": True,
            "discontinued": False,
            "onSaleDateDisplay": None,
            "categories": [{"id": node.key, "name": node.name, "urlSlugText": node.slug} for node in path],
            "assets": [{"url": f"{_ASSETS}/{uuid_of(product.sku)}/{slug}", "maxWidth": 1500, "assetType": "FR01"}],
        }
        self.priced = lru_cache(maxsize=_KEPT)(self._priced)

    def _priced(self, now: int, regular: int) -> orjson.Fragment:
        """The tile's JSON at a price and a regular price in cents."""
        return orjson.Fragment(orjson.dumps(self._fields(now, regular)))

    def unpriced(self) -> orjson.Fragment:
        """The tile's JSON where it lacks its price for no good reason."""
        return orjson.Fragment(orjson.dumps({**self._fixed, "price": None, "badges": []}))

    def detail(self, now: int, regular: int) -> dict[str, Any]:
        """The fields of the tile and those only the product's own page has."""
        return {
            **self._fields(now, regular),
            "description": None,
            "storageInstructions": None,
            "countryOrigin": "Australia",
            "ingredients": None,
            "allergens": None,
            "warnings": None,
        }

    def _fields(self, now: int, regular: int) -> dict[str, Any]:
        reduced = now < regular
        badges = [{"badgeText": "Lower price", "badgeType": "price"}] if reduced else []
        return {**self._fixed, "price": self._price(now, regular if reduced else None), "badges": badges}

    def _price(self, now: int, was: int | None) -> dict[str, Any]:
        comparison, display = self._comparison(now)
        return {
            "amount": now,
            "amountRelevant": now,
            "amountRelevantDisplay": dollars(now),
            "comparison": comparison,
            "comparisonDisplay": display,
            "wasPriceDisplay": None if was is None else dollars(was),
            "perUnit": None,
            "perUnitDisplay": None,
            "currencyCode": "AUD",
            "bottleDeposit": 0,
        }

    def _comparison(self, now: int) -> tuple[int | None, str | None]:
        """The unit price moves with the price; loose goods are priced by the kilogram as they are compared."""
        product = self._product
        if product.unit_price is None or product.unit not in COMPARISONS:
            return None, None
        divisor, text = COMPARISONS[product.unit]
        if product.unit == "1kg" and product.unit_price == product.price:
            divisor, text = 1, "per 1 kg"
        cents = round(product.unit_price * now / product.price / divisor)
        return cents, f"{dollars(cents)} {text}"


def coordinate(degrees: float) -> str:
    """Degrees with the 14 decimals Aldi writes, of which the source knows 6."""
    return f"{degrees:.6f}{'0' * 8}"
