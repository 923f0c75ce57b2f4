"""Shapes compared with what is expected of them, and expectations that keep up with the parsers."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from splitcart_scraper.commands.canary import expectations
from splitcart_scraper.domain.drift import Drift, Expected, compare, kind_of, learnt, profile
from splitcart_scraper.handlers.canary import documents
from splitcart_scraper.retailers import RETAILERS
from tests.support.scraper.shapes import PAGES, fields_of, fixture

READ = {
    "data[].sku": "digits:18",
    "data[].name": "text",
    "data[].was?": "money|null",
    "data[].price.amount": "whole",
}
EXPECTED = Expected(READ, ["data[].badges", "meta"])
ROW = {"sku": "000000000000200998", "name": "Milk", "price": {"amount": 469}}


def drift_of(*rows: object, expected: Expected = EXPECTED, **more: object) -> dict[str, Drift]:
    found = compare(expected, profile([{"data": list(rows), **more}]))
    return {f"{drift.path} {drift.what}": drift for drift in found}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"), (True, "bool"), (469, "whole"), (4.69, "fraction"), ("4.69", "decimal"),
        ("$4.69", "money"), ("469", "digits:3"), ("https://x.example/y", "address"), (" ", "empty"),
        ("Milk 2L", "text"), ([], "list"), ({}, "object"), ("9" * 9_999, "text"),
    ],
)  # fmt: skip
def test_values_have_kinds(value: object, kind: str) -> None:
    assert kind_of(value) == kind


def test_what_is_as_expected_is_no_drift() -> None:
    assert drift_of(ROW, ROW | {"was": "$5.00"}, ROW | {"was": None, "badges": [{"a": 1}]}, meta={"x": 1}) == {}


def test_a_price_that_became_text_is_seen_with_its_share_and_examples() -> None:
    (drift,) = drift_of(ROW, ROW | {"price": {"amount": "4.69"}}).values()
    assert (drift.path, drift.what, drift.expected) == ("data[].price.amount", "kind", "whole")
    assert (drift.seen, drift.share, drift.examples) == ({"decimal": 1}, 0.5, ("'4.69'",))


def test_a_sku_of_another_length_is_seen() -> None:
    assert list(drift_of(ROW | {"sku": "200998"})) == ["data[].sku kind"]


def test_what_is_missing_is_seen_where_it_is_not_optional() -> None:
    bare = {key: value for key, value in ROW.items() if key != "name"}
    assert drift_of(ROW, ROW, ROW, bare)["data[].name missing"].share == 0.25
    assert list(drift_of({"sku": ROW["sku"], "name": "x"})) == ["data[].price missing"]
    assert [(drift.path, drift.what) for drift in compare(EXPECTED, profile([{"items": []}]))] == [
        ("data", "missing"),
        ("items", "new"),
    ], "what was in it is not named one by one"


def test_what_is_new_is_seen_without_what_is_in_it() -> None:
    found = drift_of(ROW | {"member": {"price": 4, "until": "x"}})
    assert list(found) == ["data[].member new"]
    assert found["data[].member new"].seen == {"object": 1}


def test_a_list_that_became_an_object_is_seen_once() -> None:
    found = compare(EXPECTED, profile([{"data": {"sku": "1"}}]))
    assert [(drift.path, drift.what) for drift in found] == [("data", "kind"), ("data.sku", "new")]
    assert [(drift.path, drift.what) for drift in compare(EXPECTED, profile([[ROW]]))] == [("", "kind")]


def test_the_nodes_of_a_tree_are_of_one_kind() -> None:
    tree = {"children": [{"key": 1, "children": [{"key": 2, "children": [{"key": "x"}]}]}]}
    seen = profile([tree])
    assert seen["children[].key"].kinds == {"whole": 2, "text": 1}
    assert (seen["children[].key"].rows, seen["children[].key"].share) == (3, 1.0)


def test_examples_are_cut_short() -> None:
    (drift,) = drift_of(ROW | {"new": "x" * 10_000}).values()
    assert len(drift.examples[0]) < 100


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=30,
)


@example([{"?": None, "x[]": 1, "": 2, "a.b": [{"?": 3}]}], [])
@given(st.lists(values, max_size=4), st.lists(values, max_size=4))
def test_what_was_learnt_is_expected(first: list[object], second: list[object]) -> None:
    once = learnt(EXPECTED, profile(first))
    assert compare(once, profile(first)) == []
    both = learnt(once, profile(first + second))
    assert compare(both, profile(first + second)) == []
    from_nothing = learnt(Expected({}), profile([{"data": first}]))
    assert compare(from_nothing, profile([{"data": first}])) == []


@pytest.mark.parametrize("company", RETAILERS)
@pytest.mark.parametrize("page", ["finder", "tree", "listing"])
def test_expectations_name_every_field_the_parsers_read(company: str, page: str) -> None:
    expected = expectations(company, None)[page]
    listed = {path.removesuffix("?") for path in expected.read}
    shape = {path.removesuffix("?"): kinds for path, kinds in fields_of(company, page).items()}
    assert set(shape) <= listed
    opaque = [path for path, kinds in shape.items() if kinds == "any" or "list" in kinds]
    for path in listed - set(shape):
        assert path in ("content", "data-storedata") or any(path.startswith(any_) for any_ in opaque), path
    for path, kinds in expected.read.items():
        if "null" in kinds.split("|"):
            typed = shape.get(path.removesuffix("?"), "any")
            assert "any" in typed or "null" in typed, f"the parser does not take {path} for null"
    assert not listed & set(expected.known)


@pytest.mark.parametrize("company", PAGES)
@pytest.mark.parametrize("page", ["finder", "tree"])
def test_fixture_pages_are_as_expected(company: str, page: str) -> None:
    found = compare(expectations(company, None)[page], profile(documents(fixture(company, page).body)))
    assert [drift for drift in found if drift.what != "missing"] == []


@pytest.mark.parametrize("company", PAGES)
def test_fixture_listings_have_nothing_unheard_of(company: str) -> None:
    found = compare(expectations(company, None)["listing"], profile(documents(fixture(company, "listing").body)))
    assert [drift.path for drift in found if drift.what == "new"] == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"cb(", b"(", b"[" * 100_000, b"{\xff}", b'cb({"content":3})'])
def test_a_body_that_is_no_json_has_no_fields(body: bytes) -> None:
    assert documents(body) in ([], [{"content": 3}])


def test_expectations_are_readable_data() -> None:
    for company in RETAILERS:
        assert json.loads(json.dumps({page: dict(e.read) for page, e in expectations(company, None).items()}))
