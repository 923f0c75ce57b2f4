"""Coles's store finder (retailers.md §2) on an answer of our own making."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from splitcart_scraper.retailers.base import BotWallError, PageError, Request
from splitcart_scraper.retailers.coles import Coles
from splitcart_scraper.retailers.coles_points import POINTS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "coles"
FRONT = (FIXTURES / "opening.html").read_bytes()
STORES = (FIXTURES / "stores.json").read_bytes()
COLES = Coles()
SEEN_AT = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def first() -> Request:
    """The request around the first point."""
    return requests()[0]


def requests() -> tuple[Request, ...]:
    [front] = COLES.discovery()
    assert (front.target, front.expects, front.headers) == ("/", "html", {})
    found = COLES.outlets(FRONT, front, SEEN_AT)
    assert found.outlets == ()
    return found.rest


def test_discovery_takes_the_key_from_the_front_page_and_asks_around_a_point(first: Request) -> None:
    assert (first.method, first.target, first.expects) == ("POST", "/api/graphql", "json")
    assert first.headers["ocp-apim-subscription-key"] == "0000invented0000key0000"
    asked = json.loads(first.body or b"")
    assert asked["operationName"] == "GetStores"
    assert asked["variables"] == {"brandIds": ["COL"], "latitude": POINTS[0][0], "longitude": POINTS[0][1]}


def test_the_front_page_leads_to_all_points_and_no_answer_to_another() -> None:
    """One answer that cannot be read costs its own stores, not those of all the points after it."""
    asked = [json.loads(request.body or b"")["variables"] for request in requests()]
    assert [(variables["latitude"], variables["longitude"]) for variables in asked] == list(POINTS)
    assert len(set(POINTS)) == len(POINTS) < 100
    assert len({request.label for request in requests()}) == len(POINTS), "they share one address"
    assert all(COLES.outlets(STORES, request, SEEN_AT).rest == () for request in requests())


def test_only_supermarkets_that_trade_are_outlets(first: Request) -> None:
    found = COLES.outlets(STORES, first, SEEN_AT).outlets
    assert [outlet.store for outlet in found] == ["coles:364", "coles:478"]
    wattle_bay, quandong = found
    assert (wattle_bay.name, wattle_bay.division) == ("Coles Wattle Bay", "Coles Supermarkets")
    assert (wattle_bay.address, wattle_bay.suburb, wattle_bay.state) == ("38 Example Hwy", "Wattle Bay", "WA")
    assert (wattle_bay.postcode, wattle_bay.lat, wattle_bay.lon) == ("6330", -35.02, 117.88)
    assert (wattle_bay.retailer_ref, wattle_bay.seen_at) == (None, SEEN_AT)
    assert all(COLES.scrapable(outlet) for outlet in found)
    assert (quandong.lat, quandong.lon, quandong.suburb, quandong.division) == (None, None, "", None)


@pytest.mark.parametrize("name", ["COL:", "COL:0", "COL:36 4", "COL:12345678", "COL:x"])
def test_a_supermarket_that_cannot_be_named_spoils_its_answer(first: Request, name: str) -> None:
    with pytest.raises(PageError, match="no number"):
        COLES.outlets(STORES.replace(b"COL:364", name.encode()), first, SEEN_AT)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        STORES[:400],
        b'{"data":null,"errors":[{"message":"key expired"}]}',
        b'{"data":{"stores":null}}',
        STORES.replace(b'"Coles  Wattle Bay"', b"5"),
    ],
)
def test_an_answer_that_lists_nothing_is_not_an_empty_country(first: Request, body: bytes) -> None:
    with pytest.raises(PageError):
        COLES.outlets(body, first, SEEN_AT)


def test_a_wall_before_the_store_finder_has_a_name() -> None:
    [front] = COLES.discovery()
    with pytest.raises(BotWallError):
        COLES.outlets((FIXTURES / "wall.html").read_bytes(), front, SEEN_AT)
