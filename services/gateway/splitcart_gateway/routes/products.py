"""GET /products and /products/{product_id}: search by words, barcode or SKU, and one product."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from splitcart_gateway.context import check_company, gateway_of
from splitcart_gateway.lookup import find_product, find_products
from splitcart_gateway.routes.answers import json, product_out
from splitcart_gateway.schemas.answers import ProductOut, ProductsAnswer
from splitcart_gateway.schemas.parameters import NoQuery, ProductId, ProductsQuery

router = APIRouter(prefix="/api/v1", tags=["products"])


@router.get("/products", summary="Search products", responses={200: {"model": ProductsAnswer}})
async def search_products(request: Request, query: Annotated[ProductsQuery, Query()]) -> Response:
    """Products by words of name, brand and size, typing errors forgiven; or by exact barcode or SKU."""
    check_company(query.company)
    found = await find_products(gateway_of(request), query.q, query.company, query.limit)
    return json(
        {
            "query": found.query.text,
            "items": [product_out(product) for product in found.products],
            "more": found.more,
            "did_you_mean": [product_out(product) for product in found.suggestions],
        }
    )


@router.get("/products/{product_id}", summary="One product", responses={200: {"model": ProductOut}})
async def get_product(
    request: Request,
    product_id: Annotated[ProductId, Path()],
    query: Annotated[NoQuery, Query()],  # noqa: ARG001 - its presence refuses parameters
) -> Response:
    """A product with every company's listings of it."""
    return json(product_out(await find_product(gateway_of(request), product_id)))
