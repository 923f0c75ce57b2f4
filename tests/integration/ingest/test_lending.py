"""`read.listings` fills gaps as domain/enrich.py says, and is searched by what the companies say themselves."""

import random
from uuid import UUID

import asyncpg
import pytest

from splitcart_common import events
from splitcart_gateway.store import SQL as GATEWAY
from splitcart_ingest.domain.enrich import enrich
from splitcart_ingest.identity.tables import apply
from splitcart_sandbox.database import service_dsn
from tests.support.ingest import START, ByHand, listing, scrape_of

BRANDS = (None, "", "Arnott's", "ARNOTTS", "Mondelez Australia Pty Limited")
SIZES = (None, "", "500g", "0.5 kg")
PATHS = ((), ("Pantry",), ("Pantry", "Biscuits"))
IMAGES = (None, "", "https://a.example/1.jpg", "https://b.example/2.jpg")
PRODUCTS = [UUID(int=n) for n in range(1, 9)]


async def fill(hand: ByHand, rng: random.Random) -> dict[UUID, list[events.ListingDescribed]]:
    """Listings of a few companies, each a product's; what the companies say of them, by product."""
    said: dict[UUID, list[events.ListingDescribed]] = {}
    linked: list[events.CatalogueEvent] = []
    for company in ("iga", "iga-x", "coles"):
        for number in range(20):
            sku = f"{number:02d}"
            seen = listing(
                sku, 100, brand=rng.choice(BRANDS), size=rng.choice(SIZES), category_path=rng.choice(PATHS),
                image_url=rng.choice(IMAGES),
            )  # fmt: skip
            batch = events.ProductsObserved(scrape_id=scrape_of(f"{company}:1", 1), batch=1, listings=(seen,))
            await hand.observe((f"{company}:1", batch))
            product = rng.choice(PRODUCTS)
            linked.append(events.ListingLinked(company, sku, product, "name-key", {}, "1", seen.name))
            event = events.ListingDescribed(
                company, sku, seen.name, START, product, seen.brand, seen.size, None, seen.category_path,
                seen.image_url,
            )  # fmt: skip
            said.setdefault(product, []).append(event)
    await apply(hand.pool, linked)
    return said


@pytest.mark.parametrize("seed", range(3))
async def test_gaps_are_filled_as_the_domain_says(hand: ByHand, seed: int) -> None:
    said = await fill(hand, random.Random(seed))
    expected = {
        (e.listing.company, e.listing.sku): (
            e.listing.brand, e.listing.size, e.listing.category_path, e.listing.image_url, product,
        )
        for product, listings in said.items() for e in enrich(listings)
    }  # fmt: skip
    rows = await hand.pool.fetch(
        "SELECT company, sku, brand, size, category_path, image_url, product_id FROM read.listings"
    )
    assert {(row[0], row[1]): (row[2], row[3], tuple(row[4]), row[5], row[6]) for row in rows} == expected
    products = await hand.pool.fetch("SELECT product_id, brand, listings FROM read.products")
    assert {row["product_id"]: row["listings"] for row in products} == {p: len(of) for p, of in said.items()}


async def test_search_is_by_the_index_and_gaps_are_looked_at_for_what_is_shown(
    database: str, hand: ByHand
) -> None:
    await hand.pool.execute(
        "INSERT INTO listings (company, sku, name, category_path, described_on, content_hash) "
        "SELECT 'coles', n::text, md5(n::text) || CASE WHEN n % 5 = 0 THEN ' milk' ELSE '' END, '{}', "
        "'2026-09-01', n FROM generate_series(1, 5000) n"
    )
    await hand.pool.execute(
        "INSERT INTO links (company, sku, product_id) SELECT company, sku, md5(sku)::uuid FROM listings"
    )
    reader = await asyncpg.connect(service_dsn(database, "gateway"))
    try:
        await hand.pool.execute("ANALYZE")
        plan = await explained(reader, "listings_by_words", "text, text, bigint", "'milk', NULL, 300")
        assert "listings_by_words" in plan
        assert "loops=300" in plan
        assert "loops=1000)" not in plan.split("SubPlan")[1], (
            "for each that matches, and not for each that is shown"
        )
        # The index can be used: whether it pays, so few rows do not say.
        await reader.execute("SET enable_seqscan = off; SET enable_indexscan = off")
        plan = await explained(reader, "listings_by_likeness", "text, text, bigint", "'melk', NULL, 300")
        assert "listings_by_likeness" in plan
        await reader.execute("RESET ALL")
        asked = "'{" + str(await hand.pool.fetchval("SELECT product_id FROM links WHERE sku = '7'")) + "}'"
        plan = await explained(reader, "listings_of_products", "uuid[]", asked)
        assert "links_by_product" in plan
        assert "Seq Scan on listings" not in plan
    finally:
        await reader.close()


async def explained(reader: asyncpg.Connection, name: str, types: str, values: str) -> str:
    await reader.execute(f"PREPARE {name} ({types}) AS {GATEWAY[name]}")
    rows = await reader.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE {name} ({values})")
    return "\n".join(row[0] for row in rows)
