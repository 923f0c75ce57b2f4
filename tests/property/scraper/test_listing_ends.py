"""A listing is read to its end or known to be short, whatever one of its pages counts or repeats."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from splitcart_common.events import ObservedListing
from splitcart_scraper.domain.listing import PageContent
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.aldi import Aldi
from splitcart_scraper.retailers.base import Ended, Request, Retailer, Session
from splitcart_scraper.retailers.coles import Coles
from splitcart_scraper.retailers.coles_requests import BUILD, KEY
from splitcart_scraper.retailers.iga import Iga
from splitcart_scraper.retailers.reading import page_of
from splitcart_scraper.retailers.woolworths import Woolworths
from tests.support.scraper.corner import Corner


@dataclass(frozen=True)
class Case:
    """A retailer, the products of its page, and where a request asks for one to begin."""

    retailer: Retailer
    size: int
    first: Callable[[Request], int]
    past_the_end: bool = True
    """Whether a page past the end is empty; else it is an error, as 400 at Aldi."""


def query(request: Request, name: str) -> int:
    return int(parse_qs(urlsplit(request.target).query)[name][0])


CASES = {
    "aldi": Case(Aldi(), 30, lambda request: query(request, "offset"), past_the_end=False),
    "iga": Case(Iga(), 36, lambda request: query(request, "skip")),
    "coles": Case(Coles(), 48, lambda request: 48 * (query(request, "page") - 1)),
    "woolworths": Case(Woolworths(), 36, lambda asked: 36 * (json.loads(asked.body or b"")["pageNumber"] - 1)),
    "corner": Case(Corner(), 20, lambda request: 20 * (query(request, "page") - 1)),
}  # fmt: skip
CATEGORY = Category("bread", ("Bread",))
SESSION = Session("x:1", "1", UUID(int=1), "1", {BUILD: "b", KEY: "k"})


def listing(number: int) -> ObservedListing:
    return ObservedListing(sku=f"s{number}", name="x", price=1, page=1, raw_hash="")


def walked(case: Case, products: int, count_of: Callable[[int], int | None], repeats: int) -> tuple[set[str], str]:
    """The SKUs read, and what is wrong with the end, as handlers/walk.py has it; repeats are on each page."""
    read: list[PageContent] = []
    for _ in range(6 + 2 * products // case.size):
        request = case.retailer.next_page(SESSION, CATEGORY, read)
        if isinstance(request, Ended):
            return {tile.sku for page in read for tile in page.listings}, request.short
        first = case.first(request)
        if first >= products and first and not case.past_the_end:
            end = "" if request.meanings else "HTTP 400"
            return {tile.sku for page in read for tile in page.listings}, end
        shown = [listing(number) for number in range(first, min(first + case.size, products))]
        read.append(page_of(shown + shown[:repeats], count_of(len(read))))
    raise AssertionError("it has no end")


@pytest.mark.parametrize("company", CASES)
@given(data=st.data(), products=st.integers(0, 200), repeats=st.integers(0, 6))
def test_one_wrong_count_never_ends_a_listing_unnoticed(
    company: str, data: st.DataObject, products: int, repeats: int
) -> None:
    case = CASES[company]
    wrong_at = data.draw(st.integers(0, products // case.size))
    wrong = data.draw(st.sampled_from((None, 0, 1, case.size - 1)) | st.integers(-5, 500))
    # One that is the very number of products read by then is a count like any other.
    assume(wrong != min(products, case.size * (wrong_at + 1)) or wrong == products)
    seen, short = walked(case, products, lambda page: wrong if page == wrong_at else products, repeats)
    assert short or len(seen) == products


@pytest.mark.parametrize("company", CASES)
@given(products=st.integers(0, 200), repeats=st.integers(0, 6), counted=st.booleans())
def test_repeated_products_are_read_once_and_none_is_missed(
    company: str, products: int, repeats: int, counted: bool
) -> None:
    always = company in ("corner", "woolworths")  # without a count their answer is no page
    seen, short = walked(CASES[company], products, lambda _: products if counted or always else None, repeats)
    assert (len(seen), short) == (products, "")
