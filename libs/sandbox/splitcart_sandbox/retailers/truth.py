"""The truth over HTTP, for tests and the demo's check: never asked by a service.

Prices are integer cents, null where a listing is not sold; times are RFC 3339 with a zone.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from splitcart_common.clock import Clock
from splitcart_sandbox.retailers import web
from splitcart_sandbox.retailers.ledger import Ledger
from splitcart_sandbox.retailers.processes import FOREVER
from splitcart_sandbox.retailers.shelves import Store
from splitcart_sandbox.retailers.web import Answer, RefusedError, Request, body_of, json_answer
from splitcart_sandbox.retailers.world import UnknownListingError, UnknownStoreError, World, second

LONGEST_READ: Final = timedelta(days=400)
"""A longer interval is surely a mistake, and would keep the server from its requests."""


class Truth:
    """Answers ``/truth/…`` from a world and the ledger of the server's own requests."""

    def __init__(self, world: World, clock: Clock, ledger: Ledger) -> None:
        self._world, self._clock, self._ledger = world, clock, ledger
        self._routes: Mapping[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "world"): self._describe,
            ("GET", "stores"): self._stores,
            ("GET", "prices"): self._prices,
            ("GET", "changes"): self._changes,
            ("POST", "reads"): self._reads,
            ("GET", "requests"): lambda _: json_answer(self._ledger.counts()),
            ("GET", "requests/log"): self._log,
        }

    def answer(self, request: Request) -> Answer:
        """The answer to a request; `request.path` is without ``/truth``."""
        route = self._routes.get((request.method, request.path.strip("/")))
        if route is None:
            known = ", ".join(f"{method} /truth/{path}" for method, path in self._routes)
            return json_answer({"error": f"no such truth; there are {known}"}, 404)
        try:
            return route(request)
        except RefusedError as refusal:
            return refusal.answer
        except UnknownStoreError as unknown:
            return json_answer({"error": f"no such store: {unknown}"}, 404)
        except UnknownListingError as unknown:
            return json_answer({"error": f"no such listing: {unknown}"}, 404)

    def _describe(self, request: Request) -> Answer:
        settings, at = self._world.settings, self._at(request)
        companies = {
            key: {
                "stores": len(company.stores),
                "open": sum(store.life.open(second(at)) for store in company.stores.values()),
                "pool": len(company.products),
                "imported": key in settings.products,
                "listings_per_store": settings.listings or company.profile.listings,
                "zones": list(company.zoning.names),
                "turn_share": company.profile.turn_share,
            }
            for key, company in self._world.companies.items()
        }
        chosen = {
            name: getattr(settings, name)
            for name in ("seed", "companies", "stores", "listings", "zones", "turn_weekday", "origin")
        }
        return json_answer({"at": at, "settings": chosen, "companies": companies})

    def _stores(self, request: Request) -> Answer:
        at = self._at(request)
        return json_answer(
            {"at": at, "stores": [self._store(store, second(at)) for store in self._world.stores()]}
        )

    def _store(self, store: Store, at: int) -> dict[str, Any]:
        outlet, life = store.outlet, store.life
        names = self._world.companies[outlet.company].zoning.names
        return {
            "store": store.key,
            "company": outlet.company,
            "retailer_ref": outlet.retailer_ref,
            "zone": names[life.zone(at)],
            "closed_at": None
            if life.closes == FOREVER or life.open(at)
            else datetime.fromtimestamp(life.closes, UTC),
            "name": outlet.name,
            "state": outlet.state,
            "postcode": outlet.postcode,
            "latitude": outlet.latitude,
            "longitude": outlet.longitude,
        }

    def _prices(self, request: Request) -> Answer:
        """Everything a store sells, or with `sku` one listing of it."""
        at, store, sku = self._at(request), request.query.get("store", ""), request.query.get("sku")
        if sku is None:
            prices: Mapping[str, int | None] = self._world.price_list(store, at)
        else:
            prices = {sku: self._world.price_at(store, sku, at)}
        return json_answer({"store": store, "at": at, "prices": prices})

    def _changes(self, request: Request) -> Answer:
        """A listing's price at the beginning of an interval, and from each moment on at which it changed in it."""
        query = request.query
        try:
            sku, since, to = _read(query.get("sku", ""), _unescaped(query["from"]), _unescaped(query["to"]))
        except (KeyError, ValueError) as error:
            raise RefusedError(json_answer({"error": f"sku, from and to are needed: {error!r}"}, 400)) from None
        store = query.get("store", "")
        changes = [(since, self._world.price_at(store, sku, since)), *self._world.changes(store, sku, since, to)]
        return json_answer(
            {"store": store, "sku": sku, "changes": [{"at": at, "price": price} for at, price in changes]}
        )

    def _log(self, request: Request) -> Answer:
        """A company's requests one by one, from the `since`-th on; of many, the latest are on record."""
        company, since = request.query.get("company", ""), web.number(request.query, "since", 1, 1, 1 << 53)
        if company not in self._world.companies or since is None:
            known = ", ".join(self._world.companies)
            raise RefusedError(
                json_answer({"error": f"company (of {known}) and since, a number, are asked for"}, 400)
            )
        return json_answer({"company": company, "requests": self._ledger.log(company, since)})

    def _reads(self, request: Request) -> Answer:
        """Reads of one interval are answered together: a page of listings is one look at the price list."""
        body = body_of(request)
        try:
            store, reads = str(body["store"]), [_read(*read) for read in body["reads"]]
        except (TypeError, KeyError, ValueError) as error:
            raise RefusedError(
                json_answer({"error": f"not a list of reads [sku, from, to]: {error!r}"}, 400)
            ) from None
        together: defaultdict[tuple[datetime, datetime], list[int]] = defaultdict(list)
        for number, (_, since, to) in enumerate(reads):
            together[since, to].append(number)
        found: list[list[int | None]] = [[] for _ in reads]
        for (since, to), numbers in together.items():
            skus = [reads[number][0] for number in numbers]
            for number, prices in zip(numbers, self._world.prices_of_many(store, skus, since, to), strict=True):
                found[number] = sorted(prices, key=lambda price: -1 if price is None else price)
        return json_answer({"store": store, "prices": found})

    def _at(self, request: Request) -> datetime:
        text = request.query.get("at")
        if text is None:
            return self._clock.now()
        try:
            return _moment(_unescaped(text))
        except ValueError as error:
            raise RefusedError(json_answer({"error": str(error)}, 400)) from None


def _read(sku: str, since: str, to: str) -> tuple[str, datetime, datetime]:
    start, end = _moment(since), _moment(to)
    if not start <= end <= start + LONGEST_READ:
        raise ValueError(f"a read ends within {LONGEST_READ.days} days of its begin, not at {end} from {start}")
    return str(sku), start, end


def _unescaped(text: str) -> str:
    """A plus that was not escaped arrives as a space."""
    return text.replace(" ", "+")


def _moment(text: object) -> datetime:
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment
