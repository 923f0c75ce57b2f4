"""A batch made of packed and plain values reads back as the records that were put into it."""

import pytest
from aiokafka.record.memory_records import MemoryRecords
from cramjam import zstd
from hypothesis import example, given
from hypothesis import strategies as st

from splitcart_common.record_batch import RAW_BYTES, RecordBatch, unpacked_size

Record = tuple[bytes | None, bytes | None, list[tuple[bytes, bytes | None]], bool]

HEADERS = st.lists(st.tuples(st.text(max_size=70).map(str.encode), st.none() | st.binary(max_size=70)), max_size=8)
LONG = st.builds(lambda seed, times: seed * times, st.binary(min_size=1, max_size=40), st.integers(1, 4_000))
VALUES = st.none() | st.binary(max_size=70) | LONG
RECORDS = st.lists(
    st.tuples(st.none() | st.binary(max_size=200), VALUES, HEADERS, st.booleans()), min_size=1, max_size=12
)


def batch_of(records: list[Record], opened_at: int = 1_800_000_000_000) -> RecordBatch:
    """Those of the records that are to be packed go in as frames."""
    batch = RecordBatch(opened_at)
    for key, value, headers, packed in records:
        if packed and value is not None:
            batch.add(key, bytes(zstd.compress(value, 1)), headers, len(value))
        else:
            batch.add(key, value, headers)
    return batch


@given(RECORDS)
@example([(b"k", b"x" * 70_000, [], True)])
@example([(None, b"", [], True), (b"", None, [], True), (b"k", b"y" * (RAW_BYTES + 1), [(b"", None)], False)])
def test_what_goes_in_comes_out(records: list[Record]) -> None:
    batch = batch_of(records)
    batch._set_producer_state(4_711, 3, 29)
    assert batch.record_count() == len(records)
    read = MemoryRecords(batch._build())
    assert read.has_next()
    found = read.next_batch()
    assert found.validate_crc()
    assert (found.producer_id, found.producer_epoch, found.base_sequence) == (4_711, 3, 29)
    rows = list(found)
    assert [row.offset for row in rows] == list(range(len(records)))
    assert {row.timestamp for row in rows} == {1_800_000_000_000}
    seen = [(row.key, row.value, [(name.encode(), value) for name, value in row.headers]) for row in rows]
    assert seen == [(key, value, headers) for key, value, headers, _ in records]
    assert not read.has_next()


@given(RECORDS)
def test_packed_or_not_a_batch_is_the_same_when_it_is_unpacked(records: list[Record]) -> None:
    packed = batch_of([(key, value, headers, True) for key, value, headers, _ in records])
    plain = batch_of([(key, value, headers, False) for key, value, headers, _ in records])
    unpacked = [bytes(zstd.decompress(batch._build()[61:])) for batch in (packed, plain)]
    assert unpacked[0] == unpacked[1]
    assert packed.size <= len(unpacked[0]) <= packed.size + 5 * len(records)
    assert packed.size == plain.size


def test_it_is_sent_again_as_the_same_bytes() -> None:
    batch = batch_of([(b"k", b"v" * 1_000, [], True)])
    assert batch._build() == batch._build()


@given(LONG | st.binary(max_size=300), st.sampled_from([-1, 1, 3, 9]))
@example(b"", 1)
@example(b"x" * 255, 1)
@example(b"x" * 256, 1)
@example(b"x" * 65_791, 1)
@example(b"x" * 65_792, 1)
@example(b"x" * 3_000_000, 1)
def test_a_frame_says_how_long_its_content_is(content: bytes, level: int) -> None:
    assert unpacked_size(bytes(zstd.compress(content, level))) == len(content)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x28\xb5\x2f\xfd",
        b"\x28\xb5\x2f\xfd\x20",
        b"{}",
        b'{"scrape_id": "no frame"}',
        b"\x28\xb5\x2f\xfd\x00\x58\x01\x00\x00",  # a window, and no size
        b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip",  # a frame to be skipped
    ],
)
def test_what_does_not_say_so_has_no_size(frame: bytes) -> None:
    assert unpacked_size(frame) is None
