"""The OpenAPI 3.1 document: what FastAPI derives from the routes, and what it cannot know.

That is: problems as `application/problem+json`, which operation can answer with which of them, and an example
of each answer (data/examples.json, held to the schemas by a test).
"""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from splitcart_gateway import problems
from splitcart_gateway.problems import Kind
from splitcart_gateway.schemas.answers import ProblemOut

TITLE: Final = "SplitCart"
VERSION: Final = "1.0.0"
PATH: Final = "/api/v1/openapi.json"

DESCRIPTION: Final = """\
What products cost at Australian supermarkets, store by store, and when and where each price was seen.

Times are RFC 3339 in UTC, money is integer cents (with the same as text for people), distances are kilometres.
A problem is `application/problem+json` (RFC 9457); its `type` is the address of its description."""

_ANYWHERE: Final = (problems.INVALID_PARAMETER, problems.REQUEST_TOO_LONG)
_READS: Final = (*_ANYWHERE, problems.UNAVAILABLE)

PROBLEMS_OF: Final[Mapping[str, Sequence[Kind]]] = {
    "/api/v1": _ANYWHERE,
    "/api/v1/problems": _ANYWHERE,
    "/api/v1/problems/{name}": (*_ANYWHERE, problems.NOT_FOUND),
    "/api/v1/stores": (*_READS, problems.UNKNOWN_COMPANY, problems.UNKNOWN_POSTCODE),
    "/api/v1/products": (*_READS, problems.UNKNOWN_COMPANY),
    "/api/v1/products/{product_id}": (*_READS, problems.UNKNOWN_PRODUCT, problems.NOT_A_PRODUCT_ID),
    "/api/v1/prices": (
        *_READS,
        problems.UNKNOWN_COMPANY,
        problems.UNKNOWN_POSTCODE,
        problems.UNKNOWN_STORE,
        problems.UNKNOWN_PRODUCT,
        problems.NOT_A_PRODUCT_ID,
    ),
    "/api/v1/groups": (*_READS, problems.UNKNOWN_COMPANY),
    "/api/v1/groups/{store}": (*_READS, problems.UNKNOWN_STORE, problems.NOT_GROUPED),
    "/api/v1/groups/{store}/history": (*_READS, problems.UNKNOWN_STORE, problems.NOT_GROUPED),
}
"""Which problems each operation can answer with. Not 405 and 500: no operation documents those."""

EXAMPLES: Final[Mapping[str, Any]] = orjson.loads(
    files("splitcart_gateway").joinpath("data/examples.json").read_bytes()
)
"""Answers by path, and problems by the name of their kind."""


def document_of(app: FastAPI) -> bytes:
    """The document as JSON, made once an app."""
    if app.openapi_schema is None:
        app.openapi_schema = build(app)
    return orjson.dumps(app.openapi_schema)


def build(app: FastAPI) -> dict[str, Any]:
    """The document of an app's operations."""
    document = get_openapi(
        title=TITLE,
        version=VERSION,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
        tags=[
            {"name": "prices", "description": "What a product costs where, and since when that is known."},
            {"name": "products", "description": "Products, each with the listings of every company."},
            {"name": "stores", "description": "The outlets."},
            {"name": "groups", "description": "Which stores share prices, and the evidence for it."},
            {"name": "about", "description": "The API itself."},
        ],
    )
    document["servers"] = [{"url": "/", "description": "where this document was read from"}]
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = ProblemOut.model_json_schema() | {"title": "Problem"}
    for path, item in document["paths"].items():
        _complete(item["get"], path)
    return document


def _complete(operation: dict[str, Any], path: str) -> None:
    for parameter in operation.get("parameters", ()):
        _tidy(parameter)
    responses = operation["responses"]
    responses.pop("422", None)
    responses["200"]["content"]["application/json"]["example"] = EXAMPLES["answers"][path]
    by_status: dict[int, list[Kind]] = {}
    for kind in PROBLEMS_OF[path]:
        by_status.setdefault(kind.status, []).append(kind)
    for status, kinds in sorted(by_status.items()):
        responses[str(status)] = _problem_response(kinds)


def _tidy(parameter: dict[str, Any]) -> None:
    """A parameter may be left out, but never is null; what describes its schema describes it."""
    schema = parameter["schema"]
    schema.pop("title", None)
    for possible in schema.pop("anyOf", ()):
        if possible != {"type": "null"}:
            schema |= possible
    described = schema.get("items", schema)
    if "description" in schema:
        parameter["description"] = schema.pop("description")
    if examples := described.pop("examples", None):
        parameter["example"] = examples if described is not schema else examples[0]


def _problem_response(kinds: Sequence[Kind]) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": " Or: ".join(f"{kind.title} (`{kind.name}`): {kind.meaning}" for kind in kinds),
        "content": {
            problems.MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {kind.name: {"value": _example(kind)} for kind in kinds},
            }
        },
    }
    if kinds[0].status == problems.UNAVAILABLE.status:
        response["headers"] = {
            "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}, "example": 5}
        }
    return response


def _example(kind: Kind) -> dict[str, Any]:
    own: dict[str, Any] = EXAMPLES["problems"][kind.name]
    return {"type": kind.uri, "title": kind.title, "status": kind.status, **own}
