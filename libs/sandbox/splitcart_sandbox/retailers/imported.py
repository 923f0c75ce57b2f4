"""Product rows of a file in the place of the shipped ones: JSON lines in the form of the project's shared data.

A row has company, sku, name, brand, size, category_path, price (dollars), unit_price, unit_of_measure and, where
it is known, barcode. What else is in such a row (was_price, scraped_date, source …) is not looked at: specials are
the simulation's own. A row whose category is no leaf of the company's tree is placed into the leaf whose products
its name is most like, and where nothing is like it, into some leaf: none is left out.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path as File
from typing import Any, Final

import orjson

from splitcart_sandbox.data.make import GATHERING, SPECIALS
from splitcart_sandbox.data.placing import placed
from splitcart_sandbox.retailers import source
from splitcart_sandbox.retailers.catalogue import Path
from splitcart_sandbox.retailers.noise import salt
from splitcart_sandbox.retailers.source import Category, Product

SHOWN: Final = 5
"""Mistakes of a file that are told; of the others how many there are."""

MOST_DOLLARS: Final = 100_000

SKUS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "aldi": (re.compile(r"\d{18}", re.ASCII), "18 digits"),
    "coles": (re.compile(r"[1-9]\d{0,11}", re.ASCII), "a number"),
    "iga": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII), "letters and digits"),
    "woolworths": (re.compile(r"[1-9]\d{0,11}", re.ASCII), "a number"),
}
"""What a company's skus look like, and how that is said."""

_BARCODE: Final = re.compile(r"\d{8,14}", re.ASCII)


class ProductsError(ValueError):
    """A file of products that cannot be used: which lines, and what is wrong with them."""


class _RowError(ValueError):
    """What is wrong with one row."""


def read(path: File) -> dict[str, tuple[Product, ...]]:
    """The products of a file by company, by sku, each in a leaf of its company's tree; ProductsError as `rows`."""
    return {company: _in_leaves(company, products) for company, products in rows(path).items()}


def rows(path: File) -> dict[str, list[Product]]:
    """The products of a file by company, by sku; ProductsError names the lines that are wrong, and how."""
    found: dict[str, dict[str, Product]] = defaultdict(dict)
    lines: dict[tuple[str, str], int] = {}
    wrong: list[str] = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            company, product = _row(line)
        except _RowError as error:
            wrong.append(f"line {number}: {error}")
            continue
        known = lines.setdefault((company, product.sku), number)
        if known != number:
            wrong.append(f"line {number}: sku {product.sku} of {company} is on line {known} already")
        found[company][product.sku] = product
    if wrong:
        more = f"\n  and {len(wrong) - SHOWN} lines more" if len(wrong) > SHOWN else ""
        raise ProductsError(f"{path} is no file of products:\n  " + "\n  ".join(wrong[:SHOWN]) + more)
    if not found:
        raise ProductsError(f"{path} has no products in it: a row a line is expected, as JSON")
    return {company: [by_sku[sku] for sku in sorted(by_sku)] for company, by_sku in found.items()}


def _lines(path: File) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise ProductsError(f"{path} cannot be read: {error.strerror}") from None


def _row(line: bytes) -> tuple[str, Product]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _RowError(f"this is no JSON: {error.msg}") from None
    if not isinstance(row, dict):
        raise _RowError(f"a row is an object, not {_shown(row)}")
    company = str(row.get("company")).casefold()
    if company not in SKUS:
        raise _RowError(f"company is {_shown(row.get('company'))}, not one of {', '.join(SKUS)}")
    pattern, kind = SKUS[company]
    sku = _of(row, "sku", lambda value: isinstance(value, str) and bool(pattern.fullmatch(value)), f"text, {kind}")
    brand = None if "brand" in (row.get("inferred") or ()) and company == "iga" else _text(row, "brand")
    price, unit_price = _price(row), _unit_price(row)
    size, path = _text(row, "size"), _of(row, "category_path", _is_path, "a list of names")
    barcode = _of(row, "barcode", _is_barcode, "8 to 14 digits, or null")
    return company, Product(
        sku=sku,
        name=_of(row, "name", lambda value: isinstance(value, str) and bool(value.strip()), "text"),
        brand=brand,
        size=size,
        category_path=tuple(path),
        price=_by_the_piece(sku, price, unit_price, size) if company == "iga" else price,
        unit_price=unit_price,
        unit=_text(row, "unit_of_measure"),
        barcode=barcode or None,
    )


