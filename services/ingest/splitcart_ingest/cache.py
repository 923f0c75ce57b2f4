"""Store states kept in memory between batches: a bound on prices held, the least recently folded go first."""

from collections import OrderedDict
from collections.abc import Iterable

from aiokafka import TopicPartition

from splitcart_ingest.store import StoredStore


class StateCache:
    """Committed states only: whoever's transaction fails, or loses its partition, must `forget` it.

    A state may be dropped at any time, even while its batch is in work: the next load reads what is committed.
    """

    def __init__(self, most_prices: int) -> None:
        self._most = most_prices
        self._held: OrderedDict[str, tuple[TopicPartition, StoredStore]] = OrderedDict()

    def take(self, where: TopicPartition, stores: Iterable[str]) -> dict[str, StoredStore]:
        """The states held of these stores, as that partition's owner left them."""
        found: dict[str, StoredStore] = {}
        for store in stores:
            held = self._held.get(store)
            if held is not None and held[0] == where:
                found[store] = held[1]
                self._held.move_to_end(store)
        return found

    def put(self, where: TopicPartition, states: dict[str, StoredStore]) -> None:
        """Hold states, and let go of the oldest above the bound."""
        for store, stored in states.items():
            self._held[store] = (where, stored)
            self._held.move_to_end(store)
        weight = sum(_weight(stored) for _, stored in self._held.values())
        while self._held and weight > self._most:
            _, (_, stored) = self._held.popitem(last=False)
            weight -= _weight(stored)

    def forget(self, where: TopicPartition) -> None:
        """Drop what is held of a partition."""
        for store in [store for store, (at, _) in self._held.items() if at == where]:
            del self._held[store]


def _weight(stored: StoredStore) -> int:
    """How much a state holds, in prices: sets of what was seen weigh too, and a store without prices something."""
    state = stored.state
    seen = len(state.open.seen) if state.open else 0
    return 1 + len(state.prices) + seen + sum(len(partial) for _, partial in state.partials)
