"""An Aldi of a few stores and a few dozen listings: the real shapes, and faults by a function."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.scraper.http import Asked, Reply

FRUIT, BREAD, MILK = "1111111152", "920000101", "960000101"


def tile(sku: int, price: object = 100, **fields: object) -> dict[str, object]:
    """A tile with an 18-digit SKU."""
    text = f"{sku:018}"
    return {
        "sku": text, "name": f"Thing {sku}", "brandName": "BRAND", "sellingSize": "1 kg",
        "urlSlugText": f"t-{sku}",
        "notForSale": True, "discontinued": False, "price": {"amount": price}, "assets": [], **fields,
    }  # fmt: skip


def service_point(number: int) -> dict[str, object]:
    """A store of the store finder."""
    return {
        "id": f"G{number:03}", "name": f"Store {number}", "availableCustomerServiceTypes": ["walk-in"],
        "address": {"address1": f"{number} High St", "address2": None, "city": "Town", "zipCode": "2000",
                    "regionIsoCode": "NSW", "latitude": "-33.8", "longitude": "151.2"},
    }  # fmt: skip


@dataclass(slots=True)
class TinyAldi:
    """Three categories of 70, 45 and 10 listings, some in two of them, the same in each store."""

    stores: list[int] = field(default_factory=lambda: [1, 2, 3])
    outlets_page: int = 2
    shelves: dict[str, list[dict[str, object]]] = field(
        default_factory=lambda: {
            FRUIT: [tile(n) for n in range(1, 71)],
            BREAD: [tile(n, 250) for n in range(66, 111)],
            MILK: [tile(n, 199) for n in range(200, 210)],
        }
    )
    fault: Callable[[Asked], Reply | None] = lambda _: None

    def __call__(self, asked: Asked) -> Reply:
        """The answer to a request below the prefix /aldi."""
        broken = self.fault(asked)
        if broken is not None:
            return broken
        match asked.path:
            case "/aldi/v2/service-points":
                return self._service_points(int(asked.query["offset"]))
            case "/aldi/v2/product-category-tree":
                leaves = [{"key": key, "name": f"Leaf {key}", "children": []} for key in self.shelves]
                return reply({"data": [{"key": "1", "name": "Root", "children": leaves}]})
            case "/aldi/v3/product-search":
                return self._page(self.shelves[asked.query["categoryKey"]], int(asked.query["offset"]))
        return Reply(404)

    def _service_points(self, offset: int) -> Reply:
        found = [service_point(number) for number in self.stores[offset : offset + self.outlets_page]]
        return reply({"data": found, "meta": {"pagination": {"totalCount": len(self.stores)}}})

    def _page(self, shelf: list[dict[str, object]], offset: int) -> Reply:
        if offset and offset >= len(shelf):
            return Reply(400)
        data = shelf[offset : offset + 30]
        return reply({"data": data, "meta": {"pagination": {"offset": offset, "totalCount": len(shelf)}}})


def reply(value: object) -> Reply:
    """JSON."""
    return Reply(body=json.dumps(value).encode())
