"""How a scrape of Coles opens, which categories it walks, and where a listing ends (retailers.md §2)."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from splitcart_common.events import ObservedListing
from splitcart_scraper.domain.listing import PageContent, Refusal, RefusalReason
from splitcart_scraper.domain.scrape import Category
from splitcart_scraper.retailers.base import (
    BotWallError,
    DriftError,
    Ended,
    Meaning,
    PageError,
    Request,
    Session,
)
from splitcart_scraper.retailers.coles import MOST_PAGES, Coles

FIXTURES = Path(__file__).parents[2] / "fixtures" / "coles"
FRONT = (FIXTURES / "opening.html").read_bytes()
MENU = (FIXTURES / "menu.json").read_bytes()
WALL = (FIXTURES / "wall.html").read_bytes()
COLES = Coles()
SESSION = Session("coles:364", "364", UUID(int=7))
OPENED = COLES.opened(SESSION, FRONT)
CATEGORY = Category("pantry/baking", ("Pantry", "Baking"))
COOKIE = "fulfillmentStoreId=0364; shopping-method=clickAndCollect"


def page(first: int, last: int, total: int | None, refused: int = 0) -> PageContent:
    """A page of the products `first` to `last`, and so many more without a SKU."""
    tiles = (
        ObservedListing(sku=str(sku), name="Jam", price=5, page=1, raw_hash="") for sku in range(first, last + 1)
    )
    return PageContent(tuple(tiles), (Refusal(RefusalReason.SKU_MISSING, ""),) * refused, total)


def after(*pages: PageContent) -> Request | Ended:
    return COLES.next_page(OPENED, CATEGORY, pages)


def test_a_scrape_opens_with_the_front_page_as_a_customer_of_the_store() -> None:
    opening = COLES.opening(SESSION)
    assert (opening.target, opening.expects, opening.headers) == ("/", "html", {"cookie": COOKIE})


def test_build_id_and_key_are_read_anew_from_each_opening_page() -> None:
    assert OPENED.tokens == {"build-id": "20260701.3-3c1dab42invented", "key": "0000invented0000key0000"}
    deployed = FRONT.replace(b"20260701.3-3c1dab42invented", b"20260702.1-9e")
    assert COLES.opened(OPENED, deployed).tokens["build-id"] == "20260702.1-9e"


def test_the_key_is_found_in_the_page_data_too() -> None:
    data = b'{"runtimeConfig":{"BFF_API_SUBSCRIPTION_KEY":"1111invented"},"buildId":"b"}'
    html = b'<html><script id="__NEXT_DATA__" type="application/json">' + data + b"</script></html>"
    assert COLES.opened(SESSION, html).tokens == {"build-id": "b", "key": "1111invented"}


def test_an_opening_page_without_data_is_a_wall_for_robots() -> None:
    with pytest.raises(BotWallError):
        COLES.opened(SESSION, WALL)


def test_an_opening_page_of_another_store_is_drift() -> None:
    with pytest.raises(DriftError, match="'0766', not 0364"):
        COLES.opened(SESSION, FRONT.replace(b'"0364"', b'"0766"'))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        FRONT[:200],
        FRONT[:-60],
        FRONT.replace(b"BFF_API", b"API"),
        FRONT.replace(b'"buildId"', b'"build"'),
        FRONT.replace(b"20260701.3-3c1dab42invented", b"../../elsewhere?"),
        FRONT.replace(b"0000invented0000key0000", b"line\\r\\nbreak"),
    ],
)
def test_an_opening_page_that_does_not_open_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(PageError) as error:
        COLES.opened(SESSION, body)
    assert not isinstance(error.value, BotWallError)


def test_the_menu_is_asked_for_by_store_and_key() -> None:
    menu = COLES.tree(OPENED)
    assert (menu.method, menu.target) == ("POST", "/api/graphql")
    assert menu.headers["ocp-apim-subscription-key"] == "0000invented0000key0000"
    assert menu.headers["cookie"] == COOKIE
    asked = json.loads(menu.body or b"")
    assert asked["operationName"] == "GetShopProductsMenu"
    assert asked["variables"] == {"storeId": "COL:0364", "withCampaignLinks": False, "campaignCount": 0}


def test_departments_are_walked_whole_and_split_only_where_not_all_of_one_would_be_served() -> None:
    assert COLES.categories(OPENED, MENU) == (
        Category("meat-seafood", ("Meat & Seafood",)),
        Category("pantry/baking", ("Pantry", "Baking")),
        Category("pantry/international-foods/asian", ("Pantry", "International Foods", "Asian")),
        Category("pantry/international-foods/mexican", ("Pantry", "International Foods", "Mexican")),
    )


@pytest.mark.parametrize("slug", ["down-down", "back-to-school", "bonus-credit-products", "tobacco", "liquorland"])
def test_promotions_tobacco_and_the_liquor_shop_are_not_walked(slug: str) -> None:
    body = MENU.replace(b'"seoToken":"meat-seafood"', f'"seoToken":"{slug}"'.encode())
    assert "meat-seafood" not in {category.key for category in COLES.categories(OPENED, body)}
    assert slug not in {category.key for category in COLES.categories(OPENED, body)}


def test_restricted_nodes_are_not_walked() -> None:
    keys = {category.key for category in COLES.categories(OPENED, MENU)}
    assert "kiosk" not in keys
    assert "pantry/international-foods/not-for-everybody" not in keys


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        MENU[:1000],
        b'{"data":{"menuItems":{"items":[]}}}',
        b'{"data":{"menuItems":null}}',
        b'{"data":null,"errors":[{"message":"no such store"}]}',
        MENU.replace(b'"seoToken":"meat-seafood"', b'"seoToken":"../api"'),
        MENU.replace(b'"seoToken":"meat-seafood"', b'"seoToken":null'),
        WALL,
    ],
)
def test_a_menu_that_cannot_be_walked_is_no_menu(body: bytes) -> None:
    with pytest.raises(PageError):
        COLES.categories(OPENED, body)


def test_a_listing_is_read_by_build_id_slug_and_page() -> None:
    first = after()
    assert isinstance(first, Request)
    assert first.target == (
        "/_next/data/20260701.3-3c1dab42invented/en/browse/pantry/baking.json?slug=pantry&slug=baking&page=1"
    )
    assert (first.headers, first.expects) == ({"cookie": COOKIE}, "json")
    second = after(page(1, 48, 100))
    assert isinstance(second, Request)
    assert second.target.endswith("&page=2")


def test_the_404_of_an_old_build_id_is_never_the_end_of_a_category() -> None:
    for request in (after(), after(page(1, 48, 49))):
        assert isinstance(request, Request)
        assert request.meanings == {404: Meaning.STALE}


def test_a_listing_ends_when_its_count_is_reached() -> None:
    assert after(page(1, 48, 48)) == Ended()
    assert isinstance(after(page(1, 48, 49)), Request)
    assert after(page(1, 48, 49), page(49, 49, 49)) == Ended()
    assert after(page(1, 40, 48, refused=8)) == Ended(), "what was refused was seen"
    assert after(page(1, 0, 0)) == Ended(), "the store has none of it"


def test_repeated_products_are_not_counted_again() -> None:
    assert isinstance(after(page(1, 48, 96), page(41, 88, 96)), Request)
    assert after(page(1, 48, 96), page(41, 88, 96), page(89, 96, 96)) == Ended()


def test_a_short_page_is_not_the_end() -> None:
    assert isinstance(after(page(1, 48, 200), page(49, 60, 200)), Request)


def test_a_page_that_adds_nothing_is_the_end_and_says_what_is_missing() -> None:
    empty = page(1, 0, 200)
    assert after(page(1, 48, 200), empty) == Ended("it ended at 48 of 200")
    assert after(page(1, 48, 200), page(1, 48, 200)) == Ended("it ended at 48 of 200"), "the last page again"
    assert after(empty) == Ended("it ended at 0 of 200"), "nothing but advertisements"
    assert after(page(1, 48, 49), page(1, 0, 0)) == Ended(), "one moved between two pages, and the count is gone"


def test_without_a_count_a_listing_ends_with_the_page_that_adds_nothing() -> None:
    assert isinstance(after(page(1, 48, None)), Request)
    assert after(page(1, 48, None), page(1, 0, None)) == Ended()


def test_no_page_is_asked_for_beyond_the_104th() -> None:
    served = [page(48 * at + 1, 48 * at + 48, 6000) for at in range(MOST_PAGES)]
    assert isinstance(after(*served[:-1]), Request)
    assert after(*served) == Ended("no more than 104 pages are served: 4992 of 6000", too_long=True)


def test_what_the_menu_counted_short_is_left_for_its_parts_at_its_first_page() -> None:
    body = MENU.replace(b'"productCount":6115', b'"productCount":4700')
    categories = {category.key: category for category in COLES.categories(OPENED, body)}
    assert categories["pantry"].divisible
    assert {key: category.part_of for key, category in categories.items() if category.part_of} == {
        "pantry/baking": "pantry",
        "pantry/international-foods/asian": "pantry",
        "pantry/international-foods/mexican": "pantry",
    }
    ended = COLES.next_page(OPENED, categories["pantry"], [page(1, 48, 6000)])
    assert ended == Ended("no more than 104 pages are served: 48 of 6000", too_long=True)
    assert isinstance(COLES.next_page(OPENED, categories["pantry"], [page(1, 48, 4992)]), Request)
    assert isinstance(after(page(1, 48, 6000)), Request), "what has no parts is read as far as it goes"
