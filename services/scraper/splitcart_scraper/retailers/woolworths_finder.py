"""Woolworths' stores: the store finder has the 30 outlets that are nearest to a point, and no second page.

Its outlets are those of the group; what is no supermarket sells fuel. A store's number there is the number that
tiles bear (`woolworths_shapes.Tile`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from splitcart_common.events import StoreDiscovered
from splitcart_common.ids import store_key
from splitcart_scraper.domain.listing import LONGEST_SHORT_TEXT
from splitcart_scraper.retailers.base import OutletsFound, PageError, Request
from splitcart_scraper.retailers.reading import decode, degrees, line
from splitcart_scraper.retailers.woolworths_shapes import STORES, Store

SITE: Final = "https://www.woolworths.com.au"
NEAREST: Final = 30
"""Outlets in an answer, and the most that may be asked for."""
SUPERMARKETS: Final = "SUPERMARKETS"
"""The division whose outlets count; the others, EG and AMPOL, would only take up places in the answer."""

POINTS: Final[tuple[tuple[float, float], ...]] = (
    (-12.30, 136.70), (-12.70, 141.80), (-12.80, 130.90), (-14.60, 132.20), (-15.60, 145.10),
    (-15.90, 128.60), (-17.30, 145.40), (-17.40, 123.50), (-18.10, 122.10), (-18.30, 125.50),
    (-18.30, 127.60), (-19.40, 146.60), (-19.70, 134.10), (-20.50, 118.50), (-20.50, 148.60),
    (-20.80, 116.70), (-20.80, 139.60), (-21.50, 149.10), (-22.00, 114.00), (-22.80, 147.60),
    (-23.30, 117.60), (-23.40, 148.10), (-23.50, 119.60), (-23.60, 145.20), (-23.80, 133.80),
    (-23.90, 151.10), (-25.00, 113.60), (-25.00, 150.00), (-25.10, 152.00), (-25.30, 130.90),
    (-26.00, 113.40), (-26.30, 152.50), (-26.50, 146.10), (-26.70, 118.40), (-26.70, 120.10),
    (-26.70, 148.70), (-26.80, 150.10), (-27.20, 153.30), (-27.25, 152.40), (-27.25, 152.95),
    (-27.40, 153.00), (-27.45, 152.95), (-27.50, 152.00), (-27.50, 153.15), (-27.60, 153.00),
    (-27.70, 153.00), (-27.70, 153.40), (-27.80, 153.10), (-28.10, 148.50), (-28.10, 152.80),
    (-28.10, 153.40), (-28.20, 117.70), (-28.20, 145.60), (-28.40, 114.50), (-28.50, 152.90),
    (-28.60, 150.20), (-28.90, 152.90), (-29.10, 134.70), (-29.30, 115.00), (-29.60, 115.70),
    (-30.10, 148.00), (-30.20, 145.80), (-30.20, 152.60), (-30.30, 149.50), (-30.40, 150.70),
    (-30.70, 115.90), (-30.70, 136.80), (-31.10, 152.70), (-31.20, 115.90), (-31.30, 117.30),
    (-31.30, 121.50), (-31.50, 150.80), (-31.60, 145.70), (-31.80, 148.70), (-31.95, 115.75),
    (-32.00, 151.90), (-32.05, 116.00), (-32.10, 141.30), (-32.10, 147.90), (-32.20, 116.80),
    (-32.30, 121.70), (-32.60, 118.20), (-32.60, 151.50), (-32.65, 115.65), (-32.70, 138.50),
    (-32.90, 134.10), (-33.00, 115.80), (-33.00, 148.80), (-33.00, 150.10), (-33.20, 118.40),
    (-33.20, 136.30), (-33.30, 151.20), (-33.50, 151.50), (-33.70, 149.80), (-33.70, 150.95),
    (-33.75, 151.20), (-33.80, 117.10), (-33.80, 150.90), (-33.80, 151.05), (-33.80, 151.10),
    (-33.85, 151.15), (-33.90, 147.10), (-33.90, 151.20), (-33.95, 150.90), (-33.95, 151.00),
    (-33.95, 151.10), (-34.00, 120.00), (-34.00, 121.80), (-34.00, 138.60), (-34.00, 151.40),
    (-34.30, 145.90), (-34.30, 150.30), (-34.30, 151.10), (-34.50, 115.90), (-34.50, 117.60),
    (-34.50, 142.70), (-34.60, 140.50), (-34.70, 142.80), (-34.70, 149.90), (-34.80, 135.80),
    (-34.80, 146.50), (-34.95, 138.65), (-35.10, 148.00), (-35.40, 149.90), (-35.60, 137.80),
    (-35.70, 139.20), (-35.90, 144.20), (-36.20, 146.40), (-36.40, 142.30), (-36.50, 148.50),
    (-36.80, 144.35), (-36.90, 139.90), (-36.90, 149.80), (-37.60, 140.30), (-37.60, 145.00),
    (-37.70, 144.50), (-37.70, 145.00), (-37.75, 144.95), (-37.75, 145.35), (-37.80, 145.10),
    (-37.85, 144.90), (-37.85, 145.00), (-37.85, 145.05), (-37.95, 145.25), (-38.00, 145.05),
    (-38.00, 147.60), (-38.05, 145.10), (-38.10, 142.70), (-38.10, 144.90), (-38.10, 145.70),
    (-38.40, 143.50), (-38.50, 144.30), (-38.60, 146.10), (-40.90, 147.50), (-41.50, 146.40),
    (-41.70, 145.40), (-42.20, 147.40), (-43.40, 146.90),)  # fmt: skip
"""Latitude and longitude in degrees.

