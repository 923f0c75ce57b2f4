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
from typing import Any

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
PROMOTIONAL = ("Lower Prices", "Super Savers", "Limited Time Only", "Front of Store")
"""Roots of Aldi's tree that gather products of other roots, or of a season."""

ALDI_FILES = ("aldi_products_2026-06-29.jsonl", "aldi_products_2025-09.jsonl")
"""Newest first: a sku that is in both keeps its newest row."""

BY_WEIGHT = re.compile(r"8006\d{4}")
"""Skus of IGA's produce that is sold by the piece and priced by the kilogram."""

UNTELLING = frozenset({"and", "for", "food", "other", "the", "with"})
"""Words of category names that say nothing about what is in them."""


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


def leaves(tree: list[dict[str, Any]], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every leaf of a category tree, without those under a promotional root."""
    for node in tree:
        path = (*above, node["name"])
        if path[0] in PROMOTIONAL:
            continue
        if node["children"]:
            yield from leaves(node["children"], path)
        else:
            yield path


def iga_rows(rows: Iterable[dict[str, Any]], paths: list[tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    """IGA's rows with the whole path of a leaf, what the source inferred taken out, weighed goods by the piece.

    Of some rows the source knows no more than the department: the leaf of it that shares most words with the name
    is taken. A row that shares none, or that has no category at all, is dropped.
    """
    spelled = {"/".join(path[1:]).casefold() for path in paths}
    words = {path: [_words(name) for name in path[2:]] for path in paths}
    for row in rows:
        known = row["category_path"]
        if "/".join(known).casefold() in spelled:
            path: list[str] | tuple[str, ...] | None = ["Grocery", *known]
        else:
            path = _leaf_by_words(_words(row["name"]), known, words)
        if path is None:
            continue
        brand = None if "brand" in row.get("inferred", ()) else row["brand"]
        price, size = row["price"], row["size"] or ""
        if BY_WEIGHT.fullmatch(row["sku"]) and row["unit_price"] == price and re.fullmatch(r"\d+g", size):
            price = price * int(size.removesuffix("g")) / 1000
        yield {**row, "category_path": path, "brand": brand, "price": price}


def _leaf_by_words(
    name: set[str], known: list[str], words: dict[tuple[str, ...], list[set[str]]]
) -> tuple[str, ...] | None:
    """The leaf below a known part of a path whose own and parents' names share most with a product's."""
    found, best = None, 0.0
    for path, (*above, leaf) in words.items():
        shared = 2 * len(name & leaf) / max(len(leaf), 1) + sum(bool(name & parent) for parent in above)
        if known and path[1].casefold() == known[0].casefold() and shared > best:
            found, best = path, shared
    return found


def _words(text: str) -> set[str]:
    """Words of three letters and more, in the singular as far as an s goes."""
    return {word.removesuffix("s") for word in re.findall(r"[a-z]{3,}", text.casefold())} - UNTELLING


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


def iga_tree(node: dict[str, Any]) -> dict[str, Any]:
    """A node of IGA's hierarchy under Aldi's names; IGA gives no order and no slug."""
    children = [iga_tree(child) for child in node.get("children", ())]
    named = {"key": node["identifier"], "name": node["displayName"]}
    return {**named, "order": None, "urlSlugText": "", "children": children}


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
    kept = sorted(products(rows, leaves(tree)), key=lambda row: str(row[0]))
    write(f"products_{company}.jsonl.gz", map(compact, kept))
    write(f"categories_{company}.json.gz", [compact(nodes(tree))])


def main(source: Path) -> None:
    """Read the source folder and write the files beside this module."""
    with (source / "au_stores.csv").open(newline="", encoding="utf-8") as file:
        found = sorted(outlets(csv.DictReader(file)), key=lambda row: (str(row["company"]), str(row["store_id"])))
    write("outlets.jsonl.gz", (compact([row[field] for field in OUTLET_FIELDS]) for row in found))
    tree = json.loads((source / "categories_aldi.json").read_text(encoding="utf-8"))["data"]
    write_company("aldi", chain.from_iterable(read(source / name) for name in ALDI_FILES), tree)
    tree = iga_tree(json.loads((source / "categories_iga.json").read_text(encoding="utf-8"))["hierarchy"])[
        "children"
    ]
    write_company("iga", iga_rows(read(source / "iga_products.jsonl"), list(leaves(tree))), tree)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
