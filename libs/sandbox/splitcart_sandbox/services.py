"""The one description of the services: what is run, what each is told, how it is asked whether it is ready.

The sandbox starts processes from it, and the tests of docker-compose.yml compare with it.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from splitcart_common.turns import Turns
from splitcart_sandbox.database import service_dsn
from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.folder import Folder
from splitcart_sandbox.ports import HOST
from splitcart_sandbox.processes import MARKER, Program
from splitcart_sandbox.supervisor import Probe

COMPANIES: Final = ("aldi", "coles", "woolworths", "iga")
"""The retailers that are simulated and scraped in the sandbox; others join with their module."""

TURNS: Final = Turns.parse("wed 00:00")
"""When prices turn in the simulated country."""

COMMON: Final = (
    "SPLITCART_KAFKA_BOOTSTRAP",
    "SPLITCART_POSTGRES_DSN",
    "SPLITCART_TOPIC_PREFIX",
    "SPLITCART_CLOCK",
    "SPLITCART_TURNS",
    "SPLITCART_LOG_FORMAT",
)
"""What every service is told (splitcart_common.settings)."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service: ``python -m <module>``, its variables, and its port.

    `port_variable` names the setting of the port that answers `ready_path`; `port` is the preferred one, 0 for
    any. `variables` are those it gets besides its port.
    """

    name: str
    module: str
    variables: tuple[str, ...]
    port_variable: str = "SPLITCART_HEALTH_PORT"
    port: int = 0
    ready_path: str = "/readyz"

    def ready_url(self, port: int) -> str:
        """What answers 200 when the service does its work."""
        return f"http://{HOST}:{port}{self.ready_path}"


SIMULATOR: Final = Service(
    "simulator",
    "splitcart_sandbox.retailers",
    ("SPLITCART_CLOCK", "SPLITCART_SIMULATOR_COMPANIES"),
    port_variable="SPLITCART_SIMULATOR_PORT",
    ready_path="/healthz",
)
INGEST: Final = Service("ingest", "splitcart_ingest", COMMON)
GROUPING: Final = Service("grouping", "splitcart_grouping", COMMON)
GATEWAY: Final = Service("gateway", "splitcart_gateway", COMMON, port_variable="SPLITCART_GATEWAY_PORT", port=8080)
SCRAPER: Final = Service(
    "scraper",
    "splitcart_scraper",
    (
        *COMMON,
        "SPLITCART_SCRAPER_COMPANIES",
        *(f"SPLITCART_SCRAPER_BASE_URL_{company.upper()}" for company in COMPANIES),
    ),
)

SERVICES: Final = (INGEST, GROUPING, GATEWAY, SCRAPER)
"""What runs in production, in the order of starting; stopped the other way round, so the source dries up first."""

ALL: Final = (SIMULATOR, *SERVICES)
"""What the sandbox runs."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """What services are told of their surroundings; `dsn` is the superuser's, each gets its own role's."""

    bootstrap: str
    dsn: str
    topic_prefix: str
    clock: str
    ports: Mapping[str, int]
    log_format: str = "json"
    extra: Mapping[str, str] = field(default_factory=dict)

    def url(self, service: Service, path: str = "") -> str:
        """An address at a service's port."""
        return f"http://{HOST}:{self.ports[service.name]}{path}"


def choose(names: str) -> tuple[Service, ...]:
    """The services named, comma separated, in the order of starting; ``all`` or ``none`` of them.

    SandboxError that says what there is for a name there is none of.
    """
    if names in ("all", "none"):
        return ALL if names == "all" else ()
    wanted = {name.strip() for name in names.split(",")}
    if unknown := wanted - {service.name for service in ALL}:
        raise SandboxError(
            f"no service is called {', '.join(sorted(unknown))}; there are "
            f"{', '.join(service.name for service in ALL)}, or all, or none"
        )
    return tuple(service for service in ALL if service.name in wanted)


def environment(service: Service, addresses: Addresses) -> dict[str, str]:
    """Exactly the service's variables; what a user has set in the environment beside them reaches it too."""
    known = {
        "SPLITCART_KAFKA_BOOTSTRAP": addresses.bootstrap,
        "SPLITCART_POSTGRES_DSN": service_dsn(addresses.dsn, service.name),
        "SPLITCART_TOPIC_PREFIX": addresses.topic_prefix,
        "SPLITCART_CLOCK": addresses.clock,
        "SPLITCART_TURNS": str(TURNS),
        "SPLITCART_LOG_FORMAT": addresses.log_format,
        "SPLITCART_SCRAPER_COMPANIES": ",".join(COMPANIES),
        "SPLITCART_SIMULATOR_COMPANIES": ",".join(COMPANIES),
    }
    if SIMULATOR.name in addresses.ports:
        for company in COMPANIES:
            known[f"SPLITCART_SCRAPER_BASE_URL_{company.upper()}"] = addresses.url(SIMULATOR, f"/{company}")
    told = {name: known[name] for name in service.variables if name in known}
    told[service.port_variable] = str(addresses.ports[service.name])
    return {**told, **addresses.extra}


def program(service: Service, addresses: Addresses, folder: Folder) -> Program:
    """The service's process, its log in the folder."""
    marked = {MARKER: str(folder.path), "PYTHONUNBUFFERED": "1"}
    return Program(
        service.name,
        (sys.executable, "-m", service.module),
        folder.log(service.name),
        {**environment(service, addresses), **marked},
    )


def probe(service: Service, addresses: Addresses) -> Probe:
    """Asks the service whether it is ready."""
    url = service.ready_url(addresses.ports[service.name])
    return lambda: answers_ok(url)


async def answers_ok(url: str, timeout: float = 5.0) -> bool:
    """Whether GET of a plain-http address answers 200 within `timeout` seconds; raises nothing."""
    # By hand: an HTTP client takes longer to make than such a question to ask.
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                question = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
                writer.write(question.encode())
                await writer.drain()
                status = await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, ValueError):
        return False
    return status.split(b" ")[1:2] == [b"200"]


def topic_prefix() -> str:
    """The first word of topic names: SPLITCART_TOPIC_PREFIX, else `splitcart`."""
    return os.environ.get("SPLITCART_TOPIC_PREFIX") or "splitcart"
