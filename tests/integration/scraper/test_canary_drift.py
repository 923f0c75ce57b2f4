"""The canary before the simulator whose shapes have drifted on the way: every retailer, field by field."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from splitcart_common.clock import ScaledClock
from splitcart_sandbox.database import service_dsn
from tests.support.scraper.cli import Said, spoken
from tests.support.scraper.http import Asked, Reply, serving
from tests.support.scraper.simulator import simulating

pytestmark = pytest.mark.stack

CLOCK = ScaledClock(datetime(2026, 9, 3, tzinfo=UTC), datetime.now(UTC), 1.0)
COMPANIES = "aldi,coles,woolworths,iga"
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    with simulating(COMPANIES, CLOCK, stores=60, listings=600) as address:
        yield address


def drifting(client: httpx.Client, change: Change) -> Callable[[Asked], Reply]:
    """The simulator, but that every object of its JSON answers goes through `change`."""

    def pass_on(asked: Asked) -> Reply:
        headers = {name: value for name, value in asked.headers.items() if name not in ("host", "accept-encoding")}
        answer = client.request(asked.method, asked.target, headers=headers, content=asked.body)
        body = answer.content
        if answer.headers["content-type"].startswith("application/json"):
            body = json.dumps(json.loads(body, object_hook=lambda found: (change(found), found)[1])).encode()
        return Reply(answer.status_code, body, {"content-type": answer.headers["content-type"]})

    return pass_on


async def looked(
    database: str, simulator: str, company: str, change: Change, monkeypatch: pytest.MonkeyPatch
) -> Said:
    with httpx.Client(base_url=simulator, timeout=30) as client:
        async with serving(drifting(client, change)) as server:
            said = await spoken(
                monkeypatch, "canary", company, "--base-url", f"{server.url}/{company}",
                SPLITCART_POSTGRES_DSN=service_dsn(database, "scraper"), SPLITCART_SCRAPER_GAP_SECONDS="0",
                SPLITCART_SCRAPER_BACKOFF_SECONDS="0.01",
            )  # fmt: skip
            assert server.most_in_hand == 1
            assert len(server.asked) <= 20, "a few requests"
    return said


def renamed(old: str, new: str) -> Change:
    return lambda found: found.update({new: found.pop(old)}) if old in found else None


def as_text(name: str) -> Change:
    return lambda found: found.update({name: str(found[name])}) if found.get(name) is not None else None


def without(name: str) -> Change:
    return lambda found: found.pop(name, None)


def extra(beside: str) -> Change:
    return lambda found: found.update(loyaltyPoints=5) if beside in found else None


PRICE = {"aldi": "amount", "coles": "now", "woolworths": "Price", "iga": "priceNumeric"}
ADORNS = {"aldi": "brandName", "coles": "comparable", "woolworths": "Brand", "iga": "brand"}
"""A field that is always there and that a listing can do without."""


@pytest.mark.parametrize("company", COMPANIES.split(","))
async def test_as_it_is_nothing_has_drifted(
    database: str, simulator: str, company: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await looked(database, simulator, company, lambda _: None, monkeypatch)
    pages = said.content["pages"]
    assert isinstance(pages, list)
    assert (said.content["verdict"], [page for page in pages if page["verdict"] != "as-expected"]) == (
        "as-expected", [],
    )  # fmt: skip
    assert {page["page"] for page in pages} >= {"finder", "tree", "listing"}


@pytest.mark.parametrize("company", COMPANIES.split(","))
@pytest.mark.parametrize(
    ("drift", "verdict", "named"),
    [
        (lambda company: renamed(PRICE[company], "cost"), "broken", ("missing", "new")),
        (lambda company: as_text(PRICE[company]), "broken", ("kind",)),
        (lambda company: without(ADORNS[company]), "survived", ("missing",)),
        (lambda company: extra(PRICE[company]), "survived", ("new",)),
    ],
    ids=["price-renamed", "price-as-text", "field-gone", "field-new"],
)
async def test_drift_of_a_listing_is_named_field_by_field(
    database: str, simulator: str, company: str, drift: Callable[[str], Change], verdict: str,
    named: tuple[str, ...], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    said = await looked(database, simulator, company, drift(company), monkeypatch)
    assert said.content["verdict"] == verdict, said.words
    (listing,) = (page for page in said.content["pages"] if page["page"] == "listing")  # type: ignore[attr-defined] # JSON
    field = re.compile(rf"(^|\.)({PRICE[company]}|{ADORNS[company]}|cost|loyaltyPoints)$")
    found = {one["what"]: one for one in listing["drift"] if field.search(one["path"])}
    assert tuple(sorted(found)) == named, listing["drift"]
    for one in found.values():
        assert one["share"] > 0
        assert f"listing: {one['path']} {one['what']}: expected {one['expected']}, seen " in said.words


@pytest.mark.parametrize("company", COMPANIES.split(","))
async def test_a_tree_of_another_shape_is_broken(
    database: str, simulator: str, company: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = {"aldi": "key", "coles": "seoToken", "woolworths": "NodeId", "iga": "identifier"}[company]
    said = await looked(database, simulator, company, renamed(name, "code"), monkeypatch)
    pages = {page["page"]: page for page in said.content["pages"]}  # type: ignore[attr-defined] # JSON
    assert (said.content["verdict"], pages["tree"]["verdict"]) == ("broken", "broken")
    assert any(one["path"].endswith(f".{name}") or one["path"] == name for one in pages["tree"]["drift"])
    assert "listing" not in pages, "without a tree there is nothing to list"
