"""The JSON of Woolworths' answers but for the prices, field by field; its names are in Pascal case."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from html import escape
from typing import Any, Final

import orjson

from splitcart_sandbox.retailers.noise import fraction, salt
from splitcart_sandbox.retailers.rendering import checked, in_store_code, slug_of
from splitcart_sandbox.retailers.source import Category, Outlet, Product
from splitcart_sandbox.retailers.woolworths_prices import WoolworthsPrices

NO_BARCODE_SHARE: Final = 0.05
"""Share of products whose barcode is null or empty, one as often as the other."""

MARKET_CODES: Final = 1_000_000_000
"""What is added to a stock code for the same product of another seller."""

DEARER: Final = 1.15
"""How much dearer the other seller is."""

_ROOT: Final = "1-4A3B264C"
_IMAGES: Final = "https://cdn0.woolworths.media/content/wowproductimages"


def tree(nodes: Sequence[Category], parent: str = _ROOT, level: int = 1) -> list[dict[str, Any]]:
    """Category nodes with their children; none says how many products it has."""
    return [
        {
            "NodeId": node.key,
            "Description": node.name,
            "NodeLevel": level,
            "ParentNodeId": parent,
            "DisplayOrder": node.order,
            "IsRestricted": False,
            "ProductCount": 0,
            "UrlFriendlyName": node.slug,
            "IsSpecial": node.key.startswith("specialsgroup"),
            "IsBundle": False,
            "Children": tree(node.children, node.key, level + 1),
        }
        for node in nodes
    ]


def located(outlet: Outlet, distance_km: float | None) -> dict[str, Any]:
    """A store of the finder; coordinates are text, and a search by suburb gives no distance."""
    return {
        "Division": "SUPERMARKETS",
        "StoreNo": outlet.store_id,
        "Name": outlet.name,
        "AddressLine1": outlet.address,
        "AddressLine2": None,
        "Suburb": outlet.suburb,
        "State": outlet.state,
        "Postcode": outlet.postcode,
        "Latitude": str(outlet.latitude),
        "Longitude": str(outlet.longitude),
        "Distance": None if distance_km is None else f"{distance_km:.2f}",
        "Phone": "",
        "IsOpen": False,
        "TradingHours": [{}],
        "Facilities": [],
    }


def display_name(product: Product) -> str:
    """The name with the size; a product is sorted by it."""
    return f"{product.name} {product.size}" if product.size else product.name


class WoolworthsTile:
    """One product as a listing shows it: all but price, store and advertisement is rendered once."""

    def __init__(self, product: Product, seed: int, homes: Sequence[Sequence[Category]]) -> None:
        self._product, self._prices = product, WoolworthsPrices(product, seed)
        self._names = {"Name": product.name, "DisplayName": display_name(product)}
        fixed = {"TileID": 0, "Stockcode": int(product.sku), **self._fixed(homes, seed)}
        self._head = self._opened(fixed)
        self._pricing = lru_cache(maxsize=_KEPT)(self._render)

    def priced(self, now: int, regular: int, store: int) -> bytes:
        """The bundle of the product in its own place, at a price and a regular price in cents."""
        return self._told(self._head, store, self._pricing(now, regular), _ORGANIC)

    def unpriced(self, store: int, *, sold: bool) -> bytes:
        """Without a price: not sold at the store now or, if it is, for no good reason."""
        price = orjson.dumps(self._prices.unpriced(self._product.price, sold=sold))[1:-1]
        return self._told(self._head, store, price, _ORGANIC)

    def promoted(self, now: int, regular: int, store: int, index: int) -> bytes:
        """The bundle of a paid copy of the product, at the same price."""
        paid = {"AdID": f"ad-{self._product.sku}-{index}", "AdIndex": index, "AdStatus": "Promoted"}
        advert = orjson.dumps({"IsSponsoredAd": True, **paid})[1:]
        return self._told(self._head, store, self._pricing(now, regular), advert)

    def market(self, store: int) -> bytes:
        """The bundle of the same product of another seller, at that one's price."""
        price = round(self._product.price * DEARER)
        return self._told(self._market_head, store, self._render(price, price), _ORGANIC)

    def detail(self, now: int, regular: int, store: int) -> dict[str, Any]:
        """The fields of the tile, as the product's own page has them."""
        tile: dict[str, Any] = orjson.loads(self.priced(now, regular, store))["Products"][0]
        return tile

    def _render(self, now: int, regular: int) -> bytes:
        return orjson.dumps(self._prices.shown(now, regular))[1:-1]

    @cached_property
    def _market_head(self) -> bytes:
        code = MARKET_CODES + int(self._product.sku)
        fixed = orjson.loads(self._head.partition(b',"Products":[')[2].removesuffix(b",") + b"}")
        other = {
            "Stockcode": code,
            "IsMarketProduct": True,
            "OfferId": str(code),
            "Barcode": None,
            "GtinFormat": 0,
        }
        return self._opened(fixed | other)

    def _opened(self, tile: dict[str, Any]) -> bytes:
        """A bundle, and in it a tile up to the fields that change."""
        return b"".join((orjson.dumps(self._names)[:-1], b',"Products":[', orjson.dumps(tile)[:-1], b","))

    @staticmethod
    def _told(head: bytes, store: int, price: bytes, advert: bytes) -> bytes:
        return b"".join((head, b'"FulfilmentStoreId":%d,' % store, price, b",", advert, b"]}"))

    def _fixed(self, homes: Sequence[Sequence[Category]], seed: int) -> dict[str, Any]:
        product = self._product
        code, digits = barcode(product, seed, weighed=self._prices.by_kilogram)
        return {
            "Barcode": code,
            "GtinFormat": digits,
            **self._names,
            "UrlFriendlyName": slug_of(product.name),
            "Brand": product.brand,
            "PackageSize": product.size or "",
            "Unit": "KG" if self._prices.by_kilogram else "Each",
            "MinimumQuantity": 1,
            "PricePerKGLabel": "Price per Kg charged",
            "IsRanged": True,
            "IsOnlineOnly": False,
            "IsMarketProduct": False,
            "OfferId": None,
            "IsEdrSpecial": False,
            "SupplyLimit": 36,
            "AgeRestricted": False,
            **{f"{size}ImageFile": _image(size.lower(), product) for size in ("Small", "Medium", "Large")},
            "Description": f" {escape(product.brand or '')}<br>{escape(display_name(product))}",
            "AdditionalAttributes": _attributes(homes),
            "Rating": {"Average": 0, "ReviewCount": 0},
        }


