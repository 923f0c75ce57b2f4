"""Whether the process lives, whether it has what it needs, and what it counts."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from splitcart_gateway import problems
from splitcart_gateway.context import gateway_of
from splitcart_gateway.problems import Problem

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> Response:
    """The process lives."""
    return Response("alive\n", media_type="text/plain")


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """The database can be read; else a problem that says what is waited for."""
    missing = gateway_of(request).health.missing
    if missing:
        detail = "Waiting for " + "; ".join(f"{what} ({why})" for what, why in missing.items())
        headers = {"retry-after": str(problems.RETRY_SECONDS)}
        raise Problem(problems.NOT_READY, detail, headers=headers, waiting_for=missing)
    return Response("ready\n", media_type="text/plain")


@router.get("/metrics")
async def metrics() -> Response:
    """Everything that is counted, for Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
