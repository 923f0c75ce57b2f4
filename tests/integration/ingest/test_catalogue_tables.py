"""The catalogue's tables are the fold of its events, however they are split into transactions and repeated."""

import random
from uuid import UUID

import pytest

from splitcart_common import events
from splitcart_ingest.domain.catalogue import Catalogue, evolve
from splitcart_ingest.domain.identity import own_product_id
from splitcart_ingest.identity.tables import apply, digest, left_by, load, stored

PRODUCTS = [UUID(int=n) for n in range(7)]
SKUS = [str(n) for n in range(6)]
WORDS = ["arnotts", "arnott", "aldi's \x1f\\ {own}", ""]


def some_event(rng: random.Random) -> events.CatalogueEvent:
    """Any event about a few products and listings, sensible or not."""
    product, sku = rng.choice(PRODUCTS), rng.choice(SKUS)
    company = rng.choice(("aldi", "coles"))
    match rng.randrange(9):
        case 0 | 1:
            sizes = tuple(rng.sample(WORDS, rng.randrange(3)))
            return events.ProductRegistered(product, company, sku, "Milk", rng.choice([None, *WORDS]), sizes)
        case 2 | 3 | 4:
            rule = rng.choice(("barcode", "own-link", "name-key", "operator"))
            said = [rng.choice([None, *WORDS]) for _ in range(3)]
            return events.ListingLinked(
                company, sku, product, rule, {"key": rng.choice(WORDS)}, "1", rng.choice(("Milk", "Tea")), *said
            )
        case 5:
            return events.ListingUnlinked(company, sku, product, "key-1", barred=rng.random() < 0.5)
        case 6:
            return events.KeyVariationLearned(product, rng.choice(WORDS), company, sku)
        case 7:
            merged = tuple(rng.sample(PRODUCTS, rng.randrange(1, 3)))
            return events.ProductsMerged(product, merged, "barcode", {})
        case _:
            merged = tuple(rng.sample(WORDS, rng.randrange(1, 3)))
            return events.BrandsMerged(rng.choice(WORDS), merged, "prefix", {})


def in_parts(rng: random.Random, said: list[events.CatalogueEvent]) -> list[list[events.CatalogueEvent]]:
    cuts = sorted(rng.sample(range(1, len(said)), rng.randrange(len(said) // 2)))
    return [said[start:end] for start, end in zip([0, *cuts], [*cuts, len(said)], strict=True)]


def registered(said: list[events.CatalogueEvent]) -> list[events.CatalogueEvent]:
    """The same, every product registered before anything is said of it: as it is in a log."""
    first = [events.ProductRegistered(p, "aldi", "0", "Milk", None, ()) for p in PRODUCTS]
    return [*first, *said]


@pytest.mark.parametrize("seed", range(5))
async def test_any_split_of_any_events_is_the_fold_of_them(pool, seed):
    rng = random.Random(seed)
    async with pool.acquire() as connection:
        for _ in range(12):
            said = registered([some_event(rng) for _ in range(rng.randrange(10, 60))])
            catalogue = Catalogue()
            for event in said:
                evolve(catalogue, event)
            transaction = connection.transaction()
            await transaction.start()
            for part in in_parts(rng, said):
                await apply(connection, part)
            assert await stored(connection) == catalogue.state()
            assert digest(await stored(connection)) == digest(catalogue.state())
            assert (await load(connection)).state() == catalogue.state()
            # A relay that died says a part of it again, up to the end.
            for part in in_parts(rng, said[rng.randrange(len(said) - 2) :]):
                await apply(connection, part)
            assert await stored(connection) == catalogue.state()
            await transaction.rollback()


async def test_a_listing_has_a_product_before_and_between_decisions(pool):
    async def product() -> UUID:
        return await pool.fetchval("SELECT product_id FROM read.links WHERE sku = '1'")

    await pool.execute("INSERT INTO links (company, sku, product_id) VALUES ('aldi', '1', $1)", PRODUCTS[3])
    assert (await stored(pool)).links == (), "not decided is no part of the catalogue"
    await apply(pool, [events.ListingLinked("aldi", "1", PRODUCTS[1], "barcode", {}, "1", "Milk")])
    assert await product() == PRODUCTS[1]
    await apply(pool, [events.ListingUnlinked("aldi", "1", PRODUCTS[1], "key-1")])
    assert await product() == own_product_id("aldi", "1")
    assert (await stored(pool)).links == ()
    assert await pool.fetchval("SELECT coalesce(rule, rule_version, evidence::text, name) FROM links") is None


async def test_who_wrote_last_is_known_by_its_transaction(pool):
    one = events.ProductRegistered(PRODUCTS[1], "aldi", "1", "Milk")
    before = await left_by(pool)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await apply(connection, [one])
        mine = await left_by(connection)
        await transaction.rollback()
    assert mine != before
    assert await left_by(pool) == before
    await apply(pool, [one])
    assert await left_by(pool) not in {before, mine}
    last = await left_by(pool)
    await apply(pool, [])
    assert await left_by(pool) == last


async def test_a_key_longer_than_an_index_bears(pool):
    rng = random.Random(1)
    key = "".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(2000))
    learned = [events.KeyVariationLearned(PRODUCTS[1], key, "aldi", sku) for sku in ("2", "1", "3")]
    for event in learned:
        await apply(pool, [event])
    assert (await stored(pool)).variations == ((PRODUCTS[1], key),)
    assert await pool.fetchval("SELECT sku FROM variations") == "1", "whoever comes first"
