"""Whatever a product page has been turned into: the barcode it bears, a named finding, or no page; no crash."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import ean

from splitcart_scraper.domain.barcodes import Finding, Reading, checked
from splitcart_scraper.retailers.base import PageError
from splitcart_scraper.retailers.coles_product import ColesProducts

GOOD = (Path(__file__).parents[2] / "fixtures" / "coles" / "product.html").read_bytes().strip()
DATA = re.search(rb'id="__NEXT_DATA__" type="application/json">(.*?)</script>', GOOD)
LINKED = re.search(rb'data-testid="pdp-schema" type="application/ld\+json">(.*?)</script>', GOOD)
assert DATA is not None
assert LINKED is not None
JUNK: list[Any] = [
    None, True, False, -5, 0, 0.0, 4.69, 1e22, 10**30, 10**4000, float("nan"), float("inf"), "9300012345672",
    9310000000018, "", "\x00\u200b\x1b[2J", "<b>Jam</b>", "x" * 10_000, "</script>", [], [1], [[]], {},
    {"gtin": "9310000000018"}, ["9310000000018"], {"@type": "Product"}, {"product": 1},
]  # fmt: skip
PAGES = ColesProducts()


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, child in inner for path in paths(child, (*at, key)))]


def changed(part: "re.Match[bytes]", path: tuple[Any, ...], junk: Any, *, drop: bool) -> bytes:
    answer = json.loads(part[1])
    parent = answer
    for key in path[:-1]:
        parent = parent[key]
    if drop:
        del parent[path[-1]]
    else:
        parent[path[-1]] = junk
    return GOOD[: part.start(1)] + json.dumps(answer).encode() + GOOD[part.end(1) :]


def check(body: bytes) -> Reading | None:
    try:
        reading = PAGES.parse(body, "7000002")
    except PageError:
        return None
    assert (reading.barcode is not None) == (reading.finding is Finding.FOUND)
    assert len(reading.detail) <= 200
    if reading.barcode is not None:
        assert len(reading.barcode) in (8, 13, 14)
        assert ean.is_valid(reading.barcode)
        assert reading.barcode.lstrip("0").encode() in body, "a barcode that the page does not bear"
    return reading


PLACES = [(part, path) for part in (DATA, LINKED) for path in paths(json.loads(part[1])) if path]


def test_the_good_page_is_good() -> None:
    assert check(GOOD) == Reading(Finding.FOUND, "9300012345672")


@pytest.mark.parametrize("drop", [True, False])
def test_every_junk_in_every_place(drop: bool) -> None:
    for part, path in PLACES:
        for junk in JUNK[:1] if drop else JUNK:
            check(changed(part, path, junk, drop=drop))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD) - 1))
def test_cut_off_anywhere(length: int) -> None:
    reading = check(GOOD[:length])
    assert reading is None or length > GOOD.rindex(b"</script>"), "half a page is no page"


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=3))
def test_bytes_overwritten(at: int, noise: bytes) -> None:
    check(GOOD[:at] + noise + GOOD[at + len(noise) :])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**13 - 1), st.integers(0, 9))
def test_a_code_with_a_wrong_check_digit_is_never_read(body: int, digit: int) -> None:
    code = f"{body:012}"[:12] + str(digit)
    reading = check(GOOD.replace(b"9300012345672", code.encode()))
    right = ean.calc_check_digit(code[:-1]) == str(digit)
    assert reading is not None
    if reading.finding is Finding.FOUND:
        assert right
        assert reading.barcode == checked(code)
    else:
        assert not right or len(code.lstrip("0")) < 8


def test_scripts_and_braces_without_end() -> None:
    for noise in (b"<script ", b'<script type="application/ld+json">', b"[", b'{"@graph":['):
        check(noise * 100_000)
        check(GOOD.replace(b"</head>", noise * 20_000 + b"</script></head>"))
        check(GOOD.replace(LINKED[1], noise * 100_000))
        check(GOOD.replace(DATA[1], noise * 100_000))
