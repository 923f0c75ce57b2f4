"""The virtual clock's setting."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitcart_common.clock import ScaledClock

START = datetime(2026, 9, 1, tzinfo=UTC)
ANCHOR = datetime(2026, 11, 21, 8, tzinfo=UTC)
CLOCK = ScaledClock(START, ANCHOR, 14400.0)


def test_the_setting_of_the_docstring():
    text = "2026-09-01T00:00:00+00:00/2026-11-21T08:00:00+00:00/14400"
    assert ScaledClock.parse(text) == CLOCK


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(timezones=st.just(UTC)),
    st.floats(min_value=1e-6, max_value=1e6),
)
def test_a_clock_is_written_and_read_back(start, anchor, speed):
    clock = ScaledClock(start, anchor, speed)
    assert ScaledClock.parse(str(clock)) == clock


def test_it_runs_speed_times_as_fast_from_its_anchor():
    assert CLOCK.virtual_at(ANCHOR) == START
    assert CLOCK.virtual_at(ANCHOR + timedelta(seconds=6)) == START + timedelta(days=1)
    assert CLOCK.virtual_at(ANCHOR - timedelta(seconds=6)) == START, "before its anchor it stood still"


def test_in_production_virtual_time_is_wall_time():
    real = ScaledClock.real()
    assert real.virtual_at(ANCHOR) == ANCHOR
    assert abs(real.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert ScaledClock.parse(str(real)) == real


def test_a_start_in_another_zone_still_reads_utc():
    there = ScaledClock.parse("2026-09-01T10:00:00+10:00/2026-11-21T08:00:00+00:00/14400")
    assert there.virtual_at(ANCHOR) == START
    assert there.virtual_at(ANCHOR).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "14400",
        "a/b/c",
        "2026-09-01/2026-11-21T08:00:00+00:00/1",
        "2026-09-01T00:00:00/2026-11-21T08:00:00+00:00/1",
        "2026-09-01T00:00:00+00:00/2026-11-21T08:00:00/1",
        "2026-09-01T00:00:00+00:00/2026-11-21T08:00:00+00:00",
        "2026-09-01T00:00:00+00:00/2026-11-21T08:00:00+00:00/fast",
        "2026-09-01T00:00:00+00:00/2026-11-21T08:00:00+00:00/0",
        "2026-09-01T00:00:00+00:00/2026-11-21T08:00:00+00:00/-1",
        "2026-09-01T00:00:00+00:00/2026-11-21T08:00:00+00:00/nan",
        "2026-09-01T00:00:00+00:00/2026-11-21T08:00:00+00:00/inf",
    ],
)
def test_what_is_no_clock_is_refused_and_shown_how_it_is_written(text):
    with pytest.raises(
        ValueError, match=r"is not a clock .*expected <virtual start>/<wall anchor>/<speed>"
    ) as caught:
        ScaledClock.parse(text)
    assert repr(text) in str(caught.value)
