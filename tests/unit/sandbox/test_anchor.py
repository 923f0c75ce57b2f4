from datetime import UTC, datetime, timedelta

import pytest

from splitcart_common.clock import ScaledClock
from splitcart_sandbox.anchor import BEAT_SECONDS, beat, next_clock
from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.folder import State

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
START = datetime(2026, 9, 1, tzinfo=UTC)


def stopped_at(clock: ScaledClock, at: datetime) -> State:
    state = State()
    beat(state, clock, at, last=True)
    return state


def test_a_new_folder_has_real_time() -> None:
    assert next_clock(State(), NOW, speed=None, start=None) == ScaledClock.real()
    assert next_clock(State(), NOW, speed=1, start=None) == ScaledClock.real()


def test_a_speed_alone_starts_now() -> None:
    assert next_clock(State(), NOW, speed=60, start=None) == ScaledClock(NOW, NOW, 60)


def test_a_night_switched_off_is_not_a_year() -> None:
    clock = next_clock(State(), NOW, speed=14400, start=START)
    assert clock == ScaledClock(START, NOW, 14400)
    state = stopped_at(clock, NOW + timedelta(seconds=6))
    morning = NOW + timedelta(hours=10)
    assert next_clock(state, morning, speed=None, start=None) == ScaledClock(
        START + timedelta(days=1), morning, 14400
    )


def test_another_speed_goes_on_from_the_same_moment() -> None:
    state = stopped_at(ScaledClock(START, NOW, 14400), NOW + timedelta(seconds=6))
    assert next_clock(state, NOW, speed=1, start=None).speed == 1
    later = next_clock(state, NOW + timedelta(days=1), speed=10, start=START + timedelta(days=3))
    assert later == ScaledClock(START + timedelta(days=3), NOW + timedelta(days=1), 10)


def test_the_clock_does_not_go_back() -> None:
    state = stopped_at(ScaledClock(START, NOW, 14400), NOW + timedelta(seconds=6))
    with pytest.raises(SandboxError, match="cannot go back"):
        next_clock(state, NOW + timedelta(days=1), speed=None, start=START)


def test_real_time_stays_real() -> None:
    state = stopped_at(ScaledClock.real(), NOW)
    assert next_clock(state, NOW + timedelta(days=1), speed=None, start=None) == ScaledClock.real()


@pytest.mark.parametrize("lived_on_seconds", [0.0, BEAT_SECONDS, 2 * BEAT_SECONDS])
def test_after_a_kill_the_clock_is_never_behind_what_was_dated(lived_on_seconds: float) -> None:
    clock, state = ScaledClock(START, NOW, 14400), State()
    beat(state, clock, NOW, last=False)
    killed = NOW + timedelta(seconds=lived_on_seconds)
    again = next_clock(state, killed + timedelta(hours=9), speed=None, start=None)
    assert again.start >= clock.virtual_at(killed)
    assert again.start <= clock.virtual_at(killed + timedelta(seconds=2 * BEAT_SECONDS))


def test_after_a_kill_the_clock_is_not_ahead_of_itself() -> None:
    clock, state = ScaledClock(START, NOW, 14400), State()
    beat(state, clock, NOW, last=False)
    at_once = NOW + timedelta(seconds=1)
    assert next_clock(state, at_once, speed=None, start=None).start == clock.virtual_at(at_once)


@pytest.mark.parametrize("speed", [0.0, -1.0])
def test_a_speed_is_above_nothing(speed: float) -> None:
    with pytest.raises(SandboxError, match="speed must be above 0"):
        next_clock(State(), NOW, speed=speed, start=None)


def test_a_start_has_a_zone() -> None:
    with pytest.raises(SandboxError, match="time zone"):
        next_clock(State(), NOW, speed=None, start=START.replace(tzinfo=None))
