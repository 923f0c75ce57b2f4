"""IGA's store finder: which numbers are asked for, and what an answer says."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from splitcart_common.events import StoreDiscovered
from splitcart_scraper.retailers.base import PageError
from splitcart_scraper.retailers.iga import Iga
from splitcart_scraper.retailers.iga_finder import EMPTY_TO_STOP, FRONTIER

FINDER = (Path(__file__).parents[2] / "fixtures" / "iga" / "finder.txt").read_bytes()
NOWHERE = b'({"content":"<div></div>"})'
IGA = Iga()
SEEN_AT = datetime(2026, 9, 1, tzinfo=UTC)


def test_the_store_finder_lists_stores_with_and_without_a_web_shop() -> None:
    drakeford, connor = IGA.outlets(FINDER, next(iter(IGA.discovery())), SEEN_AT).outlets
    assert drakeford == StoreDiscovered(
        store="iga:14132",
        name="IGA Local Grocer (Drakeford)",
        address="9 Jenke Circuit",
        suburb="Kambah",
        state="ACT",
        postcode="2902",
        lat=-35.39,
        lon=149.06,
        sells_online=True,
        seen_at=SEEN_AT,
        retailer_ref="92811",
    )
    assert (connor.store, connor.name, connor.retailer_ref) == ("iga:14150", "IGA O'Connor", None)
    assert (connor.sells_online, connor.lat, connor.lon, connor.postcode) == (False, None, None, "2602")
    assert [IGA.scrapable(outlet) for outlet in (drakeford, connor)] == [True, False]


def test_known_numbers_are_asked_for_and_then_upward_until_a_run_is_empty() -> None:
    requests = IGA.discovery()
    assert requests[0].target == (
        "/location/storelocator/183/?format=json&saleGroup=0&limit=1500&locationId=14127"
    )
    assert len(requests) < 2_500
    assert IGA.outlets(NOWHERE, requests[0], SEEN_AT).rest == (), "a number of the known spans leads nowhere"

    request, number = requests[-1], FRONTIER
    while True:
        assert request.target.endswith(f"locationId={number}")
        body = FINDER if number == FRONTIER + 400 else NOWHERE
        rest = IGA.outlets(body, request, SEEN_AT).rest
        if not rest:
            break
        [request], number = rest, number + 1
    assert number == FRONTIER + 400 + EMPTY_TO_STOP


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"cb(",
        b"cb({})",
        b'cb({"content":5})',
        b"\xff(1)",
        FINDER.replace(b"14132&quot;,&quot;retailer", b"14 132/&quot;,&quot;retailer"),
        FINDER.replace(b"&quot;storeName&quot;:&quot;IGA O", b"&quot;storeName&quot;:5,&quot;x&quot;:&quot;O"),
    ],
)
def test_an_answer_that_cannot_be_read_is_no_answer_without_stores(body: bytes) -> None:
    with pytest.raises(PageError):
        IGA.outlets(body, next(iter(IGA.discovery())), SEEN_AT)
