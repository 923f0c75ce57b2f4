"""A real HTTP server on a free port whose every answer is a function's: also broken ones."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `cut` sends only so many bytes of the body and hangs up; `silent` never answers."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    cut: int | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: path, query, lower-case headers; `target` is path and query as they came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    method: str = "GET"
    target: str = ""
    body: bytes = b""


Answering = Callable[[Asked], Reply]


@dataclass(slots=True)
class Server:
    """Where it listens, what it was asked, how many requests it had in hand at the same time at most."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    in_hand: int = 0
    most_in_hand: int = 0


@asynccontextmanager
async def serving(answer: Answering, delay: float = 0.0) -> AsyncIterator[Server]:
    """Serve until the end of the block; each answer takes `delay` seconds."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                method, where, _ = lines[0].split(" ")
                target = urlsplit(where)
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                asked = Asked(target.path, dict(parse_qsl(target.query)), headers, method, where, body)
                server.asked.append(asked)
                server.in_hand += 1
                server.most_in_hand = max(server.most_in_hand, server.in_hand)
                try:
                    await asyncio.sleep(delay)
                    reply = answer(asked)
                finally:
                    server.in_hand -= 1
                if reply.silent:
                    await asyncio.sleep(30)
                fields = {"content-length": str(len(reply.body)), **reply.headers}
                text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
                writer.write(f"HTTP/1.1 {reply.status} X\r\n{text}\r\n".encode() + reply.body[: reply.cut])
                await writer.drain()
                if reply.cut is not None:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(connection, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}")
    try:
        yield server
    finally:
        listening.close()
