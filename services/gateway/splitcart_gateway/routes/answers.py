"""Domain values as the JSON that schemas.answers describes, and the routes' one way of sending it."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import Response

from splitcart_common.money import to_dollars
from splitcart_gateway.domain.groups import Decision, Group, Member
from splitcart_gateway.domain.places import Postcode
from splitcart_gateway.domain.prices import Offers, Priced
from splitcart_gateway.domain.products import Listing, Product
from splitcart_gateway.domain.stores import Nearby, StoreBook

_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def json(value: object) -> Response:
    """200 with a value as JSON. Returning the value itself would have FastAPI copy it first: half the rate."""
    return Response(orjson.dumps(value, option=_OPTIONS), media_type="application/json")


def place_out(place: Postcode | None, radius_km: float) -> dict[str, Any] | None:
    """schemas.answers.Place."""
    if place is None:
        return None
    return {
        "postcode": place.postcode,
        "state": place.state,
        "lat": place.point.lat,
        "lon": place.point.lon,
        "radius_km": radius_km,
    }


def store_near(near: Nearby) -> dict[str, Any]:
    """schemas.answers.StoreNear. Distances to 10 m: a postcode's centre means no more than that."""
    store = near.store
    return {
        "store": store.key,
        "company": store.company,
        "name": store.name,
        "suburb": store.suburb,
        "state": store.state,
        "postcode": store.postcode,
        "distance_km": None if near.distance_km is None else round(near.distance_km, 2),
    }


def store_full(near: Nearby, last_scraped: Mapping[str, Any]) -> dict[str, Any]:
    """schemas.answers.StoreFull."""
    store = near.store
    return store_near(near) | {
        "division": store.division,
        "address": store.address,
        "lat": store.point.lat if store.point else None,
        "lon": store.point.lon if store.point else None,
        "sells_online": store.sells_online,
        "last_scraped_at": last_scraped.get(store.key),
    }


def _listing(listing: Listing) -> dict[str, Any]:
    return {
        "company": listing.company,
        "sku": listing.sku,
        "name": listing.name,
        "brand": listing.brand,
        "size": listing.size,
        "barcode": listing.barcode,
        "category_path": listing.category_path,
        "image_url": listing.image_url,
    }


def product_out(product: Product) -> dict[str, Any]:
    """schemas.answers.ProductOut."""
    return {
        "product_id": str(product.product_id),
        "name": product.name,
        "brand": product.brand,
        "size": product.size,
        "image_url": product.image_url,
        "listings": [_listing(listing) for listing in product.listings],
    }


def _price(priced: Priced) -> dict[str, Any]:
    price = priced.price
    return store_near(priced.near) | {
        "sku": price.sku,
        "price_cents": price.price,
        "price": to_dollars(price.price),
        "was_price_cents": price.was_price,
        "was_price": None if price.was_price is None else to_dollars(price.was_price),
        "special": price.special,
        "seen_at": price.seen_at,
        "seen_store": price.seen_store,
        "source": price.source,
        "anchor": price.anchor,
        "age_seconds": priced.age_seconds,
        "changed_at": price.changed_at,
    }


def prices_out(product: Product, offers: Offers) -> dict[str, Any]:
    """schemas.answers.ProductPrices."""
    return {
        "product_id": str(product.product_id),
        "name": product.name,
        "brand": product.brand,
        "size": product.size,
        "prices": [_price(priced) for priced in offers.prices],
        "not_sold_at": [
            store_near(absent.near) | {"reason": absent.reason, "seen_at": absent.seen_at}
            for absent in offers.not_sold_at
        ],
        "unknown": [store_near(near) for near in offers.unknown],
    }


def _named(key: str, book: StoreBook) -> dict[str, Any]:
    """schemas.answers.StoreNamed. A store that was grouped, but whose description has not come, is its key."""
    store = book.get(key)
    return {"store": key, "name": store.name if store else None, "suburb": store.suburb if store else None}


def group_out(group: Group, book: StoreBook) -> dict[str, Any]:
    """schemas.answers.GroupOut."""
    return {
        "company": group.company,
        "anchor": _named(group.anchor, book),
        "members": group.members,
        "formed_at": group.formed_at,
        "anchor_settled_at": group.anchor_settled_at,
        "stale_since": group.stale_since,
        "version": group.version,
    }


def member_out(member: Member, book: StoreBook) -> dict[str, Any]:
    """schemas.answers.MemberOut."""
    evidence = member.evidence
    return _named(member.store, book) | {
        "evidence": evidence
        and {
            "confirmed_at": evidence.confirmed_at,
            "shared": evidence.shared,
            "equal": evidence.equal,
            "share": evidence.share,
            "exceptions": evidence.exceptions,
            "scrape": str(evidence.up_to_scrape),
            "anchor_scrape": str(evidence.anchor_scrape),
            "rule_version": evidence.rule_version,
            "version": evidence.version,
        }
    }


def decision_out(decision: Decision) -> dict[str, Any]:
    """schemas.answers.DecisionOut."""
    return {
        "version": decision.version,
        "at": decision.at,
        "kind": decision.kind,
        "store": decision.store,
        "anchor": decision.anchor,
        "other": decision.other,
        "shared": decision.shared,
        "equal": decision.equal,
        "detail": decision.detail,
    }
