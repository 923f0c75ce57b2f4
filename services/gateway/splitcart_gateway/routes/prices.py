"""GET /prices: what products cost at the stores near a postcode, or at stores that are named."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from splitcart_gateway import problems
from splitcart_gateway.context import Gateway, check_company, gateway_of
from splitcart_gateway.domain.places import Postcode
from splitcart_gateway.domain.stores import Nearby
from splitcart_gateway.lookup import find_products_by_id, offers
from splitcart_gateway.routes.answers import json, place_out, prices_out
from splitcart_gateway.schemas.answers import PricesAnswer
from splitcart_gateway.schemas.parameters import PricesQuery

router = APIRouter(prefix="/api/v1", tags=["prices"])


@router.get("/prices", summary="Prices at stores, cheapest first", responses={200: {"model": PricesAnswer}})
async def list_prices(request: Request, query: Annotated[PricesQuery, Query()]) -> Response:
    """What each product costs at the stores near a postcode, or at the stores named, cheapest first.

    Each price says at which store and when it was last seen. Stores that do not sell the product are listed, and
    so are those whose range nobody has seen yet.
    """
    if query.near is None and not query.store:
        raise problems.invalid([("near", "a postcode is needed, or stores named with `store`")])
    check_company(query.company)
    gateway = gateway_of(request)
    place = gateway.postcode(query.near) if query.near else None
    stores = await _stores(gateway, query, place)
    products = await find_products_by_id(gateway, query.product)
    return json(
        {
            "at": gateway.clock.now(),
            "near": place_out(place, query.radius_km),
            "items": [prices_out(product, await offers(gateway, product, stores)) for product in products],
        }
    )


async def _stores(gateway: Gateway, query: PricesQuery, place: Postcode | None) -> list[Nearby]:
    point = place.point if place else None
    stores = await gateway.near(place, query.radius_km, query.company, query.limit) if place else []
    known = {near.store.key for near in stores}
    for key in dict.fromkeys(query.store):
        store = await gateway.store(key)
        if key not in known:
            stores.append(gateway.book.measured(store, point))
    return stores
