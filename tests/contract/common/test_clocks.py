"""One suite for the frozen clock of the tests and the scaled clock of the services."""

from datetime import UTC, datetime, timedelta

import pytest

from splitcart_common.clock import Clock, FrozenClock, ScaledClock

START = datetime(2026, 9, 1, tzinfo=UTC)


class Contract:
    """What every `Clock` does."""

    def test_both_hands_are_aware_utc(self, clock: Clock) -> None:
        for moment in (clock.now(), clock.wall()):
            assert moment.utcoffset() == timedelta(0)

    def test_time_never_runs_backwards(self, clock: Clock) -> None:
        moments = [clock.now() for _ in range(100)]
        assert moments == sorted(moments)

    def test_now_is_the_virtual_moment_of_the_wall(self, clock: Clock) -> None:
        before = clock.virtual_at(clock.wall())
        now = clock.now()
        assert before <= now <= clock.virtual_at(clock.wall())

    def test_a_later_wall_is_a_later_virtual_moment(self, clock: Clock) -> None:
        wall = clock.wall()
        assert clock.virtual_at(wall - timedelta(seconds=1)) <= clock.virtual_at(wall)
        assert clock.virtual_at(wall) < clock.virtual_at(wall + timedelta(seconds=1))

    async def test_sleep_waits_so_many_virtual_seconds(self, clock: Clock) -> None:
        before = clock.now()
        await clock.sleep(90.0)
        # A timer may fire a millisecond of the wall early.
        assert clock.now() - before > timedelta(seconds=80)

    @pytest.mark.parametrize("seconds", [0.0, -3600.0])
    async def test_a_sleep_of_nothing_or_less_ends_at_once_and_turns_nothing_back(
        self, clock: Clock, seconds: float
    ) -> None:
        before = clock.now()
        await clock.sleep(seconds)
        assert timedelta(0) <= clock.now() - before < timedelta(hours=1)


class TestFrozenClock(Contract):
    @pytest.fixture
    def clock(self) -> Clock:
        return FrozenClock(START)

    def test_it_stands_still(self, clock: Clock) -> None:
        assert clock.now() == clock.wall() == clock.now() == START


class TestScaledClock(Contract):
    @pytest.fixture(params=[600.0, 14400.0])
    def clock(self, request: pytest.FixtureRequest) -> Clock:
        return ScaledClock(START, datetime.now(UTC), request.param)


class TestScaledClockOfAnotherZone(Contract):
    @pytest.fixture
    def clock(self) -> Clock:
        return ScaledClock.parse(f"2026-09-01T10:00:00+10:00/{datetime.now(UTC).isoformat()}/3600")
