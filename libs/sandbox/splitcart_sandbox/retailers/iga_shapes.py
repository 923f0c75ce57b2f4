"""The JSON of IGA's answers, field by field."""

import html
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from splitcart_sandbox.retailers.iga_sizes import unit, unit_price
from splitcart_sandbox.retailers.noise import fraction
from splitcart_sandbox.retailers.rendering import dollars, in_store_code, uuid_of
from splitcart_sandbox.retailers.sizes import Measure, Size, measure_of, size_of
from splitcart_sandbox.retailers.source import Category, Outlet, Product

HIERARCHY: Final = "retailer-prod-v3"
"""Name of the hierarchy that all of the company's categories hang below."""

BARCODE_SHARE: Final = 0.84
"""Share of packaged goods that show a barcode."""

IMAGE_SHARE: Final = 0.94
"""Share of products that have an image."""

_KEPT: Final = 4
"""Prices of a product whose rendering is kept."""

_PRODUCE: Final = re.compile(r"800\d{5}")
"""Skus of produce: the last five digits are the number typed in at the till."""

_BY_WEIGHT: Final = re.compile(r"8006\d{4}")
"""Those of them that are priced by the kilogram and sold by the piece."""

_IMAGES: Final = "https://cdn.metcash.media/image/upload/w_1500,h_1500,c_pad,b_auto/igashop/images"


def hierarchy(nodes: Sequence[Category]) -> dict[str, Any]:
    """The category hierarchy, its root included."""
    return _node(HIERARCHY, HIERARCHY, nodes)


def _node(identifier: str, name: str, children: Sequence[Category]) -> dict[str, Any]:
    below = [_node(child.key, child.name, child.children) for child in children]
    return {"identifier": identifier, "displayName": name, "children": below}


def located(outlets: Iterable[Outlet]) -> dict[str, Any]:
    """What the store finder found: HTML, in which each store's data is an attribute of its entry."""
    entries = (
        f'<div class="sf-storelocator-item" data-storedata="{html.escape(orjson.dumps(store(outlet)).decode())}">'
        f"<h3>{html.escape(outlet.name)}</h3></div>"
        for outlet in outlets
    )
    return {"content": f'<div class="sf-storelocator">{"".join(entries)}</div>'}


def store(outlet: Outlet) -> dict[str, Any]:
    """A store; `retailerStoreId` is there only if it sells online. Coordinates are strings."""
    return {
        "id": outlet.store_id,
        "storeId": outlet.store_id,
        "storeName": outlet.name,
        "address": outlet.address,
        "suburb": outlet.suburb,
        "state": outlet.state,
        "postcode": outlet.postcode,
        "latitude": str(outlet.latitude),
        "longitude": str(outlet.longitude),
        "phone": "",
        "email": "",
        "hours": "",
        "status": "Active",
    } | ({"retailerStoreId": outlet.retailer_ref} if outlet.retailer_ref else {})


