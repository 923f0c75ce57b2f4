"""All that is known of one store, as bytes to be kept in a table.

A head of fixed size (name of the format, its version, how long the rest is, its checksum), then, compressed, a
JSON part with the visits and the arrays of the cells that are sold and of the moves. Prices are cents, so a record
means the same in a process that has given its codes in another order.
"""

import json
import struct
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import numpy as np

from splitcart_common.events.prices import Outcome
from splitcart_grouping.domain.kernels import Ints
from splitcart_grouping.domain.vectors import Moves

VERSION: Final = 1
_HEAD: Final = struct.Struct("<4sHII")
_NAME: Final = b"SCGR"


@dataclass(frozen=True, slots=True)
class Visit:
    """A settled scrape: what StoreSettled says of it, without the counts."""

    scrape_id: UUID
    seq: int
    outcome: Outcome
    started_at: datetime
    settled_at: datetime


@dataclass(slots=True)
class Observed:
    """What is known of a store besides its prices. `row` is its place in the vectors of this process.

    `since_full` are the scrapes that settled from the last full one on, that one first.
    """

    row: int
    discovered_at: datetime | None = None
    closed_at: datetime | None = None
    last: Visit | None = None
    full: Visit | None = None
    since_full: tuple[UUID, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it was discovered, and not closed since."""
        return self.discovered_at is not None and (self.closed_at is None or self.closed_at < self.discovered_at)


@dataclass(frozen=True, slots=True)
class Cells:
    """The sold cells of a row, side by side."""

    columns: Ints
    cents: Ints
    attested: Ints
    moved: Ints


def write(store: str, seen: Observed, cells: Cells, moves: Moves) -> bytes:
    """A store's record."""
    facts = {
        "store": store,
        "discovered_at": _text(seen.discovered_at),
        "closed_at": _text(seen.closed_at),
        "last": _visit(seen.last),
        "full": _visit(seen.full),
        "since_full": [str(scrape) for scrape in seen.since_full],
        "cells": len(cells.columns),
        "moves": len(moves.columns),
    }
    text = json.dumps(facts).encode()
    # Listings in order are mostly neighbours: their distances compress to nearly nothing.
    arrays = (np.diff(cells.columns, prepend=0), cells.cents, cells.attested, cells.moved, *moves.arrays())
    parts = [struct.pack("<I", len(text)), text, *(array.astype("<u4").tobytes() for array in arrays)]
    body = zlib.compress(b"".join(parts), level=1)
    return _HEAD.pack(_NAME, VERSION, len(body), zlib.crc32(body)) + body


def read(store: str, record: bytes) -> tuple[Observed, Cells, Moves]:
    """What `write` was given; the row is not known yet. ValueError for anything that is not such a record."""
    try:
        name, version, length, checksum = _HEAD.unpack_from(record)
    except struct.error as error:
        raise ValueError(f"the record of {store} is cut off after {len(record)} bytes") from error
    if name != _NAME:
        raise ValueError(f"the record of {store} is none: it begins with {name!r}")
    if version != VERSION:
        raise ValueError(f"the record of {store} has version {version}, this code reads {VERSION}")
    body = record[_HEAD.size :]
    if len(body) != length or zlib.crc32(body) != checksum:
        raise ValueError(f"the record of {store} is damaged: {len(body)} of {length} bytes, or another checksum")
    return _read(store, zlib.decompress(body))


def _read(store: str, body: bytes) -> tuple[Observed, Cells, Moves]:
    (size,) = struct.unpack_from("<I", body)
    facts = json.loads(body[4 : 4 + size])
    if facts["store"] != store:
        raise ValueError(f"the record of {store} is that of {facts['store']}")
    numbers = np.frombuffer(body, "<u4", offset=4 + size).astype(np.int64)
    cells, moves = facts["cells"], facts["moves"]
    edges = np.cumsum([cells] * 4 + [moves] * 4)
    columns, cents, attested, moved, *rest = np.split(numbers, edges)
    seen = Observed(
        row=-1,
        discovered_at=_moment(facts["discovered_at"]),
        closed_at=_moment(facts["closed_at"]),
        last=_read_visit(facts["last"]),
        full=_read_visit(facts["full"]),
        since_full=tuple(map(UUID, facts["since_full"])),
    )
    return seen, Cells(np.cumsum(columns), cents, attested, moved), Moves(*rest)


def _visit(visit: Visit | None) -> list[object] | None:
    if visit is None:
        return None
    times = (visit.started_at.isoformat(), visit.settled_at.isoformat())
    return [str(visit.scrape_id), visit.seq, visit.outcome, *times]


def _read_visit(fields: list[str] | None) -> Visit | None:
    if fields is None:
        return None
    scrape, seq, outcome, started, settled = fields
    times = (datetime.fromisoformat(started), datetime.fromisoformat(settled))
    return Visit(UUID(scrape), int(seq), _OUTCOMES[outcome], *times)


_OUTCOMES: Final[dict[str, Outcome]] = {
    "full": "full",
    "partial": "partial",
    "abandoned": "abandoned",
    "superseded": "superseded",
}


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
