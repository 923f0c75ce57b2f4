"""The laws of the register of barcodes, and of what a listing's barcode is by it."""

from datetime import UTC, date, datetime, timedelta
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from splitcart_ingest.domain.identity import valid_barcode
from splitcart_ingest.domain.listings import Description
from splitcart_ingest.domain.read_barcodes import ReadBarcode, believable, effective, join_barcode

DAY = date(2026, 9, 1)
MOMENTS = st.integers(0, 3).map(lambda n: datetime(2026, 9, 1, tzinfo=UTC) + timedelta(hours=n))
READ = st.builds(ReadBarcode, MOMENTS, st.sampled_from(("9310072004488", "96385074", "0012345678905")))
SAID = st.none() | st.sampled_from(("", "60092", "9310072004495"))


def described(said: str | None) -> Description:
    return Description(DAY, ("Milk", None, None, said, (), None))


@given(READ, READ, READ)
def test_readings_are_a_join(a, b, c):
    assert join_barcode(a, b) == join_barcode(b, a)
    assert join_barcode(join_barcode(a, b), c) == join_barcode(a, join_barcode(b, c))
    assert join_barcode(a, a) == a == join_barcode(None, a)


@given(st.lists(READ, min_size=1, max_size=8))
def test_the_latest_reading_stands(read):
    stands = reduce(join_barcode, read[1:], read[0])
    assert stands in read
    assert stands.seen_at == max(one.seen_at for one in read)


@given(SAID, st.none() | READ)
def test_a_reading_fills_a_gap_and_overwrites_nothing(said, read):
    barcode = effective(described(said), read)
    assert barcode == (said if said is not None else read and read.barcode)
    assert effective(described(barcode), read) == barcode


@given(SAID, st.lists(READ, max_size=6), st.randoms())
def test_the_order_of_readings_and_repeats_do_not_matter(said, read, random):
    other = [*read, *read]
    random.shuffle(other)
    results = []
    for order in (read, other):
        known = None
        for one in order:
            known = join_barcode(known, one)
        results.append(effective(described(said), known))
    assert results[0] == results[1]


@given(st.text("0123456789", min_size=8, max_size=14))
def test_what_names_a_product_is_believed(digits):
    assert believable(digits) or valid_barcode(digits) is None
