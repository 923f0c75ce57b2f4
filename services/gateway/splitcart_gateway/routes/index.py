"""What the API offers: its index, its OpenAPI document, and its types of problems."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from splitcart_common.ids import COMPANIES
from splitcart_gateway import openapi, problems
from splitcart_gateway.domain.wording import company_name
from splitcart_gateway.problems import KINDS, Kind, Problem
from splitcart_gateway.routes.answers import json
from splitcart_gateway.schemas.answers import IndexAnswer, ProblemKindOut, ProblemKindsAnswer
from splitcart_gateway.schemas.parameters import NoQuery

router = APIRouter(prefix="/api/v1", tags=["about"])

LINKS = {
    "stores": "/api/v1/stores{?near,radius_km,company,limit}",
    "products": "/api/v1/products{?q,company,limit}",
    "product": "/api/v1/products/{product_id}",
    "prices": "/api/v1/prices{?product*,near,radius_km,company,store*,limit}",
    "groups": "/api/v1/groups{?company,at_least,limit}",
    "group": "/api/v1/groups/{store}",
    "group history": "/api/v1/groups/{store}/history{?limit}",
    "problems": "/api/v1/problems",
    "openapi": openapi.PATH,
    "page": "/",
    "health": "/healthz",
    "readiness": "/readyz",
    "metrics": "/metrics",
}
"""Where everything is, as URI templates (RFC 6570)."""


@router.get("", summary="What there is", responses={200: {"model": IndexAnswer}})
async def index(query: Annotated[NoQuery, Query()]) -> Response:  # noqa: ARG001 - its presence refuses parameters
    """The companies, and where everything is as URI templates (RFC 6570)."""
    return json(
        {
            "name": openapi.TITLE,
            "version": openapi.VERSION,
            "companies": [{"company": company, "name": company_name(company)} for company in COMPANIES],
            "links": LINKS,
        }
    )


@router.get("/openapi.json", include_in_schema=False)
async def document(request: Request) -> Response:
    """The OpenAPI document of these operations."""
    return Response(openapi.document_of(request.app), media_type="application/json")


def _described(kind: Kind) -> dict[str, object]:
    return {"type": kind.uri, "title": kind.title, "status": kind.status, "meaning": kind.meaning}


@router.get("/problems", summary="Types of problems", responses={200: {"model": ProblemKindsAnswer}})
async def list_problems(query: Annotated[NoQuery, Query()]) -> Response:  # noqa: ARG001 - refuses parameters
    """Every type of problem that an answer can be, described."""
    return json({"items": [_described(kind) for kind in KINDS.values()]})


@router.get("/problems/{name}", summary="One type of problem", responses={200: {"model": ProblemKindOut}})
async def get_problem(name: str, query: Annotated[NoQuery, Query()]) -> Response:  # noqa: ARG001 - refuses parameters
    """What a type of problem means. The `type` of a problem is the address of this."""
    kind = KINDS.get(name)
    if kind is None:
        raise Problem(
            problems.NOT_FOUND, "There is no such type of problem.", index=problems.TYPES_PATH, types=sorted(KINDS)
        )
    return json(_described(kind))
