"""One process decides, the others stand by (decision 0022).

Whoever holds a lock decides. The lock goes with a database session, and decisions are written through this
session alone: who has lost it cannot write, so there is nothing that a former holder could spoil. It ends with its
process, at once; one that says nothing for the length of a lease is ended by the server.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import asyncpg
import structlog

from splitcart_common.consumer import run_until_first_ends
from splitcart_common.kafka import UNAVAILABLE as KAFKA_UNAVAILABLE
from splitcart_common.postgres import TRANSIENT, Connection, Pool
from splitcart_common.telemetry import DECIDING, Health

log = structlog.get_logger()

LOOK_SECONDS: Final = 1.0
"""Between two tries for the lock."""
AFTER_AN_ERROR_SECONDS: Final = 10.0
BEATS: Final = 4
"""Signs of life within a lease."""
WHAT: Final = "identity"
"""What the service waits for where nothing can be decided."""

_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
_ENDLESS: Final = 2**31

Lead = Callable[[Pool, asyncio.Event], Awaitable[None]]
"""What the holder does until the event is set, with the session as a pool of one connection."""


class LostError(Exception):
    """The session that held the lock is gone: whatever was in work through it is rolled back."""


class Standby:
    """Stands by for one generation's identity and leads it whenever the lock is free.

    The fold of prices goes on whatever happens here: an error is said, and seconds later this stands by again.
    """

    def __init__(self, dsn: str, schema: str, lease_seconds: float, lead: Lead, health: Health) -> None:
        self._dsn = dsn
        self._schema = schema
        self._lease = lease_seconds
        self._lead = lead
        self._health = health

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Stand by, and lead, while the body runs."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.run(stop), name="identity")
            try:
                yield
            finally:
                stop.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Stand by, and lead, until `stop` is set."""
        while not stop.is_set():
            try:
                await self._stand_by(stop)
            except (LostError, *TRANSIENT, *KAFKA_UNAVAILABLE) as error:
                self._interrupted(error)
                await _wait(stop, LOOK_SECONDS)
            except Exception as error:
                self._interrupted(error)
                log.exception("identity stopped by an error", next_try_in_seconds=AFTER_AN_ERROR_SECONDS)
                await _wait(stop, AFTER_AN_ERROR_SECONDS)
        self._health.has(WHAT)

    def _interrupted(self, error: BaseException) -> None:
        why = f"{type(error).__name__}: {error}"
        self._health.note(WHAT, "neither decides nor stands by")
        self._health.wait_for(WHAT, why)
        log.warning("identity let go", schema=self._schema, why=why)

    async def _stand_by(self, stop: asyncio.Event) -> None:
        session = await self._session()
        try:
            while not stop.is_set():
                if await session.fetchval(_LOCK, f"splitcart identity {self._schema}"):
                    log.info("identity taken over", schema=self._schema)
                    with DECIDING.track_inprogress():
                        await self._hold(session, stop)
                    return
                self._health.has(WHAT)
                self._health.note(WHAT, "stands by, another process decides")
                await _wait(stop, LOOK_SECONDS)
        finally:
            session.terminate()

    async def _hold(self, session: Connection, stop: asyncio.Event) -> None:
        self._health.has(WHAT)
        self._health.note(WHAT, "this process decides")
        pool = await _only(session)
        try:
            await run_until_first_ends(self._lead(pool, stop), self._beat(pool))
        finally:
            pool.terminate()

    async def _beat(self, pool: Pool) -> None:
        """Say something before the lease is over, and learn that the session is gone where there is no work."""
        while True:
            await asyncio.sleep(self._lease / BEATS)
            await pool.fetchval("SELECT 1")

    async def _session(self) -> Connection:
        milliseconds = str(int(self._lease * 1000))
        return await asyncpg.connect(
            self._dsn,
            command_timeout=max(30.0, self._lease),
            server_settings={
                "search_path": f"{self._schema},public",
                "application_name": "splitcart-ingest-identity",
                "timezone": "UTC",
                "jit": "off",
                "idle_session_timeout": milliseconds,
                "idle_in_transaction_session_timeout": milliseconds,
            },
        )


async def _only(session: Connection) -> Pool:
    """A pool that is this session and never another: LostError for whoever asks once it is gone."""
    left = [session]

    async def connect(*_: object, **__: object) -> Any:  # the stubs want asyncpg's own connect
        if not left:
            raise LostError("the database session that held the lock has ended")
        return left.pop()

    async def keep(_: object) -> None:
        """Not reset between two uses: that would let the lock go."""

    pool: Pool = await asyncpg.create_pool(
        min_size=1,
        max_size=1,
        max_queries=_ENDLESS,
        max_inactive_connection_lifetime=0,
        connect=connect,
        reset=keep,
    )
    return pool


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
