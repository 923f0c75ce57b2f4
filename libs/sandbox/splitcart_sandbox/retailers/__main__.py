"""Run the simulator: ``python -m splitcart_sandbox.retailers``. One line of JSON says where it listens."""

import asyncio
import os
import signal
import socket
import sys

import orjson
from pydantic import ValidationError

from splitcart_common.service import tune_collector
from splitcart_sandbox.retailers.server import Simulator, make_server
from splitcart_sandbox.retailers.settings import SimulatorSettings


def free_port(host: str, port: int) -> int:
    """The port, or a free one for 0; OSError if it cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])


async def serve(settings: SimulatorSettings) -> None:
    """Serve until SIGINT or SIGTERM; what ends the server otherwise is raised."""
    simulator = Simulator(settings)
    tune_collector()
    port = free_port(settings.host, settings.port)
    server = make_server(simulator, settings.host, port)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, simulator.stopping.set)
    serving = asyncio.create_task(server.serve())
    # Granian binds when it is first scheduled; the line must not come before.
    await asyncio.sleep(0.05)
    sys.stdout.buffer.write(orjson.dumps({"listening": f"http://{settings.host}:{port}"}) + b"\n")
    sys.stdout.flush()
    stopping = asyncio.create_task(simulator.stopping.wait())
    await asyncio.wait([stopping, serving], return_when=asyncio.FIRST_COMPLETED)
    # Answers that were held back leave before the server does: granian does not end while one is pending.
    await asyncio.sleep(0.05)
    if not serving.done():
        server.stop()  # type: ignore[no-untyped-call]  # granian does not annotate it
    await serving


def main() -> int:
    """0 after a clean stop, 2 for settings that cannot be used or a port that is taken."""
    try:
        asyncio.run(serve(SimulatorSettings()))
    except (ValidationError, ValueError, OSError) as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Granian's threads can still be answering; were the interpreter torn down under them, they would abort it.
    os._exit(code)
