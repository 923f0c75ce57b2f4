"""Waiting for what is not there yet: with back-off, without end, and saying what is waited for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from splitcart_common.telemetry import Health

log = structlog.get_logger()
T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 10.0


async def until_there(
    what: str,
    attempt: Callable[[], Awaitable[T]],
    *,
    unavailable: tuple[type[BaseException], ...],
    health: Health,
) -> T:
    """Try until `attempt` works; other errors than `unavailable` pass through. Not ready in the meantime."""
    wait = FIRST_WAIT_SECONDS
    while True:
        try:
            result = await attempt()
        except unavailable as error:
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            health.wait_for(what, why)
            log.warning("waiting", what=what, why=why, next_try_in_seconds=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)
        else:
            health.has(what)
            return result