class IgaTile:
    """One product as a listing shows it: all but the price is rendered once.

    What a store charges for a listing is its `priceNumeric`, rounded to the cent. Of weighed goods this is the
    average piece, made of a kilogram price in whole cents, so it can have more decimals than cents have.
    """

    def __init__(self, product: Product, seed: int, homes: Sequence[Sequence[Category]]) -> None:
        size = size_of(product.size)
        # Below a kilogram every price of a piece has a kilogram price that rounds to it, from there on not.
        weighed = bool(_BY_WEIGHT.fullmatch(product.sku)) and size.unit == "g" and size.amount < 1000
        self._measure = Measure("kg", 1, 1000 / size.amount) if weighed else measure_of(product, size)
        self._grams = int(size.amount) if weighed else 0
        self._fixed = orjson.dumps(_fixed(product, size, self._measure, homes, seed, weighed=weighed))[:-1] + b","
        self.priced = lru_cache(maxsize=_KEPT)(self._priced)

    def unpriced(self) -> orjson.Fragment:
        """The tile's JSON where it lacks its price for no good reason."""
        nothing = {"price": None, "priceNumeric": None, "wholePrice": None, "pricePerUnit": None}
        return orjson.Fragment(self._fixed + orjson.dumps(_regular(nothing))[1:])

    def _priced(self, now: int, regular: int) -> orjson.Fragment:
        """The tile's JSON at a price and a regular price in cents."""
        price = self._weighed(now, regular) if self._grams else self._packaged(now, regular)
        return orjson.Fragment(self._fixed + orjson.dumps(price)[1:])

    def _packaged(self, now: int, regular: int) -> dict[str, Any]:
        shown = {
            "price": dollars(now),
            "priceNumeric": now / 100,
            "wholePrice": now / 100,
            "pricePerUnit": unit_price(self._measure, now),
        }
        if now >= regular:
            return _regular(shown)
        was = {"wasPrice": dollars(regular), "wasPriceNumeric": regular / 100, "wasWholePrice": regular / 100}
        return _reduced(shown, was, now, regular)

    def _weighed(self, now: int, regular: int) -> dict[str, Any]:
        kilogram, piece = self._by_kilogram(now)
        shown = {
            "price": f"{dollars(now)} avg/ea",
            "priceNumeric": piece,
            "wholePrice": kilogram / 100,
            "pricePerUnit": f"{dollars(kilogram)}/kg",
        }
        if now >= regular:
            return _regular(shown)
        kilogram, piece = self._by_kilogram(regular)
        was = {
            "wasPrice": f"{dollars(regular)} avg/ea",
            "wasPriceNumeric": piece,
            "wasWholePrice": kilogram / 100,
        }
        return _reduced(shown, was, now, regular)

    def _by_kilogram(self, cents: int) -> tuple[int, float]:
        """The kilogram's price in cents that makes a piece cost so many, and what it makes it cost in dollars."""
        kilogram = round(cents * 1000 / self._grams)
        return kilogram, kilogram * self._grams / 100_000


def _regular(shown: dict[str, Any]) -> dict[str, Any]:
    return shown | {"priceLabel": "", "priceSource": "regular", "tprPrice": []}


def _reduced(shown: dict[str, Any], was: dict[str, Any], now: int, regular: int) -> dict[str, Any]:
    """A temporary price reduction: the only time that the keys of the price before are there."""
    label = f"{round(100 * (regular - now) / regular)}% Off"
    reduction = {
        "label": label,
        "markdown": shown["priceNumeric"],
        "wholePrice": shown["wholePrice"],
        "effectiveFrom": None,
        "effectiveUntil": None,
    }
    return shown | was | {"priceLabel": label, "priceSource": "tpr", "tprPrice": [reduction]}


def _fixed(
    product: Product,
    size: Size,
    measure: Measure,
    homes: Sequence[Sequence[Category]],
    seed: int,
    *,
    weighed: bool,
) -> dict[str, Any]:
    own, *second = homes
    image = f"{_IMAGES}/{product.sku}.jpg" if fraction(seed, "image", product.sku) < IMAGE_SHARE else None
    return {
        "sku": product.sku,
        "productId": product.sku,
        "name": product.name,
        "brand": product.brand or "",
        "barcode": barcode(product, seed),
        "available": True,
        "sellBy": "EachUnit" if weighed else "Each",
        "description": "",
        "unitOfSize": unit(size.unit, size.amount),
        "unitOfMeasure": unit(measure.unit, measure.amount),
        "unitOfPrice": unit("kg" if weighed else "", 1),
        "weightIncrement": None,
        "categories": _breadcrumbs(own) + [crumb for home in second for crumb in _breadcrumbs(home)[-1:]],
        "defaultCategory": _breadcrumbs(own)[-1:],
        "image": {"default": image, "cell": None, "details": None, "zoom": None, "template": None},
    }


def barcode(product: Product, seed: int) -> str | None:
    """The till's number of produce; else, for most, the product's own barcode or one of the store's making."""
    if _PRODUCE.fullmatch(product.sku):
        return product.sku[-5:]
    if fraction(seed, "barcode", product.sku) >= BARCODE_SHARE:
        return None
    return product.barcode or in_store_code(product.sku)


def _breadcrumbs(path: Sequence[Category]) -> list[dict[str, str]]:
    names = [node.name for node in path]
    return [
        {
            "category": node.name,
            "categoryBreadcrumb": "/".join(names[: depth + 1]),
            "categoryId": str(uuid_of(node.key)),
            "retailerId": node.key,
        }
        for depth, node in enumerate(path)
    ]
