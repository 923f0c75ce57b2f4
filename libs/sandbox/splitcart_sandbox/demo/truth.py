"""Held to the truth: was each price true when it was read, and is each price served true now."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from splitcart_common.ids import company_of
from splitcart_common.turns import Turns
from splitcart_sandbox.demo.figures import Manners, Tally, Verdict
from splitcart_sandbox.demo.log import Read, Recorded

AT_ONCE = 4
"""Questions to the truth at a time: it is one process on a machine that has other things to do."""


_LAST_WAS_FULL = """
SELECT store FROM (SELECT DISTINCT ON (store) store, outcome FROM read.scrapes ORDER BY store, seq DESC) AS latest
WHERE outcome = 'full'
"""
_FULL = "SELECT scrape_id FROM read.scrapes WHERE outcome = 'full'"
_RECORD = """
SELECT store, sku, price FROM (
    SELECT DISTINCT ON (store, sku) store, sku, price FROM read.price_history ORDER BY store, sku, seq DESC
) AS last WHERE price IS NOT NULL
"""
_OWN = "SELECT store, sku, price FROM read.own_prices"
_SERVED = "SELECT store, sku, price FROM read.prices($1, $2)"
_ANCHOR_SEEN = """
SELECT m.store, a.last_full_at AS at FROM read.store_moments m JOIN read.store_moments a ON a.store = m.anchor
WHERE a.last_full_at IS NOT NULL
"""


class Truth:
    """The simulator's truth API."""

    def __init__(self, base_url: str) -> None:
        self._client = httpx.AsyncClient(base_url=base_url, timeout=60)
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def __aenter__(self) -> "Truth":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def zones(self) -> dict[str, int]:
        """How many hidden price zones each company has."""
        world = (await self._client.get("/truth/world")).raise_for_status().json()
        return {key: len(company["zones"]) for key, company in world["companies"].items()}

    async def requests(self) -> int:
        """How many requests the retailers have had."""
        return sum((await self._account())["companies"].values())

    async def manners(self, speed: float, gap_seconds: float) -> dict[str, Manners]:
        """What each company's host saw of its visitors, who are to leave so many (virtual) seconds in between."""
        account = await self._account()

        def virtual(wall: float | None) -> float | None:
            return None if wall is None else round(wall * speed, 3)

        return {
            company: Manners(
                requests=requests,
                at_once=account["max_awaited"][company],
                gap_asked_seconds=gap_seconds,
                shortest_gap_seconds=virtual(account["smallest_gap_seconds"][company]),
                asked_to_wait=account["asked_to_wait"][company],
                too_soon=account["too_soon"][company],
                faults=account["faults"].get(company, {}),
            )
            for company, requests in account["companies"].items()
        }

    async def _account(self) -> dict[str, Any]:
        answer = (await self._client.get("/truth/requests")).raise_for_status()
        return dict(answer.json())

    async def open_stores(self, at: datetime) -> list[str]:
        """The stores that trade at a moment."""
        answer = (await self._client.get("/truth/stores", params={"at": at.isoformat()})).raise_for_status().json()
        return [
            store["store"]
            for store in answer["stores"]
            if store["closed_at"] is None or datetime.fromisoformat(store["closed_at"]) > at
        ]

    async def prices(self, store: str, at: datetime) -> dict[str, int]:
        """What a store charged at a moment, in cents, for everything it sold."""
        async with self._gate:
            answer = await self._client.get("/truth/prices", params={"store": store, "at": at.isoformat()})
        return dict(answer.raise_for_status().json()["prices"])

    async def true_reads(self, store: str, reads: Sequence[Read]) -> int:
        """How many of these prices held at some moment between request and answer."""
        asked = [(sku, start.isoformat(), end.isoformat()) for sku, start, end, _ in reads]
        async with self._gate:
            answer = await self._client.post("/truth/reads", json={"store": store, "reads": asked})
        held = answer.raise_for_status().json()["prices"]
        return sum(price in prices for (_, _, _, price), prices in zip(reads, held, strict=True))


async def full_scrapes(connection: asyncpg.Connection) -> frozenset[UUID]:
    """The scrapes that were judged to have seen a store whole."""
    return frozenset(row["scrape_id"] for row in await connection.fetch(_FULL))


async def last_settled(connection: asyncpg.Connection) -> datetime | None:
    """The latest moment anything folded is of; None where nothing is."""
    moment: datetime | None = await connection.fetchval("SELECT max(settled_at) FROM read.scrapes")
    return moment


async def fidelity(connection: asyncpg.Connection, recorded: Recorded, truth: Truth) -> Tally:
    """Every observation against the truth of its moment, and what was folded against the observations.

    Each change of a price must be one that was observed; and where a store's latest scrape was full, the last of
    its record must be just what it saw, so that a price lost on the way, or kept of a thing that is gone, counts
    as wrong. A store's own rows must be the last of its record, all of it unless housekeeping has dropped what its
    anchor makes redundant.
    """
    tally = Tally(0, recorded.undated)
    for store, reads in recorded.reads.items():
        tally.add(await truth.true_reads(store, reads), len(reads))
    rows = await connection.fetch("SELECT scrape_id, sku, price FROM read.price_history WHERE price IS NOT NULL")
    seen: Mapping[tuple[UUID, str], int] = recorded.prices
    tally.add(sum(seen.get((row["scrape_id"], row["sku"])) == row["price"] for row in rows), len(rows))
    record, own = await _by_store(connection, _RECORD), await _by_store(connection, _OWN)
    for row in await connection.fetch(_LAST_WAS_FULL):
        here, last = record.get(row["store"], {}), recorded.shown[row["store"]].now
        tally.add(len(here.items() & last.items()), len(here.keys() | last.keys()))
    for row in await connection.fetch("SELECT store, collected FROM read.store_moments"):
        here, last = own.get(row["store"], {}), record.get(row["store"], {})
        due = here.keys() if row["collected"] else here.keys() | last.keys()
        tally.add(len(here.items() & last.items()), len(due))
    return tally


async def accuracy(connection: asyncpg.Connection, truth: Truth, at: datetime, turns: Turns) -> Verdict:
    """All served prices at a moment against the truth; a listing served but not sold, or the reverse, is wrong.

    Stores whose anchor was scraped since prices last turned count as settled.
    """
    companies = [row["company"] for row in await connection.fetch("SELECT DISTINCT company FROM read.stores")]
    turned = {company: turns.last(company, at).isoformat() for company in companies}
    served = await _by_store(connection, _SERVED, at, json.dumps(turned))
    fresh = {
        row["store"]
        for row in await connection.fetch(_ANCHOR_SEEN)
        if row["at"] >= turns.last(company_of(row["store"]), at)
    }
    verdict = Verdict(at, listings_per_store=round(sum(map(len, served.values())) / max(1, len(served))))
    stores = await truth.open_stores(at)
    for store, true in zip(stores, await _each(truth, stores, at), strict=True):
        here = served.get(store, {})
        right = len(here.items() & true.items())
        of = len(here.keys() | true.keys())
        verdict.accuracy.setdefault(company_of(store), Tally()).add(right, of)
        if store in fresh:
            verdict.settled.setdefault(company_of(store), Tally()).add(right, of)
    return verdict


async def _by_store(connection: asyncpg.Connection, query: str, *values: object) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in await connection.fetch(query, *values):
        found.setdefault(row["store"], {})[row["sku"]] = row["price"]
    return found


async def _each(truth: Truth, stores: Iterable[str], at: datetime) -> list[dict[str, int]]:
    return await asyncio.gather(*(truth.prices(store, at) for store in stores))
