"""How a worker service runs: logs, health port, signals, one coroutine, and an exit code that means something."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Final, TypeVar

import structlog

from splitcart_common.settings import Settings
from splitcart_common.telemetry import Health, configure_logging, serve_health

log = structlog.get_logger()

LONGEST_STOP_SECONDS: Final = 5.0
"""How long a service may take to end by itself once it is asked to; a batch in work takes far less."""

Main = Callable[[Health, asyncio.Event], Awaitable[None]]
T = TypeVar("T")


def run_service(service: str, settings: Settings, main: Main) -> int:
    """Run `main(health, stop)` until it ends; SIGINT and SIGTERM set `stop`. The process's exit code.

    0: ended because it was asked to. 1: ended by an error, which is logged with its traceback.
    """
    configure_logging(service, settings.log_format, settings.log_level)
    health = Health()
    server = serve_health(health, settings.health_host, settings.health_port)
    log.info("started", health_port=server.server_port)
    tune_collector()
    try:
        run(_until_stopped(main, health))
    except Exception:
        log.exception("stopped by an error")
        return 1
    finally:
        server.shutdown()
        server.server_close()
    log.info("stopped")
    return 0


def run(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end, as `asyncio.run`, on the faster loop where the platform has it.

    uvloop reads and writes sockets without a Python frame a piece.
    """
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415 - not to be had everywhere

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def tune_collector() -> None:
    """Spare the garbage collector what it cannot free.

    What a start leaves behind lives as long as the process; and a fold makes much that dies young and in no
    circle, which the collector would go through again and again.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


async def _until_stopped(main: Main, health: Health) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    working = asyncio.ensure_future(main(health, stop))
    asked = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
        # Whoever waits for a broker or a server that is away does not look at `stop`, and has nothing in work.
        _, late = await asyncio.wait({working}, timeout=LONGEST_STOP_SECONDS)
        if late:
            log.warning("ending what does not end by itself", after_seconds=LONGEST_STOP_SECONDS)
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
        else:
            await working
    finally:
        asked.cancel()
