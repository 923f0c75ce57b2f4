"""The membership fold's SQL: what the companies' last markers are, and new markers with what they state."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from splitcart_common.postgres import Connection, load_queries
from splitcart_ingest.domain.exceptions import Statement, difference
from splitcart_ingest.domain.membership import Confirmed, Ejected, GroupException, Membership
from splitcart_ingest.store import store_numbers

SQL = load_queries("splitcart_ingest", "sql/membership.sql")

Marker = Confirmed | Ejected


async def load_memberships(connection: Connection, companies: Iterable[str]) -> dict[str, Membership]:
    """Each company's last version and its moment as committed, without the markers: the fold looks at none."""
    found = {company: Membership() for company in companies}
    for row in await connection.fetch(SQL["last_versions"], sorted(found)):
        found[row["company"]] = Membership(row["version"], row["decided_at"])
    return found


async def sku_numbers(connection: Connection, company: str, skus: Iterable[str]) -> dict[str, int]:
    """The number of each SKU among the exceptions of a company; one never named before gets the next."""
    wanted = set(skus)
    if not wanted:
        return {}
    rows = await connection.fetch(SQL["sku_numbers"], company, list(wanted))
    known = {row["sku"]: row["number"] for row in rows}
    new = sorted(wanted - known.keys())
    if new:
        known |= {row["sku"]: row["number"] for row in await connection.fetch(SQL["add_skus"], company, new)}
    return known


async def write_markers(connection: Connection, company: str, markers: Sequence[Marker]) -> None:
    """Write new markers of a company, in the order of their versions, in the caller's transaction."""
    anchors = {marker.anchor for marker in markers if isinstance(marker, Confirmed)}
    numbers = await store_numbers(connection, {marker.store for marker in markers} | anchors)
    await connection.executemany(SQL["add_marker"], [_marker(company, marker, numbers) for marker in markers])
    by_store: dict[int, list[Marker]] = {}
    for marker in markers:
        by_store.setdefault(numbers[marker.store], []).append(marker)
    standing = {
        row["store_id"]: (row["version"], _statement(row["numbers"], row["prices"], row["seen_at"]))
        for row in await connection.fetch(SQL["standing"], list(by_store))
    }
    superseded, added = [], []
    for store, new in by_store.items():
        stated = [(marker.version, _stated_by(marker)) for marker in new]
        if store in standing:
            version, exceptions = standing[store]
            superseded.append((store, version, *_difference(exceptions, stated[0][1])))
        added += [
            (store, version, *_difference(older, newer)) for (version, older), (_, newer) in pairwise(stated)
        ]
        added.append((store, stated[-1][0], *_columns(stated[-1][1]), None))
    await connection.executemany(SQL["supersede"], superseded)
    await connection.executemany(SQL["add_exceptions"], added)


def _marker(company: str, marker: Marker, numbers: Mapping[str, int]) -> tuple[object, ...]:
    store = numbers[marker.store]
    if isinstance(marker, Ejected):
        return (company, marker.version, store, store, None, None, marker.at)
    anchor = numbers[marker.anchor]
    return (company, marker.version, store, anchor, marker.up_to_scrape, marker.anchor_scrape, marker.at)


def _stated_by(marker: Marker) -> Statement:
    return marker.exceptions if isinstance(marker, Confirmed) else {}


def _difference(older: Statement, newer: Statement) -> tuple[object, ...]:
    delta = difference(older, newer)
    return (*_columns(delta.stated), delta.absent)


def _columns(stated: Statement) -> tuple[object, ...]:
    order = sorted(stated)
    return order, [stated[number].price for number in order], [stated[number].seen_at for number in order]


def _statement(numbers: list[int], prices: list[int | None], seen_at: list[datetime]) -> Statement:
    return dict(zip(numbers, map(GroupException, prices, seen_at), strict=True))
