"""Make the compact files of this folder: ``python -m splitcart_sandbox.data.make SOURCE_FOLDER``.

The output is a function of the input alone (sorted rows, no time stamp), so making it twice gives equal bytes.
"""

import csv
import gzip
import json
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

from splitcart_sandbox.data.placing import leaf_by_words, placed, words

HERE = Path(__file__).parent
SUPERMARKETS = {
    "Aldi": "",
    "Coles": "Coles Supermarkets",
    "Woolworths": "SUPERMARKETS",
    "Iga": "",
}
"""Company as the source spells it -> the division that is a supermarket (others sell liquor or fuel)."""

STATES = ("ACT", "NSW", "NT", "QLD", "SA", "TAS", "VIC", "WA")
OUTLET_FIELDS = (
    "company", "store_id", "retailer_ref", "name", "address", "suburb", "state", "postcode",
    "latitude", "longitude",
)  # fmt: skip
GATHERING: Final = {
    "aldi": ("Lower Prices", "Super Savers", "Limited Time Only", "Front of Store"),
    "coles": (
        "Down Down", "Big Pack Value", "Bonus Entry Products", "Deliver More Range", "Liquorland", "Tobacco",
    ),
    "iga": (),
    "woolworths": (
        "Specials", "Meal Occasions", "Lunch Box", "Beer, Wine & Spirits", "Everyday Market", "Electronics",
        "Home & Lifestyle", "Front of Store",
    ),
}  # fmt: skip
"""Roots that are no home of a product: they gather those of other roots, or of a season, or another seller's."""

SPECIALS = "_SPECIALS"
"""How the key of a node ends that gathers what is reduced among its siblings."""

ALDI_FILES = ("aldi_products_2026-06-29.jsonl", "aldi_products_2025-09.jsonl")
"""Newest first: a sku that is in both keeps its newest row."""

IGA_NAMES = {"key": "identifier", "name": "displayName", "children": "children"}
COLES_NAMES = {"key": "id", "name": "name", "urlSlugText": "seoToken", "children": "childItems"}
WOOLWORTHS_NAMES = {
    "key": "NodeId", "name": "Description", "order": "DisplayOrder", "urlSlugText": "UrlFriendlyName",
    "children": "Children",
}  # fmt: skip
"""What companies call the fields of a node."""

BY_WEIGHT = re.compile(r"8006\d{4}")
"""Skus of IGA's produce that is sold by the piece and priced by the kilogram."""


