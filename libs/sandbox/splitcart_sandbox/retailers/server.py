"""One port for all companies: ``/<company>/…`` is a face, ``/truth/…`` the truth, ``/faults`` orders of trouble.

A bare ASGI application: routing is one look at the first part of the path. A whole answer is priced at one virtual
moment, the one at which its request is handled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qsl

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from splitcart_common.clock import Clock
from splitcart_sandbox.retailers.aldi import AldiFace
from splitcart_sandbox.retailers.coles import ColesFace
from splitcart_sandbox.retailers.faults import ASKS_TO_WAIT, PROFILES, Fault, Faults, answer_of, script_of
from splitcart_sandbox.retailers.iga import IgaFace
from splitcart_sandbox.retailers.ledger import Ledger
from splitcart_sandbox.retailers.robots import ROBOTS_TXT, robots_txt
from splitcart_sandbox.retailers.settings import SimulatorSettings
from splitcart_sandbox.retailers.truth import Truth
from splitcart_sandbox.retailers.web import Answer, Face, RefusedError, Request, body_of, json_answer
from splitcart_sandbox.retailers.woolworths import WoolworthsFace
from splitcart_sandbox.retailers.world import World, second

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

FACES: Final[Mapping[str, Callable[[World], Face]]] = {
    "aldi": AldiFace,
    "coles": ColesFace,
    "iga": IgaFace,
    "woolworths": WoolworthsFace,
}
"""How each company shows itself."""


class Simulator:
    """The ASGI application. All of its state but the world is the ledger and the faults."""

    def __init__(self, settings: SimulatorSettings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or settings.clock
        self.world = World(settings.world())
        self.ledger = Ledger()
        self.faults = Faults(settings.seed, PROFILES[settings.faults])
        self.stopping = asyncio.Event()
        """Set to end: it lets go of the answers that are being held back."""
        self._truth = Truth(self.world, self._clock, self.ledger)
        self._faces = {company: FACES[company](self.world) for company in settings.companies}
        self._robots = {company: robots_txt(company, settings.crawl_delay_seconds) for company in self._faces}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        first, _, rest = scope["path"].lstrip("/").partition("/")
        request = Request(
            scope["method"],
            rest,
            dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            await _body(receive) if scope["method"] in ("POST", "PUT", "PATCH") else b"",
        )
        if first in self._faces:
            await self._company(self._faces[first], request, receive, send)
        elif first == "truth":
            await _reply(send, self._truth.answer(request))
        elif first == "faults":
            await _reply(send, self._orders(request))
        elif first == "healthz":
            await _reply(send, json_answer({"status": "ok", "now": self._clock.now()}))
        else:
            known = [*self._faces, "truth", "faults", "healthz"]
            await _reply(send, json_answer({"error": f"no such path; there are {', '.join(known)}"}, 404))

    async def _company(self, face: Face, request: Request, receive: Receive, send: Send) -> None:
        robots = self._robots[face.company] if request.path == ROBOTS_TXT and request.method == "GET" else None
        call = robots or face.call(request)
        # In flight until the last byte is about to leave: a client that has read it may ask again at once.
        with self.ledger.serving(face.company, call) as asked:
            await asyncio.sleep(self._settings.latency_seconds)
            at = second(self._clock.now())
            fault = self.faults.decide(face.company, call, at)
            if fault is not None:
                asked.fault = fault.value
                asked.retry_after = self._settings.retry_after_seconds if fault in ASKS_TO_WAIT else 0.0
                self.ledger.fault(face.company, fault.value)
            if fault is Fault.TIMEOUT:
                await self._linger(receive)
            hides = self.faults.hides(face.company, call) if fault is Fault.SHORT_CATEGORY else None
            answer = call.own.get(fault or "", call.answer)(at, hides)
        if fault is Fault.DROP:
            await _drop(send, answer)
        elif fault is None:
            await _reply(send, answer)
        else:
            wall, retry_after = face.bot_wall(), self._settings.retry_after_seconds
            await _reply(send, answer_of(fault, answer, wall, retry_after))

    async def _linger(self, receive: Receive) -> None:
        """Wait for the slow answer's time, the client to hang up (it is no longer in flight then), or the end."""

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        waits = [asyncio.create_task(gone()), asyncio.create_task(self.stopping.wait())]
        await asyncio.wait(waits, timeout=self._settings.slow_seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _orders(self, request: Request) -> Answer:
        """Orders of faults: POST one, GET those there are, DELETE them (``?company=`` for one company's)."""
        if request.method == "DELETE":
            return json_answer({"cleared": self.faults.clear(request.query.get("company"))})
        if request.method == "POST":
            try:
                self.faults.order(script_of(body_of(request), self._faces))
            except RefusedError as refusal:
                return refusal.answer
            except (ValueError, TypeError, AttributeError) as error:
                return json_answer({"error": str(error)}, 400)
        return json_answer(
            {"profile": self._settings.faults, "scripts": list(self.faults.scripts())},
            201 if request.method == "POST" else 200,
        )


def make_server(simulator: Simulator, host: str, port: int) -> Server:
    """The server of a simulator in this process, not yet listening."""
    return Server(
        simulator,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_level=LogLevels.error,
    )


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _reply(send: Send, answer: Answer) -> None:
    await _start(send, answer)
    await send({"type": "http.response.body", "body": answer.body})


async def _drop(send: Send, answer: Answer) -> None:
    """Begin the answer and never end it: the server closes the connection when the application returns."""
    await _start(send, answer)
    await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 3], "more_body": True})


async def _start(send: Send, answer: Answer) -> None:
    headers = [(b"content-type", answer.content_type.encode())]
    headers += [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
