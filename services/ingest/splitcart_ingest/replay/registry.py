"""The registry of generations, as far as a replay goes by it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from splitcart_common.postgres import Connection
from splitcart_ingest.app import connect
from splitcart_ingest.generations import SQL, schema_of
from splitcart_ingest.replay.errors import RefusedError
from splitcart_ingest.replay.selection import Selection
from splitcart_ingest.settings import IngestSettings


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation. `later` are the statements of indexes it has not got yet."""

    number: int
    state: str
    selection: Selection
    later: tuple[str, ...]
    made_at: datetime
    run_messages: int | None
    run_seconds: float | None

    @property
    def schema(self) -> str:
        """Its schema."""
        return schema_of(self.number)


def from_row(row: asyncpg.Record) -> Generation:
    """A generation of its row."""
    return Generation(
        number=row["number"],
        state=row["state"],
        selection=Selection(row["company"], row["from_at"], row["to_at"]),
        later=tuple(row["later"]),
        made_at=row["made_at"],
        run_messages=row["run_messages"],
        run_seconds=row["run_seconds"],
    )


def of(settings: IngestSettings, generation: Generation) -> IngestSettings:
    """The settings for what is done in a generation."""
    return settings.model_copy(update={"ingest_schema": generation.schema})


@asynccontextmanager
async def connected(settings: IngestSettings) -> AsyncIterator[Connection]:
    """A connection for the body."""
    connection = await connect(settings)
    try:
        yield connection
    finally:
        await connection.close()


async def live_generation(connection: Connection) -> Generation:
    """The one that is live; RefusedError where ingest has not run on this database."""
    if await connection.fetchval(SQL["there"]):
        row = await connection.fetchrow(SQL["live"])
        if row is not None:
            return from_row(row)
    raise RefusedError("ingest has not run on this database, with a release that can replay: start it first")


async def all_generations(connection: Connection) -> list[Generation]:
    """Those there are, by number."""
    await live_generation(connection)
    return [from_row(row) for row in await connection.fetch(SQL["all"]) if row["state"] != "abandoned"]


async def generation(connection: Connection, number: int | None) -> Generation:
    """The one of a number, or the only one that is to become live; RefusedError where there is not just one."""
    found = await all_generations(connection)
    if number is not None:
        for one in found:
            if one.number == number:
                return one
        raise RefusedError(f"there is no generation {number}: `splitcart replay status` shows those there are")
    beside = [one for one in found if one.state in {"building", "built"}]
    if not beside:
        raise RefusedError("there is no generation beside the live one: `splitcart replay run` makes one")
    if len(beside) > 1:
        numbers = ", ".join(str(one.number) for one in beside)
        raise RefusedError(f"there are generations {numbers} beside the live one: say which, with --generation")
    return beside[0]


async def add(connection: Connection, number: int | None, selection: Selection, at: datetime) -> Generation:
    """A new one, with nothing in it and no schema yet.

    RefusedError where the number is not to be had, or none is named and another one is not finished.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('splitcart generations', 0))")
        if number is None:
            await _none_unfinished(connection)
        following = await connection.fetchval(SQL["next"])
        if number is not None and number < following:
            raise RefusedError(
                f"the number {number} was used before, or its schema is there: the next is {following}"
            )
        wanted = number or following
        await connection.execute(SQL["add"], wanted, selection.company, selection.from_at, selection.to_at, at)
    return await generation(connection, wanted)


async def _none_unfinished(connection: Connection) -> None:
    for one in await all_generations(connection):
        if one.state != "building":
            continue
        if await connection.fetchval(SQL["held"], run_lock(one.schema)):
            raise RefusedError(f"another process is at work on generation {one.number}: wait for it, or stop it")
        raise RefusedError(
            f"generation {one.number} is not finished: `splitcart replay run --to-generation {one.number}` goes "
            f"on with it, `splitcart replay abandon {one.number}` drops it"
        )


@asynccontextmanager
async def alone(connection: Connection, what: str, doing: str) -> AsyncIterator[None]:
    """Hold the lock `what` while the body runs; RefusedError where another process is `doing` it.

    It goes with the connection, so a process that was killed holds nothing up.
    """
    if not await connection.fetchval(SQL["try_alone"], what):
        raise RefusedError(f"another process is {doing}: wait for it, or stop it")
    try:
        yield
    finally:
        if not connection.is_closed():
            await connection.execute(SQL["let_go"], what)


def run_lock(schema: str) -> str:
    """The lock of who fills a generation."""
    return f"splitcart replays {schema}"
