"""The JSON of Coles's answers but for the prices, field by field."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from splitcart_sandbox.retailers import coles_barcodes
from splitcart_sandbox.retailers.coles_prices import ColesPrices
from splitcart_sandbox.retailers.rendering import slug_of, uuid_of
from splitcart_sandbox.retailers.source import Category, Outlet, Product

RESTRICTED: Final = ("17490",)
"""Ids of the nodes that are not shown to everybody: tobacco."""

SEASONAL: Final = "Down Down"
"""The root whose nodes are of a season; the others are of the core range."""

PROMOTIONS: Final = (SEASONAL, "Bonus Entry Products")
"""Roots that stand before a product's own among its heirs."""

ASSETS: Final = "https://cdn.productimages.coles.com.au/productimages"


def padded(store_id: str) -> str:
    """A store's number as cookies, menu and pages write it: four digits."""
    return store_id.zfill(4)


def found_store(outlet: Outlet, distance_km: float) -> dict[str, Any]:
    """A store of the finder, whose number bears its brand and no zeros."""
    return {
        "distance": round(distance_km, 2),
        "store": {
            "id": f"COL:{outlet.store_id}",
            "name": outlet.name,
            "isTrading": True,
            "phone": "",
            "services": [],
            "address": {
                "state": outlet.state,
                "suburb": outlet.suburb,
                "addressLine": outlet.address,
                "postcode": outlet.postcode,
            },
            "position": {"latitude": outlet.latitude, "longitude": outlet.longitude},
            "brand": {"name": "Coles Supermarkets", "storeFinderId": 2, "id": "COL"},
        },
    }


def menu(nodes: Sequence[Category], count: Callable[[str], int], children: str) -> list[dict[str, Any]]:
    """The items of a store's menu; `count` is how many products it lists in the node of a key.

    `children` is how the items below an item are called.
    """
    return [_item(node, 1, "SEASONAL" if node.name == SEASONAL else "CORE", count, children) for node in nodes]


def _item(node: Category, level: int, kind: str, count: Callable[[str], int], children: str) -> dict[str, Any]:
    return {
        "id": node.key,
        "level": level,
        "name": node.name,
        "originalName": node.name,
        "productCount": count(node.key),
        "seoToken": node.slug,
        "type": "CATALOG",
        "subType": kind,
        children: [_item(child, level + 1, kind, count, children) for child in node.children],
    }


class ColesTile:
    """One product as a listing shows it: all but price and advertisement is rendered once."""

    def __init__(self, product: Product, seed: int, homes: Sequence[Sequence[Category]]) -> None:
        self.product, self._prices = product, ColesPrices(product, seed)
        self._code = coles_barcodes.barcode(product, weighed=self._prices.weighed)
        self._gtin = coles_barcodes.shown(self._code, product.sku, seed)
        self._head = f'{{"_type":"PRODUCT","id":{product.sku},'.encode()
        self._body = b"," + orjson.dumps(_fixed(product, homes))[1:-1] + b","
        self._organic = self._head + _ORGANIC + self._body
        self._pricing = lru_cache(maxsize=_KEPT)(self._render)

    def priced(self, now: int, regular: int) -> bytes:
        """The product in its own place at a price and a regular price in cents."""
        return b"".join((self._organic, _HELD, self._pricing(now, regular)))

    def unpriced(self, *, sold: bool) -> bytes:
        """Without a price: not sold at the store now or, if it is, for no good reason."""
        return b"".join((self._organic, _HELD if sold else _GONE, b"null}"))

    def sponsored(self, now: int, regular: int, paid: bytes) -> bytes:
        """A paid copy of the product, at the same price; `paid` is what `paid_by` makes of the campaign."""
        return b"".join((self._head, paid, self._body, _HELD, self._pricing(now, regular)))

    def detail(self, entry: bytes) -> dict[str, Any]:
        """The fields of an entry and those that only the product's own page has."""
        added: dict[str, Any] = {"gtin": self._gtin, "images": [], "lifestyle": None, "nutrition": None}
        return {
            **orjson.loads(entry),
            **added,
            "longDescription": None,
            "countryOfOrigin": None,
            "lastUpdated": None,
        }

    def linked(self) -> dict[str, Any]:
        """The data for search engines on the product's page, its barcode among them if it has one."""
        product = self.product
        named = {"@context": "https://schema.org/", "@type": "Product", "name": product.name, "sku": product.sku}
        return named | ({} if self._gtin is None else {"gtin": self._gtin})

    def _render(self, now: int, regular: int) -> bytes:
        # A new text, as the one of orjson keeps more room than it fills. The tile ends with it.
        return orjson.dumps(self._prices.shown(now, regular)) + b"}"


