"""Whatever a tree, a finder's answer or an opening page has been turned into: read, or no such page; no crash."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from splitcart_common.ids import store_key
from splitcart_scraper.retailers import RETAILERS
from splitcart_scraper.retailers.base import DriftError, OutletsFound, PageError, Session
from splitcart_scraper.retailers.coles_requests import BUILD, KEY, stores

FIXTURES = Path(__file__).parents[2] / "fixtures"
AT = datetime(2026, 9, 1, tzinfo=UTC)
JUNK: list[Any] = [
    None, True, -1, 0, 4.69, 1e308, 10**30, 10**4000, float("nan"), "469", "", "\x00\u200b\x1b[2J", "x" * 10_000,
    "../../etc", "<b>", [], [1], [[]], {}, {"id": 1},
]  # fmt: skip
HTML = b"<!doctype html><html><head><title>Access Denied</title></head><body>Reference 18.2</body></html>"


@dataclass(frozen=True)
class Answer:
    """A good answer of a retailer, and what reads it."""

    company: str
    name: str
    read: Callable[[bytes], object]

    @property
    def body(self) -> bytes:
        return (FIXTURES / self.company / self.name).read_bytes().strip()

    def __str__(self) -> str:
        return f"{self.company}-{self.name}"


def session(company: str) -> Session:
    return Session(f"{company}:364", "364", UUID(int=1), "92811", {BUILD: "b", KEY: "k"})


def tree(company: str, name: str) -> Answer:
    return Answer(company, name, lambda body: RETAILERS[company].categories(session(company), body))


def finder(company: str, name: str) -> Answer:
    retailer = RETAILERS[company]
    asked = stores("k")[0] if company == "coles" else list(retailer.discovery())[-1]
    return Answer(company, name, lambda body: retailer.outlets(body, asked, AT))


ANSWERS = [
    tree("aldi", "tree.json"), finder("aldi", "service_points.json"),
    tree("coles", "menu.json"), finder("coles", "stores.json"),
    Answer("coles", "opening.html", lambda body: RETAILERS["coles"].opened(session("coles"), body)),
    tree("woolworths", "tree.json"), finder("woolworths", "stores.json"),
    tree("iga", "tree.json"), finder("iga", "finder.txt"),
]  # fmt: skip
JSON = [answer for answer in ANSWERS if answer.name.endswith(".json")]


def check(answer: Answer, body: bytes) -> object:
    """What is read, None where nothing is. Any other exception fails the test."""
    try:
        found = answer.read(body)
    except (PageError, DriftError):
        return None
    if isinstance(found, OutletsFound):
        for outlet in found.outlets:
            company, _, number = outlet.store.partition(":")
            assert outlet.store == store_key(company, number), "every store that is read can be named"
            assert outlet.name.isprintable()
            assert outlet.lat is None or -90 <= outlet.lat <= 90
    elif isinstance(found, tuple):
        assert found, "a plan of nothing is no plan"
        assert len({category.key for category in found}) == len(found), "none is walked twice"
        assert all(category.key and all(map(str.isprintable, category.path)) for category in found)
    return found


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, child in inner for path in places(child, (*at, key)))]


def changed(document: Any, path: tuple[Any, ...], junk: Any, *, drop: bool) -> Any:
    """The document with one place replaced or taken away."""
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    if drop:
        del parent[path[-1]]
    else:
        parent[path[-1]] = junk
    return document


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_the_good_answers_are_good(answer: Answer) -> None:
    assert check(answer, answer.body) is not None


@pytest.mark.parametrize("answer", JSON, ids=str)
@settings(max_examples=120)
@given(data=st.data(), junk=st.sampled_from(JUNK), drop=st.booleans())
def test_one_place_changed(answer: Answer, data: st.DataObject, junk: Any, drop: bool) -> None:
    document = json.loads(answer.body)
    path = data.draw(st.sampled_from([path for path in places(document) if path]))
    check(answer, json.dumps(changed(document, path, junk, drop=drop)).encode())


@settings(max_examples=150)
@given(data=st.data(), junk=st.sampled_from(JUNK), drop=st.booleans())
def test_one_place_of_a_store_in_the_html_of_igas_finder_changed(
    data: st.DataObject, junk: Any, drop: bool
) -> None:
    answer = finder("iga", "finder.txt")
    outer = json.loads(re.sub(r"^[^(]*\(|\)[^)]*$", "", answer.body.decode()))
    found = re.findall(r'data-storedata="([^"]*)"', outer["content"])
    store = json.loads(html.unescape(data.draw(st.sampled_from(found))))
    path = data.draw(st.sampled_from([path for path in places(store) if path]))
    text = html.escape(json.dumps(changed(store, path, junk, drop=drop)))
    check(answer, b"cb(" + json.dumps({"content": f'<li data-storedata="{text}"></li>'}).encode() + b")")


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
@settings(max_examples=60)
@given(data=st.data(), noise=st.binary(min_size=1, max_size=3))
def test_cut_off_or_overwritten_anywhere(answer: Answer, data: st.DataObject, noise: bytes) -> None:
    good = answer.body
    at = data.draw(st.integers(0, len(good) - 1))
    check(answer, good[:at] + noise + good[at + len(noise) :])
    check(answer, good[:at] + HTML)
    if answer in JSON:
        assert check(answer, good[:at]) is None, "half an answer is none"


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"7", b'"x"', HTML, b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_answer_at_all_is_none(answer: Answer, body: bytes) -> None:
    assert check(answer, body) is None
