"""Moments as whole numbers: seconds for the cells of a vector, microseconds where a moment is compared exactly."""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = 2**32 - 1
"""The last second a cell can hold, in 2106."""

_SECOND: Final = timedelta(seconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)


def seconds(moment: datetime) -> int:
    """The whole second a moment is in, since 1970 (UTC), held to what a cell can hold."""
    return min(max((moment - EPOCH) // _SECOND, 0), LATEST)


def micros(moment: datetime) -> int:
    """A moment in microseconds since 1970 (UTC), exactly."""
    return (moment - EPOCH) // _MICROSECOND


def moment(second: int) -> datetime:
    """The moment a second begins."""
    return EPOCH + second * _SECOND
