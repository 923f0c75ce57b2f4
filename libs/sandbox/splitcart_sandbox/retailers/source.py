"""The real rows of the package's data folder, read once: outlets, products, category trees."""

import gzip
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import orjson


@dataclass(frozen=True, slots=True)
class Outlet:
    """One real supermarket; coordinates in degrees; `retailer_ref` is the id IGA's web shop uses, else empty."""

    company: str
    store_id: str
    retailer_ref: str
    name: str
    address: str
    suburb: str
    state: str
    postcode: str
    latitude: float
    longitude: float

    @property
    def key(self) -> str:
        """The store key, for example ``aldi:G452``."""
        return f"{self.company}:{self.store_id}"


@dataclass(frozen=True, slots=True)
class Product:
    """One real product row; prices in cents; `unit` is what `unit_price` is for, for example ``1kg``.

    `barcode` is None where the source has none; Aldi shows none at all.
    """

    sku: str
    name: str
    brand: str | None
    size: str | None
    category_path: tuple[str, ...]
    price: int
    unit_price: int | None
    unit: str | None
    barcode: str | None = None


@dataclass(frozen=True, slots=True)
class Category:
    """A node of a company's category tree, as the company gave it; the slug is empty where it gives none."""

    key: str
    order: int | None
    name: str
    slug: str
    children: tuple["Category", ...]


@cache
def outlets() -> tuple[Outlet, ...]:
    """All supermarkets of all companies, by company and store id."""
    rows = (orjson.loads(line) for line in _read("outlets.jsonl.gz").splitlines())
    return tuple(Outlet(*row) for row in rows)


@cache
def products(company: str) -> tuple[Product, ...]:
    """A company's product rows by sku. FileNotFoundError for a company that has no data yet."""
    rows = (orjson.loads(line) for line in _read(f"products_{company}.jsonl.gz").splitlines())
    return tuple(
        Product(sku, name, brand, size, tuple(path), *rest) for sku, name, brand, size, path, *rest in rows
    )


@cache
def categories(company: str) -> tuple[Category, ...]:
    """The roots of a company's category tree, in the company's order."""
    return _categories(orjson.loads(_read(f"categories_{company}.json.gz")))


def _categories(nodes: list[list[object]]) -> tuple[Category, ...]:
    return tuple(
        Category(str(key), order, str(name), str(slug), _categories(children))  # type: ignore[arg-type]  # read from JSON
        for key, order, name, slug, children in nodes
    )


def _read(name: str) -> bytes:
    return gzip.decompress((files("splitcart_sandbox.data") / name).read_bytes())