_KEPT: Final = 4
"""Prices of a product whose rendering is kept: those of a few zones and weeks."""

_ORGANIC: Final = b'"adId":null,"adSource":null,"featured":false'
_HELD: Final = b'"availability":true,"availableQuantity":20,"pricing":'
_GONE: Final = b'"availability":false,"availableQuantity":0,"pricing":'


def paid_by(campaign: str) -> bytes:
    """The fields of a paid copy that say by which campaign."""
    return orjson.dumps({"adId": f"display_{uuid_of(campaign)}", "adSource": "citrus", "featured": True})[1:-1]


def _fixed(product: Product, homes: Sequence[Sequence[Category]]) -> dict[str, Any]:
    """A promotion's heir comes before the product's own: whoever takes the first one takes the wrong one."""
    own, *others = homes
    promoting = [home for home in others if home[0].name in PROMOTIONS]
    beside = [home for home in others if home[0].name not in PROMOTIONS]
    return {
        "name": product.name,
        "brand": product.brand,
        "description": " ".join(filter(None, (product.brand, product.name, product.size))).upper(),
        "size": product.size,
        "availabilityType": "InStoreAndOnline",
        "imageUris": [{"altText": "", "type": "default", "uri": f"/{product.sku[0]}/{product.sku}.jpg"}],
        "locations": [{"aisle": None, "aisleSide": None, "shelf": None, "facing": 0, "order": 9999}],
        "restrictions": {
            "retailLimit": 20,
            "promotionalLimit": 12,
            "liquorAgeRestrictionFlag": False,
            "tobaccoAgeRestrictionFlag": False,
        },
        "merchandiseHeir": {"tradeProfitCentre": own[0].name.upper(), "category": own[-1].name.upper()},
        "onlineHeirs": [_heir(home) for home in (*promoting, own, *beside)],
    }


def _heir(home: Sequence[Category]) -> dict[str, str | None]:
    """Department, middle and leaf under names that stand upside down; a leaf in the middle has no aisle."""
    named: dict[str, str | None] = {"aisle": None, "category": None, "subCategory": None}
    named |= {"aisleId": None, "categoryId": None, "subCategoryId": None}
    for level, node in zip(("subCategory", "category", "aisle"), home, strict=False):
        named |= {level: node.name, f"{level}Id": node.key}
    return named


def single_tile(campaign: str) -> bytes:
    """An advertisement that is no product and bears no price."""
    return orjson.dumps(
        {
            "_type": "SINGLE_TILE",
            "adId": f"campaigns_{uuid_of(campaign)}",
            "adSource": "aem",
            "campaignName": campaign,
            "ctaLink": f"/offers/{slug_of(campaign)}",
            "productIds": [],
        }
    )


def association(kind: str, skus: Sequence[str], campaign: str) -> bytes:
    """``PRODUCT_ASSOCIATION`` or ``CONTENT_ASSOCIATION``: products or words beside a listing, not counted."""
    results = [{"_type": "PRODUCT", "id": int(sku)} for sku in skus]
    return orjson.dumps(
        {"_type": kind, "adId": f"content_{uuid_of(campaign)}", "adSource": "aem", "results": results}
    )
