"""What a discovery changes: stores that are new, changed, back again, or gone.

A store is closed when two complete discoveries in a row do not list it: one may have missed it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from splitcart_common.events import StoreClosed, StoreDiscovered

MISSES_TO_CLOSE: Final = 2
CREDIBLE_SHARE: Final = 0.5
"""A discovery that lists a smaller share of the stores known than this is not believed about those it lacks."""


@dataclass(frozen=True, slots=True)
class KnownOutlet:
    """A store on record: what was last said of it, and how many complete discoveries lacked it since."""

    outlet: StoreDiscovered
    missed: int = 0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class OutletChanges:
    """What to publish and to remember. `listed` were seen and are as they were; `missed` maps to the new count."""

    discovered: tuple[StoreDiscovered, ...]
    closed: tuple[StoreClosed, ...]
    listed: tuple[str, ...]
    missed: Mapping[str, int]
    believed: bool


def compare(
    known: Mapping[str, KnownOutlet], seen: Mapping[str, StoreDiscovered], *, complete: bool, at: datetime
) -> OutletChanges:
    """Compare what is on record with what a discovery listed, both by store key, at a (virtual) moment.

    A discovery that is not complete can add and change stores, never lack them.
    """
    discovered = [
        outlet
        for store, outlet in sorted(seen.items())
        if (before := known.get(store)) is None
        or before.closed
        or replace(before.outlet, seen_at=outlet.seen_at) != outlet
    ]
    told = {outlet.store for outlet in discovered}
    still_open = [store for store, outlet in sorted(known.items()) if not outlet.closed]
    lacking = [store for store in still_open if store not in seen]
    believed = complete and len(lacking) <= (1 - CREDIBLE_SHARE) * len(still_open)
    missed = {store: known[store].missed + 1 for store in lacking} if believed else {}
    closed = [
        StoreClosed(store=store, reason=f"not listed by {times} complete discoveries in a row", at=at)
        for store, times in missed.items()
        if times >= MISSES_TO_CLOSE
    ]
    return OutletChanges(
        discovered=tuple(discovered),
        closed=tuple(closed),
        listed=tuple(store for store in sorted(seen) if store not in told),
        missed=missed,
        believed=believed,
    )
