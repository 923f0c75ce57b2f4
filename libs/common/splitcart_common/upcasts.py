"""Old versions of events, lifted one step at a time to the newest.

A step takes the decoded JSON of version n and returns that of version n + 1; the last result is validated as
the struct of today, so a step only does what changed. Old messages are never rewritten: they are lifted when
they are read. To add a version: raise the struct's ``VERSION``, write the step, register it here, and leave
the old golden messages where they are (tests/golden), as every consumer must still read them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

Step = Callable[[dict[str, Any]], dict[str, Any]]


def store_discovered_v1_to_v2(old: dict[str, Any]) -> dict[str, Any]:
    """Coordinates became numbers: version 1 had the retailers' strings, "" where unknown."""

    def degrees(text: object) -> float | None:
        return float(str(text)) if text not in (None, "") else None

    return {**old, "lat": degrees(old.get("lat")), "lon": degrees(old.get("lon"))}


STEPS: Final[Mapping[tuple[str, int], Step]] = {
    ("store-discovered", 1): store_discovered_v1_to_v2,
}
"""(event type, version it starts from) -> the step to the next version."""


def lift(event_type: str, version: int, newest: int, value: dict[str, Any]) -> dict[str, Any]:
    """Apply every step from `version` to `newest`; KeyError (type, version) where a step is not known."""
    for at in range(version, newest):
        value = STEPS[event_type, at](value)
    return value
