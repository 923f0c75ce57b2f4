"""Columns to Postgres by binary COPY, built with numpy: a tenth of the time of rows of Python objects.

The format is PostgreSQL's own (COPY, "Binary Format"): for each row a count of fields, for each field its
length in bytes (-1 for null) and its value, big-endian.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from splitcart_common.postgres import Connection

NULL = -1
"""Stands for null in a column; no column of ours has negative values."""

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"

Column = Sequence[int] | NDArray[np.int64]


def encode(columns: Mapping[str, tuple[int, Column]]) -> bytes:
    """The COPY stream of columns of one length, each with its width in bytes (2, 4 or 8)."""
    values = [np.asarray(column, np.int64) for _, column in columns.values()]
    widths = [width for width, _ in columns.values()]
    rows = len(values[0])
    nulls = [column == NULL for column in values]
    lengths = [np.where(null, 4, 4 + width) for null, width in zip(nulls, widths, strict=True)]
    starts = np.concatenate(([0], np.cumsum(2 + np.sum(lengths, axis=0))))
    out = np.zeros(starts[-1], np.uint8)
    at = starts[:-1]
    _put(out, at, np.full(rows, len(values)), 2)
    at = at + 2
    for column, null, width, length in zip(values, nulls, widths, lengths, strict=True):
        _put(out, at, np.where(null, -1, width), 4)
        _put(out, (at + 4)[~null], column[~null], width)
        at = at + length
    return b"".join((_HEADER, out.tobytes(), _TRAILER))


def _put(out: NDArray[np.uint8], at: NDArray[np.int64], numbers: NDArray[np.int64], width: int) -> None:
    data = numbers.astype(f">i{width}").view(np.uint8).reshape(-1, width)
    out[at[:, None] + np.arange(width)] = data


async def copy(connection: Connection, table: str, columns: Mapping[str, tuple[int, Column]]) -> None:
    """Append columns to a table; nothing where they are empty."""
    if not len(next(iter(columns.values()))[1]):
        return
    await connection.copy_to_table(table, source=_once(encode(columns)), columns=list(columns), format="binary")


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def as_array(numbers: Iterable[int]) -> str:
    """Whole numbers as the text of an array, for a parameter that is cast ``$1::text::int[]``.

    The driver packs an array number by number, and asks of each whether it is an array itself: one sample in
    twenty of a fold was that.
    """
    return f"{{{str(list(numbers))[1:-1]}}}"
