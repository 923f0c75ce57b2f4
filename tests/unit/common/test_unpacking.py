"""Zstd batches of Kafka, unpacked into memory that is kept."""

import pytest
from aiokafka.record import default_records
from cramjam import DecompressionError, zstd

from splitcart_common import unpacking


def packed(content: bytes) -> bytes:
    return bytes(zstd.compress(content))


def test_frames_one_after_the_other_are_one_content():
    assert unpacking.unpack(packed(b"one, ") + packed(b"two")) == b"one, two"
    assert unpacking.unpack(packed(b"")) == b""


def test_what_was_unpacked_is_not_overwritten_by_the_next():
    first = unpacking.unpack(packed(b"a" * 1000))
    assert unpacking.unpack(packed(b"b" * 1000)) == b"b" * 1000
    assert first == b"a" * 1000


def test_what_is_larger_than_the_memory_kept_is_unpacked_all_the_same():
    content = bytes(range(256)) * (unpacking.SCRATCH_BYTES // 256 + 1)
    assert unpacking.unpack(packed(content)) == content


@pytest.mark.parametrize("payload", [b"no zstd", packed(b"cut off" * 100)[:-5]])
def test_what_is_damaged_is_an_error_and_the_next_is_read(payload):
    with pytest.raises(DecompressionError):
        unpacking.unpack(payload)
    assert unpacking.unpack(packed(b"next")) == b"next"


def test_consumers_unpack_by_it():
    unpacking.install()
    assert default_records.zstd_decode is unpacking.unpack
