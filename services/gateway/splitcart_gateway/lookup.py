"""Questions that both the API and the page ask: which products answer a search, and what a product costs where."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from splitcart_gateway import problems
from splitcart_gateway.context import Gateway
from splitcart_gateway.domain.prices import Offers, compare
from splitcart_gateway.domain.products import LIKE, Product, best_first
from splitcart_gateway.domain.query import Query, parse
from splitcart_gateway.domain.stores import Nearby
from splitcart_gateway.problems import Problem

SUGGESTIONS = 5


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found; suggestions only where it found nothing."""

    query: Query
    products: Sequence[Product]
    more: bool
    suggestions: Sequence[Product]


async def find_products(gateway: Gateway, text: str, company: str | None, limit: int) -> Found:
    """The products that answer a text, best first, at most `limit`."""
    query = parse(text)
    candidates = await gateway.read.search(query, company)
    answers = [listing for listing in candidates if listing.likeness == 0 or listing.likeness >= LIKE]
    ranked = best_first(query, answers)
    products = await _products(gateway, ranked[:limit])
    suggested = [] if ranked else best_first(query, candidates)[:SUGGESTIONS]
    return Found(query, products, len(ranked) > limit, await _products(gateway, suggested))


async def find_product(gateway: Gateway, product_id: str) -> Product:
    """One product by the text of its id; Problem not-a-product-id or unknown-product."""
    [product] = await find_products_by_id(gateway, [product_id])
    return product


async def find_products_by_id(gateway: Gateway, product_ids: Iterable[str]) -> list[Product]:
    """Products by the texts of their ids, in that order, each once; a Problem for the first that is none.

    The id of a product that was merged into another stands for that one.
    """
    wanted: dict[UUID, None] = {}
    for text in product_ids:
        try:
            wanted[UUID(text)] = None
        except ValueError:
            raise await _not_an_id(gateway, text) from None
    known = await gateway.read.products(list(wanted))
    for product_id in wanted:
        if product_id not in known:
            raise Problem(
                problems.UNKNOWN_PRODUCT,
                f"There is no product {product_id}. Products are found with /api/v1/products?q=…",
                search="/api/v1/products?q={words}",
            )
    return list({known[product_id].product_id: known[product_id] for product_id in wanted}.values())


async def offers(gateway: Gateway, product: Product, stores: Sequence[Nearby]) -> Offers:
    """What a product costs at these stores now, by the virtual clock."""
    now = gateway.clock.now()
    turned = {
        company: gateway.settings.turns.last(company, now) for company in {near.store.company for near in stores}
    }
    keys = [near.store.key for near in stores]
    observed, range_seen_at = await gateway.read.prices(product.product_id, keys, now, turned)
    return compare(stores, observed, range_seen_at, now)


async def _products(gateway: Gateway, wanted: Sequence[UUID]) -> list[Product]:
    known = await gateway.read.products(wanted) if wanted else {}
    return [known[product_id] for product_id in wanted if product_id in known]


async def _not_an_id(gateway: Gateway, text: str) -> Problem:
    found = await find_products(gateway, text, None, SUGGESTIONS)
    meant = [
        {"product_id": str(product.product_id), "name": product.name, "brand": product.brand, "size": product.size}
        for product in (*found.products, *found.suggestions)
    ]
    hint = f" Did you mean {meant[0]['name']}, {meant[0]['product_id']}?" if meant else ""
    return Problem(
        problems.NOT_A_PRODUCT_ID,
        f"{text!r} is not the id of a product, which is a UUID.{hint}",
        did_you_mean=meant,
        search="/api/v1/products?q={words}",
    )