Chosen greedily on a grid of a tenth of a degree so that every supermarket of the four companies is nearer to one
of the points than that point's 24th Woolworths, and at most 100 km from it: so six more may open around each,
and one anywhere where people shop, and none is missed.
"""


def requests() -> Sequence[Request]:
    """The front page, then one request around each point."""
    return [front_page(), *(_around(latitude, longitude) for latitude, longitude in POINTS)]


def found(company: str, body: bytes, request: Request, seen_at: datetime) -> OutletsFound:
    """The supermarkets of an answer; the front page has none."""
    if request.expects == "html":
        return OutletsFound(())
    stores = [store for store in decode(STORES, body).stores if store.division == SUPERMARKETS]
    return OutletsFound(tuple(_outlet(company, store, seen_at) for store in stores))


def front_page() -> Request:
    """The front page: the site answers its own calls only where they bear the cookies it gives there."""
    return Request("/", headers={"accept": "text/html"}, expects="html")


def headers(where: str) -> Mapping[str, str]:
    """What a page of the site sends with its calls; the user agent is the client's own and says who we are."""
    return {"accept": "application/json", "origin": SITE, "referer": f"{SITE}{where or '/'}"}


def _around(latitude: float, longitude: float) -> Request:
    query = {
        "Max": NEAREST,
        "Division": SUPERMARKETS,
        "Facility": "",
        "latitude": f"{latitude:.2f}",
        "longitude": f"{longitude:.2f}",
    }
    return Request(f"/apis/ui/StoreLocator/Stores?{urlencode(query)}", headers=headers("/shop/storelocator"))


def _outlet(company: str, store: Store, seen_at: datetime) -> StoreDiscovered:
    """A supermarket; PageError for one that cannot be named, so that it is not taken for closed."""
    try:
        key = store_key(company, str(store.store_no))
    except ValueError as error:
        raise PageError(str(error)) from None
    street = ", ".join(part for part in (line(store.address_line1), line(store.address_line2)) if part)
    return StoreDiscovered(
        store=key,
        name=line(store.name),
        address=street[:LONGEST_SHORT_TEXT],
        suburb=line(store.suburb),
        state=line(store.state),
        postcode=line(store.postcode),
        lat=degrees(store.latitude, 90),
        lon=degrees(store.longitude, 180),
        sells_online=True,
        seen_at=seen_at,
        division=store.division,
    )
