"""GET /stores: which stores there are, nearest first."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from splitcart_gateway.context import check_company, gateway_of
from splitcart_gateway.domain.stores import Nearby
from splitcart_gateway.routes.answers import json, place_out, store_full
from splitcart_gateway.schemas.answers import StoresAnswer
from splitcart_gateway.schemas.parameters import StoresQuery

router = APIRouter(prefix="/api/v1", tags=["stores"])


@router.get("/stores", summary="Stores, nearest first", responses={200: {"model": StoresAnswer}})
async def list_stores(request: Request, query: Annotated[StoresQuery, Query()]) -> Response:
    """The open stores within a radius of a postcode, nearest first; without `near` all of them, by key."""
    check_company(query.company)
    gateway = gateway_of(request)
    place = gateway.postcode(query.near) if query.near else None
    book = await gateway.stores()
    if place:
        found = book.near(place.point, query.radius_km, query.company)
    else:
        found = [Nearby(store, None) for store in book.all(query.company)]
    shown = found[: query.limit]
    last_scraped = await gateway.read.last_scraped([near.store.key for near in shown])
    return json(
        {
            "near": place_out(place, query.radius_km),
            "total": len(found),
            "items": [store_full(near, last_scraped) for near in shown],
        }
    )
