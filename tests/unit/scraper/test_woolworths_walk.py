"""How Woolworths is walked: stores, session, tree, and the pages of a listing that never runs out of ads."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from math import asin, cos, radians, sin, sqrt
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from splitcart_sandbox.retailers.source import outlets
from splitcart_scraper.domain.listing import PageContent, Refusal, RefusalReason
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.base import Ended, PageContext, PageError, Request, Session
from splitcart_scraper.retailers.woolworths import Woolworths
from splitcart_scraper.retailers.woolworths_finder import POINTS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "woolworths"
WOOLWORTHS = Woolworths()
SESSION = Session("woolworths:1101", "1101", UUID(int=1))
CATEGORY = Category("1-E5BEE36E", ("Fruit & Veg",))
SEEN_AT = datetime(2026, 9, 1, tzinfo=UTC)


def read(first: int, last: int, total: int) -> PageContent:
    """A page with the products from one number to another; those of a page need no price to be counted."""
    skus = tuple(Refusal(RefusalReason.MALFORMED, "", str(number)) for number in range(first, last + 1))
    return PageContent((), skus, total)


def body_of(request: Request | Ended) -> dict[str, Any]:
    assert isinstance(request, Request)
    assert request.body is not None
    return dict(json.loads(request.body))


def after(*pages: PageContent) -> Request | Ended:
    return WOOLWORTHS.next_page(SESSION, CATEGORY, pages)


def test_a_page_is_posted_with_the_node_id_and_the_store() -> None:
    request = after()
    assert isinstance(request, Request)
    assert (request.method, request.target) == ("POST", "/apis/ui/browse/category")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["origin"] == "https://www.woolworths.com.au"
    assert request.headers["referer"] == "https://www.woolworths.com.au/shop/browse/fruit-veg"
    assert "user-agent" not in request.headers, "who we are is for the client to say"
    body = body_of(request)
    assert body["categoryId"] == "1-E5BEE36E"
    assert (body["pageNumber"], body["pageSize"], body["storeId"]) == (1, 36, "1101")
    assert body["url"] == body["location"] == "/shop/browse/fruit-veg?pageNumber=1"
    assert json.loads(body["formatObject"]) == {"name": "Fruit & Veg"}
    assert (body["isHideEverydayMarketProducts"], body["isHideUnavailableProducts"]) == (True, False)
    assert body["sortType"] == "Name", "by price, the pages would move while they are read"


def test_a_department_is_read_to_its_end_and_its_advertisements_are_not() -> None:
    """A retailer of 100 products that answers every page, the advertisements on each, for ever."""
    page = json.loads((FIXTURES / "past_end.json").read_bytes())
    product = {**page["Bundles"][0]["Products"][0], "IsSponsoredAd": False, "AdID": None}

    def answer(number: int) -> bytes:
        codes = range(1 + 36 * (number - 1), 1 + min(100, 36 * number))
        bundles = [{"Products": [{**product, "Stockcode": code}]} for code in codes]
        return json.dumps({**page, "TotalRecordCount": 100, "Bundles": page["Bundles"] + bundles}).encode()

    pages: list[PageContent] = []
    while isinstance(request := after(*pages), Request):
        number = body_of(request)["pageNumber"]
        pages.append(WOOLWORTHS.parse(answer(number), PageContext(SESSION, CATEGORY, number)))
    assert request == Ended()
    assert [page.tiles for page in pages] == [36, 36, 28, 0]
    assert {listing.sku for page in pages for listing in page.listings} == {str(n) for n in range(1, 101)}


def test_pages_go_on_however_short_they_are() -> None:
    assert body_of(after(read(1, 20, 100)))["pageNumber"] == 2
    assert body_of(after(read(1, 36, 100), read(37, 37, 100)))["pageNumber"] == 3


def test_the_count_is_not_believed_as_an_end() -> None:
    assert body_of(after(read(1, 36, 36)))["pageNumber"] == 2
    assert body_of(after(read(1, 36, 0)))["pageNumber"] == 2


def test_a_page_without_a_new_product_ends_the_category_once_its_count_is_reached() -> None:
    assert after(read(1, 36, 40), read(37, 40, 40), PageContent(total=0)) == Ended(), "ads only"
    assert after(read(1, 36, 40), read(37, 40, 40), read(37, 40, 40)) == Ended(), "repeats only"


def test_before_that_one_page_more_is_asked_for() -> None:
    pages = [read(1, 36, 80), PageContent(total=80)]
    assert body_of(after(*pages))["pageNumber"] == 3
    assert after(*pages, PageContent(total=80)) == Ended("it ended at 36 of 80")
    assert body_of(after(*pages, read(73, 80, 80)))["pageNumber"] == 4
    gap = after(*pages, read(73, 80, 80), PageContent(total=0), PageContent(total=0))
    assert gap == Ended("it ended at 44 of 80")


def test_a_few_of_many_may_have_gone_while_they_were_read() -> None:
    pages = [read(1, 995, 1000), PageContent(total=0), PageContent(total=0)]
    assert after(*pages) == Ended()
    assert after(read(1, 980, 1000), *pages[1:]) == Ended("it ended at 980 of 1000")
    lost = [PageContent(total=0), read(37, 6955, 6955), PageContent(total=0), PageContent(total=0)]
    assert after(*lost) == Ended("it ended at 6919 of 6955"), "a page that lacked its products is none of a few"


def test_an_empty_department_is_asked_for_twice() -> None:
    assert body_of(after(PageContent(total=0)))["pageNumber"] == 2
    assert after(PageContent(total=0), PageContent(total=0)) == Ended()


def test_tiles_without_a_number_are_counted_but_are_never_new() -> None:
    nameless = PageContent((), (Refusal(RefusalReason.MALFORMED, ""),), 3)
    assert after(read(1, 2, 3), nameless) == Ended()
    assert after(nameless, nameless) == Ended("it ended at 2 of 3")


def test_of_a_category_no_more_than_10000_products_are_served() -> None:
    pages = [read(36 * n + 1, 36 * n + 36, 12345) for n in range(278)]
    assert body_of(after(*pages[:277]))["pageNumber"] == 278
    ended = after(*pages)
    assert isinstance(ended, Ended)
    assert "10008 of 12345" in ended.short
    assert ended.too_long
    just_fits = [read(36 * n + 1, min(36 * n + 36, 10_000), 10_000) for n in range(278)]
    assert body_of(after(*just_fits))["pageNumber"] == 279
    assert after(*just_fits, PageContent(total=0)) == Ended()


def test_a_department_that_has_parts_is_left_for_them_at_its_first_page() -> None:
    whole = replace(CATEGORY, divisible=True)
    ended = WOOLWORTHS.next_page(SESSION, whole, [read(1, 36, 12_345)])
    assert isinstance(ended, Ended)
    assert ended.too_long
    assert body_of(WOOLWORTHS.next_page(SESSION, whole, [read(1, 36, 10_000)]))["pageNumber"] == 2


def test_a_part_that_cannot_be_addressed_spoils_nothing_until_it_is_needed() -> None:
    body = (FIXTURES / "tree.json").read_bytes()
    categories = WOOLWORTHS.categories(SESSION, body.replace(b'"1_C7A623D"', b'"breakfast-spreads"'))
    assert [category.divisible for category in categories if category.key == "1_39FD49C"] == [False]
    with pytest.raises(PageError, match="First Half"):
        WOOLWORTHS.categories(SESSION, body.replace(b'"1_AAAAAA1"', b'"first-half"'))


def test_departments_are_walked_without_campaigns_marketplace_and_tobacco() -> None:
    categories = WOOLWORTHS.categories(SESSION, (FIXTURES / "tree.json").read_bytes())
    assert [(category.key, category.path) for category in categories if category.part_of is None] == [
        ("1-E5BEE36E", ("Fruit & Veg",)),
        ("1_39FD49C", ("Pantry",)),
        ("1_AAAAAA1", ("Big Department", "First Half")),
        ("1_AAAAAA2", ("Big Department", "Second Half")),
    ]
    assert [(category.key, category.part_of) for category in categories if category.part_of is not None] == [
        ("1-5931EE89", "1-E5BEE36E"),
        ("1_C7A623D", "1_39FD49C"),
    ], "the children of a department whose count the tree does not say, to be walked if it is too long"
    assert WOOLWORTHS.tree(SESSION).target == "/apis/ui/PiesCategoriesWithSpecials"


def test_a_slug_is_no_id() -> None:
    body = (FIXTURES / "tree.json").read_bytes().replace(b'"1_39FD49C"', b'"pantry"')
    with pytest.raises(PageError, match="'Pantry' has the id 'pantry'"):
        WOOLWORTHS.categories(SESSION, body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"Categories":[]}',
        b'{"Categories":{}}',
        b'{"Categories":[{"NodeId":1,"Description":"Pantry"}]}',
        b'{"Categories":[{"NodeId":"specialsgroup","Description":"Specials"}]}',
        b"\xff\xfe",
        b'{"Categories":[' + b'{"NodeId":"1_39FD49C","Description":"a","Children":[' * 5000,
    ],
)
def test_a_tree_without_categories_is_no_tree(body: bytes) -> None:
    with pytest.raises(PageError):
        WOOLWORTHS.categories(SESSION, body)


def test_a_scrape_opens_with_the_front_page() -> None:
    opening = WOOLWORTHS.opening(SESSION)
    assert opening is not None
    assert (opening.target, opening.method, opening.expects) == ("/", "GET", "html")
    assert WOOLWORTHS.opened(SESSION, b"<html>") == SESSION


def test_supermarkets_around_a_point_are_outlets_and_petrol_is_not() -> None:
    front, request, *_ = WOOLWORTHS.discovery()
    assert (front.target, front.expects) == ("/", "html")
    assert WOOLWORTHS.outlets(b"<!doctype html>", front, SEEN_AT).outlets == ()
    assert request.target == (
        "/apis/ui/StoreLocator/Stores?Max=30&Division=SUPERMARKETS&Facility=&latitude=-12.30&longitude=136.70"
    )
    found = WOOLWORTHS.outlets((FIXTURES / "stores.json").read_bytes(), request, SEEN_AT)
    assert found.rest == ()
    mayfield, metro = found.outlets
    assert (mayfield.store, mayfield.name, mayfield.address) == ("woolworths:1101", "Mayfield", "1 Sample Street")
    assert (mayfield.suburb, mayfield.state, mayfield.postcode) == ("Mayfield", "NSW", "2304")
    assert (mayfield.lat, mayfield.lon, mayfield.division) == (-32.89, 151.74, "SUPERMARKETS")
    assert (metro.name, metro.address) == ("Sampleton (Metro)", "1 Sample Street, Level 2")
    assert (metro.lat, metro.lon) == (None, None)
    assert all(WOOLWORTHS.scrapable(outlet) for outlet in found.outlets)


@pytest.mark.parametrize("body", [b"", b'{"Stores":null}', b'{"Stores":[{"Name":"x"}]}', b"<html>"])
def test_an_answer_without_stores_is_none(body: bytes) -> None:
    with pytest.raises(PageError):
        WOOLWORTHS.outlets(body, WOOLWORTHS.discovery()[1], SEEN_AT)


def test_a_store_that_cannot_be_named_spoils_its_answer() -> None:
    body = (FIXTURES / "stores.json").read_bytes().replace(b'"1102"', b'"11/02?"')
    with pytest.raises(PageError, match="not a store key"):
        WOOLWORTHS.outlets(body, WOOLWORTHS.discovery()[1], SEEN_AT)


def test_the_30_nearest_of_the_points_are_every_supermarket_on_record() -> None:
    def km(a: tuple[float, float], b: tuple[float, float]) -> float:
        lat, lon = radians(b[0] - a[0]), radians(b[1] - a[1])
        h = sin(lat / 2) ** 2 + cos(radians(a[0])) * cos(radians(b[0])) * sin(lon / 2) ** 2
        return 2 * 6371 * asin(sqrt(h))

    stores = {o.store_id: (o.latitude, o.longitude) for o in outlets() if o.company == "woolworths"}
    found = {
        store for point in POINTS for store in sorted(stores, key=lambda store: km(point, stores[store]))[:24]
    }
    assert len(stores) > 1_000
    assert set(stores) - found == set(), "and six more may open around each point"
    assert len(POINTS) < 200
