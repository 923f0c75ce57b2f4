"""Everything up: broker, server, database, topics, the simulated retailers and the services."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from splitcart_common.clock import ScaledClock
from splitcart_common.kafka import ensure_topics
from splitcart_sandbox.anchor import BEAT_SECONDS, beat, next_clock
from splitcart_sandbox.database import create_database, prepare_database
from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.ports import is_free
from splitcart_sandbox.services import ALL, GATEWAY, SIMULATOR, Addresses, Service, probe, program, topic_prefix
from splitcart_sandbox.stack import Stack, running_stack
from splitcart_sandbox.supervisor import Report

DATABASE: Final = "splitcart"
READY_SECONDS: Final = 60.0
TRIES: Final = 3
"""A service that ends this often before it is ready will not become so by waiting."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox: `addresses` of everything, `clock` its virtual time."""

    stack: Stack
    addresses: Addresses
    clock: ScaledClock
    services: tuple[Service, ...]

    @property
    def gateway_url(self) -> str:
        """The page and the API."""
        return self.addresses.url(GATEWAY)

    @property
    def simulator_url(self) -> str:
        """The simulated retailers; ``/truth`` and ``/faults`` are there too."""
        return self.addresses.url(SIMULATOR)

    async def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        """Wait until every service is ready; SandboxError that names the first that is not, and its last words."""
        self.stack.supervisor.report("waiting until all services are ready")
        until = time.monotonic() + timeout
        for service in self.services:
            left = max(0.0, until - time.monotonic())
            await self.stack.supervisor.wait_ready(service.name, left, tries=TRIES)


@asynccontextmanager
async def sandbox(
    home: Path,
    *,
    speed: float | None = None,
    start: datetime | None = None,
    services: Sequence[Service] = ALL,
    gateway_port: int = 0,
    kafka_port: int = 0,
    postgres_port: int = 0,
    extra: Mapping[str, str] | None = None,
    report: Report = lambda _: None,
) -> AsyncIterator[Sandbox]:
    """Bring everything up on the data folder `home`; all of it is stopped at the end, in reverse order.

    Services are started and not waited for: `Sandbox.wait_ready` does. Port 0 is the one of last time, or any
    free one. `extra` are variables every service gets beside its own. SandboxError as in `running_stack`, and
    for a clock that would go back.
    """
    folder = Folder.create(home)
    async with running_stack(folder, kafka_port=kafka_port, postgres_port=postgres_port, report=report) as stack:
        clock = next_clock(stack.state, datetime.now(UTC), speed=speed, start=start)
        report("preparing database and topics")
        dsn = stack.dsn
        if not os.environ.get("SPLITCART_POSTGRES_DSN"):
            dsn = await create_database(stack.dsn, DATABASE)
        prefix = topic_prefix()
        await asyncio.gather(prepare_database(dsn), _topics(stack.bootstrap, prefix))
        ports = {service.name: _port(stack, service, gateway_port) for service in services}
        addresses = Addresses(stack.bootstrap, dsn, prefix, str(clock), ports, extra=extra or {})
        beating = asyncio.create_task(_beat(stack, clock))
        try:
            for service in services:
                report(f"starting {service.name}")
                stack.supervisor.add(program(service, addresses, folder), probe(service, addresses))
            stack.state.addresses = {
                "kafka": stack.bootstrap,
                "postgres": dsn,
                **{service.name: addresses.url(service) for service in services},
            }
            stack.save()
            yield Sandbox(stack, addresses, clock, tuple(services))
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            # Services first; the clock's last moment is after the last of them could date anything.
            stack.state.phase = "stopping"
            await stack.supervisor.stop()
            beat(stack.state, clock, datetime.now(UTC), last=True)


async def _topics(bootstrap: str, prefix: str) -> None:
    try:
        await ensure_topics(bootstrap, prefix)
    except RuntimeError as error:
        raise SandboxError(f"the topics at {bootstrap} are not those of this version: {error}") from error


def _port(stack: Stack, service: Service, gateway_port: int) -> int:
    fixed = gateway_port if service is GATEWAY else 0
    known = stack.state.ports.get(service.name, 0)
    if not fixed and not known and service.port and is_free(service.port):
        stack.state.ports[service.name] = service.port
    return stack.port(service.name, fixed)


async def _beat(stack: Stack, clock: ScaledClock) -> None:
    while True:
        beat(stack.state, clock, datetime.now(UTC), last=False)
        stack.save()
        await asyncio.sleep(BEAT_SECONDS)
