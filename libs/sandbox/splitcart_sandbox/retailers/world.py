"""The simulated country: what is true at any virtual moment, as a function of the settings alone.

Nothing here ticks, waits or remembers, so any process can ask for any moment, past or future, and get the answer
every other process gets. Prices are integer cents and change only at whole seconds; a moment is an aware datetime
outside, seconds since 1970 (UTC) inside.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from math import floor

import numpy as np

from splitcart_common.ids import company_of
from splitcart_sandbox.retailers import source
from splitcart_sandbox.retailers.noise import I64, U64, ids
from splitcart_sandbox.retailers.prices import Prices
from splitcart_sandbox.retailers.processes import DAY
from splitcart_sandbox.retailers.profiles import PROFILES, CompanyProfile
from splitcart_sandbox.retailers.ranges import Ranges
from splitcart_sandbox.retailers.selection import choose_outlets, choose_products, outlets_of
from splitcart_sandbox.retailers.shelves import NOT_SOLD, Shelf, Shelves, Store
from splitcart_sandbox.retailers.source import Product
from splitcart_sandbox.retailers.zones import Life, Zoning, life, merged

THURSDAY = 3
"""Weekday of the first of January 1970, counting from Monday 0."""


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """What a country is a function of. `stores` and `listings` are per company, 0 for as many as there really are.

    `products` are served in the place of those of a company that come with the package. `zones` merges price
    zones down to so many (None: the company's own number). Prices turn at 00:00 UTC of `turn_weekday` (Monday 0).
    Stores move and close after `origin`, never before. `profiles` replaces rates.
    """

    seed: int = 7
    companies: tuple[str, ...] = ("aldi",)
    stores: int = 0
    listings: int = 0
    zones: int | None = None
    turn_weekday: int = 2
    origin: datetime = datetime(2026, 7, 1, tzinfo=UTC)
    profiles: Mapping[str, CompanyProfile] = field(default_factory=lambda: PROFILES)
    products: Mapping[str, Sequence[Product]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = [company for company in self.companies if company not in self.profiles]
        if unknown:
            raise ValueError(f"no such company: {', '.join(unknown)}; there are {', '.join(self.profiles)}")
        if self.origin.tzinfo is None:
            raise ValueError("the origin of a world needs a time zone")


class UnknownStoreError(LookupError):
    """The country has no such store."""


class UnknownListingError(LookupError):
    """The company lists no such sku in this country."""


def second(moment: datetime) -> int:
    """The whole second a moment is in; ValueError without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return floor(moment.timestamp())


class CompanyWorld:
    """One company's part of the country."""

    def __init__(self, settings: WorldSettings, company: str) -> None:
        self.profile = settings.profiles[company]
        self._settings, seed = settings, settings.seed
        every = outlets_of(self.profile)
        outlets = choose_outlets(every, settings.stores, seed)
        self.zoning: Zoning = merged(self.profile.zoning(every, outlets, seed), settings.zones)
        wanted = settings.listings or self.profile.listings
        rows = settings.products.get(company) or source.products(company)
        self.products: tuple[Product, ...] = choose_products(rows, self.profile, wanted, seed)
        self.number = {product.sku: number for number, product in enumerate(self.products)}
        self.stores = {
            outlet.key: Store(outlet, self._life(outlet.key, home))
            for outlet, home in zip(outlets, self.zoning.home, strict=True)
        }
        self._shelves = self._make_shelves(self._ids, self.base)
        self._one = lru_cache(maxsize=1024)(self._shelves_of_one)

    @cached_property
    def base(self) -> I64:
        """The real price of each listing."""
        return np.array([product.price for product in self.products], np.int64)

    @cached_property
    def _ids(self) -> U64:
        return ids(f"{self.profile.company}/{product.sku}" for product in self.products)

    def store(self, key: str) -> Store:
        """The store of a key; UnknownStoreError."""
        try:
            return self.stores[key]
        except KeyError:
            raise UnknownStoreError(key) from None

    def shelf(self, store: Store, at: int) -> Shelf:
        """A store's whole price list at a second."""
        return self._shelves.shelf(store, at)

    def segments(self, store: Store, sku: str, since: int, to: int) -> Iterator[tuple[int, int]]:
        """(second, price) of one listing at `since` and at each change up to and with `to`; `NOT_SOLD` if not.

        UnknownListingError for a sku that the company lists nowhere.
        """
        if sku not in self.number:
            raise UnknownListingError(sku)
        before, at = None, since
        while at <= to:
            shelf = self._one(self.number[sku]).shelf(store, at)
            price = int(shelf.prices[0])
            if price != before:
                yield at, price
            before, at = price, shelf.until

    def _shelves_of_one(self, number: int) -> Shelves:
        return self._make_shelves(self._ids[number : number + 1], self.base[number : number + 1])

    def _make_shelves(self, listings: U64, base: I64) -> Shelves:
        turn_at = (self._settings.turn_weekday - THURSDAY) % 7 * DAY
        prices = Prices(self.profile, self._settings.seed, turn_at, listings, base)
        return Shelves(prices, Ranges(self.profile, self._settings.seed, listings), self.zoning)

    def _life(self, key: str, home: int) -> Life:
        profile, origin = self.profile, second(self._settings.origin)
        zones = len(self.zoning.names)
        return life(
            self._settings.seed, key, home, zones, profile.moves_per_month, profile.closures_per_month, origin
        )


class World:
    """All companies of a country, asked by store key and moment."""

    def __init__(self, settings: WorldSettings) -> None:
        self.settings = settings
        self.companies = {company: CompanyWorld(settings, company) for company in settings.companies}

    def company_of(self, store: str) -> CompanyWorld:
        """The company of a store key; UnknownStoreError if the country has no such company."""
        try:
            return self.companies[company_of(store)]
        except KeyError:
            raise UnknownStoreError(store) from None

    def store(self, key: str) -> Store:
        """The store of a key; UnknownStoreError."""
        return self.company_of(key).store(key)

    def stores(self) -> list[Store]:
        """Every store, closed ones too, by company and key."""
        return [store for company in self.companies.values() for store in company.stores.values()]

    def price_list(self, store: str, at: datetime) -> dict[str, int]:
        """Cents by sku of everything a store sells at a moment; nothing once it has closed."""
        company = self.company_of(store)
        prices = company.shelf(company.store(store), second(at)).prices
        return {company.products[number].sku: int(prices[number]) for number in np.flatnonzero(prices != NOT_SOLD)}

    def price_at(self, store: str, sku: str, at: datetime) -> int | None:
        """The price of one listing at a moment, None if the store does not sell it then."""
        company = self.company_of(store)
        moment = second(at)
        return _cents(next(company.segments(company.store(store), sku, moment, moment))[1])

    def changes(self, store: str, sku: str, since: datetime, to: datetime) -> list[tuple[datetime, int | None]]:
        """The moments in (since, to] at which a listing's price changed, each with the price from then on."""
        company, start = self.company_of(store), second(since)
        found = company.segments(company.store(store), sku, start, second(to))
        return [(datetime.fromtimestamp(at, UTC), _cents(price)) for at, price in found if at > start]

    def prices_between(self, store: str, sku: str, since: datetime, to: datetime) -> set[int | None]:
        """Every price that held at some moment of [since, to]; None among them if it was not sold for a time."""
        company = self.company_of(store)
        found = company.segments(company.store(store), sku, second(since), second(to))
        return {_cents(price) for _, price in found}

    def prices_of_many(
        self, store: str, skus: Sequence[str], since: datetime, to: datetime
    ) -> list[set[int | None]]:
        """`prices_between` of many listings over one interval, by whole price lists; {None} for an unknown sku."""
        company = self.company_of(store)
        known = [company.number.get(sku) for sku in skus]
        found: list[set[int | None]] = [set() if number is not None else {None} for number in known]
        for shelf in _shelves(company, company.store(store), second(since), second(to)):
            for prices, number in zip(found, known, strict=True):
                if number is not None:
                    prices.add(_cents(int(shelf.prices[number])))
        return found


def _shelves(company: CompanyWorld, store: Store, since: int, to: int) -> Iterable[Shelf]:
    at = since
    while at <= to:
        shelf = company.shelf(store, at)
        yield shelf
        at = shelf.until


def _cents(price: int) -> int | None:
    return None if price == NOT_SOLD else price
