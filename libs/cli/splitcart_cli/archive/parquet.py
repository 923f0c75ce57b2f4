"""Events as tables for analysis: a table an event, a row a listing, or a message where it has no list of such.

What a column is follows from the event's types (`columns_of`), so a field that is added to an event is a column.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import inspect as mi

from splitcart_cli.archive.create import Written, file_of
from splitcart_cli.archive.manifest import Part
from splitcart_cli.log.seeing import Seen
from splitcart_cli.shell import CommandError
from splitcart_common.events import Event

MOMENT: Final = pa.timestamp("us", tz="UTC")
ENVELOPE: Final = (
    ("partition", pa.int32()),
    ("offset", pa.int64()),
    ("message_key", pa.string()),
    ("published_at", MOMENT),
    ("event_id", pa.string()),
    ("event_version", pa.int32()),
    ("occurred_at", MOMENT),
    ("correlation_id", pa.string()),
    ("causation_id", pa.string()),
    ("producer", pa.string()),
)
"""Of every table, before the event's own columns."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of an event. `exploded` is the field whose parts are a row each; None: a message is a row."""

    schema: pa.Schema
    own: tuple[str, ...]
    exploded: str | None
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    """Columns of a part: name, and the way to it from the part."""


def shape_of(event: type[Event]) -> Shape:
    """The table of an event."""
    fields = mi.type_info(event).fields  # type: ignore[attr-defined] # of a struct
    exploded = next((field for field in fields if _part_of(field.type) is not None), None)
    own = [field for field in fields if field is not exploded]
    columns = [pa.field(name, kind) for name, kind in ENVELOPE]
    columns += [pa.field(field.name, _arrow(field.type)) for field in own]
    parts: list[tuple[str, tuple[str, ...]]] = []
    if exploded is not None:
        part = _part_of(exploded.type)
        assert part is not None  # noqa: S101 - it was chosen for having one
        for name, kind, path in _flat(part):
            columns.append(pa.field(name, kind))
            parts.append((name, path))
    return Shape(
        pa.schema(columns), tuple(field.name for field in own), exploded.name if exploded else None, tuple(parts)
    )


def write_tables(part: Part, group: Sequence[Seen]) -> list[Written]:
    """The readable messages of a group, a file an event."""
    by_type: dict[type[Event], list[Seen]] = {}
    for seen in group:
        if seen.event is not None:
            by_type.setdefault(type(seen.event), []).append(seen)
    written = []
    for event, of_type in by_type.items():
        shape = shape_of(event)
        rows = [row for seen in of_type for row in _rows(shape, seen)]
        sink = io.BytesIO()
        try:
            table = pa.Table.from_pylist(rows, shape.schema)
        except (pa.ArrowInvalid, OverflowError) as error:
            raise CommandError(f"a {event.TYPE} of {part.topic}/{part.partition} fits no table: {error}") from None
        pq.write_table(table, sink, compression="zstd")
        first, last = of_type[0].record.offset, of_type[-1].record.offset
        path = f"{part.topic}/{event.TYPE}/{part.partition:03d}-{first:020d}.parquet"
        content = sink.getvalue()
        written.append((file_of(part, path, content, len(of_type), first, last), content))
    return written


def _rows(shape: Shape, seen: Seen) -> Iterator[dict[str, Any]]:
    envelope, event, record = seen.envelope, seen.event, seen.record
    assert envelope is not None  # noqa: S101 - it has an event
    row: dict[str, Any] = {
        "partition": record.partition,
        "offset": record.offset,
        "message_key": seen.key,
        "published_at": seen.published_at,
        "event_id": str(envelope.event_id),
        "event_version": envelope.event_version,
        "occurred_at": envelope.occurred_at,
        "correlation_id": str(envelope.correlation_id),
        "causation_id": None if envelope.causation_id is None else str(envelope.causation_id),
        "producer": envelope.producer,
    }
    row |= {name: _plain(getattr(event, name)) for name in shape.own}
    parts = getattr(event, shape.exploded) if shape.exploded else ()
    if not parts:  # a message without any is a row all the same
        yield row
    for part in parts:
        yield row | {name: _plain(_at(part, path)) for name, path in shape.parts}


def _at(part: object, path: Sequence[str]) -> object:
    for name in path:
        part = None if part is None else getattr(part, name)
    return part


def _plain(value: object) -> Any:
    """A value as pyarrow takes it: ids and free-form objects are text."""
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    return msgspec.to_builtins(value, builtin_types=(datetime,))


def _flat(part: mi.StructType) -> Iterator[tuple[str, pa.DataType, tuple[str, ...]]]:
    """The columns of a part: name, type, way to it; what it holds of another struct are columns too."""
    for field in part.fields:
        inner = _bare(field.type)
        if isinstance(inner, mi.StructType):
            yield from ((f"{field.name}_{name}", kind, (field.name, *path)) for name, kind, path in _flat(inner))
        else:
            yield field.name, _arrow(field.type), (field.name,)


def _part_of(kind: mi.Type) -> mi.StructType | None:
    """What a field is a list of, if that is a struct."""
    bare = _bare(kind)
    item = _bare(bare.item_type) if isinstance(bare, mi.VarTupleType) else None
    return item if isinstance(item, mi.StructType) else None


def _bare(kind: mi.Type) -> mi.Type:
    """A type without its bounds, and without null."""
    if isinstance(kind, mi.UnionType):
        kind = next(one for one in kind.types if not isinstance(one, mi.NoneType))
    return _bare(kind.type) if isinstance(kind, mi.Metadata) else kind


def _arrow(kind: mi.Type) -> pa.DataType:
    bare = _bare(kind)
    match bare:
        case mi.VarTupleType():
            return pa.list_(_arrow(bare.item_type))
        case mi.StructType():
            return pa.struct([pa.field(field.name, _arrow(field.type)) for field in bare.fields])
        case _:
            return _SIMPLE.get(type(bare), pa.string())


_SIMPLE: Final[Mapping[type[mi.Type], pa.DataType]] = {
    mi.BoolType: pa.bool_(),
    mi.DateTimeType: MOMENT,
    mi.FloatType: pa.float64(),
    mi.IntType: pa.int64(),
}
"""What is here by neither of these is text: ids, names, one of a few words, objects of a free form."""
