"""The catalogue held against the fold of its own log (protocol.md, rule 15)."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from splitcart_common.postgres import Connection
from splitcart_common.reading import LogReader
from splitcart_common.topics import CATALOGUE
from splitcart_ingest.domain.catalogue import Catalogue, State, evolve
from splitcart_ingest.identity.recorded import RecordError, Watcher, recorded
from splitcart_ingest.identity.tables import SQL, digest, left_by, stored

TRIES: Final = 50
WAIT_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Row:
    """A row that one of the two has and the other has not."""

    table: str
    in_tables: bool
    row: tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What it came to: both digests, how much was compared, and the rows that differ."""

    messages: int
    listings: int
    tables: str
    log: str
    differing: tuple[Row, ...]

    @property
    def equal(self) -> bool:
        """Whether they say the same."""
        return self.tables == self.log


async def check(connection: Connection, reader: LogReader, prefix: str, watch: Watcher) -> Checked:
    """Compare the tables of a generation (the search path names it) with the fold of the log.

    Both are looked at when nothing is on its way from the one to the other; RecordError where that never is.
    """
    catalogue, offset = Catalogue(), 0
    topic = CATALOGUE.on_broker(prefix)
    for _ in range(TRIES):
        if await connection.fetchval(SQL["unsent"], topic):
            await asyncio.sleep(WAIT_SECONDS)
            continue
        before = await left_by(connection)
        async for one in recorded(reader, prefix, watch, offset):
            evolve(catalogue, one.event)
            offset = one.offset + 1
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            if before == await left_by(connection):
                state = await stored(connection)
                return compared(offset, state, catalogue.state())
    raise RecordError("something is decided all the time: try again when fewer listings are new")


def compared(messages: int, tables: State, log: State) -> Checked:
    """Two states held against each other."""
    differing = []
    for name, ours, theirs in zip(State._fields, tables, log, strict=True):
        differing += [Row(name, True, tuple(row)) for row in sorted(set(ours) - set(theirs), key=str)]
        differing += [Row(name, False, tuple(row)) for row in sorted(set(theirs) - set(ours), key=str)]
    return Checked(messages, len(tables.links), digest(tables), digest(log), tuple(differing))
