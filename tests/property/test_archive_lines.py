"""A message written as a line is read back as the very message, whatever its bytes are."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from splitcart_cli.archive.lines import Record, from_line, to_line, to_lines
from tests.golden import GOLDEN

ANY = st.binary(max_size=60)
JSON_LIKE = st.sampled_from([golden.value for golden in GOLDEN]) | st.builds(
    b"".join,
    st.lists(
        st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"a", b":", b",", b"1", b"\\u0000", b"\n", b" ", b"\xff"])
    ),
)
RECORDS = st.builds(
    Record,
    offset=st.integers(0, 2**62),
    timestamp=st.integers(-1, 2**52),
    key=st.none() | ANY,
    value=st.none() | ANY | JSON_LIKE,
    headers=st.lists(st.tuples(st.text(max_size=8), st.none() | ANY), max_size=3).map(tuple),
)


@given(RECORDS)
@example(Record(0, 0, None, b"null", ()))
@example(Record(0, 0, None, None, ()))
@example(Record(0, 0, b"", b"", (("", None), ("", b""))))
@example(Record(0, 0, b"k", b'{"a":1}', ()))
@example(Record(0, 0, b"k", b' {"a":1} ', ()))
@example(Record(0, 0, b"k", b'{"base64":"eA=="}', ()))
@example(Record(0, 0, b"k", b'{"a":nul}', ()))
@example(Record(0, 0, b"k", b"{}}", ()))
@example(Record(0, 0, b"k", b'{"a":01,"a":"\\ud800"}', ()))
@example(Record(0, 0, b"k", b"[" * 100_000 + b"]" * 100_000, ()))
def test_a_line_is_the_message(record):
    line = to_line(record)
    assert b"\n" not in line
    assert from_line(line) == record
    assert to_lines([record, record]).splitlines() == [line, line]


@given(RECORDS)
def test_every_line_is_text(record):
    to_line(record).decode()


def test_a_value_that_is_json_stands_in_the_line_as_it_is():
    line = to_line(Record(7, 1, b"aldi:G1", b'{"batch": 1}', (("event-type", b"products-observed"),)))
    assert json.loads(line) == {
        "offset": 7, "timestamp": 1, "key": "aldi:G1", "headers": [["event-type", "products-observed"]],
        "value": {"batch": 1},
    }  # fmt: skip
    assert b'"value":{"batch": 1}' in line
