"""The numbers of the trade, in one value: the real ones are the defaults, a test may ask for smaller ranges."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class Rules:
    """When two stores match, and for how long what was seen counts.

    `version` is what a confirmation carries: it names these rules, so a later reader knows by which it was made.
    """

    version: str = "1"
    equal_percent: int = 98
    """Of the known shared listings, at least so many must bear the same price."""
    shared_least: int = 200
    """Fewer known shared listings are too little evidence for anything."""
    shared_percent: int = 40
    """So is less than this share of the smaller of the two ranges."""
    current: timedelta = timedelta(hours=72)
    """A store whose last full scrape is older than this is stale."""
    exception_lasts: timedelta = timedelta(days=7)
    """A price exception that was not seen again for longer than this is not stated again."""
    confirmation_lasts: timedelta = timedelta(days=7)
    """A member that was not compared for longer than this is due."""
    restate_after: timedelta = timedelta(days=1)
    """A confirmation that says nothing new is made again once the standing one is older than this."""
    sources: int = 2
    """So many stores of a group must contradict an anchor's change for the group's price to stand against it."""
    sample: int = 20
    """An ejection names at most so many of the listings that differ."""


RULES: Final = Rules()