_KEPT: Final = 4
"""Prices of a product whose rendering is kept: those of a few zones and weeks."""

_ORGANIC: Final = b'"IsSponsoredAd":false,"AdID":null,"AdIndex":null,"AdStatus":null}'


def _image(size: str, product: Product) -> str:
    return f"{_IMAGES}/{size}/{product.sku.zfill(6)}.jpg"


def _attributes(homes: Sequence[Sequence[Category]]) -> dict[str, Any]:
    """Names of all departments, categories and sub-categories a product is in: JSON within JSON."""
    levels = ("piesdepartmentnamesjson", "piescategorynamesjson", "piessubcategorynamesjson")
    named = {
        level: orjson.dumps(list(dict.fromkeys(home[depth].name for home in homes if len(home) > depth))).decode()
        for depth, level in enumerate(levels)
    }
    return {**named, "sapdepartmentname": homes[0][0].name.upper(), "countryoforigin": None}


def barcode(product: Product, seed: int, *, weighed: bool) -> tuple[str | None, int]:
    """The barcode and of how many digits it is: its own, else one of the shop's making.

    Weighed goods bear a shop's code that begins with 02. Codes of twelve digits are shown without zeros in front.
    """
    draw = fraction(seed, "barcode", product.sku)
    if draw < NO_BARCODE_SHARE:
        return (None if draw < NO_BARCODE_SHARE / 2 else ""), 0
    code = product.barcode or (
        _weighed_code(product.sku) if weighed else in_store_code(f"woolworths {product.sku}")
    )
    if len(code) != 13:
        return code, len(code)
    shown = code.lstrip("0")
    own = code.startswith("02") or not code.startswith("0") or len(shown) < 11
    return (code, 13) if own else (shown, 12)


def _weighed_code(sku: str) -> str:
    """Of an item number of the shop, with no price in it."""
    return checked(f"02{salt('weighed', sku) % 10**5:05}00000")
