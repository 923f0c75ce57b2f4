"""What a request may use: one value, made by app.py and found at `request.app.state.gateway`."""

import asyncio
from dataclasses import dataclass, field
from importlib.resources import files

import structlog
from fastapi import Request

from splitcart_common.clock import Clock
from splitcart_common.ids import COMPANIES
from splitcart_common.telemetry import Health
from splitcart_gateway import problems
from splitcart_gateway.domain.places import Postcode, Postcodes, parse_postcodes
from splitcart_gateway.domain.stores import Nearby, Store, StoreBook
from splitcart_gateway.domain.wording import company_name
from splitcart_gateway.problems import Problem
from splitcart_gateway.settings import GatewaySettings
from splitcart_gateway.store import ReadStore

log = structlog.get_logger()

SHORTEST_REFRESH_SECONDS = 1.0


def load_postcodes() -> Postcodes:
    """The table in the package."""
    return parse_postcodes(files("splitcart_gateway").joinpath("data/postcodes.txt").read_text())


@dataclass(slots=True)
class Gateway:
    """Everything a route needs. `book` is replaced as the stores change."""

    settings: GatewaySettings
    clock: Clock
    health: Health
    read: ReadStore
    postcodes: Postcodes = field(default_factory=load_postcodes)
    book: StoreBook = field(default_factory=StoreBook)
    _stamp: tuple[object, ...] = ()
    _looked_at: float = 0.0
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def refresh(self) -> None:
        """Read the stores again if they have changed; UnavailableError where that cannot be told."""
        async with self._looking:
            stamp = await self.read.stores_stamp()
            if stamp != self._stamp:
                self.book = StoreBook(await self.read.stores())
                self._stamp = stamp
                log.info("stores read", stores=len(self.book))
            self._looked_at = asyncio.get_running_loop().time()

    async def stores(self) -> StoreBook:
        """The stores; an empty book is looked at again at once, so that a new country need not be waited for."""
        if not len(self.book):
            await self._refresh_if_due()
        return self.book

    async def _refresh_if_due(self) -> None:
        now = asyncio.get_running_loop().time()
        if not self._stamp or now - self._looked_at >= SHORTEST_REFRESH_SECONDS:
            await self.refresh()

    async def store(self, key: str) -> Store:
        """One store by its key; Problem unknown-store if there is none, even after another look."""
        if self.book.get(key) is None:
            await self._refresh_if_due()
        store = self.book.get(key)
        if store is None:
            similar = self.book.similar(key)
            hint = f" Did you mean {', '.join(similar)}?" if similar else ""
            raise Problem(problems.UNKNOWN_STORE, f"There is no store {key!r}.{hint}", similar=similar)
        return store

    def postcode(self, postcode: str) -> Postcode:
        """A postcode of four digits; Problem unknown-postcode, with those closest in number, if there is none."""
        place = self.postcodes.get(postcode)
        if place is None:
            nearest = [similar.postcode for similar in self.postcodes.similar(postcode)]
            detail = f"There is no postcode {postcode}. The nearest that exist: {', '.join(nearest)}."
            raise Problem(problems.UNKNOWN_POSTCODE, detail, nearest=nearest)
        return place

    async def near(self, place: Postcode, radius_km: float, company: str | None, limit: int) -> list[Nearby]:
        """The nearest open stores of a place, at most `limit`."""
        return list((await self.stores()).near(place.point, radius_km, company)[:limit])


def check_company(company: str | None) -> None:
    """Problem unknown-company for a key that is none."""
    if company is not None and company not in COMPANIES:
        raise Problem(
            problems.UNKNOWN_COMPANY,
            f"There is no company {company!r}. Companies: {', '.join(COMPANIES)}.",
            companies=[{"company": known, "name": company_name(known)} for known in COMPANIES],
        )


def gateway_of(request: Request) -> Gateway:
    """The gateway a request came to."""
    gateway: Gateway = request.app.state.gateway
    return gateway