def outlets(rows: Iterable[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Supermarkets in Australia with a state and usable coordinates, text trimmed; the others are dropped."""
    for row in rows:
        state = row["state"].strip()
        if row["division"] != SUPERMARKETS[row["company"]] or state not in STATES or not row["latitude"]:
            continue
        if not (-44 < float(row["latitude"]) < -10 and 112 < float(row["longitude"]) < 154):
            continue
        yield {
            "company": row["company"].lower(),
            "store_id": row["store_id"].removeprefix("COL:"),
            "retailer_ref": row["retailer_store_id"],
            "name": " ".join(row["name"].split()),
            "address": " ".join(row["address"].split()),
            "suburb": " ".join(row["suburb"].split()),
            "state": state,
            "postcode": row["postcode"],
            "latitude": float(row["latitude"]),
            "longitude": float(row["longitude"]),
        }


def leaves(
    tree: list[dict[str, Any]], gathering: tuple[str, ...], above: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """The path of every leaf of a category tree that can be a product's home."""
    for node in tree:
        path = (*above, node["name"])
        if path[0] in gathering or node["key"].endswith(SPECIALS):
            continue
        below = list(leaves(node["children"], gathering, path))
        yield from below or [path]


def iga_rows(rows: Iterable[dict[str, Any]], paths: list[tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    """IGA's rows with the whole path of a leaf, what the source inferred taken out, weighed goods by the piece.

    Of some rows the source knows no more than the department: the leaf of it that shares most words with the name
    is taken. A row that shares none, or that has no category at all, is dropped.
    """
    spelled = {"/".join(path[1:]).casefold() for path in paths}
    below = {path: [words(name) for name in path[2:]] for path in paths}
    for row in rows:
        known = row["category_path"]
        if "/".join(known).casefold() in spelled:
            path: list[str] | tuple[str, ...] | None = ["Grocery", *known]
        else:
            path = leaf_by_words(words(row["name"]), known, below)
        if path is None:
            continue
        brand = None if "brand" in row.get("inferred", ()) else row["brand"]
        price, size = row["price"], row["size"] or ""
        if BY_WEIGHT.fullmatch(row["sku"]) and row["unit_price"] == price and re.fullmatch(r"\d+g", size):
            price = price * int(size.removesuffix("g")) / 1000
        yield {**row, "category_path": path, "brand": brand, "price": price}


def products(rows: Iterable[dict[str, Any]], paths: Iterable[tuple[str, ...]]) -> Iterator[list[Any]]:
    """One row per sku, the first seen: sku, name, brand, size, category path, cents, unit price in cents, unit.

    A path is spelled as the tree spells it; a row whose category is no leaf of the tree is dropped. The barcode
    comes last, where there is one.
    """
    spelled = {"/".join(path).casefold(): path for path in paths}
    seen: set[str] = set()
    for row in rows:
        path = spelled.get("/".join(row["category_path"]).casefold())
        if path is None or row["sku"] in seen:
            continue
        seen.add(row["sku"])
        unit_price = None if row["unit_price"] is None else round(row["unit_price"] * 100)
        yield [
            row["sku"], row["name"], row["brand"], row["size"], path,
            round(row["price"] * 100), unit_price, row["unit_of_measure"],
            *([row["barcode"]] if row.get("barcode") else []),
        ]  # fmt: skip


def nodes(tree: list[dict[str, Any]]) -> list[list[Any]]:
    """A category tree as nested lists: key, order, name, slug, children."""
    return [[n["key"], n["order"], n["name"], n["urlSlugText"], nodes(n["children"])] for n in tree]


def renamed(node: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A node of another company's tree under Aldi's names; None for the order, no slug where it gives none.

    `names` are that company's for key, name, children and, where there are such, order and urlSlugText.
    """
    children = [renamed(child, names) for child in node.get(names["children"], ())]
    order, slug = node.get(names.get("order", "")), node.get(names.get("urlSlugText", ""), "")
    named = {"key": node[names["key"]], "name": node[names["name"]]}
    return {**named, "order": order, "urlSlugText": slug, "children": children}


def write(name: str, lines: Iterable[str]) -> None:
    """Write lines to a gzip file of this folder without a time stamp in it."""
    text = "".join(f"{line}\n" for line in lines)
    (HERE / name).write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def compact(value: object) -> str:
    """JSON with no spaces, in the characters of the source."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def write_company(company: str, rows: Iterable[dict[str, Any]], tree: list[dict[str, Any]]) -> None:
    """Write a company's products, by sku, and its category tree."""
    kept = sorted(products(rows, leaves(tree, GATHERING[company])), key=lambda row: str(row[0]))
    write(f"products_{company}.jsonl.gz", map(compact, kept))
    write(f"categories_{company}.json.gz", [compact(nodes(tree))])


def write_chain(source: Path, company: str, roots: str, names: dict[str, str]) -> None:
    """The same for a company whose rows lack a leaf of the tree as often as not."""
    found = json.loads((source / f"categories_{company}.json").read_text(encoding="utf-8"))[roots]
    tree = [renamed(node, names) for node in found]
    rows = placed(read(source / f"{company}_products.jsonl"), list(leaves(tree, GATHERING[company])))
    write_company(company, rows, tree)


def main(source: Path) -> None:
    """Read the source folder and write the files beside this module."""
    with (source / "au_stores.csv").open(newline="", encoding="utf-8") as file:
        found = sorted(outlets(csv.DictReader(file)), key=lambda row: (str(row["company"]), str(row["store_id"])))
    write("outlets.jsonl.gz", (compact([row[field] for field in OUTLET_FIELDS]) for row in found))
    tree = json.loads((source / "categories_aldi.json").read_text(encoding="utf-8"))["data"]
    write_company("aldi", chain.from_iterable(read(source / name) for name in ALDI_FILES), tree)
    root = json.loads((source / "categories_iga.json").read_text(encoding="utf-8"))["hierarchy"]
    tree = renamed(root, IGA_NAMES)["children"]
    write_company("iga", iga_rows(read(source / "iga_products.jsonl"), list(leaves(tree, ()))), tree)
    write_chain(source, "coles", "items", COLES_NAMES)
    write_chain(source, "woolworths", "Categories", WOOLWORTHS_NAMES)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
