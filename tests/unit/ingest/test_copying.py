"""The binary COPY stream, byte by byte."""

import struct

import numpy as np
import pytest

from splitcart_ingest.copying import NULL, as_array, encode


def test_rows_with_and_without_nulls():
    data = encode({"a": (4, [7, NULL]), "b": (8, [2**40, 5]), "c": (2, np.array([NULL, 3]))})
    header, rest = data[:19], data[19:]
    assert header == b"PGCOPY\n\xff\r\n\0" + bytes(8)
    first = struct.pack(">hiiiqi", 3, 4, 7, 8, 2**40, -1)
    second = struct.pack(">hiiqih", 3, -1, 8, 5, 2, 3)
    assert rest == first + second + b"\xff\xff"


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match=r"broadcast|shape"):
        encode({"a": (4, [1, 2]), "b": (4, [1])})


def test_numbers_as_the_text_of_an_array():
    assert as_array([]) == "{}"
    assert as_array(iter([1, -1, 2**31 - 1])).replace(" ", "") == "{1,-1,2147483647}"
    assert as_array({7: "a", 9: "b"}).replace(" ", "") == "{7,9}"
