"""The composition root: what the gateway is made of, and how it starts and stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from splitcart_common.clock import Clock
from splitcart_common.postgres import Pool
from splitcart_common.retry import until_there
from splitcart_common.telemetry import Health
from splitcart_gateway import openapi, problems
from splitcart_gateway.context import Gateway, gateway_of
from splitcart_gateway.middleware import Around
from splitcart_gateway.problems import Problem
from splitcart_gateway.routes import groups, health, index, pages, prices, products, stores
from splitcart_gateway.settings import GatewaySettings
from splitcart_gateway.store import UNAVAILABLE, ReadStore, UnavailableError, connect

log = structlog.get_logger()

DATABASE = "postgres"
CLOSE_SECONDS = 5.0


def create_app(settings: GatewaySettings, *, clock: Clock | None = None) -> FastAPI:
    """The gateway as an ASGI app. It answers at once; the database may come later, go, and come back."""
    gateway = Gateway(
        settings=settings,
        clock=clock or settings.clock,
        health=Health(),
        read=ReadStore(settings.gateway_query_seconds),
    )
    gateway.health.wait_for(DATABASE, "not reached yet")
    gateway.health.has("start")
    app = FastAPI(
        title=openapi.TITLE,
        openapi_url=None,  # our own route gives the completed document
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan,
    )
    app.state.gateway = gateway
    app.add_middleware(Around)
    for room in (index, stores, products, prices, groups, health, pages):
        app.include_router(room.router)
    app.add_exception_handler(Problem, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(UnavailableError, _answer)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


async def _answer(request: Request, error: Exception) -> Response:
    """Whatever ended a request, as a problem: a page for who looks at pages, JSON for everyone else."""
    match error:
        case Problem():
            problem = error
        case RequestValidationError():
            problem = problems.from_validation(error)
        case HTTPException():
            problem = problems.from_http(error)
        case _:
            log.warning("the database cannot be read", why=str(error))
            gateway_of(request).health.wait_for(DATABASE, str(error))
            problem = problems.unavailable()
    if pages.is_for(request):
        return pages.show_problem(request, problem)
    return problems.respond(problem, request)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    gateway: Gateway = app.state.gateway
    following = asyncio.create_task(_follow(gateway))
    following.add_done_callback(lambda task: _note_end(task, gateway.health))
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await following


def _note_end(following: asyncio.Task[None], health: Health) -> None:
    """A fault of ours ended the task that reads the stores: said here, and on /readyz, as nobody awaits it."""
    if not following.cancelled() and (error := following.exception()):
        log.error("no longer following the stores", exc_info=error)
        health.wait_for("restart", f"{type(error).__name__}: {error}")


async def _follow(gateway: Gateway) -> None:
    """Reach the database, then look again and again whether the stores have changed."""
    pool = await _connected(gateway)
    gateway.read.use(pool)
    try:
        while True:
            await until_there(DATABASE, gateway.refresh, unavailable=(UnavailableError,), health=gateway.health)
            await asyncio.sleep(gateway.settings.gateway_refresh_seconds)
    finally:
        gateway.read.use(None)
        await _close(pool)


async def _connected(gateway: Gateway) -> Pool:
    settings = gateway.settings

    async def attempt() -> Pool:
        return await connect(
            settings.postgres_dsn,
            connections=settings.gateway_connections,
            query_seconds=settings.gateway_query_seconds,
        )

    return await until_there(DATABASE, attempt, unavailable=UNAVAILABLE, health=gateway.health)


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await pool.close()
    except (TimeoutError, *UNAVAILABLE):
        pool.terminate()
