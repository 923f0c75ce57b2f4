"""IGA's stores: the store finder is another company's (SaleFinder), and is asked by number.

It answers JSONP, whose content is HTML, in which each store's data is an attribute. A number that is no store's is
answered like one that is, with no store in it, so a scan has to know where to look and when to stop.

Numbers are given out in ascending order: 1,288 of the 1,291 stores on record have one from 14,127 to 22,470. So
the spans in which stores are known are asked for, and then every number above, until 500 in a row are empty: the
longest gap between two known stores is 475. All in all some 2,500 requests, where trying every number from 1 on
takes 23,000. Three known numbers lie far above, where no scan would come; they are asked for by themselves.
"""

import html
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

from splitcart_common.events import StoreDiscovered
from splitcart_common.ids import store_key
from splitcart_scraper.retailers.base import OutletsFound, PageError, Request
from splitcart_scraper.retailers.reading import decode, degrees, line

FINDER_URL: Final = "https://embed.salefinder.com.au"
EMPTY_TO_STOP: Final = 500

SPANS: Final[tuple[tuple[int, int], ...]] = (
    (14127, 15524), (15805, 15805), (15842, 15848), (15861, 15862), (15993, 15999), (16019, 16023),
    (16105, 16108), (16573, 16579), (16599, 16599), (16674, 16674), (16685, 16689), (16881, 16882),
    (16900, 16910), (17005, 17005), (17020, 17020), (17128, 17128), (17162, 17176), (17651, 17661),
    (17719, 17721), (17931, 17931), (18078, 18078), (18274, 18274), (18460, 18460), (18735, 18735),
    (18813, 18813), (18872, 18872), (18918, 18928), (18940, 18953), (19099, 19104), (19162, 19163),
    (19183, 19186), (19226, 19253), (19343, 19348), (19397, 19407), (19419, 19419), (19437, 19441),
    (19456, 19464), (19512, 19514), (19566, 19566), (19587, 19595), (19622, 19628), (19639, 19643),
    (19665, 19671), (19805, 19805), (19939, 19947), (19961, 19961), (19981, 19981), (19997, 20012),
    (20410, 20415), (20430, 20432), (20470, 20470), (20525, 20526), (20596, 20596), (20613, 20613),
    (20707, 20707), (20721, 20763), (20777, 20788), (21101, 21110), (21213, 21213), (21286, 21310),
    (21419, 21420), (21453, 21464), (21529, 21529), (21597, 21608), (21620, 21647), (21669, 21710),
    (21741, 21777), (21950, 21981), (22131, 22166), (22218, 22250), (22263, 22290), (22312, 22318),
    (22355, 22362), (22432, 22434), (22468, 22470), (32600, 32600), (53172, 53172), (251695, 251695),)  # fmt: skip
"""First and last number of each run of known stores, with gaps of up to 10 in it."""

FRONTIER: Final = 22_471
"""The first number above all that were given out when the spans were written down."""

_STORES: Final = re.compile(r'data-storedata="([^"]*)"')


class _Content(Struct):
    content: str


class _Store(Struct):
    """What is read of a store; names are the retailer's."""

    storeId: str | int  # noqa: N815 - the retailer's name
    storeName: str  # noqa: N815 - the retailer's name
    retailerStoreId: str | int | None = None  # noqa: N815 - the retailer's name
    address: str | None = None
    suburb: str | None = None
    state: str | None = None
    postcode: str | int | None = None
    latitude: Any = None
    longitude: Any = None


_CONTENTS: Final = msgspec.json.Decoder(_Content)
_STORE: Final = msgspec.json.Decoder(_Store)


def requests() -> Iterator[Request]:
    """One request a number of the spans, then the first of those above, which lead on by themselves."""
    for first, last in SPANS:
        for number in range(first, last + 1):
            yield _request(number)
    yield _request(FRONTIER, empty=0)


def found(company: str, body: bytes, request: Request, seen_at: datetime) -> OutletsFound:
    """The stores of an answer; above the frontier also the request for the next number, until enough are empty."""
    outlets = tuple(_outlet(company, text, seen_at) for text in _stores(body))
    if not request.memo:
        return OutletsFound(outlets)
    empty = 0 if outlets else int(request.memo) + 1
    number = int(parse_qs(urlsplit(request.target).query)["locationId"][0])
    return OutletsFound(outlets, (_request(number + 1, empty=empty),) if empty < EMPTY_TO_STOP else ())


def _request(number: int, empty: int | None = None) -> Request:
    """The request for a number; `empty` counts the numbers before it, above the frontier, that were no store's."""
    target = f"/location/storelocator/183/?format=json&saleGroup=0&limit=1500&locationId={number}"
    return Request(target, expects="jsonp", memo="" if empty is None else str(empty))


def _stores(body: bytes) -> Sequence[str]:
    """The JSON of each store in a JSONP answer, with or without the name of a function."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise PageError(f"{error} ({len(body)} bytes)") from None
    begin, end = text.find("("), text.rfind(")")
    if not 0 <= begin < end:
        raise PageError(f"no JSONP: {text[:60]!r}")
    content = decode(_CONTENTS, text[begin + 1 : end]).content
    return [html.unescape(data) for data in _STORES.findall(content)]


def _outlet(company: str, text: str, seen_at: datetime) -> StoreDiscovered:
    """A store; PageError for one that cannot be read or named, so that it is not taken for closed."""
    store = decode(_STORE, text)
    try:
        key = store_key(company, str(store.storeId))
    except ValueError as error:
        raise PageError(str(error)) from None
    reference = line(str(store.retailerStoreId)) if store.retailerStoreId is not None else ""
    return StoreDiscovered(
        store=key,
        name=line(store.storeName),
        address=line(store.address),
        suburb=line(store.suburb),
        state=line(store.state),
        postcode=line(str(store.postcode) if store.postcode is not None else None),
        lat=degrees(store.latitude, 90),
        lon=degrees(store.longitude, 180),
        sells_online=bool(reference),
        seen_at=seen_at,
        retailer_ref=reference or None,
    )
