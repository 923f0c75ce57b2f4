"""The store fold's SQL: store states in, facts out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any, Protocol, get_args
from uuid import UUID

from splitcart_common.events import StoreClosed, StoreDiscovered
from splitcart_common.events.observations import Special
from splitcart_common.ids import company_of
from splitcart_common.postgres import Connection, load_queries
from splitcart_ingest.copying import NULL, as_array, copy
from splitcart_ingest.domain.prices import BatchFolded, Fact, Opened, OpenScrape, Settled, StoreState

SQL = load_queries("splitcart_ingest")

SPECIALS = get_args(Special)
"""A special is stored as its place here; the wire format fixes the order for ever."""

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True)
class StoredStore:
    """A store's state and its number in this schema."""

    store_id: int
    state: StoreState


async def store_numbers(connection: Connection, stores: Iterable[str]) -> dict[str, int]:
    """The number of each store key; one never heard of gets a row, its description may come later."""
    wanted = sorted(set(stores))
    await connection.execute(SQL["add_stores"], wanted, [company_of(store) for store in wanted])
    return {row["store"]: row["store_id"] for row in await connection.fetch(SQL["store_ids"], wanted)}


async def load_states(connection: Connection, stores: Iterable[str]) -> dict[str, StoredStore]:
    """The state of each store key as committed; a store never seen before gets a row and an empty state."""
    ids = await store_numbers(connection, stores)
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


async def known_scrapes(connection: Connection, scrapes: Sequence[tuple[str, UUID]]) -> list[tuple[str, UUID]]:
    """Which of these scrapes, by store key and id, are on record."""
    stores, scrape_ids = zip(*scrapes, strict=True)
    return [
        (row["store"], row["scrape_id"])
        for row in await connection.fetch(SQL["known_scrapes"], stores, scrape_ids)
    ]


class Terms(Protocol):
    """The terms of a batch's prices, listing by listing."""

    @property
    def was_prices(self) -> Sequence[int | None]:
        """Prices said to have been before, in cents."""
        ...

    @property
    def specials(self) -> Sequence[Special]:
        """What kind of special each is."""
        ...


@dataclass(slots=True)
class _Rows:
    """Rows of price_history, as columns."""

    store: list[int] = field(default_factory=list)
    listing: list[int] = field(default_factory=list)
    seq: list[int] = field(default_factory=list)
    batch: list[int] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    price: list[int] = field(default_factory=list)
    was_price: list[int] = field(default_factory=list)
    special: list[int] = field(default_factory=list)

    def columns(self) -> dict[str, tuple[int, Sequence[int]]]:
        return {
            "store_id": (4, self.store),
            "listing_id": (4, self.listing),
            "seq": (4, self.seq),
            "batch": (4, self.batch),
            "at": (8, self.at),
            "price": (4, self.price),
            "was_price": (4, self.was_price),
            "special": (2, self.special),
        }