def _of(row: Mapping[str, Any], field: str, fits: Callable[[Any], bool], kind: str) -> Any:
    value = row.get(field)
    if not fits(value):
        raise _RowError(f"{field} is {_shown(value)}, not {kind}")
    return value


def _text(row: Mapping[str, Any], field: str) -> str | None:
    value: str | None = _of(row, field, lambda value: value is None or isinstance(value, str), "text or null")
    return value or None


def _price(row: Mapping[str, Any]) -> int:
    dollars: float = _of(
        row, "price", lambda value: type(value) in (int, float) and 0 < value <= MOST_DOLLARS, "dollars above 0"
    )
    return max(round(dollars * 100), 1)


def _unit_price(row: Mapping[str, Any]) -> int | None:
    """None for what cannot be one: some sources have 0, or a number of another unit."""
    dollars = _of(row, "unit_price", lambda value: value is None or type(value) in (int, float), "dollars or null")
    return round(dollars * 100) if dollars is not None and 0 < dollars <= MOST_DOLLARS else None


def _is_path(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and name for name in value)


def _is_barcode(value: object) -> bool:
    return value in (None, "") or (isinstance(value, str) and bool(_BARCODE.fullmatch(value)))


def _by_the_piece(sku: str, price: int, unit_price: int | None, size: str | None) -> int:
    """IGA's produce that is sold by the piece: rows give the price of a kilogram, shelves that of a piece."""
    grams = re.fullmatch(r"(\d+)g", size or "", re.ASCII)
    if grams is None or price != unit_price or not re.fullmatch(r"8006\d{4}", sku, re.ASCII):
        return price
    return max(round(price * int(grams[1]) / 1000), 1)


def _shown(value: object) -> str:
    return "missing" if value is None else repr(value)[:60]


def _in_leaves(company: str, products: Sequence[Product]) -> tuple[Product, ...]:
    """The products, each with the path of a leaf of the company's tree."""
    paths = list(_leaves(source.categories(company), company))
    # IGA's rows begin below the one root that its tree has.
    above = (paths[0][0],) if company == "iga" else ()
    full = [_full(product.category_path, above) for product in products]
    leaves = {_folded(path): path for path in paths}
    own = [leaves.get(_folded(path)) for path in full]
    strange = [
        {"name": product.name, "category_path": path, "sku": product.sku}
        for product, path, leaf in zip(products, full, own, strict=True)
        if leaf is None
    ]
    shipped = (
        {"name": product.name, "category_path": product.category_path}
        for product in (source.products(company) if strange else ())
    )
    found = {row["sku"]: row["category_path"] for row in placed(chain(shipped, strange), paths) if "sku" in row}
    return tuple(
        replace(product, category_path=leaf or found.get(product.sku) or _some(paths, product))
        for product, leaf in zip(products, own, strict=True)
    )


def _leaves(nodes: Sequence[Category], company: str, above: Path = ()) -> Iterator[Path]:
    """The path of every leaf that can be a product's home."""
    for node in nodes:
        path = (*above, node.name)
        if path[0] not in GATHERING[company] and not node.key.endswith(SPECIALS):
            below = list(_leaves(node.children, company, path))
            yield from below or [path]


def _full(path: Path, above: Path) -> Path:
    return path if path[: len(above)] == above else (*above, *path)


def _folded(path: Path) -> Path:
    return tuple(name.casefold() for name in path)


def _some(paths: Sequence[Path], product: Product) -> Path:
    return paths[salt("no leaf", product.sku) % len(paths)]
