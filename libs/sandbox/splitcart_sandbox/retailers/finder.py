"""What the companies' store finders have in common."""

from collections.abc import Iterable

from splitcart_sandbox.retailers.shelves import Store
from splitcart_sandbox.retailers.zones import kilometres


def nearest(stores: Iterable[Store], here: tuple[float, float], at: int) -> list[tuple[float, Store]]:
    """The stores open at a second with their distance in kilometres, the nearest first."""
    near = sorted(
        (kilometres(here, (store.outlet.latitude, store.outlet.longitude)), store.key, store)
        for store in stores
        if store.life.open(at)
    )
    return [(distance, store) for distance, _, store in near]
