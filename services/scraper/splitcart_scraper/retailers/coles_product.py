"""The product pages of Coles, which alone bear barcodes (retailers.md §2): the request for one, and what it says.

The HTML page, not the data route: its address needs no build id, so a product costs one request and nothing else,
and a 404 says that the product is gone, never that the shop was deployed.
"""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Struct, UnsetType

from splitcart_common.ids import split_store_key
from splitcart_scraper.domain.barcodes import Finding, Reading, Wanted, judge
from splitcart_scraper.domain.listing import LONGEST_SHORT_TEXT, clean_text
from splitcart_scraper.retailers.base import Meaning, PageError, Request
from splitcart_scraper.retailers.coles_requests import padded
from splitcart_scraper.retailers.coles_shapes import next_data
from splitcart_scraper.retailers.coles_tiles import sku_of
from splitcart_scraper.retailers.reading import decode

_NO_PAGE: Final = {404: Meaning.NOT_CARRIED, 410: Meaning.NOT_CARRIED}
_NOT_IN_SLUGS: Final = re.compile(r"[^\w'&.-]+")
_LINKED_DATA: Final = re.compile(
    rb"""<script [^<>]{0,200}type=["']?application/ld\+json["']?[^<>]{0,200}>(.*?)</script>""", re.DOTALL
)
_GTINS: Final = ("gtin", "gtin8", "gtin12", "gtin13", "gtin14")


class Product(Struct):
    """What a page says its product is; a gtin is text, a number, or a list of them, null or absent."""

    id: Any = None
    gtin: Any = None


class Layout(Struct):
    """A newer place of the product on the page."""

    product: Product | None = None


class ProductProps(Struct, rename="camel"):
    """The properties of a product page; a product that is null is one the shop does not know."""

    product: Product | UnsetType | None = UNSET
    pdp_layout: Layout | UnsetType | None = UNSET


class ProductState(Struct, rename="camel"):
    """The state of a product page."""

    page_props: ProductProps


class ProductDocument(Struct):
    """The data of a product page."""

    props: ProductState


PRODUCT_DOCUMENTS: Final = msgspec.json.Decoder(ProductDocument)


class ColesProducts:
    """How the barcode of one product of Coles is asked for, and read."""

    def request(self, store: str, wanted: Wanted) -> Request:
        """The product's page as a customer of a store (its key), with the cookie that listings are read with."""
        number = padded(split_store_key(store)[1])
        return Request(
            f"/product/{slug_of(wanted)}",
            headers={"cookie": f"fulfillmentStoreId={number}; shopping-method=clickAndCollect"},
            expects="html",
            meanings=_NO_PAGE,
        )

    def parse(self, body: bytes, sku: str) -> Reading:
        """The product's barcode, from the page's data and from what it tells search engines.

        BotWallError (a PageError) for a page that is not the shop's, PageError for one of another shape.
        """
        page = decode(PRODUCT_DOCUMENTS, next_data(body)).props.page_props
        if page.product is UNSET and page.pdp_layout is UNSET:
            raise PageError(f"the page has no place for a product ({len(body)} bytes)")
        product = page.product or (page.pdp_layout.product if isinstance(page.pdp_layout, Layout) else None)
        if not isinstance(product, Product):
            return Reading(Finding.GONE, detail="the page has no product")
        shown = sku_of(product.id)
        if shown != sku:
            if not isinstance(shown, str):
                raise PageError(f"the page does not say which product it is about, but {shown!r:.40}")
            return Reading(Finding.GONE, detail=f"the page is about product {shown!r:.40}")
        return judge([*_flat(product.gtin), *_linked(body, sku)])


def slug_of(wanted: Wanted) -> str:
    """The last part of the page's address, `{brand}-{name}-{size}-{id}`, as `coles_tiles` spells it in a URL."""
    texts = (wanted.brand, wanted.name, wanted.size)
    words = [clean_text(text)[:LONGEST_SHORT_TEXT] for text in texts if text]
    slug = "-".join((*filter(None, words), wanted.sku)).lower().replace(" ", "-")
    return quote(_NOT_IN_SLUGS.sub("", slug), safe="'&.-")


def _linked(body: bytes, sku: str) -> Iterator[object]:
    """The codes in the page's linked data (schema.org) of a product that is this one, or does not say which."""
    for found in _LINKED_DATA.finditer(body):
        try:
            data = msgspec.json.decode(found[1])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue  # it adorns the page: the data of the shop itself is what must be whole
        for item in _items(data):
            named = sku_of(item.get("sku") or item.get("productID") or sku)
            if _is_product(item.get("@type")) and named == sku:
                for name in _GTINS:
                    yield from _flat(item.get(name))


def _items(data: object) -> Iterator[dict[str, Any]]:
    graph = data.get("@graph", [data]) if isinstance(data, dict) else data
    yield from (item for item in graph if isinstance(item, dict)) if isinstance(graph, list) else ()


def _is_product(kind: object) -> bool:
    return kind == "Product" or (isinstance(kind, list) and "Product" in kind)


def _flat(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
