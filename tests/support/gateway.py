"""Running the gateway for a test, and taking its database away."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

import httpx

from splitcart_common.clock import FrozenClock, ScaledClock
from splitcart_gateway.app import create_app
from splitcart_gateway.settings import GatewaySettings
from splitcart_sandbox.ports import choose
from tests.support.gateway_data import NOW

PROBE_SECONDS = 0.02


@asynccontextmanager
async def running(dsn: str, **settings: object) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway in this process, as the role of `dsn` sees the database; the client asks it without a socket.

    Errors of the app are answers, as they are for everyone else.
    """
    app = create_app(GatewaySettings(postgres_dsn=dsn, **settings), clock=FrozenClock(NOW))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as client,
    ):
        yield client


async def until_ready(client: httpx.AsyncClient, status: int = 200, seconds: float = 15) -> httpx.Response:
    """Wait until /readyz answers with a status; TimeoutError if it does not."""
    for _ in range(int(seconds / PROBE_SECONDS)):
        answer = await client.get("/readyz")
        if answer.status_code == status:
            return answer
        await asyncio.sleep(PROBE_SECONDS)
    raise TimeoutError(f"/readyz did not answer {status}, but {answer.status_code}: {answer.text}")


class Proxy:
    """A TCP door to a server, to be shut and opened again: for a database that goes and comes back."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._is_open = False
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def dsn(self) -> str:
        """The same database through this door."""
        user, at, _ = self._parts.netloc.rpartition("@")
        return urlunsplit(self._parts._replace(netloc=f"{user}{at}127.0.0.1:{self._port}"))

    async def open(self) -> None:
        """Let connections through, always at the same port."""
        self._is_open = True
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Break every connection and refuse new ones."""
        self._is_open = False
        if self._server:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        there, back = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        self._writers.add(back)
        try:
            if not self._is_open:
                return
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            self._writers -= {writer, back}
            writer.transport.abort()
            back.transport.abort()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


@asynccontextmanager
async def gateway_process(dsn: str) -> AsyncIterator[str]:
    """A gateway as it runs for everyone, in a process of its own; its address once it is ready.

    Its clock starts at NOW. It is asked to stop at the end, and has to do that by itself.
    """
    port = choose("the gateway")
    wall = datetime.now(UTC)
    environment = os.environ | {
        "SPLITCART_POSTGRES_DSN": dsn,
        "SPLITCART_GATEWAY_PORT": str(port),
        "SPLITCART_CLOCK": str(ScaledClock(NOW, wall, 1.0)),
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "splitcart_gateway", env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url) as client:
            await _until_listening(client)
            await until_ready(client)
        yield url
    finally:
        process.terminate()
        async with asyncio.timeout(10):
            assert await process.wait() == 0


async def _until_listening(client: httpx.AsyncClient) -> None:
    for _ in range(500):
        try:
            await client.get("/healthz")
        except httpx.TransportError:
            await asyncio.sleep(PROBE_SECONDS)
        else:
            return
    raise TimeoutError("the gateway's process does not listen")
