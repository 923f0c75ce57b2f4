"""Run the gateway with the settings of the environment."""

import asyncio
import signal
import socket
import sys

import structlog
from granian.constants import Interfaces
from granian.server.embed import Server
from pydantic import ValidationError

from splitcart_common.telemetry import configure_logging
from splitcart_gateway.app import create_app
from splitcart_gateway.settings import GatewaySettings

log = structlog.get_logger()


async def serve(settings: GatewaySettings, address: str) -> None:
    """Serve until SIGINT or SIGTERM.

    Granian's embedded server keeps to this one process, so that killing it leaves nothing behind that holds the
    port; more processes are more gateways, and may share one port.
    """
    server = Server(
        create_app(settings),
        address=address,
        port=settings.gateway_port,
        interface=Interfaces.ASGI,
        websockets=False,
        backlog=1024,
        log_enabled=False,  # its lines go through our logging like everyone's
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, server.stop)
    log.info("listening", url=f"http://{settings.gateway_host}:{settings.gateway_port}")
    await server.serve()
    log.info("stopped")


def address_of(settings: GatewaySettings) -> str:
    """The IP address to listen on, tried first: OSError where it is not ours, or another program has the port."""
    family, kind, _, _, where = socket.getaddrinfo(
        settings.gateway_host, settings.gateway_port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind) as probe:
        for option in ("SO_REUSEADDR", "SO_REUSEPORT"):
            if hasattr(socket, option):
                probe.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
        probe.bind(where)
    return str(where[0])


def main() -> int:
    """The process's exit code: 2 where a setting is wrong, or its port taken."""
    try:
        settings = GatewaySettings()
        address = address_of(settings)
    except ValidationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(
            f"The gateway cannot listen on {settings.gateway_host}:{settings.gateway_port} ({error}). "
            "Set SPLITCART_GATEWAY_HOST and SPLITCART_GATEWAY_PORT to an address and port that are free.\n"
        )
        return 2
    configure_logging("gateway", settings.log_format, settings.log_level)
    asyncio.run(serve(settings, address))
    return 0


if __name__ == "__main__":
    sys.exit(main())
