"""Descriptions and requests as identity hears them, and what it makes of them."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import asyncpg

from splitcart_common import events
from splitcart_common.envelope import Envelope
from splitcart_common.topics import CATALOGUE
from splitcart_ingest.domain.catalogue import Catalogue, State, evolve
from splitcart_ingest.identity.tables import digest, stored
from tests.support.bus import Said, read_events, say
from tests.support.ingest import START
from tests.support.scraper.tiny_coles import code_of

NAMESPACE = UUID("0c1f8f1e-6e1b-5d0b-8a51-0d3a6c1b7f22")
COMPANIES = ("aldi", "coles", "iga", "woolworths")
THINGS = ("Milk", "Butter", "Bread", "Rice", "Pasta", "Honey", "Salt", "Flour", "Tea", "Juice", "Soap", "Oats")
KINDS = ("Organic", "Classic", "Golden", "Country", "Mountain", "Harvest", "Coastal", "Valley", "Sunrise", "Royal")


def described(company: str, sku: str, name: str, *, at: datetime = START, scrape: str = "1", **more: Any) -> Said:
    """A listing's description; the same one by the same scrape bears the same id."""
    event = events.ListingDescribed(
        company=company, sku=sku, name=name, described_at=at, by=uuid5(NAMESPACE, scrape), **more
    )
    ident = uuid5(NAMESPACE, repr(event))
    return say(f"{company}/{sku}", event, event_id=ident, correlation_id=event.by, at=at)


def unmerge(company: str, sku: str, product: UUID, *, at: datetime = START) -> Said:
    """An operator's word that a listing is not a product."""
    subject = f"{company}/{sku}"
    event = events.UnmergeRequested(subject=subject, by="key-1", reason="not the same", product_id=product)
    ident = uuid5(NAMESPACE, repr((event, at)))
    return say(subject, event, event_id=ident, correlation_id=ident, at=at)


def market(seed: int, products: int, rounds: int = 1) -> Iterator[Said]:
    """Things sold by some companies each; in later rounds some are called otherwise, or bear a barcode at last."""
    rng = random.Random(seed)
    sold = [(n, company) for n in range(products) for company in rng.sample(COMPANIES, rng.randrange(1, 5))]
    for number in range(rounds):
        rng.shuffle(sold)
        for n, company in sold:
            if number and rng.random() < 0.6:
                continue
            brand, thing = KINDS[n % 10], THINGS[n // 10 % 12]
            name = f"{brand} {thing} No {n}" if rng.random() < 0.7 else f"{brand} {thing} {n} Family"
            code = code_of(n) if number + rng.random() > 0.6 else None
            at = START + timedelta(days=number, minutes=n % 60)
            yield described(
                company, f"{n:06d}", name, at=at, scrape=f"{seed}", brand=brand, size=f"{100 + n}g", barcode=code,
                category_path=("Pantry",),
            )  # fmt: skip


def recorded(broker: str, prefix: str) -> list[tuple[Envelope, events.CatalogueEvent]]:
    """What is said on `catalogue`, in order."""
    return [(envelope, event) for _, envelope, event in read_events(broker, prefix, CATALOGUE)]


def decided_once(broker: str, prefix: str) -> list[events.CatalogueEvent]:
    """What is said there, each id once: what is relayed twice says the same."""
    said: dict[UUID, events.CatalogueEvent] = {}
    for envelope, event in recorded(broker, prefix):
        assert said.setdefault(envelope.event_id, event) == event
    return list(said.values())


def fold_of_catalogue(broker: str, prefix: str) -> State:
    """The fold of the log by the pure rules."""
    catalogue = Catalogue()
    for _, event in recorded(broker, prefix):
        evolve(catalogue, event)
    return catalogue.state()


async def same_as_its_log(database: str, broker: str, prefix: str, schema: str = "ingest_g1") -> State:
    """The tables are the fold of their own log (protocol.md, rule 15), to the digest; what they say."""
    connection = await asyncpg.connect(database, server_settings={"search_path": f"{schema},public"})
    try:
        found, expected = await stored(connection), fold_of_catalogue(broker, prefix)
    finally:
        await connection.close()
    assert found == expected
    assert digest(found) == digest(expected)
    return found


async def products_of(database: str, *listings: tuple[str, str]) -> list[UUID | None]:
    """Which product each listing is, as others read it."""
    connection = await asyncpg.connect(database)
    try:
        return [
            await connection.fetchval(
                "SELECT product_id FROM read.links WHERE company = $1 AND sku = $2", company, sku
            )
            for company, sku in listings
        ]
    finally:
        await connection.close()
