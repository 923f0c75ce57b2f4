"""A clock whose two hands a test sets on their own."""

from datetime import UTC, datetime, timedelta

from splitcart_common.clock import FrozenClock

START = datetime(2026, 9, 1, 8, tzinfo=UTC)


class TwoHands(FrozenClock):
    """Stands still; the wall hand is ahead by what a test says, so a lease can end while no time passes."""

    def __init__(self, at: datetime = START) -> None:
        super().__init__(at)
        self.ahead = timedelta(0)

    def wall(self) -> datetime:
        """The wall hand."""
        return self.at + self.ahead
