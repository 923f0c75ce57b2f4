"""A batch of Kafka records whose large values are compressed before they come here.

A batch (format version 2) is a header and one zstd stream over all of its records, and a zstd stream may be many
frames, one after another (RFC 8878, section 3). So a value that is a frame goes into the batch as it is, and what
lies between such values (lengths, keys, headers, smaller values) becomes a frame here. The broker and every client
read it like any other batch (`tests/integration/common/test_record_batches.py`).
"""

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from aiokafka.record.util import calc_crc32c
from cramjam import zstd

LEVEL: Final = 1
"""Of zstd. Messages of ours come out no larger than at 3, the level of Kafka's clients, and sooner."""
RAW_BYTES: Final = 512
"""Less than this is left as it is: between two frames there are mostly ids, of which compression takes a few bytes
and more time than all else that is done with a record."""

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_LENGTH_ENDS, _CRC_AT, _CHECKED_FROM = 12, 17, 21
_NO_LEADER_EPOCH, _VERSION, _ZSTD = -1, 2, 4
_MAGIC: Final = b"\x28\xb5\x2f\xfd"


def unpacked_size(frame: bytes) -> int | None:
    """How long the content of a zstd frame is, None where its header does not say."""
    if len(frame) < 6 or not frame.startswith(_MAGIC):
        return None
    descriptor = frame[4]
    kind, single = descriptor >> 6, bool(descriptor & 0x20)
    start = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    field = frame[start : start + (int(single), 2, 4, 8)[kind]]
    size = int.from_bytes(field, "little") + (256 if kind == 1 else 0)
    return size if field else None


class RecordBatch:
    """Records for one partition, in the order they are added; what `AIOKafkaProducer.send_batch` takes.

    It has what aiokafka asks of its own `BatchBuilder` there, and is sent as soon as it is handed over. All its
    records bear the moment it was opened at, in wall milliseconds. `size` is what they are unpacked, in bytes.
    """

    def __init__(self, opened_at: int) -> None:
        self._opened_at = opened_at
        self._producer = (-1, -1, -1)
        self._count = 0
        self._frames: list[bytes] = []
        self._open: list[bytes] = []
        self._built: bytes | None = None
        self.size = 0

    def add(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[bytes, bytes | None]],
        unpacked: int | None = None,
    ) -> None:
        """Add a record. Where `unpacked` is given, `value` is zstd frames of so many bytes."""
        fields = [part for name, content in headers for part in (_name(name), _sized(content))]
        tail = b"".join((_varint(len(fields) // 2), *fields))
        # Attributes, and the time since the batch was opened: none of either.
        head = b"\0\0" + _varint(self._count) + _sized(key)
        if unpacked is None or value is None:
            head += _sized(value)
            size = len(head) + len(tail)
            self._open += _varint(size), head, tail
        else:
            head += _varint(unpacked)
            size = len(head) + unpacked + len(tail)
            self._open += _varint(size), head
            self._close_frame()
            self._frames.append(value)
            self._open.append(tail)
        self._count += 1
        self.size += size

    def _close_frame(self) -> None:
        if self._open:
            self._frames.append(_framed(b"".join(self._open)))
            self._open = []

    def closed(self) -> bool:
        """Nothing is waited for before it is sent."""
        return True

    def record_count(self) -> int:
        """How many records are in it; its sequence number grows by so many."""
        return self._count

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        """By aiokafka, once, before it is sent for the first time."""
        self._producer = (producer_id, producer_epoch, base_sequence)

    def _build(self) -> bytes:
        """By aiokafka, each time it is sent: the same bytes."""
        if self._built is None:
            self._close_frame()
            records = b"".join(self._frames)
            producer_id, epoch, sequence = self._producer
            length = _HEADER.size - _LENGTH_ENDS + len(records)
            last, at = self._count - 1, self._opened_at
            fields = (_ZSTD, last, at, at, producer_id, epoch, sequence, self._count)
            unchecked = _HEADER.pack(0, length, _NO_LEADER_EPOCH, _VERSION, 0, *fields) + records
            crc = calc_crc32c(unchecked[_CHECKED_FROM:])
            self._built = unchecked[:_CRC_AT] + crc.to_bytes(4, "big") + unchecked[_CHECKED_FROM:]
            self._frames = []
        return self._built


def _framed(content: bytes) -> bytes:
    """A zstd frame; where there is little, as it is: one block of kind 0, the last."""
    if len(content) < RAW_BYTES:
        size = len(content)
        width, said = (1, size) if size < 256 else (2, size - 256)
        descriptor = b"\x20" if width == 1 else b"\x60"
        block = (size << 3 | 1).to_bytes(3, "little")
        return b"".join((_MAGIC, descriptor, said.to_bytes(width, "little"), block, content))
    return bytes(zstd.compress(content, LEVEL))


def _varint(number: int) -> bytes:
    """Zigzag, as the record format has it: what is below 64 is one byte."""
    left = 2 * number
    if left < 0x80:
        return _BYTES[left]
    parts = bytearray()
    while left >= 0x80:
        parts.append(left & 0x7F | 0x80)
        left >>= 7
    parts.append(left)
    return bytes(parts)


def _sized(content: bytes | None) -> bytes:
    """With its length before it; -1 for nothing."""
    return _BYTES[1] if content is None else _varint(len(content)) + content


_BYTES: Final = tuple(bytes((number,)) for number in range(0x80))
_name = lru_cache(maxsize=256)(_sized)
"""The names of headers are few; a dead letter's may be anything."""
