"""The store fold's SQL: store states in, facts out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from splitcart_common.events import ObservedListing, StoreClosed, StoreDiscovered
from splitcart_common.ids import company_of
from splitcart_common.postgres import Connection, load_queries
from splitcart_ingest.domain.prices import BatchFolded, Fact, Opened, OpenScrape, Settled, StoreState

SQL = load_queries("splitcart_ingest")

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class StoredStore:
    """A store's state and its number in this schema."""

    store_id: int
    state: StoreState


async def load_states(connection: Connection, stores: Iterable[str]) -> dict[str, StoredStore]:
    """The state of each store key as committed; a store never seen before gets a row and an empty state."""
    wanted = sorted(set(stores))
    await connection.execute(SQL["add_stores"], wanted, [company_of(store) for store in wanted])
    ids = {row["store"]: row["store_id"] for row in await connection.fetch(SQL["store_ids"], wanted)}
    found = {store: StoredStore(store_id, StoreState(clock=_BEGINNING)) for store, store_id in ids.items()}
    by_id = {stored.store_id: stored.state for stored in found.values()}
    numbers = list(by_id)
    runs: list[tuple[int, int]] = []
    for row in await connection.fetch(SQL["heads"], numbers):
        state = by_id[row["store_id"]]
        state.clock, state.next_seq = row["clock"], row["next_seq"]
        state.full_seq, state.full_size = row["full_seq"], row["full_size"]
        runs += [(row["store_id"], seq) for seq in row["partial_run"]]
    if runs:
        columns = [list(column) for column in zip(*runs, strict=True)]
        for row in await connection.fetch(SQL["partial_sets"], *columns):
            state = by_id[row["store_id"]]
            state.partials = (*state.partials, (row["seq"], frozenset(row["seen"])))
    for row in await connection.fetch(SQL["prices"], numbers):
        by_id[row["store_id"]].prices = dict(zip(row["listings"], row["prices"], strict=True))
    await _load_open(connection, by_id)
    return found


async def _load_open(connection: Connection, by_id: Mapping[int, StoreState]) -> None:
    numbers = list(by_id)
    for row in await connection.fetch(SQL["open_scrapes"], numbers):
        state = by_id[row["store_id"]]
        state.open = OpenScrape(row["scrape_id"], row["seq"], row["started_at"], row["scope"])
        state.known.add(row["scrape_id"])
    for row in await connection.fetch(SQL["open_batches"], numbers):
        scrape = by_id[row["store_id"]].open
        if scrape is None:
            raise RuntimeError(f"store {row['store_id']} has folded batches but no open scrape")
        scrape.batches.add(row["batch"])
        scrape.seen.update(row["seen"])
        scrape.created += row["created"]
        scrape.updated += row["updated"]
        scrape.unchanged += row["unchanged"]


async def known_scrapes(connection: Connection, scrape_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these scrapes are on record."""
    return {row["scrape_id"] for row in await connection.fetch(SQL["known_scrapes"], scrape_ids)}


@dataclass(slots=True)
class Writes:
    """What a batch of messages has to write, gathered over many facts, one statement a table."""

    heads: dict[int, StoreState] = field(default_factory=dict)
    opened: list[tuple[Any, ...]] = field(default_factory=list)
    settled: list[tuple[Any, ...]] = field(default_factory=list)
    batches: dict[tuple[int, int], BatchFolded] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    history: list[tuple[int, int, int, int, datetime, int | None, int | None, str]] = field(default_factory=list)
    latest: dict[tuple[int, int], tuple[int | None, int]] = field(default_factory=dict)

    def add(self, store: StoredStore, fact: Fact, listings: Sequence[ObservedListing]) -> None:
        """Note a fact; `listings` are those of its batch, by index: they tell the terms of a change."""
        number = store.store_id
        match fact:
            case Opened():
                self.opened.append((number, fact.seq, fact.scrape_id, fact.scope, fact.at))
            case BatchFolded():
                self.batches[number, fact.batch] = fact
                for change in fact.changes:
                    row = (number, change.listing, fact.seq, fact.batch, fact.at, change.new)
                    self.history.append((*row, listings[change.index].was_price, listings[change.index].special))
                    self.latest[number, change.listing] = (change.new, fact.seq)
            case Settled():
                # Batches of this very transaction need never be written.
                for key in [key for key in self.batches if key[0] == number]:
                    del self.batches[key]
                self.closed.add(number)
                counts = (fact.created, fact.updated, fact.unchanged, len(fact.withdrawn))
                outcome = (fact.settled_at, fact.outcome, fact.listings, *counts, fact.seen)
                self.settled.append((number, fact.seq, *outcome))
                for change in fact.withdrawn:
                    row = (number, change.listing, fact.seq, 0, fact.started_at, None)
                    self.history.append((*row, None, "none"))
                    self.latest[number, change.listing] = (None, fact.seq)
        if isinstance(fact, Opened | Settled):
            self.heads[number] = store.state


async def write(connection: Connection, writes: Writes) -> None:
    """Write it all in the caller's transaction. Scrapes are opened before they are settled."""
    if writes.closed:
        await connection.execute(SQL["drop_batches"], sorted(writes.closed))
    if writes.heads:
        await connection.executemany(SQL["write_heads"], [_head(n, state) for n, state in writes.heads.items()])
    await _write_scrapes(connection, writes)
    if writes.batches:
        rows = [
            (number, batch, fact.seen, fact.created, fact.updated, fact.unchanged)
            for (number, batch), fact in writes.batches.items()
        ]
        await connection.executemany(SQL["add_batch"], rows)
    if writes.history:
        await connection.execute(SQL["add_history"], *zip(*writes.history, strict=True))
        latest = [(*key, *value) for key, value in sorted(writes.latest.items())]
        await connection.execute(SQL["write_latest"], *zip(*latest, strict=True))


async def _write_scrapes(connection: Connection, writes: Writes) -> None:
    # By store and seq: a scrape is settled before the next is opened, as one store has one open at a time.
    steps = [(row[0], row[1], "open_scrape", row) for row in writes.opened]
    steps += [(row[0], row[1], "settle_scrape", row) for row in writes.settled]
    for _, _, statement, row in sorted(steps, key=lambda step: step[:3]):
        await connection.execute(SQL[statement], *row)


def _head(number: int, state: StoreState) -> tuple[object, ...]:
    run = [seq for seq, _ in state.partials]
    return (number, state.clock, state.next_seq, state.full_seq, state.full_size, run)


async def describe_store(connection: Connection, event: StoreDiscovered) -> None:
    """Write an outlet as it was discovered; it is open again if it was closed."""
    await connection.execute(
        SQL["describe_store"],
        event.store,
        company_of(event.store),
        event.name,
        event.division,
        event.address,
        event.suburb,
        event.state,
        event.postcode,
        event.lat,
        event.lon,
        event.sells_online,
        event.retailer_ref,
        event.seen_at,
    )


async def close_store(connection: Connection, event: StoreClosed) -> None:
    """Mark an outlet as closed; what it sold stays on record."""
    await connection.execute(SQL["close_store"], event.store, company_of(event.store), event.at, event.reason)
