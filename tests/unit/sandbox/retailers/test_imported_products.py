"""Products of a file: every row is served as it is, and every line that cannot be is named."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.imports import variables
from splitcart_sandbox.retailers import source
from splitcart_sandbox.retailers.imported import ProductsError, read, rows
from splitcart_sandbox.retailers.server import FACES
from splitcart_sandbox.retailers.settings import SimulatorSettings
from splitcart_sandbox.retailers.web import Request
from splitcart_sandbox.retailers.world import World, second

AT = datetime(2026, 9, 3, 1, tzinfo=UTC)
COMPANIES = ("aldi", "coles", "iga", "woolworths")


def row(company: str = "Coles", sku: object = "7000001", **fields: object) -> dict[str, Any]:
    """A row in the form of the shared data."""
    return {
        "company": company, "sku": sku, "name": "River Mint Tea", "brand": "Banksia Creek", "size": "100g",
        "category_path": ["Drinks", "Tea", "Herbal Tea"], "price": 4.5, "was_price": None, "unit_price": 45.0,
        "unit_of_measure": "1kg", "is_on_special": False, "scraped_date": "2026-07-15", "barcode": None, **fields,
    }  # fmt: skip


def sku_of(company: str, number: int) -> str:
    return f"{number:018}" if company == "Aldi" else str(7_000_000 + number)


def file(folder: Path, *lines: object) -> Path:
    path = folder / "products.jsonl"
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


@pytest.mark.parametrize("company", ["Aldi", "Coles", "IGA", "Woolworths"])
def test_every_row_of_a_file_is_served_at_its_price(tmp_path: Path, company: str):
    key = company.casefold()
    leaf = next(product.category_path for product in source.products(key))
    paths: list[list[str]] = [[*leaf], [], ["Nowhere", "At all"], [leaf[0]]]
    given = [
        row(
            company,
            sku_of(company, n),
            name=f"Thing {n} of the River",
            price=1 + n / 100,
            category_path=paths[n % 4],
        )
        for n in range(40)
    ]
    path = file(tmp_path, *given, "")
    products = read(path)[key]
    assert [product.sku for product in products] == [one["sku"] for one in given]
    assert [product.price for product in products] == [100 + n for n in range(40)]
    assert {product.category_path for product in products[::4]} == {leaf}
    settings = SimulatorSettings(companies=(key,), stores=3, products=path)
    world = World(settings.world())
    face = FACES[key](world)
    store = next(store for store in world.stores() if store.life.open(second(AT)))
    truth = world.price_list(store.key, AT)
    assert set(truth) <= {one["sku"] for one in given}
    assert len(truth) > 20
    assert face.call(Request("GET", "x", {}, {"user-agent": "x"})).answer(second(AT), None).status == 404


def test_companies_that_are_not_in_the_file_keep_their_own(tmp_path: Path):
    path = file(tmp_path, row())
    world = World(SimulatorSettings(companies=("aldi", "coles"), products=path).world())
    assert [product.sku for product in world.companies["coles"].products] == ["7000001"]
    assert len(world.companies["aldi"].products) > 2_000
    with pytest.raises(ValueError, match="products of coles only, and the companies are aldi"):
        SimulatorSettings(companies=("aldi",), products=path).world()


def test_a_row_bears_what_a_tile_shows(tmp_path: Path):
    (product,) = rows(file(tmp_path, row(barcode="9300012345672")))["coles"]
    assert (product.name, product.brand, product.size) == ("River Mint Tea", "Banksia Creek", "100g")
    assert (product.price, product.unit_price, product.unit) == (450, 4500, "1kg")
    assert product.barcode == "9300012345672"
    (bare,) = rows(file(tmp_path, row(brand=None, size="", unit_price=0, unit_of_measure=None)))["coles"]
    assert (bare.brand, bare.size, bare.unit_price, bare.unit) == (None, None, None, None)


def test_iga_s_produce_is_priced_by_the_piece_and_its_guessed_brands_are_left_out(tmp_path: Path):
    plums = row("IGA", "80060092", price=4.0, unit_price=4.0, size="140g", inferred=["brand"])
    (product,) = rows(file(tmp_path, plums))["iga"]
    assert (product.price, product.brand) == (56, None)


def test_a_name_finds_the_leaf_its_like_are_in(tmp_path: Path):
    named = [row("Coles", str(7_000_000 + n), name="Full Cream Milk", category_path=[]) for n in range(3)]
    paths = {product.category_path for product in read(file(tmp_path, *named))["coles"]}
    assert len(paths) == 1
    assert "Milk" in " ".join(paths.pop())


WRONG = [
    ("{", "this is no JSON: "),
    ("[]", "a row is an object, not \\[\\]"),
    (row("Bigmart"), "company is 'Bigmart', not one of aldi, coles, iga, woolworths"),
    (row(sku=7000001), "sku is 7000001, not text, a number"),
    (row(sku="0700"), "sku is '0700', not text, a number"),
    (row("Aldi", "200998"), "sku is '200998', not text, 18 digits"),
    (row("IGA", "a b"), "sku is 'a b', not text, letters and digits"),
    (row(sku=None), "sku is missing"),
    (row(name=" "), "name is ' ', not text"),
    (row(name=None), "name is missing, not text"),
    (row(brand=7), "brand is 7, not text or null"),
    (row(size=["1"]), "size is \\['1'\\], not text or null"),
    (row(category_path="Drinks"), "category_path is 'Drinks', not a list of names"),
    (row(category_path=[""]), "category_path is \\[''\\], not a list of names"),
    (row(category_path=None), "category_path is missing"),
    (row(price=None), "price is missing, not dollars above 0"),
    (row(price=0), "price is 0, not dollars above 0"),
    (row(price=-1.5), "price is -1.5, not dollars above 0"),
    (row(price="4.50"), "price is '4.50', not dollars above 0"),
    (row(price=True), "price is True, not dollars above 0"),
    (row(price=1e9), "price is 1000000000.0, not dollars above 0"),
    (row(unit_price="45"), "unit_price is '45', not dollars or null"),
    (row(unit_of_measure=1), "unit_of_measure is 1, not text or null"),
    (row(barcode="60092"), "barcode is '60092', not 8 to 14 digits, or null"),
    (row(barcode=9300012345672), "barcode is 9300012345672, not 8 to 14 digits, or null"),
    (row(sku="7000009"), "sku 7000009 of coles is on line 1 already"),
]


@pytest.mark.parametrize(("line", "says"), WRONG)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: object, says: str):
    path = file(tmp_path, row(sku="7000009"), "", line, row(sku="7000008"))
    with pytest.raises(ProductsError, match=f"(?s)products.jsonl is no file of products:\n  line 3: {says}"):
        read(path)
    with pytest.raises(SandboxError, match="line 3"):
        variables(path)


def test_of_many_wrong_lines_the_first_are_told(tmp_path: Path):
    with pytest.raises(ProductsError) as caught:
        read(file(tmp_path, *[row(price=0, sku=str(7_000_000 + n)) for n in range(9)]))
    assert str(caught.value).count("\n  line ") == 5
    assert "and 4 lines more" in str(caught.value)


@pytest.mark.parametrize(("make", "says"), [
    (lambda folder: folder / "none.jsonl", "none.jsonl cannot be read: No such file"),
    (lambda folder: folder, "cannot be read: Is a directory"),
    (lambda folder: file(folder, "", ""), "has no products in it"),
])  # fmt: skip
def test_a_file_that_is_none_is_named(tmp_path: Path, make: Any, says: str):
    with pytest.raises(ProductsError, match=says):
        read(make(tmp_path))
    with pytest.raises(SandboxError, match=says):
        variables(make(tmp_path))


def test_a_text_that_is_not_utf_8_is_named(tmp_path: Path):
    path = tmp_path / "products.jsonl"
    path.write_bytes(orjson.dumps(row()) + b"\n" + orjson.dumps(row(sku="7000002")).replace(b"Mint", b"Mi\xffnt"))
    with pytest.raises(ProductsError, match=r"line 2: this is no JSON: .*UTF-8"):
        read(path)


def test_the_simulator_is_told_of_a_good_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = file(tmp_path, row())
    monkeypatch.chdir(tmp_path)
    assert variables(None) == {}
    assert variables(Path(path.name), ["coles", "aldi"]) == {"SPLITCART_SIMULATOR_PRODUCTS": str(path)}
    with pytest.raises(SandboxError, match="products of coles only, not of aldi"):
        variables(path, ["aldi"])


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(row())), inner, max_size=4),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.sampled_from([*row()]), JSON), max_size=3), st.sampled_from(["Aldi", "Coles", "IGA"]))
def test_whatever_is_in_a_row_it_is_served_or_named(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, object]], company: str
):
    given = row(company, sku_of(company, 1)) | dict(changes)
    path = file(tmp_path_factory.mktemp("rows"), given)
    try:
        found = rows(path)
    except ProductsError as error:
        found, said = {}, str(error)
    else:
        said = ""
    assert bool(found) != ("line 1: " in said)
    assert [len(products) for products in found.values()] in ([], [1])