@dataclass(slots=True)
class Writes:
    """What a batch of messages has to write, gathered over many facts, one statement a table.

    `added` and `changed` are latest prices by store: listing -> (price, seq), for rows that are new and rows
    that are there already.
    """

    heads: dict[int, StoreState] = field(default_factory=dict)
    opened: list[tuple[Any, ...]] = field(default_factory=list)
    settled: list[tuple[Any, ...]] = field(default_factory=list)
    batches: dict[tuple[int, int], BatchFolded] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    history: _Rows = field(default_factory=_Rows)
    added: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)
    changed: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)

    def add(self, store: StoredStore, fact: Fact, terms: Terms | None) -> None:
        """Note a fact; `terms` are those of the batch it came from, by place."""
        number = store.store_id
        match fact:
            case Opened():
                self.opened.append((number, fact.seq, fact.scrape_id, fact.scope, fact.at))
            case BatchFolded():
                self.batches[number, fact.batch] = fact
                self._add_changes(number, fact, terms)
            case Settled():
                # Batches of this very transaction need never be written.
                for key in [key for key in self.batches if key[0] == number]:
                    del self.batches[key]
                self.closed.add(number)
                counts = (fact.created, fact.updated, fact.unchanged, len(fact.withdrawn))
                outcome = (fact.settled_at, fact.outcome, fact.listings, *counts, fact.seen)
                self.settled.append((number, fact.seq, *outcome))
                self._add_withdrawn(number, fact)
        if isinstance(fact, Opened | Settled):
            self.heads[number] = store.state

    def _add_changes(self, number: int, fact: BatchFolded, terms: Terms | None) -> None:
        changes = fact.changes
        if not changes.listings or terms is None:
            return
        was = [terms.was_prices[place] for place in changes.places]
        self._add_rows(number, changes.listings, fact.seq, fact.batch, fact.at)
        self.history.price += changes.new
        self.history.was_price += [NULL if price is None else price for price in was]
        self.history.special += [SPECIALS.index(terms.specials[place]) for place in changes.places]
        rows = list(zip(changes.listings, zip(changes.new, repeat(fact.seq), strict=False), strict=False))
        self.added.setdefault(number, {}).update(rows[: changes.rows_added])
        self._set(number, rows[changes.rows_added :])

    def _add_withdrawn(self, number: int, fact: Settled) -> None:
        count = len(fact.withdrawn)
        self._add_rows(number, fact.withdrawn, fact.seq, 0, fact.started_at)
        self.history.price += [NULL] * count
        self.history.was_price += [NULL] * count
        self.history.special += [0] * count
        self._set(number, [(listing, (NULL, fact.seq)) for listing in fact.withdrawn])

    def _add_rows(self, number: int, listings: Sequence[int], seq: int, batch: int, at: datetime) -> None:
        count = len(listings)
        self.history.store += [number] * count
        self.history.listing += listings
        self.history.seq += [seq] * count
        self.history.batch += [batch] * count
        self.history.at += [(at - _POSTGRES_EPOCH) // _MICROSECOND] * count

    def _set(self, number: int, rows: Sequence[tuple[int, tuple[int, int]]]) -> None:
        added = self.added.get(number)
        if added:  # a row of this very transaction is not there to be updated yet
            here = [row for row in rows if row[0] in added]
            added.update(here)
            rows = [row for row in rows if row[0] not in added]
        self.changed.setdefault(number, {}).update(rows)


async def write(connection: Connection, writes: Writes) -> None:
    """Write it all in the caller's transaction. Scrapes are opened before they are settled."""
    if writes.opened:
        await _restore(connection, {row[0] for row in writes.opened})
    if writes.closed:
        await connection.execute(SQL["drop_batches"], sorted(writes.closed))
    if writes.heads:
        await connection.executemany(SQL["write_heads"], [_head(n, state) for n, state in writes.heads.items()])
    await _write_scrapes(connection, writes)
    if writes.batches:
        rows = [
            (number, batch, as_array(fact.seen), fact.created, fact.updated, fact.unchanged)
            for (number, batch), fact in writes.batches.items()
        ]
        await connection.executemany(SQL["add_batch"], rows)
    await copy(connection, "price_history", writes.history.columns())
    for number, added in writes.added.items():
        await copy(connection, "latest_prices", {"store_id": (4, [number] * len(added)), **_latest(added)})
    for number, changed in writes.changed.items():
        if changed:
            prices, seqs = zip(*changed.values(), strict=True)
            columns = (as_array(column) for column in (changed, prices, seqs))
            await connection.execute(SQL["update_latest"], number, *columns)


async def _restore(connection: Connection, stores: Iterable[int]) -> None:
    """Bring back what housekeeping dropped, before anything is written: a state in memory knows of all rows."""
    for row in await connection.fetch(SQL["lock_heads"], list(stores)):
        if row["collected"]:
            await connection.execute(SQL["restore_latest"], row["store_id"])
            await connection.execute(SQL["mark_restored"], row["store_id"])


def _latest(rows: Mapping[int, tuple[int, int]]) -> dict[str, tuple[int, Sequence[int]]]:
    return {
        "listing_id": (4, list(rows)),
        "price": (4, [price for price, _ in rows.values()]),
        "changed_seq": (4, [seq for _, seq in rows.values()]),
    }


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
