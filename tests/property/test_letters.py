"""A dead letter is its message, whatever that was: nothing of it is lost, nothing of ours is taken for its own."""

import pytest
from aiokafka import ConsumerRecord
from hypothesis import example, given
from hypothesis import strategies as st

from splitcart_common.dead_letters import LetterError, from_record, to_row
from splitcart_common.outcomes import DeadLetter, Reason
from splitcart_common.topics import PRODUCT_OBSERVED

HEADERS = st.lists(
    st.tuples(st.sampled_from(["event-id", "dlq-topic", "dlq-value", ""]), st.none() | st.binary(max_size=9)),
    max_size=9,
).map(tuple)


def stood(key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...]) -> ConsumerRecord:
    return ConsumerRecord("p.product-observed.v1", 3, 41, 1_788_000_000_000, 0, key, value, None, 0, 0, headers)


@given(
    st.none() | st.binary(max_size=9),
    st.none() | st.binary(max_size=9),
    HEADERS,
    st.sampled_from(Reason),
    st.text(),
)
@example(None, None, (), Reason.INVALID, "\ud800")
@example(None, None, (("dlq-value", b"null"),), Reason.INVALID, "")
def test_what_is_read_back_is_what_stood_there(key, value, headers, reason, error):
    row = to_row(PRODUCT_OBSERVED, "p", "ingest", stood(key, value, headers), DeadLetter(reason, error))
    buried = ConsumerRecord(
        row.topic, 0, 17, 1_788_000_000_000, 0, row.key, row.value, None, 0, 0, tuple(row.headers)
    )
    letter = from_record(PRODUCT_OBSERVED, "ingest", buried)
    assert (letter.key, letter.value, tuple(letter.headers)) == (key, value, headers)
    assert (letter.partition, letter.offset, letter.number, letter.reason) == (3, 41, 17, reason)
    assert (letter.name, letter.source) == ("product-observed.ingest.dlq/0/17", "product-observed/3/41")
    assert letter.error == error.encode(errors="replace")[:2000].decode(errors="ignore")


@given(HEADERS)
def test_what_is_no_letter_is_said_to_be_none(headers):
    with pytest.raises(LetterError):
        from_record(PRODUCT_OBSERVED, "ingest", stood(b"k", b"v", headers))
