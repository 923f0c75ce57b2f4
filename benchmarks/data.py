"""Listings as real as they come: names, sizes and categories of the shipped products, cycled to any number."""

import random
from datetime import UTC, datetime
from uuid import UUID

from splitcart_common import events, ids
from splitcart_common.events.observations import MAX_LISTINGS

AT = datetime(2026, 9, 2, tzinfo=UTC)
_NAMES = (
    (
        "Pork, Pepper and Oregano Gourmet Sausages 500g",
        "SPECIALLY SELECTED",
        "0.5 kg",
        ("Meat & Seafood", "Sausage"),
    ),
    ("Extra Virgin Olive Oil 750ml", "REMANO", "750 ml", ("Pantry", "Oils & Vinegars")),
    ("Garbage Bag Handle Tie 20 Pack", "GOLIATH", "20 each", ("Cleaning & Household", "Kitchen")),
    ("Organic Baked Beans in Tomato Sauce 420g", "OH SO NATURAL", "420 g", ("Pantry", "Health Foods")),
)


def listing(number: int, price: int) -> events.ObservedListing:
    """The listing of a number, at a price in cents."""
    name, brand, size, path = _NAMES[number % len(_NAMES)]
    return events.ObservedListing(
        sku=f"{number:018d}",
        name=f"{name} {number}",
        price=price,
        page=number // 30 + 1,
        raw_hash=f"{number:016x}",
        brand=brand,
        size=size,
        category_path=path,
        unit_price=price * 2,
        unit="1kg",
        image_url=f"https://images.example/{number}.jpg",
    )


def scrape(store: str, number: int, prices: list[int]) -> tuple[UUID, list[events.Event]]:
    """One full scrape of a store: its id and its messages in order."""
    entropy = random.Random(f"{store} {number}").randbytes(10)
    scrape_id = ids.scrape_id(AT, entropy)
    batches = [
        events.ProductsObserved(
            scrape_id=scrape_id,
            batch=batch,
            listings=tuple(listing(k, prices[k]) for k in range(start, min(start + MAX_LISTINGS, len(prices)))),
        )
        for batch, start in enumerate(range(0, len(prices), MAX_LISTINGS), 1)
    ]
    started = events.ScrapeStarted(
        scrape_id=scrape_id,
        store=store,
        reason="scheduled",
        started_at=AT,
        planned_categories=("all",),
        parser_version="1",
        scope="full",
    )
    completed = events.ScrapeCompleted(
        scrape_id=scrape_id,
        finished_at=AT,
        batches=len(batches),
        pages=len(prices) // 30,
        requests=len(prices) // 30,
        categories_planned=1,
        categories_finished=1,
        listings=len(prices),
    )
    return scrape_id, [started, *batches, completed]
