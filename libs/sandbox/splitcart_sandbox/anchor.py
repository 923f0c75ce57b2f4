"""Which virtual clock a sandbox runs on: where it starts, and where it goes on after it was stopped."""

from datetime import datetime, timedelta
from typing import Final

from splitcart_common.clock import ScaledClock
from splitcart_sandbox.errors import SandboxError
from splitcart_sandbox.folder import State

BEAT_SECONDS: Final = 5.0
"""How often (wall) a running sandbox writes down how far its clock may have come."""


def next_clock(state: State, now: datetime, *, speed: float | None, start: datetime | None) -> ScaledClock:
    """The clock of a start at the wall moment `now`.

    A new folder has real time, unless a speed or a start is given. A folder that had a virtual clock goes on
    where that clock was at the last stop, however long ago: a night switched off is not a year. Its speed stays
    too, unless another is given. SandboxError for a start before that moment: facts are already dated later.
    """
    before = ScaledClock.parse(state.clock) if state.clock else ScaledClock.real()
    if start is not None and start.tzinfo is None:
        raise SandboxError(f"the start {start.isoformat()} needs a time zone, like 2026-09-01T00:00:00+10:00")
    if speed is not None and not speed > 0:
        raise SandboxError(f"the speed must be above 0, got {speed:g}")
    was_real = before == ScaledClock.real()
    if was_real and start is None and speed in (None, 1.0):
        return before
    reached = _reached(state, before, now) if state.clock else None
    if reached is not None and start is not None and start < reached:
        raise SandboxError(
            f"this folder's clock has already reached {reached.isoformat(timespec='seconds')}; it cannot go back "
            f"to {start.isoformat(timespec='seconds')}. Use another folder (--home), or splitcart reset"
        )
    return ScaledClock(start or reached or now, now, speed or before.speed)


def beat(state: State, clock: ScaledClock, now: datetime, *, last: bool) -> None:
    """Write into `state` how far the clock has come at the wall moment `now`.

    While it runs, that is how far it may come until the next beats: after a kill -9 virtual time may then jump
    by some seconds (wall) of it, but never goes back behind what was already dated.
    """
    ahead = timedelta(0) if last else timedelta(seconds=2 * BEAT_SECONDS)
    state.clock = str(clock)
    state.virtual_at = clock.virtual_at(now + ahead).isoformat()


def _reached(state: State, before: ScaledClock, now: datetime) -> datetime:
    ran_on = before.virtual_at(now)
    if state.virtual_at is None:
        return ran_on
    return min(datetime.fromisoformat(state.virtual_at), ran_on)
