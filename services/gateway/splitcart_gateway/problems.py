"""Problems of the API, as RFC 9457 has them: a stable type each, a title, and what would have been right."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

MEDIA_TYPE: Final = "application/problem+json"
TYPES_PATH: Final = "/api/v1/problems"
LONGEST_INSTANCE: Final = 300
RETRY_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of problems. `name` ends its type URI and never changes; `meaning` is for who reads the docs."""

    name: str
    status: int
    title: str
    meaning: str

    @property
    def uri(self) -> str:
        """The type: a path of this API that describes it."""
        return f"{TYPES_PATH}/{self.name}"


INVALID_PARAMETER: Final = Kind(
    "invalid-parameter",
    422,
    "A parameter is not valid",
    "`errors` lists each parameter that was refused, and what is expected of it.",
)
UNKNOWN_COMPANY: Final = Kind(
    "unknown-company", 422, "There is no such company", "`companies` lists the companies there are."
)
UNKNOWN_POSTCODE: Final = Kind(
    "unknown-postcode", 404, "There is no such postcode", "`nearest` lists the postcodes closest in number."
)
UNKNOWN_STORE: Final = Kind(
    "unknown-store", 404, "There is no such store", "`similar` lists store keys that look like the one asked for."
)
NOT_GROUPED: Final = Kind(
    "not-grouped", 404, "The store is in no group yet", "`groups` is where the groups there are can be found."
)
UNKNOWN_PRODUCT: Final = Kind(
    "unknown-product", 404, "There is no such product", "`search` is where products are found by words or barcode."
)
NOT_A_PRODUCT_ID: Final = Kind(
    "not-a-product-id",
    422,
    "A product is named by its id",
    "A product_id is a UUID from /api/v1/products; `did_you_mean` lists products that match the text instead.",
)
NOT_FOUND: Final = Kind(
    "not-found", 404, "There is nothing at this address", "`index` is the document that lists what there is."
)
METHOD_NOT_ALLOWED: Final = Kind(
    "method-not-allowed",
    405,
    "This method is not for this address",
    "The Allow header lists the methods that are.",
)
REQUEST_TOO_LONG: Final = Kind(
    "request-too-long", 414, "The address is too long", "`most_bytes` is how long the query of a request may be."
)
UNAVAILABLE: Final = Kind(
    "unavailable",
    503,
    "The prices cannot be read now",
    "The database is away or not prepared yet. Send the request again after `Retry-After` seconds.",
)
NOT_READY: Final = Kind(
    "not-ready", 503, "The gateway is not ready", "`waiting_for` says what it waits for, and why."
)
INTERNAL: Final = Kind(
    "internal-error", 500, "Something went wrong here", "A fault of ours. It is in our log under `instance`."
)

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        INVALID_PARAMETER,
        UNKNOWN_COMPANY,
        UNKNOWN_POSTCODE,
        UNKNOWN_STORE,
        NOT_GROUPED,
        UNKNOWN_PRODUCT,
        NOT_A_PRODUCT_ID,
        NOT_FOUND,
        METHOD_NOT_ALLOWED,
        REQUEST_TOO_LONG,
        UNAVAILABLE,
        NOT_READY,
        INTERNAL,
    )
}


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """Ends a request with a problem; `members` are added to the document, `headers` to the response."""

    def __init__(
        self, kind: Kind, detail: str, *, headers: Mapping[str, str] | None = None, **members: object
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def document(self, instance: str) -> dict[str, Any]:
        """The problem as RFC 9457 writes it, our own members last."""
        return {
            "type": self.kind.uri,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": instance,
            **self.members,
        }


def unavailable() -> Problem:
    """The database cannot be read: come back later. Why is for the log and /readyz, not for the world."""
    detail = f"The prices cannot be read right now. Please try again in {RETRY_SECONDS} seconds."
    return Problem(UNAVAILABLE, detail, headers={"retry-after": str(RETRY_SECONDS)})


def invalid(errors: Iterable[tuple[str, str]]) -> Problem:
    """Parameters that were refused: (parameter, what is wrong with it), one or more."""
    listed = [{"parameter": parameter, "message": message} for parameter, message in errors]
    detail = "; ".join(f"{error['parameter']}: {error['message']}" for error in listed)
    return Problem(INVALID_PARAMETER, detail, errors=listed)


def from_validation(error: RequestValidationError) -> Problem:
    """What FastAPI refused, without the text that was sent."""
    return invalid((_parameter(part["loc"]), _message(part)) for part in error.errors())


def _parameter(location: tuple[object, ...]) -> str:
    # An unknown parameter is named by who sent it: whatever that is, it is quoted and short.
    return ".".join(str(part) for part in location[1:])[:80] or "query"


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such parameter here"
    message = str(error["msg"])
    return message.removeprefix("Value error, ")[:1].lower() + message.removeprefix("Value error, ")[1:]


def from_http(error: HTTPException) -> Problem:
    """What the router refused: an unknown address, or a method that is not for it."""
    if error.status_code == METHOD_NOT_ALLOWED.status:
        return Problem(
            METHOD_NOT_ALLOWED, "Everything here is read with GET or HEAD.", headers={"allow": "GET, HEAD"}
        )
    return Problem(NOT_FOUND, "There is nothing at this address.", index="/api/v1")


def instance_of(request: Request) -> str:
    """The path and query that were asked for, as ASCII and not too long."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode("ascii", "replace")
    query: bytes = request.scope["query_string"]
    return (raw + (b"?" + query if query else b""))[:LONGEST_INSTANCE].decode("ascii", "replace")


def respond(problem: Problem, request: Request) -> Response:
    """The problem as a response."""
    return Response(
        orjson.dumps(problem.document(instance_of(request))),
        status_code=problem.kind.status,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )
