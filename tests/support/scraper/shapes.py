"""The fields that the parsers read, from the very types they decode into."""

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from splitcart_scraper.retailers import aldi_shapes, coles_shapes, iga_finder, iga_shapes, woolworths_shapes

FIXTURES = Path(__file__).parents[2] / "fixtures"
Shape = dict[str, str]
"""Kinds by path, with ``?`` behind a path that has a default; ``any`` where the type says nothing."""

PAGES: dict[str, dict[str, tuple[type, dict[str, type]]]] = {
    "aldi": {
        "finder": (aldi_shapes.ServicePoints, {}),
        "tree": (aldi_shapes.Tree, {}),
        "listing": (aldi_shapes.Page, {"data[]": aldi_shapes.Tile}),
    },
    "coles": {
        "finder": (coles_shapes.Stores, {}),
        "tree": (coles_shapes.Menu, {}),
        "listing": (coles_shapes.Listing, {"pageProps.searchResults.results[]": coles_shapes.Tile}),
    },
    "woolworths": {
        "finder": (woolworths_shapes.Stores, {}),
        "tree": (woolworths_shapes.Tree, {}),
        "listing": (
            woolworths_shapes.Page,
            {"Bundles[]": woolworths_shapes.Bundle, "Bundles[].Products[]": woolworths_shapes.Tile},
        ),
    },
    "iga": {
        "finder": (iga_finder._Store, {}),
        "tree": (iga_shapes.Node, {}),
        "listing": (iga_shapes.Page, {"items[]": iga_shapes.Tile}),
    },
}
"""What each page is decoded into, and what the entries are that are decoded later, by path."""


def fields_of(company: str, page: str) -> Shape:
    """Every field of a page that is decoded."""
    kind, raws = PAGES[company][page]
    prefix = "data-storedata[]." if (company, page) == ("iga", "finder") else ""
    return dict(_walk(kind, raws, prefix, ()))


def _walk(kind: type, raws: dict[str, type], prefix: str, within: tuple[type, ...]) -> Iterator[tuple[str, str]]:
    hints = typing.get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        path = prefix + field.encode_name
        kinds: list[str] = []
        inner: list[tuple[str, type]] = []
        for one in _options(hints[field.name]):
            if typing.get_origin(one) is list:
                kinds.append("list")
                (entry,) = typing.get_args(one)
                entry = raws.get(f"{path}[]", entry)
                if isinstance(entry, type) and issubclass(entry, msgspec.Struct):
                    inner.append((f"{path}[].", entry))
            elif isinstance(one, type) and issubclass(one, msgspec.Struct):
                kinds.append("object")
                inner.append((f"{path}.", one))
            else:
                kinds.append(_NAMES[one])
        optional = "" if field.required else "?"
        yield path + optional, "any" if "any" in kinds else "|".join(sorted(kinds))
        for deeper, struct in inner:
            if struct is not kind:  # a tree's nodes are of one kind
                yield from _walk(struct, raws, deeper, (*within, kind))


_NAMES: dict[object, str] = {
    typing.Any: "any", str: "text", int: "whole", float: "number", bool: "bool", type(None): "null"
}  # fmt: skip


def _options(hint: object) -> list[object]:
    if typing.get_origin(hint) is typing.Annotated:
        return _options(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [one for arg in typing.get_args(hint) for one in _options(arg) if one is not msgspec.UnsetType]
    return [hint]


@dataclass(frozen=True)
class Fixture:
    """A good page of our own making."""

    company: str
    page: str
    body: bytes


_NAMED = {
    ("aldi", "finder"): "service_points.json",
    ("coles", "finder"): "stores.json",
    ("coles", "tree"): "menu.json",
    ("woolworths", "finder"): "stores.json",
    ("iga", "finder"): "finder.txt",
}


def fixture(company: str, page: str) -> Fixture:
    """The fixture page of a company."""
    default = {"listing": "page.json"}.get(page, f"{page}.json")
    return Fixture(company, page, (FIXTURES / company / _NAMED.get((company, page), default)).read_bytes())
