"""The SQL of grouping: a company's market and groups in, what a transaction did to them out."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import msgspec
from aiokafka import TopicPartition
from cramjam import zstd

from splitcart_common.events.groups import (
    AnchorHandedOver,
    AnchorWentStale,
    GroupEvent,
    GroupFormed,
    MemberConfirmed,
    MemberEjected,
)
from splitcart_common.postgres import Connection, Pool, load_queries
from splitcart_grouping.decisions import concerned, from_text, to_text
from splitcart_grouping.domain.groups import Groups
from splitcart_grouping.domain.market import Market

SQL = load_queries("splitcart_grouping")

Changes = list[tuple[str, int | None]]
"""SKU and price in cents, null where it is not sold any more."""

_STORES_AT_ONCE = 50
_DECISIONS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Head:
    """A company as it stands in the database, locked. `me` is the transaction that has locked it."""

    company: str
    version: int
    revision: int
    changed_by: str
    history_until: int
    me: str


async def lock_companies(connection: Connection, companies: Iterable[str]) -> list[Head]:
    """Lock the rows of companies until the transaction ends; a company never seen before gets one."""
    names = sorted(set(companies))
    await connection.execute(SQL["add_companies"], names)
    return [Head(**row) for row in await connection.fetch(SQL["lock_companies"], names)]


async def was_committed(connection: Connection, transaction: str) -> bool:
    """Whether a transaction of ours is known to have gone through."""
    return bool(await connection.fetchval(SQL["committed"], transaction))


async def load_listings(connection: Connection, company: str) -> list[str]:
    """The SKUs of a company by their numbers."""
    return [row["sku"] for row in await connection.fetch(SQL["listings"], company)]


async def count_listings(connection: Connection, company: str) -> int:
    """How many listings a company has."""
    return int(await connection.fetchval(SQL["count_listings"], company))


async def load_stores(connection: Connection, market: Market, after: int) -> None:
    """Take up the stores that were written after a revision."""

    def restore(rows: Sequence[asyncpg.Record]) -> None:
        for row in rows:
            market.restore(row["store"], row["record"])

    async for rows in _in_parts(connection, _STORES_AT_ONCE, SQL["stores"], market.company, after):
        await asyncio.to_thread(restore, rows)


async def load_decisions(connection: Connection, company: str, groups: Groups) -> None:
    """Fold what was decided since the version of `groups`."""

    def evolve(rows: Sequence[asyncpg.Record]) -> None:
        for row in rows:
            groups.evolve(from_text(row["kind"], row["event_version"], row["event"]))

    async for rows in _in_parts(connection, _DECISIONS_AT_ONCE, SQL["decisions"], company, groups.version):
        await asyncio.to_thread(evolve, rows)


async def _in_parts(
    connection: Connection, size: int, query: str, *values: object
) -> AsyncIterator[list[asyncpg.Record]]:
    cursor = await connection.cursor(query, *values)
    while rows := await cursor.fetch(size):
        yield rows


async def save_company(connection: Connection, head: Head, version: int, history_until: int) -> None:
    """Say that this transaction has changed something of a company."""
    await connection.execute(
        SQL["write_company"], head.company, version, head.revision + 1, head.me, history_until
    )


async def save_listings(connection: Connection, company: str, first: int, skus: Sequence[str]) -> None:
    """Add listings, numbered from `first`."""
    records = [(company, number, sku) for number, sku in enumerate(skus, first)]
    await connection.copy_records_to_table("listings", records=records, columns=("company", "number", "sku"))


async def save_stores(connection: Connection, market: Market, revision: int, stores: Collection[str]) -> None:
    """Write what is known of stores."""

    def rows() -> list[tuple[object, ...]]:
        out: list[tuple[object, ...]] = []
        for store in sorted(stores):
            seen = market.stores[store]
            last = seen.last
            visit = (
                (last.seq, last.scrape_id, last.outcome, last.started_at, last.settled_at) if last else (None,) * 5
            )
            closed_at = None if seen.is_open else seen.closed_at
            out.append(
                (store, market.company, revision, market.record(store), seen.discovered_at, closed_at, *visit)
            )
        return out

    await connection.executemany(SQL["write_store"], await asyncio.to_thread(rows))


async def save_decisions(
    connection: Connection, company: str, groups: Groups, events: Sequence[GroupEvent]
) -> None:
    """Append decisions, which `groups` has folded, and write where the stores they moved stand now."""
    records: list[tuple[object, ...]] = []
    moved: dict[str, int] = {}
    for event in events:
        whom = concerned(event)
        about = (whom.store, whom.anchor, whom.other, whom.shared, whom.equal)
        records.append((company, event.version, event.at, event.TYPE, event.VERSION, *about, to_text(event)))
        if isinstance(event, GroupFormed | MemberConfirmed | MemberEjected | AnchorHandedOver):
            moved[whom.store] = event.version
    columns = (
        "company",
        "version",
        "at",
        "kind",
        "event_version",
        "store",
        "anchor",
        "other",
        "shared",
        "equal",
        "event",
    )
    await connection.copy_records_to_table("decisions", records=records, columns=columns)
    members = [row for store, version in moved.items() if (row := _member(company, groups, store, version))]
    await connection.executemany(SQL["write_member"], members)
    stale = [(event.anchor, event.at) for event in events if isinstance(event, AnchorWentStale)]
    await connection.executemany(SQL["mark_stale"], stale)


def _member(company: str, groups: Groups, store: str, version: int) -> tuple[object, ...] | None:
    member = groups.members.get(store)
    if member is None:
        formed_at = groups.anchors.get(store)
        return None if formed_at is None else (store, company, store, version, formed_at, *(None,) * 7)
    return (
        store, company, member.anchor, member.version, None, member.confirmed_at, member.up_to_scrape,
        member.anchor_scrape, member.shared, member.equal, len(member.exceptions), member.rule_version,
    )  # fmt: skip


@dataclass(slots=True)
class Pending:
    """What the open scrapes of some stores have changed: what is in the table, and what this transaction adds."""

    _known: set[tuple[str, UUID]]
    _added: dict[tuple[str, UUID], list[tuple[UUID, int, int, Changes]]] = field(default_factory=dict)
    _settled: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def of(cls, connection: Connection, stores: Collection[str]) -> "Pending":
        """What is pending of these stores."""
        rows = await connection.fetch(SQL["pending_events"], list(stores))
        return cls({(row["store"], row["event_id"]) for row in rows})

    def add(self, store: str, scrape_id: UUID, event_id: UUID, seq: int, offset: int, changes: Changes) -> bool:
        """Keep what a message says has changed; False where the message was kept before."""
        if (store, event_id) in self._known:
            return False
        self._known.add((store, event_id))
        self._added.setdefault((store, scrape_id), []).append((event_id, seq, offset, changes))
        return True

    async def settle(self, connection: Connection, store: str, scrape_id: UUID, seq: int) -> Changes:
        """All that a scrape has changed, in the order of the log; it, and what is older, is pending no more."""
        rows = await connection.fetch(SQL["pending_changes"], store, scrape_id)
        changes: Changes = [pair for row in rows for pair in _unpack(row["changes"])]
        changes += [pair for *_, added in self._added.get((store, scrape_id), ()) for pair in added]
        self._settled[store] = max(seq, self._settled.get(store, 0))
        return changes

    async def write(self, connection: Connection) -> None:
        """Write what is still open, and delete what is not."""
        if self._settled:
            await connection.execute(SQL["drop_pending"], list(self._settled), list(self._settled.values()))
        rows = [
            (store, scrape_id, event_id, seq, offset, _pack(changes))
            for (store, scrape_id), added in self._added.items()
            for event_id, seq, offset, changes in added
            if seq > self._settled.get(store, -1)
        ]
        columns = ("store", "scrape_id", "event_id", "seq", "offset", "changes")
        await connection.copy_records_to_table("pending", records=rows, columns=columns)


def _pack(changes: Changes) -> bytes:
    return bytes(zstd.compress(msgspec.json.encode(changes), 1))


def _unpack(packed: bytes) -> Changes:
    return msgspec.json.decode(bytes(zstd.decompress(packed)), type=Changes)


async def known_versions(connection: Connection, companies: Iterable[str]) -> Mapping[str, int]:
    """The last version of each company that is on record."""
    return {row["company"]: row["version"] for row in await connection.fetch(SQL["versions"], list(companies))}


async def all_companies(pool: Pool) -> list[str]:
    """Every company on record."""
    return [row["company"] for row in await pool.fetch(SQL["companies"])]


async def lock_position(connection: Connection, where: TopicPartition) -> tuple[int, int] | None:
    """A partition's epoch and position, locked until the transaction ends: nothing of it is folded meanwhile."""
    row = await connection.fetchrow(SQL["lock_position"], where.topic, where.partition)
    return None if row is None else (row["epoch"], row["next_offset"])


async def position(pool: Pool | Connection, topic: str, partition: int) -> int:
    """How far a partition is folded, by whomever."""
    return await pool.fetchval(SQL["position"], topic, partition) or 0
